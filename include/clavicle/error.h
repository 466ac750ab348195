/* Error codes of every fallible call. Codes are negative, 0 is success. */
#ifndef CLAVICLE_ERROR_H
#define CLAVICLE_ERROR_H

#include <clavicle/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text): the one list of codes. The order is ABI: append only. */
#define CLV_ERR_MAP(X)                                                                             \
    X(NOMEM, "out of host memory")                                                                 \
    X(ARG, "invalid argument")                                                                     \
    X(SHAPE, "shapes do not match")                                                                \
    X(MODEL, "invalid model")                                                                      \
    X(NODEV, "no usable device")                                                                   \
    X(BUILD, "kernel build failed")                                                                \
    X(CL, "OpenCL call failed")                                                                    \
    X(DEVMEM, "out of device memory")                                                              \
    X(IO, "cannot read")                                                                           \
    X(DATA, "damaged or unsupported data")                                                         \
    X(WRITE, "cannot write")                                                                       \
    X(EXISTS, "already exists")                                                                    \
    X(MISMATCH, "does not match the recorded run")                                                 \
    X(LEAK, "data leaks between splits")                                                           \
    X(NONFINITE, "a value is not finite")                                                          \
    X(CANCELLED, "cancelled")                                                                      \
    X(NET, "download failed")                                                                      \
    X(UNSUPPORTED, "not supported")                                                                \
    X(WRONG, "the device computes wrong results")

enum clv_err {
    CLV_OK = 0,
    CLV_ERR_BASE_ = -1000, /* only so that the list below counts upward from it */
#define CLV_ERR_ENUM_(name, text) CLV_ERR_##name,
    CLV_ERR_MAP(CLV_ERR_ENUM_)
#undef CLV_ERR_ENUM_
};

/* Short text of a code ("invalid argument"); "unknown error" for anything else. Never NULL.
 * Thread-safety: safe. */
CLV_API const char *clv_strerror(enum clv_err code);

#ifdef __cplusplus
}
#endif
#endif
