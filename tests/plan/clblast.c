/* CLBlast on a product so large that it copies its matrices into scratch: that scratch lies inside the
 * plan's memory between other tensors, so a wrong size shows as wrong numbers or a hit guard zone. */
#include "rig.h"

#include <math.h>

enum { SIZE = 1024 };

Test(clblast, scratch_of_large_products)
{
    static const char model[] = "input 1 1 1024\ndense 1024 activation=tanh\ndense 1024\n";
    static const enum clv_gemm_mode mode[] = {CLV_GEMM_MODE_NATIVE, CLV_GEMM_MODE_CLBLAST, CLV_GEMM_MODE_CLBLAST};
    struct rig r = rig_open(NULL);
    int32_t *labels = malloc(SIZE * sizeof *labels);
    float *x = rig_samples(SIZE, SIZE, 3, 3, labels), *y[3];
    for (int i = 0; i < 3; i++) {
        struct clv_graph *g = rig_graph(&r, model);
        struct clv_trainer *t = NULL;
        y[i] = calloc((size_t)SIZE * SIZE, sizeof *y[i]);
        ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
            .batch = SIZE, .seed = 1, .gemm = mode[i], .separate = i == 2, .inference_only = true}, &t));
        ok(r.ctx, clv_trainer_predict(t, x, SIZE, y[i]));
        clv_trainer_destroy(&t);
        clv_graph_destroy(&g);
    }
    for (int i = 1; i < 3; i++)
        for (size_t k = 0; k < (size_t)SIZE * SIZE; k++)
            cr_assert_float_eq(y[i][k], y[0][k], 1e-4, "%s, output %zu: %g, not %g",
                               i == 2 ? "separate" : "arena", k, (double)y[i][k], (double)y[0][k]);
    for (int i = 0; i < 3; i++)
        free(y[i]);
    free(x), free(labels);
    rig_close(&r);
}
