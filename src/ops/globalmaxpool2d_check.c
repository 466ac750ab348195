#include "check/check.h"

#include "base/util.h"

static const struct clv_check_case cases[] = {
    {"one", "", {{1, 1, 3}}, .batch = 1, .flags = CLV_CHECK_SMALL},
    {"tail", "", {{3, 5, 7}}, .batch = 3, .n = 2, .fill = CLV_CHECK_DISTINCT, .flags = CLV_CHECK_SMALL},
    {"pitch", "", {{5, 3, 16}}, .fill = CLV_CHECK_DISTINCT, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"ties", "", {{4, 5, 3}}, .fill = CLV_CHECK_TIES, .flags = CLV_CHECK_SMALL},
};

/* The first greatest pixel of a channel; in points at that channel of a sample's first pixel. */
static int64_t greatest(const double *in, int64_t pixels, int c)
{
    int64_t best = 0;
    for (int64_t p = 1; p < pixels; p++)
        if (in[p * c] > in[best * c])
            best = p;
    return best;
}

static void reference(const struct clv_check_ref *r)
{
    const struct clv_shape in = r->node->in[0]->shape;
    const int64_t pixels = (int64_t)in.h * in.w;
    for (int s = 0; s < r->n; s++)
        for (int c = 0; c < in.c; c++) {
            const double *x = r->in[0] + s * pixels * in.c + c;
            r->out[(int64_t)s * in.c + c] = x[greatest(x, pixels, in.c) * in.c];
        }
}

static void gradient(const struct clv_check_ref *r, const double *dy, double *dx)
{
    const struct clv_shape in = r->node->in[0]->shape;
    const int64_t pixels = (int64_t)in.h * in.w;
    for (int64_t i = 0; i < r->n * pixels * in.c; i++)
        dx[i] = 0;
    for (int s = 0; s < r->n; s++)
        for (int c = 0; c < in.c; c++) {
            const int64_t first = s * pixels * in.c + c;
            dx[first + greatest(r->in[0] + first, pixels, in.c) * in.c] = dy[(int64_t)s * in.c + c];
        }
}

const struct clv_check clv_check_globalmaxpool2d = {
    .op = "globalmaxpool2d", CLV_CHECK_CASES(cases), .reference = reference, .gradient = gradient};
