/* How far two arrays are apart.
 *
 * Outputs are continuous in what they are computed from, so the largest difference is judged, which finds a single wrong
 * element. Gradients are not: where rounding decides which value of a pooling window is the largest, or whether one is
 * above ReLU's kink, an element of a gradient goes another way without a fault. Few do, so the sum of the
 * squares is judged. */
#include "compare/compare.h"

#include "base/util.h"
#include <math.h>

/* Weights are stored with 24 bits, whatever they move by: that share of them counts as movement. */
static const double storage = 1e-4;

/* Equal values, and what is no number on both sides, differ by nothing. */
static double distance(float a, float b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    const double d = fabs((double)a - (double)b);
    return isfinite(d) ? d : HUGE_VAL;
}

static double part(double difference, double of)
{
    return difference > 0 ? difference / of : 0;
}

void clv_compare_measure(const float *a, const float *b, const float *start, size_t n,
                         struct clv_compare_value *v)
{
    double worst = -1, largest = 0, sum = 0, length_a = 0, length_b = 0, weights = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = distance(a[i], b[i]), from = start ? start[i] : 0, x = a[i] - from, y = b[i] - from;
        if (d > worst) {
            worst = d;
            v->at = i;
        }
        if (!isfinite(a[i]) || !isfinite(b[i])) { /* on both sides: no measure for the others */
            sum = d > 0 ? HUGE_VAL : sum;
            continue;
        }
        largest = CLV_MAX(largest, CLV_MAX(fabs((double)a[i]), fabs((double)b[i])));
        sum += d * d;
        length_a += x * x;
        length_b += y * y;
        weights += from * from;
    }
    v->count = n;
    v->value[0] = n ? a[v->at] : 0;
    v->value[1] = n ? b[v->at] : 0;
    if (!isfinite(worst))
        v->difference = HUGE_VAL;
    else if (v->pass == CLV_COMPARE_FORWARD)
        v->difference = part(worst, largest);
    else
        v->difference = part(sqrt(sum), sqrt(CLV_MAX(length_a, length_b)) + storage * sqrt(weights));
}

void clv_compare_apply_act(enum clv_act act, const float *y, float *gradient, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float slope = (float)clv_act_slope(act, (double)y[i]);
        gradient[i] = slope != 0 ? gradient[i] * slope : 0;
    }
}
