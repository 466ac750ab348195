#include "check/check.h"

static const struct clv_check_case cases[] = {
    {"uneven", "3x2", {{7, 5, 7}}, .batch = 3, .n = 2, .flags = CLV_CHECK_SMALL},
    {"pitch", "2", {{5, 4, 16}}, .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"larger than the image", "5x7", {{3, 2, 3}}, .flags = CLV_CHECK_SMALL},
    {"same", "3", {{3, 3, 16}}},
};

static void reference(const struct clv_check_ref *r)
{
    const struct clv_shape in = r->node->in[0]->shape, out = r->node->shape;
    double *to = r->out;
    for (int s = 0; s < r->n; s++)
        for (int y = 0; y < out.h; y++)
            for (int x = 0; x < out.w; x++)
                for (int c = 0; c < out.c; c++) {
                    const int y0 = y * in.h / out.h, y1 = ((y + 1) * in.h + out.h - 1) / out.h;
                    const int x0 = x * in.w / out.w, x1 = ((x + 1) * in.w + out.w - 1) / out.w;
                    double sum = 0;
                    for (int py = y0; py < y1; py++)
                        for (int px = x0; px < x1; px++)
                            sum += r->in[0][(((int64_t)s * in.h + py) * in.w + px) * in.c + c];
                    *to++ = sum / ((y1 - y0) * (x1 - x0));
                }
}

const struct clv_check clv_check_adaptiveavgpool2d = {
    .op = "adaptiveavgpool2d", CLV_CHECK_CASES(cases), .reference = reference};
