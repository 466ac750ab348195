"""Tuning through the command: what is kept, who takes it, and that a run goes on with what it began with."""
import json
import os
import signal

from clv import (BUILD, CONV_MODEL, MODEL, RUN_FILES, case, clavicle, fails, history, main, need_device, read,
                 setting, start, write)

TUNE_KEYS = ['problem', 'problems', 'what', 'choice', 'default', 'seconds', 'default_seconds', 'gflops', 'tried',
             'wrong', 'known', 'clblast_seconds', 'clblast_build_seconds']


def cache(tmp, name='cache'):
    """A cache folder of our own, but compiled kernels from the one that all tests of the command share."""
    shared = os.path.join(os.path.abspath(BUILD), 'cli-cache')
    os.makedirs(shared + '/programs', exist_ok=True)
    os.makedirs('%s/%s' % (tmp, name), exist_ok=True)
    if not os.path.lexists('%s/%s/programs' % (tmp, name)):
        os.symlink(shared + '/programs', '%s/%s/programs' % (tmp, name))
    return {'CLAVICLE_CACHE_DIR': '%s/%s' % (tmp, name), 'POCL_CACHE_DIR': shared + '/pocl'}


def lines(env):
    text = read(env['CLAVICLE_CACHE_DIR'] + '/tuning.txt').decode()
    return [line for line in text.splitlines() if line and line[0] != '#']


def choose(env, choice):
    """Makes the database say this choice for every problem it knows."""
    changed = []
    for line in lines(env):
        fields = line.split('|')
        fields[5] = choice
        changed.append('|'.join(fields))
    write(env['CLAVICLE_CACHE_DIR'] + '/tuning.txt', '\n'.join(changed) + '\n')


def choices(run):
    return json.loads(read(run + '/config.json'))['choices']


def schedules(run):
    return {c.split()[0] for c in choices(run).values()}


@case('tune measures each product once, keeps it, and knows it the next time')
def known(tmp):
    need_device()
    env = cache(tmp)
    model = write(tmp + '/net.model', MODEL)
    first = clavicle('tune', model, '--batch', 8, '--json', env=env).lines()
    assert len(first) == 3 and not any(r['known'] or r['wrong'] for r in first), first
    for r in first:
        assert set(r) <= set(TUNE_KEYS) and r['tried'] >= 1 and r['seconds'] > 0, r
        assert r['what'].split()[1] == 'n8', r
    assert len(lines(env)) == 3, lines(env)
    again = clavicle('tune', model, '--batch', 8, '--json', env=env).lines()
    assert all(r['known'] for r in again), again
    forward = clavicle('tune', model, '--batch', 2, '--pass', 'forward', env=env)
    assert 'GFLOP/s' in forward.out and 'n2' in forward.out and 'weights' not in forward.out, forward
    exported = clavicle('tune', '--export', env=env).out.splitlines()
    assert len(exported) == 4 and all(line.count('|') == 3 for line in exported), exported


@case('Ctrl-C ends a tune with what is done kept; the next goes on')
def interrupted(tmp):
    need_device()
    env = cache(tmp)
    model = write(tmp + '/net.model', CONV_MODEL)
    p = start('tune', model, '--batch', 4, '--json', env=env)
    first = json.loads(p.stdout.readline())
    p.send_signal(signal.SIGINT)
    out, err = p.communicate()
    assert p.returncode == 130, err
    assert b'interrupted' in err.splitlines()[-1], err
    kept = lines(env)
    assert 1 <= len(kept) < first['problems'], kept
    rest = clavicle('tune', model, '--batch', 4, '--json', env=env).lines()
    assert sum(r['known'] for r in rest) == len(kept) and len(rest) == first['problems'], rest


@case('train takes what was measured; --tune off never reads it; --tune on measures first')
def modes(tmp):
    need_device()
    env = cache(tmp)
    args = setting(tmp) + ['--epochs', 1, '--batch', 8, '--quiet']
    clavicle(*args, '--out', tmp + '/on', '--tune', 'on', env=env)
    assert len(lines(env)) == 3
    choose(env, 'simple')
    clavicle(*args, '--out', tmp + '/cached', env=env)
    assert schedules(tmp + '/cached') == {'simple'}, choices(tmp + '/cached')
    write(env['CLAVICLE_CACHE_DIR'] + '/tuning.txt', read(env['CLAVICLE_CACHE_DIR'] + '/tuning.txt') + b'junk\n')
    r = clavicle(*args, '--out', tmp + '/off', '--tune', 'off', env=env)
    assert 'simple' not in schedules(tmp + '/off') and not r.err, r
    r = clavicle(*args, '--out', tmp + '/warned', env=env)
    assert r.err.count('damaged line') == 1, r


@case('a resumed run takes what it recorded, whatever the database says by now: equal bit for bit')
def resumed(tmp):
    need_device()
    env = cache(tmp)
    args = setting(tmp, 12, CONV_MODEL) + ['--batch', 8, '--quiet']
    clavicle('tune', tmp + '/net.model', '--batch', 8, env=env)
    clavicle(*args, '--out', tmp + '/whole', '--epochs', 2, env=env)
    clavicle(*args, '--out', tmp + '/run', '--epochs', 1, env=env)
    recorded = choices(tmp + '/run')
    choose(env, 'simple')
    clavicle('train', '--resume', tmp + '/run', '--epochs', 2, '--quiet', env=env)
    assert choices(tmp + '/run') == recorded == choices(tmp + '/whole')
    assert 'simple' not in schedules(tmp + '/run'), recorded
    for name in RUN_FILES:
        if name.endswith('.safetensors'):
            assert read('%s/run/%s' % (tmp, name)) == read('%s/whole/%s' % (tmp, name)), name
    assert history(tmp + '/run') == history(tmp + '/whole')
    # The other way round: recorded with other kernels, and the database is gone.
    clavicle(*args, '--out', tmp + '/slow', '--epochs', 1, env=env)
    assert 'simple' in schedules(tmp + '/slow')
    os.remove(env['CLAVICLE_CACHE_DIR'] + '/tuning.txt')
    clavicle('train', '--resume', tmp + '/slow', '--epochs', 2, '--quiet', env=env)
    assert 'simple' in schedules(tmp + '/slow')
    clavicle('eval', tmp + '/slow', '--split', 'val', '--json', env=env)


@case('a resumed run whose record cannot be had fails and names what changed')
def changed(tmp):
    need_device()
    env = cache(tmp)
    clavicle(*setting(tmp), '--out', tmp + '/run', '--epochs', 1, '--batch', 8, '--quiet', env=env)
    config = json.loads(read(tmp + '/run/config.json'))
    problem = next(k for k in config['choices'] if k.startswith('weights'))
    config['choices'][problem] = 'gone depth=3'
    write(tmp + '/run/config.json', json.dumps(config))
    fails(2, 'train', '--resume', tmp + '/run', '--epochs', 2, env=env, says=[problem, 'gone depth=3', 'bit for bit'])


@case('a database that cannot be written: tune says so at once, a training goes on without it')
def unwritable(tmp):
    need_device()
    model = write(tmp + '/net.model', MODEL)
    write(tmp + '/file', '')
    env = dict(cache(tmp), CLAVICLE_CACHE_DIR=tmp + '/file/cache')
    r = fails(7, 'tune', model, env=env, says='cannot')
    assert len(r.err.splitlines()) == 1 and not r.out, r
    r = clavicle(*setting(tmp), '--out', tmp + '/run', '--epochs', 1, '--batch', 8, '--quiet', '--tune', 'on', env=env)
    assert r.err.count('warning') == 1 and 'this run only' in r.err, r
    # A full disk: no file may grow past these bytes.
    env = cache(tmp)
    fails(7, 'tune', model, env=env, limit=16, says='tuning.txt')
    assert not os.path.exists(env['CLAVICLE_CACHE_DIR'] + '/tuning.txt')


@case('what the database says in vain is one warning, and the training does without')
def ignored(tmp):
    need_device()
    env = cache(tmp)
    args = setting(tmp) + ['--epochs', 1, '--batch', 8, '--quiet']
    clavicle('tune', tmp + '/net.model', '--batch', 8, '--quiet', env=env)
    choose(env, 'vector nonsense=1')
    r = clavicle(*args, '--out', tmp + '/run', env=env)
    assert 'ignored' in r.err and 'vector nonsense=1' in r.err, r
    assert not any('nonsense' in c for c in choices(tmp + '/run').values())


if __name__ == '__main__':
    main()
