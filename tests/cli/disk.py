"""A disk that is full: exit code 7, the old checkpoint intact, and the run goes on when there is room."""
import json
import os
import shutil
import subprocess

from clv import (COMMAND, RUN_FILES, Skip, case, clavicle, environment, fails, history, main, need_device, read,
                 setting, write)

MODEL = '''let classes = 2
input 8 8 1
flatten
dense units=300 activation=relu
dense units=$classes activation=softmax
'''


def whole_run(tmp, epochs=4):
    args = setting(tmp, model=MODEL) + ['--batch', 8, '--quiet']
    clavicle(*args, '--epochs', epochs, '--out', tmp + '/whole')
    return args


@case('files limited to less than a checkpoint: exit code 7, everything old intact, then it goes on')
def limited(tmp):
    need_device()
    args = whole_run(tmp)
    clavicle(*args, '--epochs', 2, '--out', tmp + '/run')
    run = tmp + '/run'
    size = os.path.getsize(run + '/last.safetensors')
    for limit in (1, 200, size // 3, size - 1):
        before = {name: read('%s/%s' % (run, name)) for name in ('best.safetensors', 'last.safetensors', 'split.csv')}
        r = fails(7, 'train', '--resume', run, '--epochs', 4, '--quiet', limit=limit)
        assert len(r.err.splitlines()) == 1, r
        for name, content in before.items():
            if name != 'best.safetensors' or limit < os.path.getsize(run + '/best.safetensors'):
                assert read('%s/%s' % (run, name)) == content, (limit, name)
        assert set(os.listdir(run)) <= set(RUN_FILES), os.listdir(run)
        json.loads(read(run + '/config.json'))
    clavicle('train', '--resume', run, '--epochs', 4, '--quiet')
    assert read(run + '/last.safetensors') == read(tmp + '/whole/last.safetensors')
    assert history(run) == history(tmp + '/whole')


@case('a small file system that fills up: exit code 7 naming the file, the checkpoint before it is intact')
def full(tmp):
    need_device()
    whole_run(tmp)
    # Room for the checkpoints, but not for a third one under its temporary name.
    script = '''set -e
mount -t tmpfs -o size=600k none "$1/small"
"$0" train "$1/net.model" --data "$1/data" --batch 8 --quiet --epochs 2 --out "$1/small/run"
free=$(df --output=avail -k "$1/small" | tail -1)
head -c $((free * 1024 - 8192)) /dev/zero > "$1/small/filler"
cp -r "$1/small/run" "$1/before"
set +e
"$0" train --resume "$1/small/run" --epochs 4 --quiet; echo "code $?"
set -e
cp -r "$1/small/run" "$1/after"
rm "$1/small/filler"
"$0" train --resume "$1/small/run" --epochs 4 --quiet
cp -r "$1/small/run" "$1/end"
'''
    os.makedirs(tmp + '/small')
    how = ['unshare', '--mount'] if os.geteuid() == 0 else ['unshare', '--mount', '--map-root-user']
    try:
        probe = subprocess.run(how + ['mount', '-t', 'tmpfs', 'none', tmp + '/small'], capture_output=True)
    except FileNotFoundError:
        raise Skip('no unshare')
    if probe.returncode:
        raise Skip('no file system can be mounted here')
    p = subprocess.run(how + ['sh', '-c', script, COMMAND, tmp], env=environment(), capture_output=True, text=True)
    assert p.returncode == 0 and 'code 7\n' in p.stdout, (p.stdout, p.stderr)
    assert any(line.startswith('clavicle: ') and 'No space left' in line and 'small/run' in line
               for line in p.stderr.splitlines()), p.stderr
    assert json.loads(read(tmp + '/after/config.json'))['training']['epochs'] == 4
    for name in ('best.safetensors', 'last.safetensors', 'split.csv'):
        assert read('%s/after/%s' % (tmp, name)) == read('%s/before/%s' % (tmp, name)), name
    assert set(os.listdir(tmp + '/after')) <= set(RUN_FILES), os.listdir(tmp + '/after')
    assert read(tmp + '/end/last.safetensors') == read(tmp + '/whole/last.safetensors')


@case('data phantom and data preview to a full disk: exit code 7')
def making(tmp):
    fails(7, 'data', 'phantom', tmp + '/p', '--size', 64, '--train', 4, '--val', 2, '--test', 2, limit=100)
    clavicle('data', 'phantom', tmp + '/q', '--size', 64, '--train', 4, '--val', 2, '--test', 2)
    write(tmp + '/sheet.png', 'old')
    fails(7, 'data', 'preview', tmp + '/q', '--out', tmp + '/sheet.png', limit=100)
    assert read(tmp + '/sheet.png') == b'old'
    shutil.rmtree(tmp + '/q')


if __name__ == '__main__':
    main()
