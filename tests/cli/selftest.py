"""The self-test in front of trainings, evaluations and predictions: passes, remembers, refuses."""
import os

from clv import CONV_MODEL, case, clavicle, idle, main, need_device, setting


def start(tmp, *options, code=0, env=None):
    """A training of one step with a cache of its own; returns what it said."""
    env = dict(env or {}, CLAVICLE_CACHE_DIR=tmp + '/cache')
    args = [*setting(tmp, model=CONV_MODEL), '--out', tmp + '/run', '--force', '--max-steps', 1, '--batch', 4, '--quiet']
    return clavicle(*args, '--verbose', *options, code=code, env=env)


@case('the first start tests the kernels, the second remembers; on tests again, off never')
def remembers(tmp):
    need_device()
    assert 'self-test: passed' in start(tmp).err
    assert len(os.listdir(tmp + '/cache/selftest')) == 1
    assert 'self-test' not in start(tmp).err
    assert 'self-test: passed' in start(tmp, '--self-test', 'on').err
    assert 'self-test' not in start(tmp, '--self-test', 'off', '--seed', 5).err
    # Evaluation has other kernels.
    env = {'CLAVICLE_CACHE_DIR': tmp + '/cache'}
    assert 'self-test: passed' in clavicle('eval', tmp + '/run', '--split', 'val', '--verbose', env=env).err
    assert 'self-test' not in clavicle('predict', tmp + '/run', tmp + '/data/A/000.png', '--verbose', env=env).err


@case('a kernel that computes nothing is refused with exit code 9 and its name, again at the next start, until tested anew')
def refuses(tmp):
    need_device()
    for kernel, says in (('sample', 'instead of'), ('update', 'gradient')):
        folder = '%s/%s' % (tmp, kernel)
        r = start(folder, env=idle(kernel), code=9)
        assert r.last.startswith('clavicle: ') and 'computes wrong results' in r.last and 'kernel' in r.last, r
        assert says in r.last, r
        again = start(folder, code=9)
        assert 'found at an earlier start' in again.last, again
        start(folder, '--self-test', 'off')
        assert 'self-test: passed' in start(folder, '--self-test', 'on').err
        start(folder)


if __name__ == '__main__':
    main()
