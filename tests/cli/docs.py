"""The pages say what the command does: every option, exit code and JSON key, and no option that is not there."""
import os
import re

from bench import BENCH_KEYS
from clv import SOURCE, case, clavicle, main, read
from compare import COMPARE_KEYS, ROW_KEYS
from doctor import DOCTOR_KEYS
from listing import DEVICE_KEYS, INSPECT_KEYS
from repeats import MEMBER_KEYS, RESULT_KEYS, RESULT_MEMBER_KEYS, SUMMARY_KEYS
from runs import EVENT_KEYS
from sweep import SWEEP_KEYS, SWEEP_MEMBER_KEYS, SWEEP_ROW_KEYS
from tune import TUNE_KEYS
from use import CLASS_KEYS, EVAL_KEYS
import clv

clv.CASES.clear()  # of the files that were read for their keys

COMMANDS = ['train', 'sweep', 'eval', 'predict', 'graph', 'devices', 'data inspect', 'data preview', 'data phantom',
            'data get', 'tune', 'bench', 'doctor', 'compare']
PAGE = read(os.path.join(SOURCE, 'docs', 'command-line.md')).decode()


def section(command):
    return re.search(r'^## %s\n(.*?)(?=^## |\Z)' % command, PAGE, re.M | re.S).group(1)


def options(command):
    text = clavicle(*command.split(), '--help').out
    return set(re.findall(r'^ +(?:-\w, )?(--[a-z-]+)', text, re.M))


@case('every option of every command is on its page')
def all_options(tmp):
    common = section('Everywhere')
    shared = section('data inspect') + section('train')
    for command in COMMANDS:
        for option in options(command):
            where = section(command) + common
            if command == 'data preview':
                where += shared
            assert option in where, (command, option)


@case('no page names an option that the command does not have')
def no_other_options(tmp):
    known = set.union(*map(options, COMMANDS)) | {'--help', '--version'}
    for name in ('command-line.md', 'data.md', 'clavicle.1'):
        text = read(os.path.join(SOURCE, 'docs', name)).decode().replace('\\-', '-')
        for option in re.findall(r'(?<![\w-])--[a-z]+(?:-[a-z]+)*', text):
            assert option in known, (name, option)


@case('every key of the JSON objects is on its page')
def all_keys(tmp):
    keys = {'train': {k for e in EVENT_KEYS.values() for k in e} | set(MEMBER_KEYS + RESULT_KEYS + RESULT_MEMBER_KEYS + SUMMARY_KEYS), 'eval': EVAL_KEYS + CLASS_KEYS,
            'sweep': SWEEP_KEYS + SWEEP_MEMBER_KEYS + SWEEP_ROW_KEYS, 'devices': DEVICE_KEYS, 'tune': TUNE_KEYS, 'bench': BENCH_KEYS, 'doctor': DOCTOR_KEYS, 'compare': COMPARE_KEYS + ROW_KEYS, 'data inspect': INSPECT_KEYS}
    for command, names in keys.items():
        for name in names:
            assert '`%s`' % name in section(command), (command, name)


@case('the exit codes of the page, the manual and --help are the same')
def codes(tmp):
    page = set(re.findall(r'^\| (\d+) \|', section('Everywhere'), re.M))
    manual = read(os.path.join(SOURCE, 'docs', 'clavicle.1')).decode()
    assert page == set(re.findall(r'^\.B (\d+)$', manual, re.M)) == {
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '130'}, page
    text = clavicle('--help').out
    assert page == set(re.findall(r'\b(\d+)\b', text[text.index('Exit codes'):].split('Environment')[0])), text


@case('the options of preprocessing and augmentation are in data.md')
def tables(tmp):
    page = read(os.path.join(SOURCE, 'docs', 'data.md')).decode()
    text = clavicle('train', '--help-all').out
    for key in re.findall(r'^  (\w+)=', text[text.index('preprocess:'):], re.M):
        assert '`%s`' % key in page, key


if __name__ == '__main__':
    main()
