/* Adam and AdamW: scalar = {1 - beta_1, 1 - beta_2, epsilon, rate * weight_decay}. */
#include "update.cl"

static void step16(float16 *w, float16 g, float16 *m, float16 *v, __global const step_state *st,
                   chunk_constants c)
{
    *w -= *w * (st->scalar[3] * c.decay * c.rate);
    *m += (g - *m) * st->scalar[0];
    *v += (g * g - *v) * st->scalar[1];
    *w -= *m * (st->rate * c.rate) / (sqrt(*v) + st->scalar[2]);
}

#include "update_kernel.cl"
