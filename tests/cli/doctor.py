"""clavicle doctor: what it reports, and what it makes of machines and devices that are not well."""
import glob
import os

from clv import case, clavicle, fails, faulty, idle, main, need_device, write
from listing import DEVICE_KEYS
import clv

clv.CASES.clear()  # of the file that was read for its keys

DOCTOR_KEYS = ['version', 'host', 'driver_folder', 'drivers', 'ok', 'install', 'devices']
CHECKED_KEYS = ['status', 'reason', 'caps', 'passed', 'skipped', 'wrong', 'failed', 'error', 'seconds', 'kernels', 'problems']
KERNEL_KEYS = ['group', 'variant', 'passed', 'skipped', 'wrong', 'failed', 'error', 'worst_case', 'seconds']


def vendors(folder):
    """A folder of drivers as the loader has it now, to which others can be added."""
    where = os.environ.get('OCL_ICD_VENDORS') or '/etc/OpenCL/vendors'
    if where.endswith('.icd'):
        files = [where if '/' in where else '/etc/OpenCL/vendors/' + where]
    else:
        files = glob.glob(where + '/*.icd')
    os.makedirs(folder)
    for path in files:
        with open(path) as f:
            write('%s/%s' % (folder, os.path.basename(path)), f.read())
    return folder


@case('the report names the machine, the device and its driver, and the largest error of each kind of kernel')
def report(tmp):
    need_device()
    j = clavicle('doctor', '--group', 'softmax', '--json', env={'CLAVICLE_DEVICE': 'nonsense'}).json()
    assert sorted(j) == sorted(DOCTOR_KEYS) and j['ok'] and j['install'] is None, j
    assert j['host']['processors'] >= 1 and j['host']['system'], j
    passed = [d for d in j['devices'] if d['status'] == 'passed']
    assert passed and all(d['status'] in ('passed', 'skipped', 'unusable') for d in j['devices']), j
    text = clavicle('doctor', '--group', 'softmax').out
    for d in j['devices']:
        assert sorted(d) == sorted(DEVICE_KEYS + CHECKED_KEYS), d
        assert d['platform'] in text and d['name'] in text and (not d['reason'] or d['reason'] in text), d
    for d in passed:
        assert d['driver'] in text and d['platform_version'] in text and d['vendor'] in text, d
        assert d['reason'] is None and d['passed'] > 0 and 0 < d['error'] <= 1 and not d['problems'], d
        assert d['kernels'] and all(sorted(k) == sorted(KERNEL_KEYS) for k in d['kernels']), d
        assert {k['group'] for k in d['kernels']} == {'softmax'}, d


@case('--device checks that one only; an unknown one is refused with exit code 3')
def one(tmp):
    need_device()
    index = [d['index'] for d in clavicle('devices', '--json').json()['devices'] if d['usable']][0]
    j = clavicle('doctor', '--group', 'sample', '--device', index, '--json').json()
    assert [d['index'] for d in j['devices']] == [index], j
    fails(3, 'doctor', '--device', 'nonsense', says='nonsense')


@case('a driver that crashes or hangs ends the checks of its device, and the report says where')
def lost(tmp):
    need_device()
    clavicle('doctor', '--group', 'softmax')  # builds: what follows are the checks
    for trouble, options, word in (('CLV_CLI_CRASH', [], 'signal'), ('CLV_CLI_HANG', ['--silence', 5], 'no sign of life')):
        env = dict(faulty(), **{trouble: 'softmax_bwd'})
        r = fails(6, 'doctor', '--group', 'softmax', '--json', *options, env=env, says=('softmax', word))
        checked = [d for d in r.json()['devices'] if d['status'] not in ('skipped', 'unusable')]
        named = fails(6, 'doctor', '--group', 'softmax', '--json', '--device', checked[0]['index'], *options, env=env,
                      says=('softmax', word))
        for d in checked + named.json()['devices']:
            assert d['status'] == 'failed' and d['failed'] == 1 and word in d['reason'], d
            assert d['problems'][-1]['group'] == 'process' and 'softmax' in d['problems'][-1]['case'], d


@case('a kernel that computes nothing: exit code 9; kernel, case and variant are named')
def wrong(tmp):
    need_device()
    for group, kernel, variant in (('softmax', 'softmax_fwd', 'simple'), ('update', 'update', 'pass'),
                                   ('sample', 'sample', '')):
        r = fails(9, 'doctor', '--group', group, '--json', env=idle(kernel), says=('wrong results', group, variant))
        d = [d for d in r.json()['devices'] if d['status'] not in ('skipped', 'unusable')][0]
        assert d['status'] == 'wrong' and d['wrong'] > 0 and d['problems'], d
        p = d['problems'][0]
        assert p['group'] == group and p['variant'] == variant and p['status'] == 'wrong' and p['case'] in r.last, p
        assert not r.json()['ok'], r


@case('a device that does not open, kernels that do not build or run: reported, exit codes 6 and 5')
def broken(tmp):
    need_device()
    for fault, code in (('clCreateContext', 6), ('clBuildProgram', 5), ('clEnqueueNDRangeKernel', 6)):
        env = dict(faulty(fault), CLAVICLE_CACHE_DIR=tmp + '/cache', CLAVICLE_WORKER='')
        r = fails(code, 'doctor', '--group', 'relu', '--json', env=env)
        d = [d for d in r.json()['devices'] if d['status'] not in ('skipped', 'unusable')][0]
        assert d['status'] == 'failed' and d['reason'] and d['wrong'] == 0, d
        if fault != 'clCreateContext':
            assert d['failed'] > 0 and d['problems'][0]['text'], d


@case('no device: exit code 3, platforms are skipped, and the report says what to install')
def nothing(tmp):
    os.makedirs(tmp + '/none')
    for env in ({'OCL_ICD_VENDORS': tmp + '/none'}, faulty('clGetDeviceIDs')):
        r = fails(3, 'doctor', env=env, says='no usable OpenCL device')
        for package in ('pocl-opencl-icd', 'intel-opencl-icd', 'nvidia-opencl-icd', 'mesa-opencl-icd'):
            assert package in r.out, r
    j = clavicle('doctor', '--json', code=3, env=faulty('clGetDeviceIDs')).json()
    assert all(d['status'] == 'skipped' and 'no device' in d['reason'] for d in j['devices']), j
    assert 'pocl-opencl-icd' in j['install'] and not j['ok'], j


@case('drivers whose library is missing, empty or no library harm nobody, and the report shows them')
def damaged(tmp):
    need_device()
    folder = vendors(tmp + '/vendors')
    write(folder + '/a-missing.icd', '%s/no-such-driver.so\n' % tmp)
    write(folder + '/b-text.icd', write(tmp + '/text.so', 'no library at all\n') + '\n')
    write(folder + '/c-empty.icd', '')
    with open('/bin/true', 'rb') as f:
        write(folder + '/d-cut.icd', write(tmp + '/cut.so', f.read()[:300]) + '\n')
    env = {'OCL_ICD_VENDORS': folder}
    before = clavicle('devices', '--json').json()['devices']
    assert [d['name'] for d in clavicle('devices', '--json', env=env).json()['devices']] == [d['name'] for d in before]
    j = clavicle('doctor', '--group', 'relu', '--json', env=env).json()
    assert j['ok'] and j['driver_folder'] == folder, j
    assert any('no-such-driver.so (there is no such file)' in d for d in j['drivers']), j
    assert any('c-empty.icd: names no library' in d for d in j['drivers']), j


if __name__ == '__main__':
    main()
