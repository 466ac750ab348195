"""Arguments: help, one-line errors, exit code 2, and that nothing else happens first."""
import re

from clv import (MODEL, case, clavicle, fails, images, main, setting, untouched, write)

COMMANDS = ['train', 'eval', 'predict', 'graph', 'devices', 'data inspect', 'data preview', 'data phantom',
            'data get', 'tune', 'bench', 'doctor', 'compare']


@case('--help of the command and of each subcommand prints options and examples to stdout')
def help_text(tmp):
    for name in ['', 'data'] + COMMANDS:
        r = clavicle(*name.split(), '--help')
        assert not r.err, r
        assert 'Example' in r.out and ('clavicle ' + name).strip() in r.out, r
        assert 'sage: clavicle' in r.out, r
    r = clavicle('--help')
    for code in (2, 3, 4, 5, 6, 7, 8, 9, 10, 130):
        assert re.search(r'\b%d\b' % code, r.out), (code, r)


@case('--help-all and --help-ops list every option table')
def option_tables(tmp):
    r = clavicle('train', '--help-all')
    for word in ('nesterov', 'beta_1', 'cosine', 'plateau', 'label_smoothing', 'resize', 'rotation'):
        assert word in r.out, (word, r)
    assert 'kernel_size' in clavicle('graph', '--help-ops').out


@case('--version prints one line')
def version(tmp):
    r = clavicle('--version')
    assert re.fullmatch(r'clavicle \d+\.\d+\.\d+\n', r.out) and not r.err, r


@case('wrong arguments: one line on stderr, nothing on stdout, exit code 2')
def wrong_arguments(tmp):
    args = setting(tmp)
    wrong = [
        [], ['nonsense'], ['data'], ['data', 'nonsense'],
        ['train'], ['train', 'lenet'], ['train', 'lenet', '--data', tmp], ['train', '--nonsense'],
        ['train', 'lenet', 'mlp', '--data', tmp, '--out', tmp + '/x'],
        ['eval'], ['eval', 'a', 'b'], ['predict'], ['predict', 'run'], ['graph'],
        ['eval', 'a', '--split', 'nonsense'], ['eval', 'a', '--json', '--csv', '-'],
        ['graph', 'mlp', '--dot', '--json'], ['devices', 'extra'], ['doctor', 'extra'], ['doctor', '--all', '--device', 'cpu'], ['doctor', '--group', 'x'],
        ['compare'], ['compare', 'mlp'], ['compare', '--devices', 'cpu,cpu'], ['compare', '--devices', 'cpu', 'mlp'],
        ['compare', '--devices', 'a,b,c', 'mlp'], ['compare', '--devices', 'a,b', 'mlp', '--device', 'cpu'],
        ['compare', '--devices', 'a,b', 'mlp', '--pass', 'x'], ['compare', '--devices', 'a,b', 'mlp', '--augment', 'flip=both'],
        ['compare', '--devices', 'a,b', 'mlp', '--tolerance', '0'], ['compare', '--devices', 'a,b', 'mlp', '--steps', '0'],
        ['compare', '--devices', 'a,b', 'mlp', '--optimizer', 'x'], ['devices', '--json=yes'],
        ['tune', 'a', 'b'], ['tune', '--pass', 'x'], ['tune', '--gemm', 'x'], ['tune', 'mlp', '--export'],
        ['data', 'inspect'], ['data', 'get'], ['data', 'phantom'], ['data', 'phantom', tmp + '/p', '--size', '3'],
    ]
    for option, value in (('--epochs', '0'), ('--epochs', 'x'), ('--batch', '0'), ('--seed', '-1'),
                          ('--val-fraction', '2'), ('--gemm', 'x'), ('--tune', 'x'), ('--self-test', 'x'), ('--winograd', '3'), ('--precision', 'fp16'), ('--plan', 'x'), ('--cache', '1Q'),
                          ('--threads', '-1'), ('--min-delta', 'nan'), ('--checkpoint-seconds', '0')):
        wrong.append(args + ['--out', tmp + '/x', option, value])
    for argv in wrong:
        r = fails(2, *argv)
        assert len(r.err.splitlines()) == 1 and not r.out, r
    r = fails(2, 'train', '--epochs')
    assert '--epochs' in r.last, r


@case('texts of options are refused before data and device are looked at, with what is known')
def wrong_texts(tmp):
    args = ['train', write(tmp + '/net.model', MODEL), '--data', tmp + '/missing', '--out', tmp + '/x']
    for option, text, says in (
            ('--optimizer', 'nonsense', 'adam'), ('--optimizer', 'sgd momentum=2', 'momentum'),
            ('--optimizer', 'sgd nonsense=2', 'nonsense'), ('--learning-rate', 'x', 'learning_rate'),
            ('--schedule', 'nonsense', 'cosine'), ('--loss', 'nonsense', 'binary_crossentropy'),
            ('--monitor', 'nonsense', 'val_auc')):
        fails(2, *args, option, text, says=says)
    args = setting(tmp) + ['--out', tmp + '/x']
    env = untouched()
    for option, text, says in (
            ('--preprocess', 'nonsense=1', 'nonsense'), ('--preprocess', 'crop_center=7', 'crop_center'),
            ('--augment', 'rotation=1000', 'rotation'), ('--split', '70/x', 'split'), ('--group-by', '(', ''),
            ('--loss', 'categorical_crossentropy class_weight=1,2,3', 'class_weight')):
        fails(2, *args, option, text, says=says, env=env)


@case('an unknown model names the built-in ones; errors in a model file carry line and column')
def wrong_models(tmp):
    images(tmp + '/data', 4)
    args = ['--data', tmp + '/data', '--out', tmp + '/x']
    fails(2, 'train', 'nonsense', *args, says=('lenet', 'mlp', 'tutorial-cnn'))
    for text, says in (('input 8 8 1\nnonsense 3\n', '2:1'),
                       ('input 8 8 1\ndense units=2 nonsense=1\n', '2:'),
                       ('input 8 8 1\nconv2d 4 11\n', '2:')):
        fails(2, 'train', write(tmp + '/bad.model', text), *args, says=('bad.model:', says))
        fails(2, 'graph', tmp + '/bad.model', says=('bad.model:', says))
    fails(2, 'train', write(tmp + '/three.model', MODEL.replace('$classes', '3')), *args,
          says=('3', '2 classes', 'units=$classes'))


if __name__ == '__main__':
    main()
