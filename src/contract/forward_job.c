/* Data as forward convolutions, and forward as itself. */
#include "contract/forward_job.h"

static int gcd(int a, int b)
{
    return b ? gcd(b, a % b) : a;
}

/* The taps of one axis that reach input positions at + q * stride: first, first + step, ... */
struct taps {
    int first, step, n, pad, dilation;
};

static struct taps taps_of(int at, int k, int stride, int dilation, int pad)
{
    const int step = stride / gcd(stride, dilation);
    struct taps t = {.step = step, .dilation = step * dilation / stride};
    while (t.first < CLV_MIN(step, k) && (at + pad - t.first * dilation) % stride)
        t.first++;
    if (t.first == CLV_MIN(step, k))
        return (struct taps){.step = step, .dilation = 1};
    t.n = (int)clv_div_up(k - t.first, step);
    t.pad = (t.n - 1) * t.dilation - (at + pad - t.first * dilation) / stride;
    return t;
}

struct clv_forward_job clv_data_job_of(const struct clv_conv *c, bool pool, int row, int col)
{
    const struct taps h = taps_of(row, c->kh, c->sh, c->dh, c->pt);
    const struct taps w = taps_of(col, c->kw, c->sw, c->dw, c->pl);
    const bool none = h.n == 0 || w.n == 0;
    const int tap = c->ci * c->co;
    return (struct clv_forward_job){
        .conv = {.ih = c->oh,
                 .iw = c->ow,
                 .ci = c->co,
                 .oh = (int)clv_div_up(c->ih - row, c->sh),
                 .ow = (int)clv_div_up(c->iw - col, c->sw),
                 .co = c->ci,
                 .kh = none ? 0 : h.n,
                 .kw = none ? 1 : w.n,
                 .sh = 1,
                 .sw = 1,
                 .dh = h.dilation,
                 .dw = w.dilation,
                 .pt = h.pad,
                 .pl = w.pad,
                 .groups = 1},
        .unpool = pool,
        .image = c->ih * c->iw,
        .first = row * c->iw + col,
        .row = c->sh * c->iw,
        .col = c->sw,
        .base = none
                    ? 0
                    : ((h.first + (h.n - 1) * h.step) * c->kw + w.first + (w.n - 1) * w.step) * tap,
        .step_h = -h.step * c->kw * tap,
        .step_w = -w.step * tap,
        .step_r = 1,
        .step_o = c->co,
    };
}

struct clv_forward_job clv_forward_job_of(const struct clv_conv *c, bool pool)
{
    const int tap = c->ci * c->co, w = pool ? c->ow / 2 : c->ow;
    return (struct clv_forward_job){.conv = *c,
                                    .pool = pool,
                                    .image = (pool ? c->oh / 2 : c->oh) * w,
                                    .row = w,
                                    .col = 1,
                                    .step_h = c->kw * tap,
                                    .step_w = tap,
                                    .step_r = c->co,
                                    .step_o = 1};
}

struct clv_forward_job clv_first_job_of(const struct clv_conv *c, enum clv_product product)
{
    return product == CLV_PRODUCT_DATA ? clv_data_job_of(c, false, 0, 0)
                                       : clv_forward_job_of(c, false);
}

struct clv_emit_info clv_phase_info(const struct clv_emit *e, const struct clv_contract *p)
{
    const int phases = CLV_MIN(p->conv.sh, p->conv.ih) * CLV_MIN(p->conv.sw, p->conv.iw);
    struct clv_emit_info info = clv_contract_info(e, p, CLV_PASS_BACKWARD, "backward data");
    info.flops /= phases;
    info.bytes /= phases;
    return info;
}
