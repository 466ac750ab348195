"""CLBlast with the parameters it ships, on the OpenCL device that comes first (CPUs before others).

It keeps its kernels by context, and takes most of a minute to build them on PoCL: one context serves all products."""
import ctypes as c
import ctypes.util

from . import common

ROW_MAJOR, NO_TRANSPOSE = 101, 111  # of clblast_c.h
DEVICE_CPU, DEVICE_ALL, COPY_HOST, READ_WRITE = 2, 0xFFFFFFFF, 1 << 5, 1  # of cl.h


def library(name):
    path = ctypes.util.find_library(name)
    if not path:
        raise ImportError(f"lib{name} is not installed")
    return c.CDLL(path)


def devices(cl):
    """All devices of the kind, CPUs first."""
    platforms, n = (c.c_void_p * 16)(), c.c_uint()
    cl.clGetPlatformIDs(16, platforms, c.byref(n))
    for kind in (DEVICE_CPU, DEVICE_ALL):
        for p in platforms[:n.value]:
            device = c.c_void_p()
            if not cl.clGetDeviceIDs(c.c_void_p(p), c.c_ulong(kind), 1, c.byref(device), None):
                yield device


opened = {}


def start(threads):
    del threads
    cl, status = library("OpenCL"), c.c_int()
    library("clblast")
    device = next(devices(cl), None)
    if not device:
        raise ImportError("no OpenCL device")
    cl.clCreateContext.restype = cl.clCreateCommandQueue.restype = cl.clCreateBuffer.restype = c.c_void_p
    context = c.c_void_p(cl.clCreateContext(None, 1, c.byref(device), None, None, c.byref(status)))
    queue = c.c_void_p(cl.clCreateCommandQueue(context, device, c.c_ulong(0), c.byref(status)))
    opened.update(cl=cl, context=context, queue=queue, buffers=[])
    return "CLBlast, defaults"


def make_buffers(*arrays):
    """In place of those of the product before."""
    cl, status = opened["cl"], c.c_int()
    for old in opened["buffers"]:
        cl.clReleaseMemObject(old)
    opened["buffers"] = [
        c.c_void_p(cl.clCreateBuffer(opened["context"], c.c_ulong(READ_WRITE | COPY_HOST), c.c_size_t(x.nbytes),
                                     x.ctypes.data_as(c.c_void_p), c.byref(status))) for x in arrays]
    return opened["buffers"]


def gemm(m, n, k):
    import numpy as np

    cl, blast, queue = opened["cl"], library("clblast"), opened["queue"]
    a, b = common.matrices(m, n, k)
    buffers = make_buffers(a, b, np.zeros((m, n), np.float32))
    sizes = [c.c_size_t(x) for x in (m, n, k, 0, k, 0, n, 0, n)]

    def call():
        event = c.c_void_p()
        code = blast.CLBlastSgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, *sizes[:3], c.c_float(1), buffers[0],
                                  *sizes[3:5], buffers[1], *sizes[5:7], c.c_float(0), buffers[2], *sizes[7:],
                                  c.byref(queue), c.byref(event))
        if code:
            raise RuntimeError(f"CLBlastSgemm: status {code}")
        cl.clFinish(queue)
        cl.clReleaseEvent(event)

    return call
