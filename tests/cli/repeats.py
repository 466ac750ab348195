"""clavicle train --folds and --trials: members, the table, resuming, refusing."""
import json
import os
import statistics

from clv import RUN_FILES, case, clavicle, fails, main, need_device, read, setting, untouched

MEMBER_KEYS = ['event', 'member', 'number', 'members', 'run', 'fold', 'trial', 'seed', 'stage']
RESULT_KEYS = ['event', 'folds', 'trials', 'finished', 'members', 'summary']
RESULT_MEMBER_KEYS = ['name', 'fold', 'trial', 'seed', 'epochs', 'steps', 'stop_reason', 'monitor', 'best_epoch', 'best_value',
                      'validation', 'test']
SUMMARY_KEYS = ['n', 'mean', 'std', 'low', 'high']
SHORT = ['--epochs', 2, '--batch', 8, '--seed', 3, '--quiet']


def splits(run):
    """{content: split} of a member."""
    rows = [line.rsplit(',', 3) for line in read(run + '/split.csv').decode().splitlines()[1:]]
    return {row[3]: row[1] for row in rows}


@case('--folds: whole runs with disjoint validation images, one test split, and a table of their metrics')
def folds(tmp):
    need_device()
    run = tmp + '/run'
    r = clavicle(*setting(tmp, 20), '--out', run, '--folds', 3, '--json', *SHORT)
    e = r.lines()
    assert [x['stage'] for x in e if x['event'] == 'member'] == ['train'] * 3 + ['test'] * 3, r
    assert all(sorted(x) == sorted(MEMBER_KEYS) for x in e if x['event'] == 'member'), r
    results = e[-1]
    assert sorted(results) == sorted(RESULT_KEYS) and results['finished'] and results['folds'] == 3, r
    assert sorted(os.listdir(run)) == ['config.json', 'fold-1', 'fold-2', 'fold-3', 'results.json', 'results.txt', 'split.csv']
    kept = json.loads(read(run + '/results.json'))
    assert dict(kept, event='results') == results
    times = {}
    whole = splits(run)
    for m in results['members']:
        assert sorted(m) == sorted(RESULT_MEMBER_KEYS), m
        path = '%s/%s' % (run, m['name'])
        assert sorted(os.listdir(path)) == RUN_FILES
        for content, split in splits(path).items():
            assert (split == 'test') == (whole[content] == 'test')
            times[content] = times.get(content, 0) + (split == 'val')
        config = json.loads(read(path + '/config.json'))
        assert config['data']['fold'] == m['fold'] and config['data']['folds'] == 3 and config['training']['seed'] == 3
        test = clavicle('eval', path, '--json').json()
        assert test['accuracy'] == m['test']['accuracy'] and test['loss'] == m['test']['loss'], (test, m)
    assert all(n == (whole[c] != 'test') for c, n in times.items()), times
    for section in ('validation', 'test'):
        s = results['summary'][section]['loss']
        x = [m[section]['loss'] for m in results['members']]
        assert sorted(s) == sorted(SUMMARY_KEYS) and s['n'] == 3
        assert abs(s['mean'] - statistics.mean(x)) < 1e-12 and abs(s['std'] - statistics.stdev(x)) < 1e-12
        half = 4.302652729749462 * statistics.stdev(x) / 3 ** .5
        assert abs(s['low'] - (s['mean'] - half)) < 1e-9 and abs(s['high'] - (s['mean'] + half)) < 1e-9
    again = clavicle('train', '--resume', run, '--quiet')
    assert again.out.startswith(read(run + '/results.txt').decode()), again
    for word in ('fold-2', 'mean', 'standard deviation', '95 % from', 'test AUC'):
        assert word in again.out, again
    assert json.loads(read(run + '/results.json')) == kept
    fails(2, 'eval', run, says='fold-1')
    fails(2, 'train', '--resume', run, '--folds', 3, says='--folds'[2:])


@case('--trials: seeds from --seed on, the same splits; each is the run that its seed gives by itself')
def trials(tmp):
    need_device()
    args = setting(tmp, 20)
    results = clavicle(*args, '--out', tmp + '/run', '--trials', 2, '--json', *SHORT).lines()[-1]
    assert [m['seed'] for m in results['members']] == [3, 4] and results['folds'] is None
    assert splits(tmp + '/run/trial-1') == splits(tmp + '/run/trial-2')
    clavicle(*args, '--out', tmp + '/alone', *SHORT)
    for name in ('best.safetensors', 'last.safetensors', 'split.csv'):
        assert read(tmp + '/alone/' + name) == read(tmp + '/run/trial-1/' + name), name
    assert read(tmp + '/run/trial-1/best.safetensors') != read(tmp + '/run/trial-2/best.safetensors')
    both = clavicle(*args, '--out', tmp + '/both', '--trials', 2, '--folds', 2, '--json', '--epochs', 1, '--quiet').lines()[-1]
    assert [m['name'] for m in both['members']] == [
        'fold-1-trial-1', 'fold-2-trial-1', 'fold-1-trial-2', 'fold-2-trial-2'], both
    # More epochs for all of them, and the test split is measured anew.
    longer = clavicle('train', '--resume', tmp + '/both', '--epochs', 2, '--json').lines()[-1]
    assert all(m['epochs'] == 2 for m in longer['members']) and longer['members'][0]['test'] != both['members'][0]['test']


@case('what is wrong is said in one line before any device is opened, and leaves nothing behind; --force replaces members')
def refused(tmp):
    args = setting(tmp, 20)
    env = untouched()
    out = ['--out', tmp + '/run', '--epochs', 1, '--quiet']
    fails(2, *args, *out, '--folds', 1, env=env, says='--folds')
    fails(2, *args, *out, '--trials', 0, env=env, says='--trials')
    fails(4, *args, *out, '--folds', 50, env=env, says='too few images')
    fails(2, *args, *out, '--folds', 2, '--trace', tmp + '/t.json', env=env, says='--trace')
    fails(2, *args, *out, '--folds', 2, '--monitor', 'nonsense', env=env, says='nonsense')
    assert not os.path.exists(tmp + '/run')
    need_device()
    if env:
        fails(6, *args, *out, '--folds', 2, env=env, says='fold-1')
        assert not os.path.exists(tmp + '/run')
    clavicle(*args, *out, '--folds', 3)
    fails(2, *args, *out, '--folds', 3, says='already holds a run')
    clavicle(*args, *out, '--trials', 1, '--force')
    assert sorted(os.listdir(tmp + '/run')) == ['config.json', 'results.json', 'results.txt', 'split.csv', 'trial-1']
    clavicle(*args, *out, '--force')
    assert sorted(os.listdir(tmp + '/run')) == RUN_FILES


if __name__ == '__main__':
    main()
