/* The pass in front of every network, from stored images to its input, against its definition in plain C
 * (base/sample.h): bytes, 16-bit words and floats, as they are stored, shrunk, enlarged and turned. */
#include "base/rng.h"
#include "base/util.h"
#include "doctor/doctor.h"
#include "step/sample.h"
#include "step/state.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 4, N = 3, SLOT_BYTES = 32768 };

struct sample_case {
    const char *name;
    int h, w, c;
    struct clv_normalise norm;
    double atol; /* 0: bit for bit */
    struct clv_sample_record record[N]; /* without offset */
};

#define AS_STORED .m = {1, 0, 0, 0, 1, 0}, .taps = {1, 1}
static const struct sample_case cases[] = {
    {"shrunk, enlarged, turned", 16, 20, 3, {{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}}, 1e-4,
     {{.width = 50, .height = 40, .channels = 1, .value_bytes = 1, .m = {2.5f, 0, 0, 0, 2.5f, 0}, .taps = {3, 3},
       .contrast = 1.2f, .brightness = 0.1f, .max = 255},
      {.width = 7, .height = 9, .channels = 3, .value_bytes = 2, .m = {0.35f, 0, -0.4f, 0, 0.5625f, 0.3f},
       .taps = {1, 1}, .contrast = 1, .max = 65535},
      {.width = 30, .height = 30, .channels = 3, .value_bytes = 1, .m = {1.2f, -0.9f, 3, 0.9f, 1.2f, -4},
       .taps = {2, 2}, .contrast = 0.8f, .brightness = -0.2f, .max = 255}}},
    {"floats are copied", 5, 6, 4, {{0, 0, 0, 0}, {1, 1, 1, 1}}, 0,
     {{.width = 6, .height = 5, .channels = 4, .value_bytes = 4, AS_STORED, .contrast = 1, .max = 1},
      {.width = 6, .height = 5, .channels = 4, .value_bytes = 4, AS_STORED, .contrast = 1, .max = 1},
      {.width = 6, .height = 5, .channels = 4, .value_bytes = 4, AS_STORED, .contrast = 1, .max = 1}}},
    {"erased", 6, 9, 1, {{0.4f}, {0.2f}}, 1e-4,
     {{.width = 6, .height = 6, .channels = 1, .value_bytes = 1, .m = {0.7f, 0, 0, 0, 1, 0}, .taps = {1, 1}, .contrast = 1,
       .max = 255, .erase = {2, 1, 7, 6}, .erase_value = {-3}},
      {.width = 6, .height = 6, .channels = 1, .value_bytes = 1, .m = {0.7f, 0, 0, 0, 1, 0}, .taps = {1, 1}, .contrast = 1,
       .max = 255, .erase = {0, 2, 9, 4}, .noise = {8, 9}, .erase_random = 1},
      {.width = 9, .height = 6, .channels = 1, .value_bytes = 1, AS_STORED, .contrast = 1, .max = 255,
       .erase = {8, 0, 9, 6}, .erase_value = {2}}}},
    {"as stored", 4, 21, 3, {{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}}, 1e-5,
     {{.width = 21, .height = 4, .channels = 3, .value_bytes = 1, AS_STORED, .contrast = 1.1f, .brightness = 0.05f,
       .max = 255},
      {.width = 21, .height = 4, .channels = 3, .value_bytes = 2, AS_STORED, .contrast = 1.1f, .brightness = 0.05f,
       .max = 65535},
      {.width = 21, .height = 4, .channels = 3, .value_bytes = 4, AS_STORED, .contrast = 1.1f, .brightness = 0.05f,
       .max = 1}}},
};

struct job {
    struct clv_device *dev;
    const struct sample_case *c;
    struct clv_steps steps;
    struct clv_separate separate;
    struct clv_buffer *io[2];
    struct clv_tensor *state, *staging, *out;
    unsigned char *slot;
    float *got, *want; /* the whole batch; one sample */
    size_t per_sample;
};

static void put_random(struct clv_rng *rng, const struct clv_sample_record *r, unsigned char *to)
{
    const size_t n = (size_t)r->width * r->height * r->channels;
    for (size_t i = 0; i < n; i++) {
        const float f = (float)clv_rng_normal(rng);
        const uint32_t word = clv_rng_u32(rng);
        if (r->value_bytes == 4)
            memcpy(to + i * 4, &f, sizeof f);
        else
            memcpy(to + i * r->value_bytes, &word, r->value_bytes);
    }
}

static enum clv_err allocate(struct job *j)
{
    const struct sample_case *c = j->c;
    struct clv_rng rng = clv_rng_init(5, 0);
    j->per_sample = (size_t)c->h * (size_t)c->w * (size_t)c->c;
    j->slot = calloc(1, SLOT_BYTES);
    j->got = calloc(BATCH * j->per_sample, sizeof *j->got);
    j->want = calloc(j->per_sample, sizeof *j->want);
    if (!j->slot || !j->got || !j->want)
        return clv_fail_nomem(clv_device_error(j->dev), "a check");
    uint32_t offset = (uint32_t)clv_slot_header(BATCH);
    for (int i = 0; i < N; i++) {
        struct clv_sample_record r = c->record[i];
        r.offset = offset;
        memcpy(j->slot + (size_t)i * sizeof r, &r, sizeof r);
        put_random(&rng, &r, j->slot + offset);
        offset += (uint32_t)clv_slot_stride((size_t)r.width * r.height * r.channels * r.value_bytes);
    }
    return CLV_OK;
}

static enum clv_err upload(struct job *j)
{
    struct {
        struct clv_step_state state;
        uint32_t index[BATCH];
    } words = {.state = {.n = N, .inv_n = 1.0f / N}};
    CLV_TRY(clv_buffer_create(j->dev, sizeof words, &j->io[0]));
    CLV_TRY(clv_queue_write_wait(j->dev, j->io[0], 0, &words, sizeof words));
    CLV_TRY(clv_buffer_create(j->dev, SLOT_BYTES, &j->io[1]));
    CLV_TRY(clv_queue_write_wait(j->dev, j->io[1], 0, j->slot, SLOT_BYTES));
    j->state->buffer = j->io[0];
    j->staging->buffer = j->io[1];
    return CLV_OK;
}

static enum clv_err execute(struct job *j)
{
    const struct sample_case *c = j->c;
    struct clv_emit e = {.err = clv_device_error(j->dev), .dev = j->dev, .caps = clv_device_caps(j->dev),
                         .batch = BATCH, .steps = &j->steps};
    CLV_TRY(allocate(j));
    e.state = j->state = clv_emit_tensor(&e, CLV_MEMORY_IO, CLV_U32, 1, 1, 1, sizeof(struct clv_step_state) / 4 + BATCH, "state");
    j->staging = clv_emit_tensor(&e, CLV_MEMORY_IO, CLV_U8, 1, 1, 1, SLOT_BYTES, "staging");
    j->out = clv_emit_tensor(&e, CLV_MEMORY_ACTIVATION, CLV_F32, BATCH, c->h, c->w, c->c, "out");
    if (!j->state || !j->staging || !j->out)
        return CLV_ERR_NOMEM;
    CLV_TRY(clv_emit_sample(&e, j->staging, j->out, &c->norm));
    CLV_TRY(clv_separate_bind(j->dev, &j->steps, &j->separate));
    CLV_TRY(upload(j));
    CLV_TRY(clv_steps_bind(j->dev, &j->steps));
    CLV_TRY(clv_steps_enqueue(j->dev, &j->steps, 0, j->steps.n, false));
    CLV_TRY(clv_queue_finish(j->dev));
    return clv_queue_read_wait(j->dev, j->out->buffer, j->out->offset * sizeof(float), j->got,
                               BATCH * j->per_sample * sizeof *j->got);
}

/* Fills the row; text has room for what is wrong. */
static void compare(const struct job *j, struct clv_doctor_row *row, char text[200])
{
    const struct sample_case *c = j->c;
    const double atol = c->atol > 0 ? c->atol : FLT_MIN;
    const struct clv_sample_record *record = (const void *)j->slot;
    for (int i = 0; i < N; i++) {
        clv_sample_reference(j->slot, &record[i], c->h, c->w, c->c, &c->norm, j->want);
        for (size_t k = 0; k < j->per_sample; k++) {
            const double got = (double)j->got[(size_t)i * j->per_sample + k], want = (double)j->want[k];
            const double error = fabs(got - want) / atol;
            row->compared++;
            if (error <= row->error)
                continue;
            row->error = isnan(error) ? INFINITY : error;
            if (!(error <= 1))
                snprintf(text, 200, "sample %d, value %zu is %.9g instead of %.9g", i, k, got, want);
        }
    }
    if (row->error <= 1 && !isnan(j->got[N * j->per_sample])) {
        row->error = INFINITY;
        snprintf(text, 200, "the sample behind the last one was written");
    }
}

static void finish(struct job *j)
{
    clv_steps_finish(&j->steps);
    clv_separate_finish(&j->separate);
    clv_buffer_destroy(&j->io[0]);
    clv_buffer_destroy(&j->io[1]);
    free(j->slot);
    free(j->got);
    free(j->want);
}

enum clv_err clv_doctor_sample(struct clv_doctor *d)
{
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        struct job j = {.dev = d->dev, .c = &cases[i]};
        char text[200] = "";
        struct clv_doctor_row row = {.group = "sample", .name = cases[i].name, .variant = "", .text = text};
        clv_doctor_begin(d, row.group, row.name, "");
        enum clv_err e = execute(&j);
        if (!e)
            compare(&j, &row, text);
        finish(&j);
        if (e) {
            CLV_TRY(clv_doctor_end_failed(d, &row, e));
            continue;
        }
        row.status = row.error <= 1 ? CLV_DOCTOR_PASSED : CLV_DOCTOR_WRONG;
        clv_doctor_end(d, &row);
    }
    return CLV_OK;
}
