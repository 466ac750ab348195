"""clavicle doctor on everything there is: minutes, since kernels must be built first. The default tier takes the GPU path,
which has fewer; the op tests run the same cases on both."""
from clv import case, clavicle, main, need_device

# Two minutes alone on two cores; a machine may be slower, and do other things meanwhile.
PATIENCE = 1500


def everything(caps):
    need_device()
    j = clavicle('doctor', '--all', '--json', '--caps', caps, timeout=PATIENCE).json()
    checked = [d for d in j['devices'] if d['status'] == 'passed']
    assert j['ok'] and checked, j
    for d in checked:
        groups = {k['group'] for k in d['kernels'] if k['passed']}
        assert groups >= {'conv2d', 'dense', 'maxpool2d', 'softmax', 'dropout', 'sample', 'update'}, groups
        assert d['wrong'] == d['failed'] == 0 and d['error'] <= 1, d


@case('GPU path: every kernel on every device passes')
def gpu_path(tmp):
    everything('gpu')


@case('CPU path: every kernel on every device passes')
def cpu_path(tmp):
    everything('')


if __name__ == '__main__':
    main()
