/* Kernels that take smaller work-groups than the device promised: binding makes the groups smaller where
 * the kernel does not care, with the same numbers, and says what to do where it does. The linker puts
 * the function below in the place of OpenCL's (--wrap, see meson.build). */
#include "device/internal.h"
#include "rig.h"

#include <stdio.h>

enum { COUNT = 9 * 7 * 3, BATCH = 5 };
static const char model[] = "input 9 7 3\nconv2d 6 3\nrelu\nmaxpool2d 2\ndropout 0.25\nflatten\n"
                            "dense 3 activation=softmax\n";

static size_t limit; /* of every kernel; 0 = what OpenCL says */

#define PARAMS                                                                                     \
    (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info name, size_t size,           \
     void *value, size_t *size_ret)
cl_int __real_clGetKernelWorkGroupInfo PARAMS;
cl_int __wrap_clGetKernelWorkGroupInfo PARAMS;
cl_int __wrap_clGetKernelWorkGroupInfo PARAMS
{
    const cl_int status = __real_clGetKernelWorkGroupInfo(kernel, device, name, size, value, size_ret);
    if (limit && !status && name == CL_KERNEL_WORK_GROUP_SIZE && value)
        *(size_t *)value = limit;
    return status;
}

/* Two steps of training; the code of the trainer's creation. */
static enum clv_err train(const char *caps, size_t at_most, float **weights, size_t *n, char *text,
                          size_t text_size)
{
    struct rig r = rig_open(caps);
    struct clv_graph *g = rig_graph(&r, model);
    struct clv_trainer *t = NULL;
    int32_t labels[BATCH];
    float *x = rig_samples(BATCH, COUNT, 3, 11, labels);
    double loss;
    limit = at_most;
    const enum clv_err e =
        clv_trainer_create(r.dev, g, &(struct clv_trainer_params){.batch = BATCH, .seed = 3}, &t);
    snprintf(text, text_size, "%s", e ? clv_error_text(r.ctx) : "");
    for (int i = 0; !e && i < 2; i++)
        ok(r.ctx, clv_trainer_step(t, x, labels, BATCH, &loss));
    *weights = e ? NULL : rig_weights(&r, t, false, n);
    clv_trainer_destroy(&t);
    clv_graph_destroy(&g);
    free(x);
    rig_close(&r);
    return e;
}

Test(bind, smaller_groups_change_no_bit)
{
    static const size_t limits[] = {20, 7, 1};
    char text[400];
    float *w, *v;
    size_t n, m;
    /* Groups of 24: below the tiled schedule's, whose kernels insist on theirs. */
    cr_assert_eq(train("gpu,wg=24", 0, &w, &n, text, sizeof text), CLV_OK, "%s", text);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        cr_assert_eq(train("gpu,wg=24", limits[i], &v, &m, text, sizeof text), CLV_OK, "%s", text);
        cr_assert_eq(n, m);
        cr_expect_arr_eq(v, w, n * sizeof *w, "groups of at most %zu", limits[i]);
        free(v);
    }
    free(w);
}

Test(bind, a_kernel_that_insists_says_how_to_limit_the_plan)
{
    char text[400];
    float *w;
    size_t n;
    cr_assert_eq(train("gpu,wg=256", 20, &w, &n, text, sizeof text), CLV_ERR_UNSUPPORTED);
    cr_expect(strstr(text, "contract_tiled") && strstr(text, "--caps wg=20"), "%s", text);
    /* 40 leave it its smallest tile. */
    cr_assert_eq(train("gpu,wg=256", 40, &w, &n, text, sizeof text), CLV_OK, "%s", text);
    free(w);
    cr_assert_eq(train("gpu,wg=20", 20, &w, &n, text, sizeof text), CLV_OK, "%s", text);
    free(w);
}

Test(bind, the_mask_holds_for_kernels_too)
{
    static const struct clv_source source = {"one", "__kernel void one(__global int *x) { *x = 1; }"};
    struct rig r = rig_open("wg=3");
    struct clv_kernel *k = NULL;
    ok(r.ctx, clv_kernel_create(r.dev, &source, "one", "", "one", &k));
    cr_expect_eq(clv_kernel_max_work_group(k), 3);
    clv_kernel_destroy(&k);
    limit = 2;
    ok(r.ctx, clv_kernel_create(r.dev, &source, "one", "", "one", &k));
    cr_expect_eq(clv_kernel_max_work_group(k), 2);
    clv_kernel_destroy(&k);
    rig_close(&r);
}
