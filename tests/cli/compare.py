"""clavicle compare: two paths of one device agree; a kernel that computes nothing is found at its step, pass and layer."""
from clv import CONV_MODEL, Skip, case, clavicle, fails, faulty, idle, images, main, need_device, untouched, write

COMPARE_KEYS = ['model', 'pass', 'batch', 'steps', 'seed', 'optimizer', 'tolerance', 'devices', 'same', 'first', 'rows']
ROW_KEYS = ['pass', 'layer', 'array', 'step', 'count', 'difference', 'allowed', 'differs', 'at', 'values', 'made_by']


def cpu():
    """The index of a CPU device: it has both paths."""
    need_device()
    for d in clavicle('devices', '--json').json()['devices']:
        if d['usable'] and d['type'] == 'cpu':
            return d['index']
    raise Skip('no CPU device')


def paths():
    return '--devices', '%s,%s:gpu' % (cpu(), cpu())


def rows(j, kind):
    return [(r['layer'], r['array']) for r in j['rows'] if r['pass'] == kind]


@case('the CPU path and the GPU path of one device agree, dropout included; every array of both is compared')
def agree(tmp):
    model = write(tmp + '/net.model', CONV_MODEL)
    j = clavicle('compare', *paths(), model, '--json').json()
    assert sorted(j) == sorted(COMPARE_KEYS) and all(sorted(r) == sorted(ROW_KEYS) for r in j['rows']), j
    assert j['same'] and j['first'] is None and j['steps'] == 3 and j['batch'] == 8, j
    assert [d['caps'] for d in j['devices']] == [None, 'gpu'], j
    layers = ['maxpool2d_1', 'dropout_1', 'dense_1']
    assert [r[0] for r in rows(j, 'forward')][1:4] == layers, j
    assert [r[0] for r in rows(j, 'backward') if r[1] == 'gradient'] == layers[::-1], j
    assert rows(j, 'update') == [(n, w) for n in ('conv2d_1', 'dense_1') for w in ('kernel', 'bias')], j
    assert all(0 <= r['difference'] < 1e-4 and not r['differs'] for r in j['rows']), j
    for r in j['rows']:
        if r['layer'] == 'maxpool2d_1' and r['array'] == 'output':
            assert 'contract_vector' in r['made_by'][0] and 'contract_tiled' in r['made_by'][1], r
    assert 'The same' in clavicle('compare', *paths(), model, '--steps', 1).out


@case('LeNet: training and inference agree on both paths, and with masks')
def lenet(tmp):
    device = cpu()
    for options in ((), ('--pass', 'forward')):
        j = clavicle('compare', *paths(), 'lenet', '--json', '--steps', 2, *options).json()
        assert j['same'] and (not options or not rows(j, 'update')), j
    j = clavicle('compare', '--devices', '%s:gpu+wg=64,%s' % (device, device), 'lenet', '--caps', 'no-fp64', '--json',
                 '--steps', 1).json()
    assert j['same'] and [d['caps'] for d in j['devices']] == ['no-fp64,gpu,wg=64', 'no-fp64'], j


@case('images of a data set, shuffled and augmented: the same batches on both, into the next epoch')
def data(tmp):
    model = write(tmp + '/net.model', CONV_MODEL)
    j = clavicle('compare', *paths(), model, '--data', images(tmp + '/data', 10), '--augment', 'rotation=10', '--batch', 4,
                 '--steps', 5, '--json').json()
    assert j['same'] and j['steps'] == 5 and rows(j, 'forward')[0] == ('input_1', 'output'), j
    write(tmp + '/one.model', CONV_MODEL.replace('$classes', '2'))
    fails(2, 'compare', '--devices', 'a,b', tmp + '/one.model', '--data', images(tmp + '/three', 4, classes='ABC'),
          says='3 classes', env=untouched())


@case('a kernel that computes nothing: exit code 9, and its step, pass and layer are named')
def found(tmp):
    model = write(tmp + '/net.model', CONV_MODEL)
    for kernel, step, kind, layer, array, by in (
            ('contract_tiled_forward', 1, 'forward', 'maxpool2d_1', 'output', 'conv2d_1 forward'),
            ('contract_vector_forward:3', 3, 'forward', 'maxpool2d_1', 'output', 'conv2d_1 forward'),
            ('contract_tiled_data', 1, 'backward', 'dropout_1', 'gradient', 'dense_1 backward data'),
            ('contract_vector_weights', 1, 'backward', 'conv2d_1', 'kernel', 'conv2d_1 backward weights'),
            ('update', 1, 'update', 'dense_1', 'kernel', 'update')):
        r = fails(9, 'compare', *paths(), model, '--steps', 4, '--json', env=idle(kernel),
                  says=('step %d' % step, kind, layer, array))
        j = r.json()
        first = j['first']
        assert not j['same'] and j['steps'] == step, (kernel, j)
        assert (first['step'], first['pass'], first['layer'], first['array']) == (step, kind, layer, array), (kernel, first)
        assert any(by in text for text in first['made_by']), (kernel, first)
        assert first in j['rows'] and first['differs'], (kernel, first)


@case('errors: unknown devices and masks, models, texts, kernels that do not build, a loss that is no number')
def errors(tmp):
    model = write(tmp + '/net.model', CONV_MODEL)
    both = paths()
    fails(3, 'compare', '--devices', cpu() + ',nonsense', model, says='nonsense')
    fails(2, 'compare', '--devices', cpu() + ',' + cpu() + ':gpu+nonsense', model, says='nonsense')
    for option, text in (('--optimizer', 'nonsense'), ('--optimizer', 'sgd momentum=2')):
        fails(2, 'compare', *both, model, option, text, says=text.split()[-1].split('=')[0], env=untouched())
    fails(2, 'compare', *both, 'nonsense', says='lenet', env=untouched())
    fails(4, 'compare', *both, model, '--data', tmp + '/missing', env=untouched())
    broken = dict(faulty('clBuildProgram'), CLAVICLE_CACHE_DIR=tmp + '/cache', CLAVICLE_WORKER='')
    fails(5, 'compare', *both, model, says='device A', env=broken)
    linear = write(tmp + '/linear.model', 'input 8 8 1\nflatten\ndense 64\ndense 2\n')
    fails(8, 'compare', '--devices', cpu() + ',' + cpu(), linear, '--optimizer', 'sgd learning_rate=1000', '--steps', 30,
          says='both devices')


if __name__ == '__main__':
    main()
