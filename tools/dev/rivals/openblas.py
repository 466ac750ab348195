"""OpenBLAS through numpy, whose wheels bring it; refused where numpy was built with another library."""
from . import common


def start(threads):
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    if "openblas" not in blas["name"]:
        raise ImportError(f"numpy {np.__version__} was built with {blas['name']}, not with OpenBLAS")
    del threads  # OPENBLAS_NUM_THREADS, set by the driver: it is read once, while numpy is loaded
    return f"OpenBLAS {'.'.join(blas['version'].split('.')[:3])}"


def gemm(m, n, k):
    import numpy as np

    a, b = common.matrices(m, n, k)
    c = np.empty((m, n), np.float32)
    return lambda: np.matmul(a, b, out=c)
