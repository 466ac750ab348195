/* GEMM through CLBlast: the only file that knows it. CLBlast keeps its compiled kernels for the life
 * of the process, by context; nothing of ours is global. */
#include "base/util.h"
#include "clv_config.h"
#include "device/internal.h"

#ifdef CLV_HAVE_CLBLAST
#include <clblast_c.h>

bool clv_gemm_available(void)
{
    return true;
}

static CLBlastTranspose transpose(bool yes)
{
    return yes ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static enum clv_err check(struct clv_device *dev, const struct clv_gemm *g, const char *call,
                          CLBlastStatusCode status)
{
    if (status == CLBlastSuccess)
        return CLV_OK;
    struct clv_error *err = &dev->ctx->err;
    const enum clv_err code = status == CLBlastTempBufferAllocFailure     ? CLV_ERR_DEVMEM
                              : status == CLBlastOpenCLOutOfHostMemory    ? CLV_ERR_NOMEM
                              : status == CLBlastOpenCLBuildProgramFailure ? CLV_ERR_BUILD
                                                                           : CLV_ERR_CL;
    /* Codes up to -1000 are OpenCL's own; the rest are explained in clblast_c.h. */
    const enum clv_err e = clv_fail(
        err, code, "gemm %lldx%lldx%lld on %s: %s failed: %s (%d)", (long long)g->m,
        (long long)g->n, (long long)g->k, dev->info.name, call,
        (int)status > -1000 ? clv_cl_name(status) : "CLBlast status", (int)status);
    err->cl = (int)status;
    return e;
}

enum clv_err clv_gemm_scratch(struct clv_device *dev, const struct clv_gemm *g, size_t *elements)
{
    size_t most = 0;
    for (size_t offset = 0; offset < 2; offset++) {
        size_t bytes = 0;
        CLV_TRY(check(dev, g, "CLBlastSGemmTempBufferSize",
                      CLBlastSGemmTempBufferSize(
                          CLBlastLayoutRowMajor, transpose(g->trans_a), transpose(g->trans_b),
                          (size_t)g->m, (size_t)g->n, (size_t)g->k, offset, (size_t)g->lda, offset,
                          (size_t)g->ldb, offset, (size_t)g->ldc, &dev->queue, &bytes)));
        most = CLV_MAX(most, bytes);
    }
    *elements = (most + sizeof(float) - 1) / sizeof(float);
    return CLV_OK;
}

enum clv_err clv_queue_gemm(struct clv_device *dev, const struct clv_gemm *g, int profile_id)
{
    cl_event begin = NULL, event = NULL;
    if (clv_profile_slot(dev, profile_id, &begin)) {
        /* CLBlast's event is that of its last kernel; what it does before counts too. */
        CLV_TRY(CLV_CL(&dev->ctx->err, "gemm",
                       clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, &begin)));
    }
    const enum clv_err e = check(dev, g, "CLBlastSgemm",
              CLBlastSgemmWithTempBuffer(
                  CLBlastLayoutRowMajor, transpose(g->trans_a), transpose(g->trans_b), (size_t)g->m,
                  (size_t)g->n, (size_t)g->k, g->alpha, g->a->mem, g->a_off, (size_t)g->lda,
                  g->b->mem, g->b_off, (size_t)g->ldb, g->beta, g->c->mem, g->c_off, (size_t)g->ldc,
                  &dev->queue, clv_profile_slot(dev, profile_id, &event),
                  g->scratch ? g->scratch->mem : NULL));
    if (!e)
        return clv_profile_add(dev, profile_id, begin, event);
    if (begin)
        clReleaseEvent(begin);
    return e;
}

#else

bool clv_gemm_available(void)
{
    return false;
}

static enum clv_err missing(struct clv_device *dev)
{
    return clv_fail(&dev->ctx->err, CLV_ERR_UNSUPPORTED,
                    "this build has no CLBlast: install libclblast-dev and run "
                    "meson setup --reconfigure -Dclblast=enabled, or use the native gemm");
}

enum clv_err clv_gemm_scratch(struct clv_device *dev, const struct clv_gemm *g, size_t *elements)
{
    (void)g;
    (void)elements;
    return missing(dev);
}

enum clv_err clv_queue_gemm(struct clv_device *dev, const struct clv_gemm *g, int profile_id)
{
    (void)g;
    (void)profile_id;
    return missing(dev);
}

#endif
