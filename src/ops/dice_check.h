/* The reference of both Dice losses, from probabilities. */
#ifndef CLV_OPS_DICE_CHECK_H
#define CLV_OPS_DICE_CHECK_H

#include "check/check.h"
#include "ops/dice.h"
#include <math.h>

static inline double clv_dice_entropy(const struct clv_check_ref *r, double p, double t, bool binary)
{
    const double kept = r->logits ? p : fmin(fmax(p, 1e-7), 1 - 1e-7);
    double sum = t ? -t * log(kept) : 0;
    if (binary && t < 1)
        sum -= (1 - t) * log1p(-kept);
    return sum;
}

static inline void clv_dice_reference(const struct clv_check_ref *r, bool binary)
{
    const struct clv_dice_params *q = r->node->params;
    const struct clv_shape in = r->node->in[0]->shape;
    const int64_t count = clv_shape_count(in);
    const int first = q->background ? 0 : 1;
    for (int s = 0; s < r->n; s++) {
        const double *p = r->in[0] + s * count, *t = r->targets + s * count;
        double entropy = 0, dice = 0;
        for (int c = 0; c < in.c; c++) {
            double both = 0, all = 0;
            for (int64_t i = c; i < count; i += in.c) {
                both += p[i] * t[i];
                all += p[i] + t[i];
                entropy += clv_dice_entropy(r, p[i], t[i], binary);
            }
            if (c >= first)
                dice += (2 * both + q->smooth) / (all + q->smooth) / (in.c - first);
        }
        entropy /= (double)in.h * in.w * (binary ? in.c : 1);
        r->out[s] = q->crossentropy * entropy + q->dice * (1 - dice);
    }
}

#endif
