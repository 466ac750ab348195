/* RMSprop: scalar = {rho, momentum, epsilon, 1 - rho}. */
#include "update.cl"

static void step16(float16 *w, float16 g, float16 *v, float16 *momentum,
                   __global const step_state *st, chunk_constants c)
{
    *v = st->scalar[0] * *v + st->scalar[3] * g * g;
    *momentum = st->scalar[1] * *momentum + g * (st->rate * c.rate) / sqrt(*v + st->scalar[2]);
    *w -= *momentum;
}

#include "update_kernel.cl"
