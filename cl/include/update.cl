/* The frame of every optimizer's kernel `update`: one pass over a segment of the parameter store.
 * A chunk of CHUNK elements belongs to one parameter; on the CPU path one work-item takes a chunk in
 * vectors of 16, on the GPU path a work-group of 64 does. The optimizer defines
 *     void step16(float16 *w, float16 g, float16 *s0, float16 *s1, state, float4 chunk)
 * and then includes update_kernel.cl. -DCHUNK=elements -DSLOTS=0..2; -DGUARDED: the loss is scaled and steps may
 * be skipped (src/step/scaler.h). */
#include "types.cl"
#include "state.cl"

typedef struct { float l1, l2, rate, decay, unscale; } chunk_constants;

/* Of chunk i. rate 0: its weights stay as they are, which -DGUARDED may mean for a whole step. */
static chunk_constants chunk_at(__global const float *chunks, size_t i, __global const step_state *st)
{
    const float4 v = vload4(i, chunks);
    chunk_constants c = {v.x, v.y, v.z, v.w, 1.0f};
#ifdef GUARDED
    c.unscale = 1.0f / st->loss_scale;
    if (st->skip)
        c.rate = 0.0f;
#endif
    return c;
}

/* Gradient of the loss, from that of the scaled loss, plus that of the penalties l1 * |w| + l2 * w^2. */
static float16 penalised(float16 g, float16 w, chunk_constants c)
{
#ifdef GUARDED
    g *= c.unscale;
#endif
    return g + c.l1 * sign(w) + 2.0f * c.l2 * w;
}
