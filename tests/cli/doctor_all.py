"""clavicle doctor on everything there is: minutes where kernels must be built first."""
from clv import case, clavicle, main, need_device

# Two minutes alone on two cores; a machine may be slower, and do other things meanwhile.
PATIENCE = 1500


@case('every kernel on every device, on both paths: all pass')
def everything(tmp):
    need_device()
    for caps in ('', 'gpu'):
        j = clavicle('doctor', '--all', '--json', '--caps', caps, timeout=PATIENCE).json()
        checked = [d for d in j['devices'] if d['status'] == 'passed']
        assert j['ok'] and checked, j
        for d in checked:
            groups = {k['group'] for k in d['kernels'] if k['passed']}
            assert groups >= {'conv2d', 'dense', 'maxpool2d', 'softmax', 'dropout', 'sample', 'update'}, groups
            assert d['wrong'] == d['failed'] == 0 and d['error'] <= 1, d


if __name__ == '__main__':
    main()
