"""clavicle sweep: ranges, both methods, ranking, failures, what is refused first."""
import json
import os
import shlex

from clv import RUN_FILES, case, clavicle, fails, main, need_device, read, setting, untouched, write, MODEL

SWEEP_MEMBER_KEYS = ['event', 'member', 'number', 'members', 'run', 'rung', 'rungs', 'epochs', 'settings']
SWEEP_KEYS = ['event', 'method', 'trials', 'seed', 'monitor', 'rungs', 'members', 'winner', 'test', 'command']
SWEEP_ROW_KEYS = ['rank', 'name', 'settings', 'epochs', 'best_epoch', 'value', 'values', 'failure']
RANGES = '''# of the tests
learning_rate log 1e-4 1e-1
batch choice 4 8
weight_decay uniform 0 0.1 # of the optimizer
augment.rotation int 0 20
'''


def begin(tmp, *options, ranges=RANGES, model=MODEL, method='random', out='sweep', rest=('--optimizer', 'adamw')):
    """The arguments of a small search."""
    net = setting(tmp, 14, model)[1]
    write(tmp + '/ranges.txt', ranges)
    return ['sweep', tmp + '/ranges.txt', '--data', tmp + '/data', '--out', '%s/%s' % (tmp, out), '--method', method, '--quiet',
            *options, '--', net, *rest]


@case('halving: rungs as planned, members go on from their checkpoints, the best by validation wins and can be trained anew')
def halving(tmp):
    need_device()
    r = clavicle(*begin(tmp, '--trials', 4, '--epochs', 4, '--eta', 2, '--seed', 5, '--json', method='halving',
                        rest=('--optimizer', 'adamw', '--schedule', 'cosine')))
    e = r.lines()
    started = [x for x in e if x['event'] == 'member']
    assert all(sorted(x) == sorted(SWEEP_MEMBER_KEYS) for x in started), r
    assert [(x['rung'], x['epochs']) for x in started] == [(1, 1)] * 4 + [(2, 2)] * 2 + [(3, None)], r
    assert [x['epoch'] for x in e if x['event'] == 'epoch'] == [1] * 4 + [2] * 2 + [3, 4], r
    results = e[-1]
    rows = results['members']
    assert sorted(results) == sorted(SWEEP_KEYS) and all(sorted(x) == sorted(SWEEP_ROW_KEYS) for x in rows), r
    assert results['rungs'] == [{'members': 4, 'epochs': 1}, {'members': 2, 'epochs': 2}, {'members': 1, 'epochs': 4}]
    assert [x['epochs'] for x in rows] == [4, 2, 1, 1] and [x['rank'] for x in rows] == [1, 2, 3, 4]
    first = sorted((x['values'][0], int(x['name'][6:])) for x in rows)
    assert {x['name'] for x in rows[:2]} == {'trial-%d' % n for _, n in first[:2]}, first
    assert rows[2]['value'] <= rows[3]['value'] and results['test'] is None and results['winner'] == rows[0]['name']
    for x in rows:
        path = '%s/sweep/%s' % (tmp, x['name'])
        assert sorted(os.listdir(path)) == RUN_FILES, os.listdir(path)
        config = json.loads(read(path + '/config.json'))
        assert config['training']['epochs'] == 4 and config['training']['batch'] == int(x['settings']['batch'])
        for name in ('learning_rate', 'weight_decay'):
            assert '%s=%s' % (name, x['settings'][name]) in config['training']['optimizer'], config['training']
        assert config['preprocessing']['augment'] == 'rotation=' + x['settings']['augment.rotation']
    words = shlex.split(results['command'])
    assert words[0] == 'clavicle' and words[-2:] == ['--out', 'RUN']
    clavicle(*words[1:-1], tmp + '/anew', '--quiet')
    for name in ('best.safetensors', 'last.safetensors', 'split.csv'):
        assert read(tmp + '/anew/' + name) == read('%s/sweep/%s/%s' % (tmp, results['winner'], name)), name
    # Finished: resuming trains nothing, and the test split is read for the winner when that is asked for.
    text = clavicle('sweep', '--resume', tmp + '/sweep', '--test')
    assert 'epoch 1' not in text.err and text.out.startswith(read(tmp + '/sweep/results.txt').decode()), text
    assert results['winner'] + ' on the test split' in text.out and results['command'] in text.out, text
    again = json.loads(read(tmp + '/sweep/results.json'))
    assert again['members'] == rows
    test = clavicle('eval', '%s/sweep/%s' % (tmp, results['winner']), '--json').json()
    assert again['test']['accuracy'] == test['accuracy'] and again['test']['count'] == test['count']


@case('random: members that diverge are recorded and ranked last, and the search goes on')
def diverging(tmp):
    need_device()
    linear = MODEL.replace(' activation=softmax', '')
    r = clavicle(*begin(tmp, '--trials', 3, '--epochs', 2, '--monitor', 'val_accuracy', '--test',
                        ranges='learning_rate choice 1e-3 1e-2 1000\n', model=linear, rest=('--optimizer', 'sgd', '--batch', 8)))
    rows = r.out.splitlines()
    assert 'val_accuracy' in rows[0] and 'learning_rate' in rows[0], r
    assert rows[3].split()[0] == '-' and 'failed: ' in rows[3] and 'not finite' in rows[3] and '1000' in rows[3], r
    assert 'on the test split' in rows[4] and 'clavicle train ' in r.out, r
    results = json.loads(read(tmp + '/sweep/results.json'))
    worst = results['members'][2]
    assert worst['rank'] is None and worst['value'] is None and worst['failure'], worst
    r = fails(8, *begin(tmp, '--trials', 1, '--epochs', 2, out='all', ranges='learning_rate choice 1000\n', model=linear,
                        rest=('--optimizer', 'sgd', '--batch', 8)), says='every member failed')


@case('what is wrong is said in one line before anything is trained, and leaves nothing behind')
def refused(tmp):
    env = untouched()

    def no(code, says, *options, **more):
        fails(code, *begin(tmp, *options, **more), env=env, says=says)
        assert not os.path.exists(tmp + '/sweep')
    no(2, 'ranges.txt:2', ranges='batch choice 4 8\nlearning_rate log 0 1\n')
    no(2, 'did you mean learning_rate?', ranges='learning_ratio log 1e-3 1\n')
    no(2, 'combinations', ranges='batch choice 4 8\n', rest=())
    no(2, 'cannot be searched', ranges='val_fraction uniform 0.1 0.2\n')
    no(2, '--batch', '--trials', 2, ranges='batch choice 4 many\n')
    no(2, 'rotatoin', '--trials', 2, ranges='augment.rotatoin int 0 9\n')
    no(2, 'trial-', '--trials', 2, ranges='augment.rotatoin int 0 9\n')
    no(2, 'epochs', '--trials', 2, ranges='epochs choice 3 4\n', method='halving')
    no(2, 'validation images', '--monitor', 'loss')
    no(2, 'nonsense', '--monitor', 'nonsense')
    no(2, 'folds', rest=('--folds', '3'))
    no(2, "'another'", rest=('another',))
    args = begin(tmp)
    fails(2, *args[:2], *args[4:], env=env, says='--data')
    fails(4, *args[:1], tmp + '/none.txt', *args[2:], env=env, says='none.txt')
    fails(4, 'sweep', '--resume', tmp + '/data', env=env, says='sweep.json')
    fails(2, 'sweep', '--resume', tmp + '/data', '--trials', 3, env=env, says='--resume')
    os.makedirs(tmp + '/sweep')
    write(tmp + '/sweep/letter.txt', 'dear')
    fails(2, *begin(tmp, '--force'), env=env, says='sweep')
    assert os.listdir(tmp + '/sweep') == ['letter.txt']


if __name__ == '__main__':
    main()
