"""Stopping a training anywhere, kindly and not, and going on: the same files bit for bit."""
import json
import os
import random
import signal
import time

from clv import CONV_MODEL, RUN_FILES, case, clavicle, history, images, main, need_device, read, setting, start

OPTIONS = ['--epochs', 6, '--batch', 3, '--seed', 3, '--augment', 'rotation=10 flip=horizontal',
           '--schedule', 'cosine warmup=7', '--clip-norm', 1, '--checkpoint-seconds', '0.001']


def same(run, whole):
    assert sorted(os.listdir(run)) == RUN_FILES, 'left behind: %s' % os.listdir(run)
    for name in ('best.safetensors', 'last.safetensors', 'split.csv'):
        assert read('%s/%s' % (run, name)) == read('%s/%s' % (whole, name)), name
    assert history(run) == history(whole), (history(run), history(whole))
    a, b = (json.loads(read(r + '/metrics.json')) for r in (run, whole))
    assert a == b, (a, b)


def resume_until_done(run, stop, rng):
    """Resumes and stops again and again; returns how often it was stopped."""
    stops = 0
    while stops < 60:
        p = start('train', '--resume', run, '--json')
        done = stop(p, rng)
        out, err = p.communicate()
        if p.returncode == 0:
            return stops
        assert not done and p.returncode in (130, -signal.SIGKILL), (p.returncode, err)
        stops += 1
    clavicle('train', '--resume', run, '--quiet')
    return stops


def after_lines(number):
    """Sends the signal after a random number of events."""
    def stop(p, rng):
        for _ in range(rng.randrange(1, 30)):
            if not p.stdout.readline():
                return True
        if p.poll() is None:
            p.send_signal(number)
        return False
    return stop


def after_time(p, rng):
    time.sleep(rng.random() * .9)
    if p.poll() is None:
        p.kill()
    return False


@case('Ctrl-C in the middle of epochs, then --resume: equal to an uninterrupted run bit for bit')
def interrupted(tmp):
    need_device()
    args = setting(tmp, 24, CONV_MODEL) + OPTIONS
    clavicle(*args, '--out', tmp + '/whole', '--quiet')
    rng = random.Random(1)
    p = start(*args, '--out', tmp + '/run', '--json')
    after_lines(signal.SIGINT)(p, rng)
    out, err = p.communicate()
    assert p.returncode == 130, err
    stops = resume_until_done(tmp + '/run', after_lines(signal.SIGINT), rng)
    assert stops > 1, 'it was never stopped'
    same(tmp + '/run', tmp + '/whole')


@case('kill -9 at random moments, then --resume: equal to an uninterrupted run, nothing left behind')
def killed(tmp):
    need_device()
    args = setting(tmp, 24, CONV_MODEL) + OPTIONS
    clavicle(*args, '--out', tmp + '/whole', '--quiet')
    for seed in range(4):
        rng = random.Random(seed)
        run = '%s/run%d' % (tmp, seed)
        while True:  # until there is something to resume; an attempt that was killed earlier is replaced
            p = start(*args, '--out', run, '--json')
            after_time(p, rng)
            p.communicate()
            if os.path.exists(run + '/config.json'):
                break
            if os.path.isdir(run):
                for name in os.listdir(run):
                    os.remove('%s/%s' % (run, name))
        resume_until_done(run, after_lines(signal.SIGKILL) if seed % 2 else after_time, rng)
        same(run, tmp + '/whole')


@case('folds interrupted anywhere, images added meanwhile, then --resume: the same table and files bit for bit')
def folds(tmp):
    need_device()
    args = setting(tmp, 20) + ['--folds', 3, '--epochs', 3, '--batch', 4, '--checkpoint-seconds', '0.001']
    clavicle(*args, '--out', tmp + '/whole', '--quiet')
    run = tmp + '/run'
    p = start(*args, '--out', run, '--json')
    for number, stop in ((signal.SIGINT, 22), (signal.SIGKILL, 14), (signal.SIGINT, 30), (signal.SIGKILL, 36)):
        for _ in range(stop):
            if not p.stdout.readline():
                break
        p.send_signal(number)
        out, err = p.communicate()
        assert p.returncode in (0, 130, -signal.SIGKILL), (p.returncode, err)
        if number == signal.SIGINT and p.returncode:
            assert '--resume ' + run in err.decode(), err
        images(tmp + '/data', 1, seed=50 + stop, prefix='new%d' % stop)
        p = start('train', '--resume', run, '--json')
    p.communicate()
    assert p.returncode == 0
    for name in ('results.json', 'results.txt', 'split.csv'):
        assert read('%s/%s' % (run, name)) == read('%s/whole/%s' % (tmp, name)), name
    for k in (1, 2, 3):
        a, b = '%s/fold-%d' % (run, k), '%s/whole/fold-%d' % (tmp, k)
        for name in ('best.safetensors', 'last.safetensors', 'split.csv', 'metrics.json'):
            assert read('%s/%s' % (a, name)) == read('%s/%s' % (b, name)), name
        assert history(a) == history(b)
        assert sorted(os.listdir(a)) == RUN_FILES


@case('a sweep killed anywhere, then --resume: the same ranking, winner and files bit for bit')
def sweep(tmp):
    need_device()
    net = setting(tmp, 20, CONV_MODEL)[1]
    with open(tmp + '/ranges.txt', 'w') as f:
        f.write('learning_rate log 1e-4 1e-1\nbatch int 3 9\n')

    def args(out):
        return ['sweep', tmp + '/ranges.txt', '--data', tmp + '/data', '--out', out, '--method', 'halving', '--eta', 2, '--trials', 4,
                '--epochs', 4, '--test', '--', net, '--schedule', 'cosine', '--checkpoint-seconds', '0.001']
    clavicle(*args(tmp + '/whole'))
    run = tmp + '/run'
    p = start(*args(run)[:-6], '--json', *args(run)[-6:])
    for number, stop in ((signal.SIGKILL, 12), (signal.SIGINT, 17), (signal.SIGKILL, 9), (signal.SIGKILL, 14), (signal.SIGINT, 20)):
        for _ in range(stop):
            if not p.stdout.readline():
                break
        p.send_signal(number)
        out, err = p.communicate()
        assert p.returncode in (0, 130, -signal.SIGKILL), (p.returncode, err)
        if p.returncode == 130:
            assert 'sweep --resume ' + run in err.decode(), err
        images(tmp + '/data', 1, seed=50 + stop, prefix='new%d' % stop)
        p = start('sweep', '--resume', run, '--json', '--test')
    p.communicate()
    assert p.returncode == 0
    for name in ('results.json', 'results.txt', 'split.csv', 'sweep.json'):
        assert read('%s/%s' % (run, name)) == read('%s/whole/%s' % (tmp, name)), name
    for k in (1, 2, 3, 4):
        a, b = '%s/trial-%d' % (run, k), '%s/whole/trial-%d' % (tmp, k)
        for name in ('best.safetensors', 'last.safetensors', 'split.csv', 'metrics.json'):
            assert read('%s/%s' % (a, name)) == read('%s/%s' % (b, name)), name
        assert history(a) == history(b)
        assert sorted(os.listdir(a)) == RUN_FILES


@case('a second Ctrl-C ends the command at once')
def twice(tmp):
    need_device()
    p = start(*setting(tmp), '--out', tmp + '/run', '--epochs', 1000000, '--json')
    p.stdout.readline()
    p.send_signal(signal.SIGSTOP)  # both arrive before it can react to the first
    p.send_signal(signal.SIGINT)
    p.send_signal(signal.SIGCONT)
    time.sleep(.05)
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)
    assert p.returncode in (130, -signal.SIGINT), p.returncode


if __name__ == '__main__':
    main()
