/* The frame of every optimizer's kernel `update`: one pass over a segment of the parameter store.
 * A chunk of CHUNK elements belongs to one parameter; on the CPU path one work-item takes a chunk in
 * vectors of 16, on the GPU path a work-group of 64 does. The optimizer defines
 *     void step16(float16 *w, float16 g, float16 *s0, float16 *s1, state, float4 chunk)
 * and then includes update_kernel.cl. -DCHUNK=elements -DSLOTS=0..2 */
#include "types.cl"
#include "state.cl"

typedef struct { float l1, l2, rate, decay; } chunk_constants;

/* Gradient of the loss plus that of the penalties l1 * |w| + l2 * w^2. */
static float16 penalised(float16 g, float16 w, float l1, float l2)
{
    return g + l1 * sign(w) + 2.0f * l2 * w;
}
