"""clavicle bench: keys, refusals, baselines and exit codes. How long anything takes is not looked at."""
import csv
import io
import json

from clv import CONV_MODEL, MODEL, case, clavicle, fails, main, need_device, untouched, write

MODEL_KEYS = ['device', 'driver', 'model', 'pass', 'batch', 'precision', 'steps', 'step_ms', 'step_ms_low', 'step_ms_high',
              'step_ms_best', 'images_per_second', 'gflops', 'ceiling_fraction', 'max_rel_error', 'error_bound', 'worst',
              'memory_bytes', 'rss_growth_bytes', 'ceilings', 'rows']
CEILING_KEYS = ['flops', 'memory', 'launch_s', 'transfer_bytes', 'upload_bytes_per_s', 'download_bytes_per_s']
ROW_KEYS = ['what', 'group', 'pass', 'variant', 'params', 'note', 'batch', 'runs', 'total_s', 'median_s', 'low_s', 'high_s',
            'best_s', 'flops', 'bytes_read', 'bytes_written', 'memory_s', 'gflops', 'gbytes_per_s', 'ceiling_fraction', 'bound',
            'max_error', 'baseline_s', 'slower']
BENCH_KEYS = MODEL_KEYS + CEILING_KEYS + ROW_KEYS
# A small device: the working sets of the ceilings fit it.
QUICK = ['--repeat', 2, '--time', 0.05, '--caps', 'alloc=8M']


def model(tmp, *options, text=CONV_MODEL, code=0):
    return clavicle('bench', '--model', write(tmp + '/net.model', text), '--batch', 4, *QUICK, *options, code=code)


@case('a model: the keys of the page, in training and inference')
def a_model(tmp):
    need_device()
    for which in 'train', 'forward':
        j = model(tmp, '--pass', which, '--json').json()
        assert list(j) == MODEL_KEYS, j
        assert list(j['ceilings']) == CEILING_KEYS and list(j['rows'][0]) == ROW_KEYS, j
        assert j['pass'] == which and j['batch'] == 4 and len(j['rows']) == 1, j
        assert j['step_ms'] > 0 and 0 <= j['max_rel_error'] <= j['error_bound'], j
        assert abs(j['images_per_second'] * j['step_ms'] / 4000 - 1) < 1e-6, j
        assert j['ceilings']['flops']['median'] > 0 and j['ceiling_fraction'] > 0, j


@case('--kernels adds a line per step; --no-check leaves the comparison out')
def kernels(tmp):
    need_device()
    j = model(tmp, '--kernels', '--no-check', '--json').json()
    assert j['max_rel_error'] is None, j
    whats = [row['what'] for row in j['rows']]
    assert 'conv2d_1 forward' in whats and whats[-1] == 'update', whats
    assert all(row['median_s'] >= 0 for row in j['rows']), j
    r = model(tmp, '--kernels', '--no-check')
    assert 'conv2d_1 forward' in r.out and 'GFLOP/s' in r.out and 'read 8 MiB' in r.out, r


@case('single kernels as a table, JSON and CSV')
def single(tmp):
    need_device()
    args = ['bench', '--op', 'dense', '--case', '64', *QUICK]
    j = clavicle(*args, '--json').json()
    assert list(j) == ['device', 'driver', 'ceilings', 'rows'], j
    assert [row['what'] for row in j['rows']][0] == 'dense 64 forward' and len(j['rows']) == 3, j
    rows = list(csv.DictReader(io.StringIO(clavicle(*args, '--csv').out)))
    assert list(rows[0]) == ROW_KEYS and [r['what'] for r in rows] == [r['what'] for r in j['rows']], rows
    r = clavicle(*args)
    assert not r.err and 'dense 64 backward weights' in r.out, r
    j = clavicle('bench', '--ceilings', '--caps', 'alloc=8M', '--json').json()
    assert j['rows'] == [] and j['ceilings']['memory'], j


@case('--baseline: an earlier report is matched, a faster one is told and exits with 10')
def baseline(tmp):
    need_device()
    j = model(tmp, '--json', text=MODEL).json()
    before = write(tmp + '/before.json', json.dumps(j))
    r = model(tmp, '--json', '--baseline', before, text=MODEL, code=None)
    assert r.code in (0, 10) and r.json()['baseline']['found'] == 1, r
    for row in j['rows']:
        for key in 'median_s', 'low_s', 'high_s', 'best_s':
            row[key] /= 1e6
    write(before, json.dumps(j))
    r = model(tmp, '--baseline', before, text=MODEL, code=10)
    assert 'SLOWER' in r.out and 'slower' in r.last, r
    j['rows'][0]['batch'] = 5
    write(before, json.dumps(j))
    assert model(tmp, '--json', '--baseline', before, text=MODEL).json()['baseline']['found'] == 0


@case('what is wrong is refused before a device is opened')
def refused(tmp):
    env = untouched()
    net = write(tmp + '/net.model', MODEL)
    for args in (['x'], ['--pass', 'train'], ['--model', net, '--op', 'dense'], ['--model', net, '--pass', 'x'],
                 ['--model', net, '--batch', '0'], ['--json', '--csv'], ['--repeat', '0'], ['--time', '-1'],
                 ['--time', 'x'], ['--ceilings', '--op', 'dense'], ['--kernels'], ['--clblast', '--model', net]):
        r = fails(2, 'bench', *args, env=env)
        assert len(r.err.splitlines()) == 1 and not r.out, r
    fails(2, 'bench', '--op', 'nonsense', env=env, says="'conv2d'")
    fails(2, 'bench', '--op', 'dense', '--case', 'nonsense', env=env, says="'gemm 1024'")
    fails(2, 'bench', '--variant', 'nonsense', env=env, says="'simple'")
    fails(2, 'bench', '--model', 'nonsense', env=env, says='lenet')
    fails(4, 'bench', '--op', 'dense', '--baseline', tmp + '/none', env=env, says='none')
    fails(4, 'bench', '--op', 'dense', '--baseline', write(tmp + '/bad', '{}'), env=env, says='rows')
    fails(3, 'bench', '--op', 'dense', '--device', 'nonsense')


if __name__ == '__main__':
    main()
