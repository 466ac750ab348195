"""Commands that list: devices, graph, data. With --json stdout is the answer and stderr is empty."""
import os
import re
import signal
import subprocess

from clv import (COMMAND, MODEL, Skip, case, clavicle, environment, fails, faulty, images, main, need_device, npz,
                 png, pixels, read, setting, start, write)

DEVICE_KEYS = ['index', 'platform', 'platform_version', 'name', 'vendor', 'driver', 'opencl', 'opencl_c', 'type',
               'compute_units', 'clock_mhz', 'global_bytes', 'local_bytes', 'max_allocation_bytes',
               'max_work_group', 'extensions', 'features', 'usable', 'unusable']


def devices(**env):
    r = clavicle('devices', '--json', env=env)
    assert not r.err, r
    return r.json()['devices']


@case('devices: every platform and device with all its facts, the same in both forms')
def list_devices(tmp):
    need_device()
    found = devices()
    text = clavicle('devices').out
    for d in found:
        assert sorted(d) == sorted(DEVICE_KEYS), sorted(d)
        assert (d['index'] or d['platform']) in text and d['name'] in text
        if d['usable']:
            assert d['extensions'] in text and d['driver'] in text and d['opencl'] in text
            assert d['compute_units'] > 0 and d['global_bytes'] >= d['max_allocation_bytes'] > 0
            assert d['unusable'] is None and re.fullmatch(r'\d+:\d+', d['index'])
        else:
            assert d['unusable'] and d['unusable'] in text


@case('devices lists the same whatever CLAVICLE_DEVICE says')
def devices_ignore_default(tmp):
    assert devices() == devices(CLAVICLE_DEVICE='nonsense')


@case('no driver at all: devices says what to install and succeeds; a training fails with exit code 3')
def no_drivers(tmp):
    env = {'OCL_ICD_VENDORS': tmp}
    r = clavicle('devices', env=env)
    assert 'pocl-opencl-icd' in r.out, r
    assert devices(**env) == []
    r = fails(3, *setting(tmp), '--out', tmp + '/run', env=env, says='pocl-opencl-icd')
    assert not os.path.exists(tmp + '/run'), 'a folder was left behind'


@case('a driver file that names a missing library does no harm')
def broken_driver(tmp):
    write(tmp + '/vendors/broken.icd', 'libno-such-library.so\n')
    for folder in ('/etc/OpenCL/vendors',):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            write('%s/vendors/%s' % (tmp, name), read(os.path.join(folder, name)))
    names = [d['name'] for d in devices(OCL_ICD_VENDORS=tmp + '/vendors')]
    assert names == [d['name'] for d in devices()]
    write(tmp + '/alone/broken.icd', 'libno-such-library.so\n')
    assert devices(OCL_ICD_VENDORS=tmp + '/alone') == []


@case('a platform that fails is skipped with a reason')
def failing_platforms(tmp):
    r = clavicle('devices', '--json', code=None, env=faulty('clGetPlatformIDs'))
    assert r.code in (0, 6) and (r.code or r.json()['devices'] == []), r


@case('an unknown or ambiguous device is one line with the candidates, exit code 3; an index and a name work')
def choose_device(tmp):
    need_device()
    usable = [d for d in devices() if d['usable']]
    args = ['graph', write(tmp + '/net.model', MODEL), '--plan']
    r = fails(3, *args, '--device', 'no-such-device', says=usable[0]['name'])
    assert len(r.err.splitlines()) == 1 and not r.out, r
    fails(3, *args, '--device', '77:0', says=usable[0]['name'])
    fails(3, *args, env={'CLAVICLE_DEVICE': 'no-such-device'}, says='no-such-device')
    fails(2, *args, '--caps', 'nonsense', says='nonsense')
    for word in ('best', usable[0]['index'], usable[0]['name'], usable[0]['name'].upper()):
        clavicle(*args, '--device', word)
    clavicle(*args, '--device', 'best', env={'CLAVICLE_DEVICE': 'no-such-device'})
    if len(usable) > 1 and len(os.path.commonprefix([d['name'] for d in usable])) > 3:
        fails(3, *args, '--device', os.path.commonprefix([d['name'] for d in usable]),
              says=[d['name'] for d in usable])
    if not any(d['type'] == 'gpu' for d in usable):
        fails(3, *args, '--device', 'gpu', says=usable[0]['name'])
    if any(d['platform'] == 'Portable Computing Language' for d in usable):
        clavicle(*args, '--device', 'pocl')
        if all(d['platform'] == 'Portable Computing Language' for d in usable):
            fails(3, *args, '--device', 'intel')  # the CPU's brand is no vendor


@case('graph prints layers, shapes, parameters, flops, peak memory; --json, --plan, --dot, --text too')
def graph(tmp):
    r = clavicle('graph', 'tutorial-cnn')
    for word in ('conv2d_1', '222x222x32', '18,875,392', '19,118,274', 'peak memory'):
        assert word in r.out, (word, r)
    assert not r.err, r
    r = clavicle('graph', 'lenet', '--json', '--classes', 3)
    g = r.json()
    assert not r.err and len(r.out.splitlines()) == 1, r
    for key in ('input', 'output', 'parameters', 'flops', 'layers', 'memory'):
        assert key in g, key
    assert g['layers'][-1]['shape'] == [1, 1, 3]
    assert clavicle('graph', 'lenet', '--dot').out.startswith('digraph')
    text = clavicle('graph', 'lenet', '--text').out
    again = clavicle('graph', write(tmp + '/again.model', text), '--json').json()
    assert again['parameters'] == 61706
    need_device()
    assert g['memory']['training_bytes'] > g['memory']['inference_bytes'] > 4 * g['parameters']
    plan = clavicle('graph', 'lenet', '--plan', '--json', '--batch', 4).json()
    assert plan['memory']['batch'] == 4 and any('conv2d_1' in line for line in plan['plan'])
    assert 'peak' in clavicle('graph', 'lenet', '--plan', '--inference').out


INSPECT_KEYS = ['path', 'format', 'splits', 'given_split', 'width', 'height', 'channels', 'bits', 'mean', 'std',
                'ignored', 'bad', 'duplicates', 'leaked_images', 'persons', 'leaked_persons', 'fingerprint']


def inspect(path, *options):
    r = clavicle('data', 'inspect', path, '--json', *options)
    assert not r.err, r
    found = r.json()
    assert sorted(found) == sorted(INSPECT_KEYS), sorted(found)
    return found


@case('data inspect: counts per class and split, sizes, statistics, what was ignored')
def inspect_folder(tmp):
    data = images(tmp + '/data', 20)
    for name in ('Thumbs.db', 'A/.DS_Store', 'B/desktop.ini', 'A/notes.txt'):
        write('%s/%s' % (data, name), 'x')
    i = inspect(data)
    counts = {s: i['splits'][s]['count'] for s in i['splits']}
    assert counts == {'train': 28, 'val': 6, 'test': 6}, counts
    assert i['splits']['train']['classes'] == {'A': 14, 'B': 14}
    assert i['width'] == [10, 10] and i['height'] == [9, 9] and i['channels'] == 1 and i['bits'] == 8
    assert i['format'] == 'folder' and not i['given_split'] and i['ignored'] == 4 and i['bad'] == 0
    assert .2 < i['mean'][0] < .6 and .1 < i['std'][0] < .5
    r = clavicle('data', 'inspect', data)
    assert 'ignored 4' in r.out and not r.err, r


@case('data inspect: given splits, duplicates and leaks of images and persons, --refuse-leaks')
def inspect_leaks(tmp):
    for split in ('train', 'val', 'test'):
        images('%s/%s' % (tmp, split), 6, seed=len(split) * 7 + ord(split[1]), prefix=split + 'person')
    png(tmp + '/test/A/trainperson000.png', 10, 9, pixels(0, 5 * 7000 + 114 * 1000))
    source = sorted(os.listdir(tmp + '/train/A'))[0]
    write(tmp + '/test/A/copy.png', read('%s/train/A/%s' % (tmp, source)))
    i = inspect(tmp)
    assert i['given_split'] and i['leaked_images'] >= 1 and i['duplicates'] >= 1, i
    r = clavicle('data', 'inspect', tmp)
    assert 'warning' in r.err and 'refuse-leaks' in r.err, r
    fails(4, 'data', 'inspect', tmp, '--refuse-leaks', says='')
    i = inspect(tmp, '--group-by', 'person[0-9]+')
    assert i['persons'] > 0 and i['leaked_persons'] > 0, i


@case('data inspect: MedMNIST arrays')
def inspect_npz(tmp):
    i = inspect(npz(tmp + '/set.npz'))
    assert i['format'] == 'npz' and i['given_split']
    assert [i['splits'][s]['count'] for s in ('train', 'val', 'test')] == [24, 8, 8]
    assert inspect(npz(tmp + '/leak.npz', leak=True))['leaked_images'] == 8


@case('bad data: a missing path, no images, foreign formats, a damaged file are named, exit code 4')
def bad_data(tmp):
    fails(4, 'data', 'inspect', tmp + '/missing', says='missing')
    os.makedirs(tmp + '/empty')
    fails(4, 'data', 'inspect', tmp + '/empty', says='empty')
    for name, says in (('a.jpg', 'JPEG'), ('a.dcm', 'DICOM')):
        write('%s/%s-only/A/%s' % (tmp, says, name), 'x')
        fails(4, 'data', 'inspect', '%s/%s-only' % (tmp, says), says=says)
    write(tmp + '/set.npz', 'no zip')
    fails(4, 'data', 'inspect', tmp + '/set.npz', says='set.npz')
    data = images(tmp + '/data', 10)
    write(data + '/A/004.png', read(data + '/A/004.png')[:60])
    write(data + '/B/text.png', 'not a PNG')
    fails(4, 'data', 'inspect', data, says='.png')
    i = inspect(data, '--skip-bad')
    assert i['bad'] == 2
    r = clavicle('data', 'inspect', data, '--skip-bad')
    assert '004.png' in r.err and 'text.png' in r.err and 'damaged 2' in r.out, r


@case('data preview writes a PNG; data phantom makes the same set from the same seed')
def make_data(tmp):
    sheet = tmp + '/sheet.png'
    r = clavicle('data', 'preview', images(tmp + '/data', 8), '--out', sheet, '--size', 16, '--count', 4,
                 '--augment', 'rotation=20', '--json')
    assert r.json() == {'path': sheet} and read(sheet).startswith(b'\x89PNG') and not r.err, r
    fails(7, 'data', 'preview', tmp + '/data', '--out', tmp + '/missing/sheet.png', says='sheet.png')
    for name in ('a', 'b'):
        clavicle('data', 'phantom', '%s/%s' % (tmp, name), '--size', 32, '--train', 4, '--val', 2, '--test', 2,
                 '--seed', 7)
    assert inspect(tmp + '/a')['fingerprint'] == inspect(tmp + '/b')['fingerprint']
    fails(2, 'data', 'phantom', tmp + '/a', says='a')
    clavicle('data', 'phantom', tmp + '/a', '--size', 32, '--train', 4, '--val', 2, '--test', 2, '--force')


@case('data get: --list, an unknown name, the local mirror, no network: one clear line')
def get(tmp):
    r = clavicle('data', 'get', '--list', '--json')
    names = [s['name'] for s in r.json()['sets']]
    assert 'pneumoniamnist' in names and 'fashion-mnist' in names and not r.err, r
    assert 'pneumoniamnist' in clavicle('data', 'get', '--list').out
    fails(2, 'data', 'get', 'nonsense', says='nonsense')
    r = fails(4, 'data', 'get', 'pneumoniamnist', '--out', tmp, '--base-url', 'http://127.0.0.1:9/',
              says='127.0.0.1')
    assert len(r.err.splitlines()) == 1, r


@case('output to a full device fails with exit code 7, to a reader that has gone it just ends')
def lost_output(tmp):
    if not os.path.exists('/dev/full'):
        raise Skip('no /dev/full')
    with open('/dev/full', 'w') as full:
        fails(7, 'graph', 'lenet', '--json', stdout=full, says='No space left')
        fails(7, '--help', stdout=full, says='No space left')
    for args in (['graph', 'lenet', '--dot'], ['devices', '--json'], ['--help']):
        p = start(*args)
        p.stdout.close()
        err = p.stderr.read().decode()
        p.stderr.close()
        assert p.wait(60) in (-signal.SIGPIPE, 7, 0) and len(err.splitlines()) <= 1, (p.returncode, err)
    p = subprocess.run(['/bin/sh', '-c', 'exec "$0" devices --json >&-', COMMAND], stderr=subprocess.PIPE,
                       env=environment())
    assert p.returncode == 7 and p.stderr.decode().count('\n') == 1, (p.returncode, p.stderr)


if __name__ == '__main__':
    main()
