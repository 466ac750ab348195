"""clavicle train: events, run folders, refusing, resuming, what is checked first."""
import json
import os
import pty

from clv import (CONV_MODEL, MODEL, RUN_FILES, Skip, case, clavicle, fails, history, images, main, need_device, npz, read,
                 setting, start, trained, untouched, write)

BATCH_KEYS = ['event', 'epoch', 'epochs', 'batch', 'batches', 'loss', 'accuracy', 'learning_rate',
              'images_per_second', 'seconds', 'wait_seconds', 'skipped_steps', 'loss_scale']
EVENT_KEYS = {
    'start': ['event', 'epoch', 'epochs', 'batches', 'learning_rate', 'seconds', 'run', 'model', 'parameters',
              'device', 'driver', 'class_count', 'train', 'val', 'test', 'ignored', 'bad', 'leaked_images',
              'leaked_persons', 'monitor', 'sampler', 'class_weight'],
    'batch': BATCH_KEYS,
    'epoch': [k for k in BATCH_KEYS if k not in ('batch', 'batches')] +
             ['val_loss', 'val_accuracy', 'val_auc', 'val_f1', 'best'],
    'end': [k for k in BATCH_KEYS if k not in ('batch', 'batches')] +
           ['val_loss', 'val_accuracy', 'val_auc', 'val_f1', 'stop_reason', 'run', 'steps', 'monitor',
            'best_epoch', 'best_value', 'ignored', 'bad'],
    'profile': ['event', 'epoch', 'epochs', 'learning_rate', 'seconds', 'runs', 'training_seconds', 'device_seconds',
                'device_share', 'upload_seconds', 'host_cpu_seconds', 'host_cpu_share', 'steps'],
}
STEP_KEYS = ['what', 'group', 'pass', 'variant', 'params', 'runs', 'total_s', 'median_s', 'low_s', 'high_s', 'best_s',
             'flops', 'bytes_read', 'bytes_written', 'memory_s', 'gflops', 'gbytes_per_s', 'ceiling_fraction', 'bound']


def json_events(*args, **more):
    r = clavicle('train', *args, '--json', **more) if args[0] != 'train' else clavicle(*args, '--json', **more)
    return r, r.lines()


@case('train --json: nothing but the events, all keys, one batch line per batch, nothing on stderr')
def events(tmp):
    need_device()
    r, e = json_events(*setting(tmp, 14), '--out', tmp + '/run', '--epochs', 2, '--batch', 8)
    assert not r.err, r
    assert [x['event'] for x in e] == ['start'] + (['batch'] * 3 + ['epoch']) * 2 + ['end'], r
    for x in e:
        assert sorted(x) == sorted(EVENT_KEYS[x['event']]), sorted(x)
    assert [x['batch'] for x in e if x['event'] == 'batch'] == [1, 2, 3] * 2
    assert e[0]['train'] == 20 and e[0]['val'] == 4 and e[0]['test'] == 4 and e[0]['class_count'] == 2
    assert e[-1]['stop_reason'] == 'epochs' and e[-1]['steps'] == 6 and e[-1]['monitor'] == 'val_loss'
    assert e[-1]['best_value'] == min(x['val_loss'] for x in e if x['event'] == 'epoch')


@case('--profile and --trace: a line before the end with every step, a timeline, and the same weights bit for bit')
def profile(tmp):
    need_device()
    args = setting(tmp, 14, CONV_MODEL)
    clavicle(*args, '--out', tmp + '/plain', '--epochs', 2, '--batch', 8)
    r, e = json_events(*args, '--out', tmp + '/run', '--epochs', 2, '--batch', 8, '--profile', '--trace',
                       tmp + '/run/trace.json')
    assert [x['event'] for x in e[-2:]] == ['profile', 'end'] and not r.err, r
    p = e[-2]
    assert sorted(p) == sorted(EVENT_KEYS['profile']), sorted(p)
    assert p['runs'] == 6 and p['steps'] and 0 < p['device_seconds'] <= p['training_seconds'], p
    for step in p['steps']:
        assert not set(STEP_KEYS) - set(step), step
        assert step['runs'] == 6 and step['median_s'] > 0, step
        assert not step['flops'] or step['ceiling_fraction'] > 0, step
    weights = [read(tmp + name + '/best.safetensors') for name in ('/plain', '/run')]
    assert weights[0] == weights[1]
    config = [json.loads(read(tmp + name + '/config.json')) for name in ('/plain', '/run')]
    assert config[0] == config[1], 'the run records how it was watched'
    trace = json.loads(read(tmp + '/run/trace.json'))
    rows = {x['tid'] for x in trace['traceEvents'] if x['ph'] == 'X'}
    assert rows == {0, 1, 2, 3, 4} and trace['otherData']['steps'] == 6, rows
    assert sorted(os.listdir(tmp + '/run')) == sorted(RUN_FILES + ['trace.json'])


@case('--profile without --json: a table on stdout; a trace that cannot be written is refused before training')
def profile_text(tmp):
    need_device()
    r = clavicle(*setting(tmp, 14), '--out', tmp + '/run', '--epochs', 1, '--batch', 8, '--profile')
    for word in ('dense_1 forward', 'median ms', 'GFLOP/s', 'host thread', 'trained 1 epoch'):
        assert word in r.out, (word, r)
    fails(7, *setting(tmp, 14), '--out', tmp + '/other', '--trace', tmp + '/none/t.json', says='none/t.json')
    assert not os.path.exists(tmp + '/other/last.safetensors')


@case('each line is written when it happens: the first batch arrives before the second epoch ends')
def flushed(tmp):
    need_device()
    p = start(*setting(tmp, 20), '--out', tmp + '/run', '--epochs', 5000, '--batch', 1, '--json')
    try:
        lines = [json.loads(p.stdout.readline()) for _ in range(3)]
        assert [x['event'] for x in lines] == ['start', 'batch', 'batch']
        assert p.poll() is None
    finally:
        p.kill()
        p.communicate()


@case('without --json: results on stdout name the monitor, progress in plain lines on stderr, --quiet none')
def text(tmp):
    need_device()
    r = clavicle(*setting(tmp), '--out', tmp + '/run', '--epochs', 2, '--batch', 8, '--monitor', 'val_accuracy')
    assert 'val_accuracy' in r.out and 'clavicle eval %s/run' % tmp in r.out, r
    assert '\r' not in r.err and '\033' not in r.err, r
    for word in ('epoch 1/2', 'epoch 2/2', 'batch 1/', 'images/s', 'loss', 'accuracy', 'left', ' on '):
        assert word in r.err, (word, r)
    r = clavicle('train', tmp + '/net.model', '--data', tmp + '/data', '--out', tmp + '/quiet', '--epochs', 1,
                 '--quiet')
    assert not r.err and r.out, r


@case('on a terminal the progress is one line that is redrawn')
def terminal(tmp):
    need_device()
    try:
        screen, err = pty.openpty()
    except OSError as why:
        raise Skip('no terminal can be made here: %s' % why)
    clavicle(*setting(tmp), '--out', tmp + '/run', '--epochs', 2, '--batch', 8, stderr=err)
    os.close(err)
    seen = b''
    while True:
        try:
            more = os.read(screen, 65536)
        except OSError:  # Linux: nobody writes any more
            more = b''
        if not more:
            break
        seen += more
    os.close(screen)
    assert b'\repoch 1/2  batch 1/' in seen and b'\033[K' in seen and seen.endswith(b'\n'), seen
    assert seen.count(b'\n') == 3, seen  # what is trained, and a line per epoch


@case('RUN holds its six files: config, history, split list, two checkpoints, metrics')
def folder(tmp):
    need_device()
    run = trained(tmp)
    assert sorted(os.listdir(run)) == RUN_FILES, os.listdir(run)
    config = json.loads(read(run + '/config.json'))
    assert config['data']['fingerprint'] and config['training']['seed'] == 0 and config['clavicle']
    assert config['device']['name'] and config['device']['driver'] and config['classes'] == ['A', 'B']
    head = read(run + '/history.csv').decode().splitlines()
    assert head[0] == ('epoch,loss,accuracy,val_loss,val_accuracy,val_auc,val_f1,learning_rate,'
                       'images_per_second,seconds,skipped_steps') and len(head) == 3
    metrics = json.loads(read(run + '/metrics.json'))
    assert metrics['finished'] and metrics['epochs'] == 2 and metrics['monitor'] == 'val_loss'
    assert read(run + '/split.csv').decode().splitlines()[0] == 'path,split,label,sha256'


@case('an existing RUN is refused, --force replaces it, a folder that is no run is never replaced')
def existing(tmp):
    need_device()
    run = trained(tmp)
    before = read(run + '/last.safetensors')
    again = ['train', tmp + '/net.model', '--data', tmp + '/data', '--epochs', 1, '--quiet']
    fails(2, *again, '--out', run, says=run)
    assert read(run + '/last.safetensors') == before
    clavicle(*again, '--out', run, '--force', '--seed', 3)
    assert read(run + '/last.safetensors') != before
    write(tmp + '/mine/letter.txt', 'dear')
    for options in ([], ['--force']):
        fails(2, *again, '--out', tmp + '/mine', *options, says='mine')
    assert os.listdir(tmp + '/mine') == ['letter.txt']
    fails(2, *again, '--out', tmp + '/net.model', '--force', says='net.model')


@case('data and arguments are checked before any device is opened, and leave nothing behind')
def checked_first(tmp):
    args = setting(tmp)
    env = untouched()
    out = ['--out', tmp + '/run']
    fails(4, args[0], args[1], '--data', tmp + '/missing', *out, env=env, says='missing')
    one = images(tmp + '/one', 3, classes=('A',))
    fails(4, args[0], args[1], '--data', one, *out, env=env, says='only one class')
    fails(2, *args, *out, '--monitor', 'nonsense', env=env, says='nonsense')
    fails(2, *args, '--out', tmp + '/net.model', env=env, says='net.model')
    fails(2, *args, '--out', '', env=env, says='empty')
    fails(7, *args, '--out', '/proc/no-such/run', env=env, says='/proc/no-such')
    write(tmp + '/data/A/bad.png', 'x')
    fails(4, *args, *out, env=env, says='bad.png')
    assert not os.path.exists(tmp + '/run')
    need_device()
    if env:
        fails(6, *args, *out, '--skip-bad', env=env)  # the device is what fails now


@case('--skip-bad goes on and counts the files in the summary, the events and the record')
def skip_bad(tmp):
    need_device()
    args = setting(tmp)
    write(tmp + '/data/A/bad.png', 'x')
    write(tmp + '/data/Thumbs.db', 'x')
    r = clavicle(*args, '--out', tmp + '/run', '--epochs', 1, '--skip-bad')
    assert 'bad.png' in r.err and '1 damaged' in r.out and '1 that is no image' in r.out, r
    assert json.loads(read(tmp + '/run/config.json'))['data']['bad'] == 1
    r, e = json_events(*args, '--out', tmp + '/run2', '--epochs', 1, '--skip-bad')
    assert e[0]['bad'] == e[-1]['bad'] == 1 and e[0]['ignored'] == 1, r


@case('a given split that leaks is warned about and recorded; --refuse-leaks stops with exit code 4')
def leaks(tmp):
    need_device()
    write(tmp + '/net.model', MODEL)
    args = ['train', tmp + '/net.model', '--data', npz(tmp + '/set.npz', leak=True), '--epochs', 1]
    r = clavicle(*args, '--out', tmp + '/run')
    assert 'warning' in r.err and '8' in r.err, r
    assert json.loads(read(tmp + '/run/config.json'))['data']['leaked_images'] == 8
    fails(4, *args, '--out', tmp + '/no', '--refuse-leaks')


@case('--resume goes on to more epochs like a run that had been asked for them; --max-steps and --early-stop')
def resume(tmp):
    need_device()
    run = trained(tmp)
    long = trained(tmp, '--epochs', 4, run='long')
    r, e = json_events('--resume', run, '--epochs', 4)
    assert e[0]['event'] == 'start' and e[0]['epoch'] == 3, r
    assert read(run + '/last.safetensors') == read(long + '/last.safetensors')
    assert history(run) == history(long)
    short = trained(tmp, '--epochs', 4, '--max-steps', 3, run='short')
    assert json.loads(read(short + '/metrics.json'))['steps'] == 3
    clavicle('train', '--resume', short, '--max-steps', 8, '--quiet')
    assert read(short + '/last.safetensors') == read(long + '/last.safetensors')
    stopped = trained(tmp, '--epochs', 50, '--early-stop', 2, '--monitor', 'val_accuracy', run='stopped')
    assert json.loads(read(stopped + '/metrics.json'))['stop_reason'] == 'early stopping'
    fails(2, 'train', '--resume', run, '--out', tmp + '/x')


@case('--resume refuses other data, another --caps, and a folder that is no run')
def resume_refused(tmp):
    need_device()
    run = trained(tmp)
    fails(2, 'train', '--resume', run, '--epochs', 3, '--caps', 'no-fp64', says='caps')
    fails(4, 'train', '--resume', tmp + '/data', says='config.json')
    os.remove(tmp + '/data/A/000.png')
    images(tmp + '/data', 1, seed=99)
    fails(2, 'train', '--resume', run, '--epochs', 3, says='changed')


@case('images added after the split change nothing for --resume')
def resume_added(tmp):
    need_device()
    run = trained(tmp)
    long = trained(tmp, '--epochs', 3, run='long')
    images(tmp + '/data', 2, seed=50, prefix='new')
    clavicle('train', '--resume', run, '--epochs', 3, '--quiet')
    assert read(run + '/last.safetensors') == read(long + '/last.safetensors')


@case('same seed: the same weights; another seed: others')
def seeds(tmp):
    need_device()
    a, b, c = trained(tmp), trained(tmp, run='b'), trained(tmp, '--seed', 9, run='c')
    assert read(a + '/best.safetensors') == read(b + '/best.safetensors')
    assert read(a + '/best.safetensors') != read(c + '/best.safetensors')


@case('a loss that is not finite ends the training with exit code 8; the last checkpoint is kept')
def diverges(tmp):
    need_device()
    linear = MODEL.replace(' activation=softmax', '')  # squared errors, which a large rate lets explode
    args = setting(tmp, model=linear) + ['--batch', 8, '--learning-rate', 1000, '--optimizer', 'sgd', '--quiet']
    fails(8, *args, '--out', tmp + '/run', says=('step', 'learning rate'))
    assert 'config.json' in os.listdir(tmp + '/run')
    assert not [n for n in os.listdir(tmp + '/run') if n not in RUN_FILES]


if __name__ == '__main__':
    main()
