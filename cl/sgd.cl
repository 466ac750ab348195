/* Gradient descent: scalar = {momentum, nesterov}. */
#include "update.cl"

static void step16(float16 *w, float16 g, float16 *velocity, float16 *unused,
                   __global const step_state *st, chunk_constants c)
{
    const float momentum = st->scalar[0];
    const float16 move = g * (st->rate * c.rate);
    *velocity = momentum * *velocity - move;
    *w += st->scalar[1] != 0.0f ? momentum * *velocity - move : *velocity;
}

#include "update_kernel.cl"
