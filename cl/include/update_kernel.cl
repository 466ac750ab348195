/* Takes the 16 elements from `at` on one step further; grad: of the loss, factor: of the clipping. */
static void update16(__global float *value, __global float *slot0, __global float *slot1, size_t at,
                     float16 grad, float factor, __global const step_state *st, chunk_constants c)
{
    float16 w = vload16(0, value + at), s0 = 0.0f, s1 = 0.0f;
#if SLOTS > 0
    s0 = vload16(0, slot0 + at);
#endif
#if SLOTS > 1
    s1 = vload16(0, slot1 + at);
#endif
    step16(&w, penalised(grad, w, c) * factor, &s0, &s1, st, c);
    vstore16(w, 0, value + at);
#if SLOTS > 0
    vstore16(s0, 0, slot0 + at);
#endif
#if SLOTS > 1
    vstore16(s1, 0, slot1 + at);
#endif
}

#ifdef DENSE_WEIGHTS
#include "contract_dense_update.cl"
#else
/* Chunks `first` and following of a segment; their gradients lie from chunk grad_first on. */
__kernel void update(IN_STATE, OUT_F32(value), IN_F32(grad), OUT_F32(slot0), OUT_F32(slot1),
                     IN_F32(chunks), IN_F32(control), int first, int grad_first)
{
    AT(value);
    AT(grad);
    AT(slot0);
    AT(slot1);
    AT(chunks);
    AT(control);
    const size_t group = get_group_id(0), chunk = first + group;
    const chunk_constants c = chunk_at(chunks, chunk, STATE);
    const float factor = control[0];
    grad += (grad_first + group) * CHUNK;
    if (c.rate == 0.0f)
        return;
    for (int i = (int)get_local_id(0); i < CHUNK / 16; i += (int)get_local_size(0))
        update16(value, slot0, slot1, chunk * CHUNK + i * 16, vload16(i, grad), factor, STATE, c);
}
#endif
