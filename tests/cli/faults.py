"""Exit codes of what goes wrong underneath: damaged runs, kernel builds, OpenCL, files that cannot be written."""
import json
import os
import shutil
import signal

from clv import (RUN_FILES, Skip, case, clavicle, environment, fails, faulty, main, need_device, read,
                 setting, start, trained, write)


@case('a kernel that does not compile: exit code 5, kernel and options are named')
def build(tmp):
    need_device()
    env = dict(faulty('clBuildProgram'), CLAVICLE_CACHE_DIR=tmp + '/cache')
    fails(5, *setting(tmp), '--out', tmp + '/run', env=env, says=('kernel', '.cl', '-cl-std'))
    assert not os.path.exists(tmp + '/run') or sorted(os.listdir(tmp + '/run')) != RUN_FILES


@case('OpenCL errors: exit code 6, before the training and within it; the run can be resumed then')
def opencl(tmp):
    need_device()
    args = setting(tmp) + ['--epochs', 4, '--batch', 4, '--quiet']
    fails(6, *args, '--out', tmp + '/run', env=faulty('clCreateContext'), says='clCreateContext')
    fails(6, *args, '--out', tmp + '/run', '--force', env=faulty('clEnqueueNDRangeKernel:90'),
          says=('clEnqueueNDRangeKernel', 'CL_OUT_OF_RESOURCES'))
    clavicle('train', '--resume', tmp + '/run', '--quiet')
    clavicle(*args, '--out', tmp + '/whole')
    assert read(tmp + '/run/last.safetensors') == read(tmp + '/whole/last.safetensors')
    fails(6, 'eval', tmp + '/run', env=faulty('clEnqueueNDRangeKernel'), says='clEnqueueNDRangeKernel')


@case('a network that does not fit the device: exit code 6, or it is refused by name and limit')
def memory(tmp):
    need_device()
    r = clavicle(*setting(tmp), '--out', tmp + '/run', '--caps', 'alloc=64', code=None)
    assert r.code in (2, 6) and r.last.startswith('clavicle: '), r
    assert '64' in r.last, r


@case('damaged runs: every file that is cut short or garbled gives one line and an exit code, no crash')
def damaged(tmp):
    need_device()
    run = trained(tmp)
    image = tmp + '/data/A/000.png'
    for name in ('config.json', 'best.safetensors', 'last.safetensors', 'split.csv'):
        whole = read('%s/%s' % (run, name))
        for change in (b'', whole[:1], whole[:len(whole) // 2], whole[:-3], b'\xff' * 40 + whole[40:],
                       whole.replace(b'dense', b'dance').replace(b'"text"', b'"tent"').replace(b'train,', b'trian,')):
            if change == whole:
                continue
            write('%s/%s' % (run, name), change)
            commands = {'config.json': (['eval', run], ['predict', run, image], ['train', '--resume', run]),
                        'best.safetensors': (['eval', run], ['predict', run, image]),
                        'last.safetensors': (['train', '--resume', run, '--epochs', 3],
                                             ['eval', run, '--checkpoint', 'last']),
                        'split.csv': (['eval', run], ['train', '--resume', run, '--epochs', 3])}[name]
            if change not in (b'', whole[:len(whole) // 2]):
                commands = commands[:1]
            for command in commands:
                r = clavicle(*command, code=None)
                if r.code == 0 and name == 'split.csv' and change.endswith(whole[-4:-3]):
                    continue
                assert r.code in (2, 4), (name, change[:60], r)
                assert r.last.startswith('clavicle: ') and len(r.err.splitlines()) == 1, (name, change[:60], r)
            write('%s/%s' % (run, name), whole)
    for name in ('history.csv', 'metrics.json'):  # records that nothing depends on
        write('%s/%s' % (run, name), b'\xff')
        clavicle('eval', run)
    clavicle('train', '--resume', run, '--epochs', 3)


@case('a read-only RUN: exit code 7 for --resume, eval and predict work')
def read_only(tmp):
    need_device()
    run = trained(tmp)
    nobody = {}
    if os.geteuid() == 0:  # permissions do not bind root
        nobody = {'user': 65534, 'group': 65534, 'extra_groups': []}
        os.chmod(tmp, 0o755)
    os.chmod(run, 0o555)
    env = {'CLAVICLE_CACHE_DIR': tmp + '/cache'}
    shutil.copytree(environment()['CLAVICLE_CACHE_DIR'], tmp + '/cache')
    for folder, below, files in os.walk(tmp + '/cache'):
        os.chmod(folder, 0o777)
    try:
        clavicle('--version', **nobody)
    except PermissionError:
        raise Skip('another user cannot run the command here')
    before = read(run + '/last.safetensors')
    fails(7, 'train', '--resume', run, '--epochs', 3, says=run, env=env, **nobody)
    assert read(run + '/last.safetensors') == before
    clavicle('eval', run, env=env, **nobody)
    clavicle('predict', run, tmp + '/data/A/000.png', env=env, **nobody)


@case('a cache folder that is damaged or cannot be written only costs time')
def cache(tmp):
    need_device()
    args = setting(tmp) + ['--epochs', 1, '--quiet']
    write(tmp + '/cache', 'a file')
    clavicle(*args, '--out', tmp + '/a', env={'CLAVICLE_CACHE_DIR': tmp + '/cache'})
    folder = tmp + '/cache2'
    shutil.copytree(environment()['CLAVICLE_CACHE_DIR'] + '/programs', folder + '/programs')
    for name in os.listdir(folder + '/programs'):
        write('%s/programs/%s' % (folder, name), b'damaged')
    clavicle(*args, '--out', tmp + '/b', env={'CLAVICLE_CACHE_DIR': folder})
    assert read(tmp + '/a/best.safetensors') == read(tmp + '/b/best.safetensors')


@case('a reader of the events that goes away ends the training with a checkpoint and exit code 7')
def reader_gone(tmp):
    need_device()
    p = start(*setting(tmp), '--out', tmp + '/run', '--epochs', 100000, '--batch', 4, '--json')
    for _ in range(3):
        p.stdout.readline()
    p.stdout.close()
    err = p.stderr.read().decode()
    p.stderr.close()
    assert p.wait(60) == 7 and err.splitlines()[-1].startswith('clavicle: cannot write the output'), err
    assert 'last.safetensors' in os.listdir(tmp + '/run')
    assert json.loads(read(tmp + '/run/config.json'))


@case('Ctrl-C: the step ends, the checkpoint is written, the last line says how to resume, exit code 130')
def interrupted(tmp):
    need_device()
    for number in (signal.SIGINT, signal.SIGTERM):
        run = '%s/run%d' % (tmp, number)
        p = start(*setting(tmp), '--out', run, '--epochs', 100000, '--batch', 4, '--json')
        for _ in range(9):
            p.stdout.readline()
        p.send_signal(number)
        out, err = p.communicate()
        assert p.returncode == 130, (p.returncode, err)
        assert err.decode().splitlines()[-1].startswith('clavicle: interrupted'), err
        assert err.decode().endswith('clavicle train --resume %s\n' % run), err
        end = json.loads(out.decode().splitlines()[-1])
        assert end['event'] == 'end' and end['stop_reason'] == 'cancelled', end
        assert set(RUN_FILES) >= set(os.listdir(run)) >= {'config.json', 'last.safetensors', 'split.csv'}


if __name__ == '__main__':
    main()
