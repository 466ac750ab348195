#include "check/check.h"
#include "ops/padding.h"

static const struct clv_check_case cases[] = {
    {"tail", "", {{3, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "2,1", {{5, 3, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"sides", "0,1,2,3", {{4, 5, 3}}, .flags = CLV_CHECK_SMALL},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_shape in = r->node->in[0]->shape, out = r->node->shape;
    int pad[4];
    if (!clv_padding_parse(r->node->params, pad))
        return;
    double *to = r->out;
    for (int s = 0; s < r->n; s++)
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++)
                for (int c = 0; c < out.c; c++) {
                    const int iy = y - pad[0], ix = x - pad[1];
                    const bool inside = iy >= 0 && iy < in.h && ix >= 0 && ix < in.w;
                    *to++ = inside ? r->in[0][(((int64_t)s * in.h + iy) * in.w + ix) * in.c + c] : 0;
                }
}

const struct clv_check clv_check_zeropadding2d = {
    .op = "zeropadding2d", CLV_CHECK_CASES(cases), .reference = reference};
