/* The loss scale and skipped steps: src/step/scaler.h. One work-item each. */
#include "types.cl"
#include "state.cl"

/* struct clv_scaler */
typedef struct {
    float scale;
    uint growth, good, skipped, in_a_row;
    float used;
    uint bad, reserved;
} scaler_state;

#define SCALER(qualifier) ((__global qualifier scaler_state *)(scaler + scaler_off))
#define OUT_STATE ((__global step_state *)(state_words + state_off))

/* At a step's begin: its scale, and its rate by the steps that were skipped before. */
__kernel void scaler_begin(__global uint *restrict state_words, ulong state_off, IN_U32(scaler))
{
    if (get_global_id(0))
        return;
    OUT_STATE->loss_scale = SCALER(const)->scale;
    OUT_STATE->skip = 0;
    if (SCALER(const)->skipped != STATE->skipped)
        OUT_STATE->rate = STATE->rate_behind;
}

/* Once its gradients have been looked at. */
__kernel void scaler_judge(__global uint *restrict state_words, ulong state_off, __global uint *restrict scaler,
                           ulong scaler_off)
{
    if (get_global_id(0))
        return;
    scaler_state s = *SCALER();
    OUT_STATE->skip = s.bad;
    s.used = s.scale;
    if (s.bad) {
        s.skipped++;
        s.in_a_row++;
        s.good = 0;
        s.scale *= s.growth ? 0.5f : 1.0f;
    } else {
        s.in_a_row = 0;
        s.good++;
        if (s.good == s.growth) {
            s.good = 0;
            s.scale = isinf(2.0f * s.scale) ? s.scale : 2.0f * s.scale;
        }
    }
    s.bad = 0;
    *SCALER() = s;
}
