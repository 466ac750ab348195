"""The same training by other paths: GPU kernels, masked limits, CLBlast, guarded buffers, threads, IDX data."""
import gzip
import struct

from clv import (CONV_MODEL, case, clavicle, history, main, need_device, pixels, png, read, setting,
                 trained, write)


def losses(run):
    return [[float(x) for x in row[1:4]] for row in history(run)[1:]]


def close(a, b, tolerance=1e-3):
    for x, y in zip(losses(a), losses(b)):
        for u, v in zip(x, y):
            assert abs(u - v) <= tolerance * max(abs(u), 1e-3), (losses(a), losses(b))


@case('--caps gpu, masked limits and features, --gemm: the same losses within rounding')
def paths(tmp):
    need_device()
    plain = trained(tmp, model=CONV_MODEL, run='plain')
    for i, options in enumerate((['--caps', 'gpu'], ['--caps', 'gpu,local=16K,wg=64'], ['--caps', 'none'],
                                 ['--caps', 'vector=4'], ['--gemm', 'native'], ['--gemm', 'clblast'],
                                 ['--winograd', 'off'], ['--winograd', '2'], ['--winograd', '4'])):
        run = trained(tmp, *options, model=CONV_MODEL, run='run%d' % i)
        close(plain, run)
        if i == 0:
            clavicle('train', '--resume', run, '--epochs', 3, '--quiet')
            loss = [clavicle('eval', plain, '--json', '--split', 'train', *caps).json()['loss']
                        for caps in ([], ['--caps', 'gpu'])]
            assert abs(loss[0] - loss[1]) < 1e-4, loss


@case('--plan separate, --threads and --cache change no bit; so does naming the device')
def same_bits(tmp):
    need_device()
    plain = trained(tmp, model=CONV_MODEL, run='plain')
    for i, options in enumerate((['--plan', 'separate'], ['--threads', 1], ['--threads', 7], ['--cache', 1],
                                 ['--device', 'best'])):
        run = trained(tmp, *options, model=CONV_MODEL, run='run%d' % i)
        assert read(run + '/best.safetensors') == read(plain + '/best.safetensors'), options


def idx(path, shape, values):
    write(path, gzip.compress(struct.pack('>BBBB', 0, 0, 8, len(shape)) +
                              b''.join(struct.pack('>I', n) for n in shape) + bytes(values)))


@case('IDX.gz data, as Fashion-MNIST ships them: train, eval; 15 % of train become val')
def idx_data(tmp):
    need_device()
    for name, n, seed in (('train', 40, 1), ('t10k', 10, 2)):
        x = [v for i in range(n) for v in pixels(i % 2, seed * 1000 + i, 8, 8)]
        idx('%s/set/%s-images-idx3-ubyte.gz' % (tmp, name), (n, 8, 8), x)
        idx('%s/set/%s-labels-idx1-ubyte.gz' % (tmp, name), (n,), [i % 2 for i in range(n)])
    setting(tmp)
    clavicle('train', tmp + '/net.model', '--data', tmp + '/set', '--out', tmp + '/run', '--quiet')
    e = clavicle('eval', tmp + '/run', '--json').json()
    assert e['count'] == 10 and e['classes'] == ['0', '1'], e
    i = clavicle('data', 'inspect', tmp + '/set', '--json').json()
    assert i['splits']['val']['count'] == 6 and i['format'] == 'idx', i


@case('persons stay in one split with --group-by')
def persons(tmp):
    need_device()
    for person in range(24):
        for k in range(2):
            png('%s/data/%s/person%d_%d.png' % (tmp, 'AB'[person % 2], person, k), 10, 9,
                pixels(person % 2, person * 10 + k))
    write(tmp + '/net.model', CONV_MODEL)
    clavicle('train', tmp + '/net.model', '--data', tmp + '/data', '--out', tmp + '/run', '--epochs', 1, '--quiet',
             '--group-by', 'person[0-9]+')
    split = {}
    for line in read(tmp + '/run/split.csv').decode().splitlines()[1:]:
        path, where = line.split(',')[:2]
        split.setdefault(path.split('/')[1].split('_')[0], set()).add(where)
    assert len(split) == 24 and all(len(s) == 1 for s in split.values()), split


if __name__ == '__main__':
    main()
