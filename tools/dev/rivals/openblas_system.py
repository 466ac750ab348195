"""The system's OpenBLAS (libopenblas.so.0, as Debian's libopenblas0-pthread installs it), called directly."""
import ctypes as c

from . import common

ROW_MAJOR, NO_TRANSPOSE = 101, 111  # of cblas.h


def library():
    try:
        return c.CDLL("libopenblas.so.0")
    except OSError as e:
        raise ImportError(str(e)) from e


def start(threads):
    blas = library()
    blas.openblas_get_config.restype = c.c_char_p
    blas.openblas_set_num_threads(threads)
    return " ".join(blas.openblas_get_config().decode().split()[:2])


def gemm(m, n, k):
    import numpy as np

    blas = library()
    a, b = common.matrices(m, n, k)
    arrays = a, b, np.empty((m, n), np.float32)
    pointers = [x.ctypes.data_as(c.c_void_p) for x in arrays]

    def call(keep=arrays):
        blas.cblas_sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, m, n, k, c.c_float(1), pointers[0], k,
                         pointers[1], n, c.c_float(0), pointers[2], n)
        return keep

    return call
