"""clavicle eval and clavicle predict: what they say about a run, and by which list they go."""
import csv
import io
import json
import os
import shutil

from clv import (MODEL, case, clavicle, fails, images, main, need_device, npz, pixels, png, read, trained,
                 untouched, write)

EVAL_KEYS = ['count', 'classes', 'positive', 'accuracy', 'balanced_accuracy', 'auc', 'precision', 'recall',
             'specificity', 'f1', 'precision_macro', 'recall_macro', 'f1_macro', 'precision_weighted',
             'recall_weighted', 'f1_weighted', 'loss', 'confusion', 'per_class', 'run', 'split', 'epoch', 'device',
             'unknown', 'views']
CLASS_KEYS = ['class', 'support', 'predicted', 'precision', 'recall', 'specificity', 'f1', 'auc']


def evaluate(run, *options, **more):
    r = clavicle('eval', run, '--json', *options, **more)
    assert len(r.out.splitlines()) == 1, r
    return r.json()


def table(text):
    return list(csv.reader(io.StringIO(text)))


@case('eval --json: one object with all keys, nothing on stderr; the numbers follow from predictions.csv')
def numbers(tmp):
    need_device()
    run = trained(tmp, '--epochs', 1, count=20)
    r = clavicle('eval', run, '--json', '--csv', tmp + '/p.csv')
    assert not r.err, r
    e = r.json()
    assert sorted(e) == sorted(EVAL_KEYS), sorted(e)
    assert all(sorted(c) == sorted(CLASS_KEYS) for c in e['per_class'])
    rows = table(read(tmp + '/p.csv').decode())
    assert rows[0] == ['path', 'split', 'label', 'predicted', 'prob_A', 'prob_B'], rows[0]
    rows = rows[1:]
    assert e['count'] == len(rows) == 6 and {row[1] for row in rows} == {'test'} == {e['split']}
    for path, split, label, predicted, a, b in rows:
        assert os.path.exists('%s/data/%s' % (tmp, path)) and path.startswith(label + '/')
        assert abs(float(a) + float(b) - 1) < 1e-5 and predicted == ('A' if float(a) >= float(b) else 'B')
    confusion = [[sum(row[2] == t and row[3] == p for row in rows) for p in 'AB'] for t in 'AB']
    assert confusion == e['confusion'] and e['classes'] == ['A', 'B'] and e['positive'] == 'B'
    assert abs(e['accuracy'] - (confusion[0][0] + confusion[1][1]) / 6) < 1e-12
    assert abs(e['recall'] - confusion[1][1] / sum(confusion[1])) < 1e-12
    positive, negative = ([float(row[5]) for row in rows if row[2] == c] for c in 'BA')
    area = sum((p > n) + (p == n) / 2 for p in positive for n in negative) / len(positive) / len(negative)
    assert abs(e['auc'] - area) < 1e-9, (e['auc'], area)


@case('eval: --positive, --split, --checkpoint, a table for people, predictions to stdout')
def options(tmp):
    need_device()
    run = trained(tmp, '--epochs', 1, count=20)
    b, a = evaluate(run), evaluate(run, '--positive', 'A')
    assert a['positive'] == 'A' and a['recall'] == b['per_class'][0]['recall'] == b['specificity']
    assert a['accuracy'] == b['accuracy']
    fails(2, 'eval', run, '--positive', 'nonsense', says=('nonsense', 'A, B'), env=untouched())
    assert evaluate(run, '--split', 'train')['count'] == 28
    assert evaluate(run, '--checkpoint', 'last')['epoch'] == 1
    assert evaluate(run, '--checkpoint', run + '/best.safetensors', '--batch', 3)['confusion'] == b['confusion']
    fails(4, 'eval', run, '--checkpoint', 'nonsense', says='nonsense')
    r = clavicle('eval', run)
    for word in ('precision', 'recall', 'specificity', 'F1', 'AUC', 'macro', 'weighted', 'accuracy',
                 'balanced accuracy', 'confusion', 'positive: B', 'test split', ' on '):
        assert word in r.out, (word, r)
    assert not r.err, r
    rows = table(clavicle('eval', run, '--csv', '-').out)
    assert len(rows) == 7 and rows[0][0] == 'path'


@case("eval goes by the run's list: added images are named and left out, moved ones keep their split")
def added(tmp):
    need_device()
    run = trained(tmp, count=20)
    before = evaluate(run)
    images(tmp + '/data', 2, seed=70, prefix='added')
    r = clavicle('eval', run, '--json')
    assert r.json()['unknown'] == 4 and 'added000.png' in r.err, r
    os.rename(tmp + '/data/A/000.png', tmp + '/data/A/renamed.png')
    after = evaluate(run)
    assert {k: after[k] for k in after if k != 'unknown'} == {k: before[k] for k in before if k != 'unknown'}
    os.rename(tmp + '/data', tmp + '/elsewhere')
    fails(4, 'eval', run, says='data')
    assert evaluate(run, '--data', tmp + '/elsewhere')['confusion'] == before['confusion']


@case('eval of a data set that the run has never seen; a class that it does not know is refused')
def foreign(tmp):
    need_device()
    run = trained(tmp, count=20)
    other = images(tmp + '/other/test', 6, seed=40)
    images(tmp + '/other/train', 2, seed=41)
    e = evaluate(run, '--data', tmp + '/other')
    assert e['count'] == 12 and e['unknown'] == 0, e
    os.rename(other + '/B', other + '/C')
    os.rename(tmp + '/other/train/B', tmp + '/other/train/C')
    fails(4, 'eval', run, '--data', tmp + '/other', says='C', env=untouched())


@case('arrays: predictions name split/index')
def arrays(tmp):
    need_device()
    write(tmp + '/net.model', MODEL)
    clavicle('train', tmp + '/net.model', '--data', npz(tmp + '/set.npz'), '--out', tmp + '/run', '--epochs', 1,
             '--quiet')
    rows = table(clavicle('eval', tmp + '/run', '--csv', '-').out)[1:]
    assert [row[0] for row in rows] == ['test/%d' % i for i in range(8)], rows
    assert [row[2] for row in rows] == ['0', '1'] * 4, rows


@case('predict: files and folders, text, --json and --csv; the run brings classes and preprocessing')
def predict(tmp):
    need_device()
    run = trained(tmp, '--preprocess', 'mean=0.5 std=0.25', '--epochs', 5, '--learning-rate', 0.05)
    png(tmp + '/new/one.png', 31, 40, pixels(0, 5, 31, 40))
    png(tmp + '/new/below/two.PNG', 10, 9, pixels(1, 6))
    write(tmp + '/new/notes.txt', 'x')
    r = clavicle('predict', run, tmp + '/new/', '--json', '--csv', tmp + '/p.csv')
    assert not r.err, r
    found = r.lines()
    assert [x['path'] for x in found] == [tmp + '/new/below/two.PNG', tmp + '/new/one.png'], r
    assert [x['predicted'] for x in found] == ['B', 'A'], r
    for x in found:
        assert sorted(x) == ['path', 'predicted', 'probabilities', 'views'] and x['views'] == ['as it is'] and sorted(x['probabilities']) == ['A', 'B']
        assert abs(sum(x['probabilities'].values()) - 1) < 1e-5
    rows = table(read(tmp + '/p.csv').decode())
    assert rows[0] == ['path', 'predicted', 'error', 'prob_A', 'prob_B'] and len(rows) == 3, rows
    assert abs(float(rows[1][4]) - found[0]['probabilities']['B']) < 1e-6
    text = clavicle('predict', run, tmp + '/new/one.png').out
    assert text.startswith(tmp + '/new/one.png  A  A=') and len(text.splitlines()) == 1, text
    shutil.copytree(run, tmp + '/copy')
    shutil.rmtree(tmp + '/data')
    clavicle('predict', tmp + '/copy', tmp + '/new/one.png')


@case('predict: a bad, a missing file and an empty folder get rows of their own, the rest is done, exit code 4')
def predict_bad(tmp):
    need_device()
    run = trained(tmp)
    good = [tmp + '/data/A/%03d.png' % (2 * i) for i in range(10)]
    bad = [write(tmp + '/bad.png', 'x'), tmp + '/missing.png', tmp + '/empty']
    os.makedirs(bad[2])
    files = good[:5] + bad + good[5:]
    r = fails(4, 'predict', run, *files, '--json', '--csv', tmp + '/p.csv', says='3 of 13')
    found = r.lines()
    assert [x['path'] for x in found] == files
    assert all(('error' in x) == (x['path'] in bad) and ('predicted' in x) != (x['path'] in bad) for x in found)
    rows = table(read(tmp + '/p.csv').decode())[1:]
    assert [row[0] for row in rows] == files and all(bool(row[2]) == (row[0] in bad) for row in rows), rows
    r = fails(4, 'predict', run, *files)
    assert len(r.out.splitlines()) == 13, r


@case('class and file names with commas, quotes and bytes that are no UTF-8 survive CSV and JSON')
def names(tmp):
    need_device()
    write(tmp + '/net.model', MODEL)
    classes = ('a, "b"', 'c')
    images(tmp + '/data', 12, classes=classes)
    clavicle('train', tmp + '/net.model', '--data', tmp + '/data', '--out', tmp + '/run', '--epochs', 1, '--quiet')
    rows = table(clavicle('eval', tmp + '/run', '--csv', '-').out)
    assert rows[0][4] == 'prob_a, "b"' and rows[1][2] in classes, rows[:2]
    odd = os.fsencode(tmp) + b'/odd\xff.png'
    with open(odd, 'wb') as f:
        f.write(read(tmp + '/data/c/001.png'))
    r = clavicle('predict', tmp + '/run', odd, '--json')
    assert r.json()['path'].endswith('odd\ufffd.png'), r


@case('a predictions file that cannot be written: exit code 7, before any device is opened; nothing is left')
def unwritable(tmp):
    need_device()
    run = trained(tmp)
    for command in (['eval', run], ['predict', run, tmp + '/data/A/000.png']):
        r = fails(7, *command, '--csv', tmp + '/missing/p.csv', env=untouched(), says='p.csv')
        assert len(r.err.splitlines()) == 1 and not r.out, r
    if os.path.exists('/dev/full'):
        fails(7, 'eval', run, '--csv', '/dev/full', says='/dev/full')
        assert os.path.exists('/dev/full')
    write(tmp + '/p.csv', 'old')
    fails(7, 'eval', run, '--split', 'train', '--csv', tmp + '/p.csv', limit=100, says='p.csv')
    assert read(tmp + '/p.csv') == b'old'
    assert sorted(os.listdir(tmp)) == ['data', 'net.model', 'p.csv', 'run'], os.listdir(tmp)


@case('eval and predict check the run first: no run, no checkpoint, no such split')
def no_run(tmp):
    need_device()
    env = untouched()
    for command in (['eval', tmp + '/nothing'], ['predict', tmp + '/nothing', 'x.png']):
        fails(4, *command, env=env, says=('nothing', 'config.json'))
    run = trained(tmp)
    os.remove(run + '/best.safetensors')
    fails(4, 'eval', run, env=env, says='last')
    evaluate(run, '--checkpoint', 'last')
    data = images(tmp + '/two/train', 4, seed=8)
    images(tmp + '/two/test', 4, seed=9)
    clavicle('train', tmp + '/net.model', '--data', tmp + '/two', '--out', tmp + '/r2', '--epochs', 1, '--quiet',
             '--val-fraction', '0.25')
    shutil.rmtree(tmp + '/two/test')
    fails(4, 'eval', tmp + '/r2', says='test', env=env)


if __name__ == '__main__':
    main()
