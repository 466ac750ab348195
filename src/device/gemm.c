/* GEMM through CLBlast: the only file that knows it. CLBlast keeps its compiled kernels for the life
 * of the process, by context; nothing of ours is global. */
#include "base/util.h"
#include "clv_config.h"
#include "device/internal.h"

/* ---- sets of parameters ---- */

enum { CPU = 1, GPU = 2, MAX_PARAMS = 16 };

/* Kernels of CLBlast 1.5 with every parameter of theirs, as its tuners name them. On CPU devices: groups of one
 * item, whose tile of MWG x NWG stays in registers as vectors of VWM; the direct kernel, which small problems would
 * take, is kept small and out of use, since compiling it unrolled takes a minute. */
#define INDIRECT(md, nd, mwg, nwg, vwm, vwn, kwg, kwi, sm)                                         \
    "GEMMK=0 KREG=1 KWG=" kwg " KWI=" kwi " MDIMA=" md " MDIMC=" md " MWG=" mwg " NDIMB=" nd       \
    " NDIMC=" nd " NWG=" nwg " SA=" sm " SB=" sm " STRM=0 STRN=0 VWM=" vwm " VWN=" vwn
static const char small_direct[] =
    "KWID=1 MDIMAD=8 MDIMCD=8 NDIMBD=8 NDIMCD=8 PADA=0 PADB=0 VWMD=1 VWND=1 WGD=8";
static const char gpu_direct[] =
    "KWID=2 MDIMAD=8 MDIMCD=16 NDIMBD=8 NDIMCD=8 PADA=1 PADB=1 VWMD=2 VWND=2 WGD=32";

static const struct {
    int where;
    unsigned vector_width; /* floats in a register; 0 = any */
    const char *xgemm, *direct, *routine;
} sets[CLV_GEMM_SETS] = {
    {CPU | GPU, 0, NULL, NULL, NULL},
    {CPU, 16, INDIRECT("1", "1", "16", "16", "16", "16", "32", "1", "0"), small_direct,
     "XGEMM_MIN_INDIRECT_SIZE=1"},
    {CPU, 16, INDIRECT("1", "1", "32", "8", "16", "8", "128", "1", "0"), small_direct,
     "XGEMM_MIN_INDIRECT_SIZE=1"},
    {CPU, 0, INDIRECT("1", "1", "32", "4", "8", "1", "16", "2", "0"), small_direct,
     "XGEMM_MIN_INDIRECT_SIZE=1"},
    {CPU, 0, INDIRECT("1", "1", "16", "8", "8", "8", "32", "1", "0"), small_direct,
     "XGEMM_MIN_INDIRECT_SIZE=1"},
    {GPU, 0, INDIRECT("16", "16", "64", "64", "4", "4", "16", "2", "1"), gpu_direct,
     "XGEMM_MIN_INDIRECT_SIZE=448"},
    {GPU, 0, INDIRECT("16", "8", "128", "64", "4", "4", "32", "2", "1"), gpu_direct,
     "XGEMM_MIN_INDIRECT_SIZE=448"},
};

bool clv_gemm_set_suits(const struct clv_caps *caps, int set)
{
    return set >= 0 && set < CLV_GEMM_SETS && sets[set].where & (caps->gpu_path ? GPU : CPU) &&
           (!sets[set].vector_width || sets[set].vector_width == caps->vector_width);
}

/* CLBlast knows GPUs better than we do. */
int clv_gemm_default_set(const struct clv_caps *caps)
{
    int set = caps->gpu_path ? 0 : 1;
    while (!clv_gemm_set_suits(caps, set))
        set++;
    return set;
}

#ifdef CLV_HAVE_CLBLAST
#include <clblast_c.h>
#include <stdlib.h>
#include <string.h>

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

/* "NAME=1 NAME=2" */
static CLBlastStatusCode override(struct clv_device *dev, const char *kernel, const char *params)
{
    char name[MAX_PARAMS][32];
    const char *names[MAX_PARAMS];
    size_t value[MAX_PARAMS], n = 0;
    for (const char *at = params; *at && n < MAX_PARAMS; n++) {
        const size_t len = strcspn(at, "=");
        memcpy(name[n], at, len);
        name[n][len] = 0;
        names[n] = name[n];
        char *end;
        value[n] = strtoul(at + len + 1, &end, 10);
        at = end + strspn(end, " ");
    }
    return CLBlastOverrideParameters(dev->id, kernel, CLBlastPrecisionSingle, n, names, value);
}

/* CLBlast keeps its parameters by device for the whole process, so another user of it may have changed them. */
static enum clv_err take_set(struct clv_device *dev, const struct clv_gemm *g)
{
    if (!sets[g->set].xgemm && !dev->gemm_overridden)
        return CLV_OK;
    if (!sets[g->set].xgemm)
        return clv_fail(&dev->ctx->err, CLV_ERR_UNSUPPORTED,
                        "CLBlast's own parameters cannot be had back in this process");
    dev->gemm_overridden = true;
    CLV_TRY(check(dev, g, "CLBlastOverrideParameters", override(dev, "Xgemm", sets[g->set].xgemm)));
    CLV_TRY(check(dev, g, "CLBlastOverrideParameters",
                  override(dev, "XgemmDirect", sets[g->set].direct)));
    return check(dev, g, "CLBlastOverrideParameters",
                 override(dev, "GemmRoutine", sets[g->set].routine));
}

enum clv_err clv_gemm_scratch(struct clv_device *dev, const struct clv_gemm *g, size_t *elements)
{
    size_t most = 0;
    CLV_TRY(take_set(dev, g));
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
    CLV_TRY(take_set(dev, g));
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
