/* A probe, inside the worker: a block of a product whose every element differs, and its speed. */
#include "base/rng.h"
#include "base/util.h"
#include "device/probe.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CLV_SOURCE(probe_unit);

enum { COLUMNS = 32, STEPS = 3, ROW = 98, K = 32 * STEPS, MAX_TILE = 1024, MAX_ROWS = 32 };
enum { REPEAT = 1 << 12, ROUNDS = 3, FLOAT_ROWS = 12, VECTOR = 16 /* VW of both kernels */ };

struct probe {
    struct clv_device *dev;
    int rows, items;
    struct clv_buffer *a, *b, *c;
    struct clv_kernel *unit, *plain;
    uint32_t a_bits[MAX_ROWS * ROW]; /* an operand each */
    uint32_t b_bits[STEPS * MAX_TILE];
    float a_value[MAX_ROWS * ROW], b_value[K * COLUMNS];
    float want[MAX_ROWS * COLUMNS], got[MAX_ROWS * COLUMNS];
};

/* A random operand of either sign in 1/4 .. 2, all its significant bits in use, and what it is. */
static uint32_t random_operand(struct clv_rng *rng, enum clv_operand type, float *value)
{
    const uint32_t sign = (uint32_t)clv_rng_below(rng, 2), power = (uint32_t)clv_rng_below(rng, 3);
    const uint32_t bits = (uint32_t)clv_rng_below(rng, type == CLV_OPERAND_BF16 ? 1 << 7 : 1 << 10);
    const uint32_t fraction = bits << (type == CLV_OPERAND_BF16 ? 16 : 13);
    const uint32_t word = sign << 31 | (125 + power) << 23 | fraction;
    memcpy(value, &word, sizeof(word));
    return type == CLV_OPERAND_TF32  ? word
           : type == CLV_OPERAND_F16 ? sign << 15 | (13 + power) << 10 | bits
                                     : word >> 16;
}

/* Random operands where the unit expects them (cl/include/matrix_unit.cl), and their product in double. */
static void fill(struct probe *p, enum clv_operand type)
{
    const bool words = type == CLV_OPERAND_TF32;
    const int tile = words ? 1024 : 512;
    struct clv_rng rng = clv_rng_init(1, 18);
    for (size_t i = 0; i < CLV_COUNT(p->a_bits); i++)
        p->a_bits[i] = random_operand(&rng, type, &p->a_value[i]);
    for (int k = 0; k < K; k++)
        for (int n = 0; n < COLUMNS; n++) {
            const uint32_t bits = random_operand(&rng, type, &p->b_value[k * COLUMNS + n]);
            const int row = words ? k % 32 : k % 32 / 2;
            p->b_bits[k / 32 * tile + n / 16 * tile / 2 + row * 16 + n % 16] |=
                words ? bits : bits << 16 * (k % 2);
        }
    for (int r = 0; r < p->rows; r++)
        for (int n = 0; n < COLUMNS; n++) {
            double sum = 0;
            for (int k = 0; k < K; k++)
                sum += (double)p->a_value[r * ROW + k] * (double)p->b_value[k * COLUMNS + n];
            p->want[r * COLUMNS + n] = (float)sum;
        }
}

static enum clv_err make(struct probe *p, enum clv_unit unit)
{
    struct clv_device *dev = p->dev;
    char options[120];
    const char *wide = clv_caps_wide_option(&dev->caps, VECTOR);
    snprintf(options, sizeof(options), "%s-DUNIT=%d -DITEMS=%d -DPARTS=1 -DDEFECT=%d", wide,
             (int)unit, p->items, dev->probe_defect);
    CLV_TRY(clv_buffer_create(dev, sizeof(p->a_bits), &p->a));
    CLV_TRY(clv_buffer_create(dev, sizeof(p->b_bits), &p->b));
    CLV_TRY(clv_buffer_create(dev, sizeof(p->got), &p->c));
    CLV_TRY(clv_queue_write_wait(dev, p->a, 0, p->a_bits, sizeof(p->a_bits)));
    CLV_TRY(clv_queue_write_wait(dev, p->b, 0, p->b_bits, sizeof(p->b_bits)));
    CLV_TRY(clv_kernel_create(dev, &clv_cl_probe_unit, "probe_unit", options, "probe", &p->unit));
    snprintf(options, sizeof(options), "%s-DUNIT=0", wide);
    return clv_kernel_create(dev, &clv_cl_probe_unit, "probe_float", options, "probe", &p->plain);
}

static enum clv_err set_tensor(struct clv_kernel *k, unsigned *index, struct clv_buffer *b)
{
    const uint64_t offset = 0;
    CLV_TRY(clv_kernel_set_buffer(k, (*index)++, b));
    return clv_kernel_set_value(k, (*index)++, sizeof(offset), &offset);
}

/* *seconds: NULL = not wanted. */
static enum clv_err launch(struct probe *p, struct clv_kernel *k, int groups, int repeat,
                           double *seconds)
{
    unsigned index = 0;
    const size_t items = k == p->unit ? (size_t)p->items : 1, global = (size_t)groups * items;
    if (k == p->unit) {
        CLV_TRY(set_tensor(k, &index, p->a));
        CLV_TRY(set_tensor(k, &index, p->b));
    }
    CLV_TRY(set_tensor(k, &index, p->c));
    CLV_TRY(clv_kernel_set_value(k, index, sizeof(repeat), &repeat));
    const double start = clv_now();
    CLV_TRY(clv_queue_kernel(p->dev, k, 1, &global, &items, -1));
    CLV_TRY(clv_queue_finish(p->dev));
    if (seconds)
        *seconds = CLV_MIN(*seconds, clv_now() - start);
    return CLV_OK;
}

static enum clv_err compare(struct probe *p)
{
    CLV_TRY(launch(p, p->unit, 1, 1, NULL));
    CLV_TRY(clv_queue_read_wait(p->dev, p->c, 0, p->got, sizeof(p->got)));
    /* The operands' products are exact in float: only the sums round, K of them below 4. */
    const double bound = 4.0 * K * K / (1 << 24);
    for (int i = 0; i < p->rows * COLUMNS; i++)
        if (!(fabs((double)p->got[i] - (double)p->want[i]) <= bound))
            return clv_fail(&p->dev->ctx->err, CLV_ERR_DATA, "element %d is %g instead of %g", i,
                            (double)p->got[i], (double)p->want[i]);
    return CLV_OK;
}

static enum clv_err measure(struct probe *p, struct clv_probe_verdict *ret)
{
    double unit = INFINITY, plain = INFINITY;
    const int groups = (int)CLV_MAX(p->dev->caps.units, 1);
    CLV_TRY(launch(p, p->plain, 1, 1, NULL));
    for (int i = 0; i < ROUNDS; i++) {
        CLV_TRY(launch(p, p->unit, groups, REPEAT, &unit));
        CLV_TRY(launch(p, p->plain, groups, REPEAT, &plain));
    }
    const double percent = 100 * (p->rows / unit) / (FLOAT_ROWS / plain);
    ret->gain = (uint32_t)CLV_MAX(CLV_MIN(percent, 100000.0), 1.0);
    return CLV_OK;
}

enum clv_err clv_probe_run(struct clv_device *dev, enum clv_unit unit,
                           struct clv_probe_verdict *ret)
{
    struct probe *p = calloc(1, sizeof(*p));
    if (!p)
        return clv_fail_nomem(&dev->ctx->err, "a probe");
    p->dev = dev;
    p->rows = clv_unit_rows(unit);
    p->items = clv_unit_items(unit, dev->caps.gpu_path);
    fill(p, clv_unit_operand(unit));
    enum clv_err e = make(p, unit);
    if (!e)
        e = compare(p);
    if (!e)
        e = measure(p, ret);
    ret->works = !e;
    clv_kernel_destroy(&p->unit);
    clv_kernel_destroy(&p->plain);
    clv_buffer_destroy(&p->a);
    clv_buffer_destroy(&p->b);
    clv_buffer_destroy(&p->c);
    free(p);
    return e;
}
