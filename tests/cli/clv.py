"""What the tests of the command line share: cases printed as TAP, the command, tiny data sets. Standard library only.

The command is $CLAVICLE_TEST_BUILD/tools/clavicle. All programs share one cache of compiled kernels
in the build folder, so only the first run pays for them.
"""
import json
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import traceback
import zipfile
import zlib

BUILD = os.environ.get('CLAVICLE_TEST_BUILD', 'build')
SOURCE = os.environ.get('CLAVICLE_TEST_SOURCE', '.')
COMMAND = os.path.join(os.path.abspath(BUILD), 'tools', 'clavicle')
FAULT = os.path.join(os.path.abspath(BUILD), 'tests', 'cli', 'libfault.so')
TIMEOUT = 900

# Two classes that differ in which half is bright: learnt in a few steps.
MODEL = '''let classes = 2
input 8 8 1
flatten
dense units=$classes activation=softmax
'''
CONV_MODEL = '''let classes = 2
input 16 16 1
conv2d 4 3 activation=relu
maxpool2d 2
flatten
dropout 0.2
dense units=$classes activation=softmax
'''


class Skip(Exception):
    """Raised by a case that this machine cannot run; the text says why."""


# ---- cases ----

CASES = []


def case(text):
    """Registers a test; text is a sentence that must be true. The function gets an empty folder."""
    def register(function):
        CASES.append((text, function))
        return function
    return register


def main():
    wanted = sys.argv[1:]
    failed = False
    chosen = [c for c in CASES if not wanted or any(w in c[0] for w in wanted)]
    print('TAP version 13\n1..%d' % len(chosen), flush=True)
    for number, (text, function) in enumerate(chosen, 1):
        folder = tempfile.mkdtemp(prefix='clavicle-cli-')
        try:
            function(folder)
            result, note = 'ok %d - %s' % (number, text), ''
        except Skip as why:
            result, note = 'ok %d - %s # SKIP %s' % (number, text, why), ''
        except Exception:
            failed = True
            result, note = 'not ok %d - %s' % (number, text), traceback.format_exc()
        shutil.rmtree(folder, ignore_errors=True)
        print(result)
        for line in note.splitlines():
            print('# ' + line)
        sys.stdout.flush()
    sys.exit(failed)


# ---- the command ----

class Result:
    def __init__(self, args, code, out, err):
        self.args, self.code = args, code
        self.raw = out
        self.out, self.err = out.decode('utf-8', 'replace'), err.decode('utf-8', 'replace')

    @property
    def last(self):
        """Last line of stderr."""
        return self.err.splitlines()[-1] if self.err.strip() else ''

    def lines(self):
        """stdout as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return 'clavicle %s\nexit code %s\nstdout: %s\nstderr: %s' % (
            ' '.join(map(str, self.args)), self.code, self.out[-2000:], self.err[-2000:])


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if not k.startswith('CLAVICLE_') and k != 'LD_PRELOAD'}
    env['CLAVICLE_CACHE_DIR'] = os.path.join(os.path.abspath(BUILD), 'cli-cache')
    env['LC_ALL'] = 'C'
    for k, v in changes.items():
        if v is None:
            env.pop(k, None)
        else:
            env[k] = v
    return env


def clavicle(*args, code=0, env=None, cwd=None, limit=None, timeout=TIMEOUT, **popen):
    """Runs the command and expects the exit code. env: changes; limit: largest file in bytes; timeout: seconds."""
    def prepare():
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if limit is not None:
        popen['preexec_fn'] = prepare
    popen.setdefault('stdout', subprocess.PIPE)
    popen.setdefault('stderr', subprocess.PIPE)
    p = subprocess.run([COMMAND, *map(os.fspath, map(str_or_bytes, args))], env=environment(**(env or {})),
                       cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL, **popen)
    r = Result(args, p.returncode, p.stdout or b'', p.stderr or b'')
    if code is not None and r.code != code:
        raise AssertionError('expected exit code %s\n%s' % (code, r))
    return r


def str_or_bytes(a):
    return a if isinstance(a, (str, bytes)) else str(a)


def fails(code, *args, says=(), **more):
    """Expects the exit code and that stderr ends with one line of error that says the words."""
    r = clavicle(*args, code=code, **more)
    words = (says,) if isinstance(says, str) else says
    assert r.last.startswith('clavicle: '), 'the last line is no error\n%s' % r
    for word in words:
        assert word in r.last, 'the error does not say "%s"\n%s' % (word, r)
    return r


def start(*args, env=None, **popen):
    """The command in the background, stdout as a pipe of lines."""
    return subprocess.Popen([COMMAND, *map(str_or_bytes, args)], env=environment(**(env or {})),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            **popen)


def faulty(*faults):
    """Environment in which OpenCL calls fail: 'clBuildProgram' or, from the third call on,
    'clEnqueueNDRangeKernel:3'."""
    if os.environ.get('CLAVICLE_TEST_SANITIZED') == '1':
        raise Skip('a sanitizer must be loaded first')
    return {'LD_PRELOAD': FAULT, 'CLV_CLI_FAULT': ' '.join(faults)}


def idle(kernel):
    """Environment in which a kernel computes nothing."""
    return dict(faulty(), CLV_CLI_IDLE=kernel)


def untouched():
    """Environment in which opening a device fails: for what must be refused before."""
    return {} if os.environ.get('CLAVICLE_TEST_SANITIZED') == '1' else faulty('clCreateContext')


def need_device():
    devices = clavicle('devices', '--json').json()['devices']
    if not any(d['usable'] for d in devices):
        raise Skip('no OpenCL device')


# ---- files ----

def write(path, content):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(content.encode() if isinstance(content, str) else content)
    return path


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def png(path, width, height, pixels):
    """8-bit gray."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + bytes(pixels[y * width:(y + 1) * width]) for y in range(height))
    write(path, b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)) +
          chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def pixels(label, seed, width=10, height=9):
    rng = random.Random(seed)
    return [rng.randrange(100) + (120 if (x < width // 2) == (label == 0) else 0)
            for y in range(height) for x in range(width)]


def images(folder, count, seed=1, classes=('A', 'B'), prefix=''):
    """count images of each class, alternately numbered. Returns the folder."""
    for i in range(count * len(classes)):
        label = i % len(classes)
        png('%s/%s/%s%03d.png' % (folder, classes[label], prefix, i), 10, 9, pixels(label, seed * 1000 + i))
    return folder


def npy(shape, values):
    """An array of unsigned bytes in numpy's format 1.0."""
    head = "{'descr': '|u1', 'fortran_order': False, 'shape': (%s,), }" % ', '.join(map(str, shape))
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + bytes(values)


def npz(path, counts=(24, 8, 8), size=8, leak=False):
    """MedMNIST's six arrays; leak repeats a training image in test."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, n, seed in zip(('train', 'val', 'test'), counts, (1, 2, 1 if leak else 3)):
            x = [v for i in range(n) for v in pixels(i % 2, seed * 1000 + i, size, size)]
            z.writestr(name + '_images.npy', npy((n, size, size), x))
            z.writestr(name + '_labels.npy', npy((n, 1), [i % 2 for i in range(n)]))
    return path


def setting(folder, count=12, model=MODEL):
    """Model file and data set of a small training; the arguments that name them."""
    write(folder + '/net.model', model)
    images(folder + '/data', count)
    return ['train', folder + '/net.model', '--data', folder + '/data']


def trained(folder, *options, count=12, model=MODEL, run='run'):
    """A finished run; returns its folder."""
    clavicle(*setting(folder, count, model), '--out', '%s/%s' % (folder, run), '--epochs', 2, '--batch', 8,
             '--quiet', *options)
    return '%s/%s' % (folder, run)


def history(run):
    """history.csv without the columns that measure time."""
    rows = [line.split(',') for line in read(run + '/history.csv').decode().splitlines()]
    kept = [i for i, name in enumerate(rows[0]) if name not in ('images_per_second', 'seconds')]
    return [[row[i] for i in kept] for row in rows]


RUN_FILES = ['best.safetensors', 'config.json', 'history.csv', 'last.safetensors', 'metrics.json', 'split.csv']
