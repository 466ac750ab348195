/* The sampling pass on the device against its definition in plain C (base/sample.h). */
#include "step/sample.h"
#include "base/rng.h"
#include "base/util.h"
#include "device/testdev.h"
#include "oclgrind.h"
#include "step/state.h"

#include <math.h>

enum { BATCH = 4, N = 3, SLOT_BYTES = 32768 };

struct bench {
    struct clv_context *ctx;
    struct clv_device *dev;
    struct clv_steps steps;
    struct clv_separate separate;
    struct clv_buffer *io[2];
    struct clv_tensor *staging, *out;
    unsigned char *slot;
};

/* Three records and random pixels behind them; returns the slot. */
static unsigned char *fill_slot(struct bench *b, const struct clv_sample_record *r)
{
    struct clv_rng rng = clv_rng_init(5, 0);
    unsigned char *slot = b->slot = calloc(1, SLOT_BYTES);
    cr_assert(slot);
    uint32_t offset = (uint32_t)clv_slot_header(BATCH);
    for (int i = 0; i < N; i++) {
        struct clv_sample_record one = r[i];
        const uint32_t values = one.width * one.height * one.channels;
        one.offset = offset;
        memcpy(slot + sizeof one * (size_t)i, &one, sizeof one);
        for (uint32_t k = 0; k < values; k++) {
            const float f = (float)clv_rng_normal(&rng);
            const uint16_t u16 = (uint16_t)clv_rng_u32(&rng);
            const unsigned char u8 = (unsigned char)clv_rng_u32(&rng);
            const void *p = one.value_bytes == 4   ? (const void *)&f
                            : one.value_bytes == 2 ? (const void *)&u16
                                                   : (const void *)&u8;
            memcpy(slot + offset + k * one.value_bytes, p, one.value_bytes);
        }
        offset = (uint32_t)clv_round_up(offset + values * one.value_bytes, 16);
        cr_assert_leq(offset, SLOT_BYTES);
    }
    return slot;
}

/* Buffers of the plan's owner, each written whole. */
static void fill_io(struct bench *b, struct clv_tensor *state, const struct clv_mix *mix)
{
    struct {
        struct clv_step_state state;
        uint32_t index[BATCH];
    } words = {.state = {.n = N, .inv_n = 1.0f / N, .mix = *mix}};
    ok(b->ctx, clv_buffer_create(b->dev, sizeof(words), &b->io[0]));
    ok(b->ctx, clv_queue_write_wait(b->dev, b->io[0], 0, &words, sizeof(words)));
    ok(b->ctx, clv_buffer_create(b->dev, SLOT_BYTES, &b->io[1]));
    ok(b->ctx, clv_queue_write_wait(b->dev, b->io[1], 0, b->slot, SLOT_BYTES));
    state->buffer = b->io[0];
    b->staging->buffer = b->io[1];
}

static void run(struct bench *b, const char *caps, int h, int w, int c,
                const struct clv_normalise *norm, const struct clv_mix *mix)
{
    b->ctx = test_context(NULL, 0);
    b->dev = test_device(b->ctx, &(struct clv_device_params){.caps = caps});
    struct clv_emit e = {.err = clv_device_error(b->dev),
                         .dev = b->dev,
                         .caps = clv_device_caps(b->dev),
                         .batch = BATCH,
                         .steps = &b->steps};
    e.state = clv_emit_tensor(&e, CLV_MEMORY_IO, CLV_U32, 1, 1, 1, sizeof(struct clv_step_state) / 4 + BATCH, "state");
    b->staging = clv_emit_tensor(&e, CLV_MEMORY_IO, CLV_U8, 1, 1, 1, SLOT_BYTES, "staging");
    b->out = clv_emit_tensor(&e, CLV_MEMORY_ACTIVATION, CLV_F32, BATCH, h, w, c, "out");
    ok(b->ctx, clv_emit_sample(&e, b->staging, b->out, norm));
    ok(b->ctx, clv_emit_mix(&e, b->out));
    ok(b->ctx, clv_separate_bind(b->dev, &b->steps, &b->separate));
    fill_io(b, e.state, mix);
    ok(b->ctx, clv_steps_bind(b->dev, &b->steps));
    ok(b->ctx, clv_steps_enqueue(b->dev, &b->steps, 0, b->steps.n, false));
    ok(b->ctx, clv_queue_finish(b->dev));
    ok(b->ctx, clv_separate_verify(b->dev, &b->separate));
}

static void close_bench(struct bench *b)
{
    clv_steps_finish(&b->steps);
    clv_separate_finish(&b->separate);
    clv_buffer_destroy(&b->io[0]);
    clv_buffer_destroy(&b->io[1]);
    test_close(&b->ctx, &b->dev);
}

static void compare_mixed(const struct clv_sample_record *r, const char *caps, int h, int w, int c,
                          const struct clv_normalise *norm, const struct clv_mix *mix, float atol)
{
    struct bench b = {0};
    unsigned char *slot = fill_slot(&b, r);
    const size_t per_sample = (size_t)h * (size_t)w * (size_t)c;
    float *got = calloc(BATCH * per_sample, sizeof(*got)),
          *want = calloc(N * per_sample, sizeof(*want));
    cr_assert(got && want);
    run(&b, caps, h, w, c, norm, mix);
    ok(b.ctx, clv_queue_read_wait(b.dev, b.out->buffer, b.out->offset * 4, got,
                                  BATCH * per_sample * sizeof(*got)));
    for (int i = 0; i < N; i++)
        clv_sample_reference(slot, (const struct clv_sample_record *)(const void *)slot + i, h, w, c, norm,
                             want + (size_t)i * per_sample);
    clv_mix_reference(mix, N, h, w, c, want);
    for (size_t k = 0; k < N * per_sample; k++)
        cr_assert(fabsf(got[k] - want[k]) <= atol, "caps '%s', sample %zu, value %zu is %.9g instead of %.9g", caps,
                  k / per_sample, k % per_sample, (double)got[k], (double)want[k]);
    cr_assert(isnan(got[N * per_sample]), "the absent sample was written");
    close_bench(&b);
    free(got);
    free(want);
    free(b.slot);
}

static void compare(const struct clv_sample_record *r, const char *caps, int h, int w, int c,
                    const struct clv_normalise *norm, float atol)
{
    compare_mixed(r, caps, h, w, c, norm, &clv_mix_none, atol);
}

static const char *const paths[] = {"", "gpu"};

Test(sample, bytes_and_words_shrink_grow_and_turn)
{
    oclgrind_log_open("sample_bytes");
    const struct clv_normalise norm = {{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}};
    const struct clv_sample_record r[N] = {
        /* Gray, shrunk by 2.5 with 3 x 3 taps; it goes to all channels. */
        {.width = 50,
         .height = 40,
         .channels = 1,
         .value_bytes = 1,
         .m = {2.5f, 0, 0, 0, 2.5f, 0},
         .taps = {3, 3},
         .contrast = 1.2f,
         .brightness = 0.1f,
         .max = 255},
        /* 16 bit colour, enlarged: edges are clamped. */
        {.width = 7,
         .height = 9,
         .channels = 3,
         .value_bytes = 2,
         .m = {0.35f, 0, -0.4f, 0, 0.5625f, 0.3f},
         .taps = {1, 1},
         .contrast = 1,
         .max = 65535},
        /* Turned, partly outside. */
        {.width = 30,
         .height = 30,
         .channels = 3,
         .value_bytes = 1,
         .m = {1.2f, -0.9f, 3, 0.9f, 1.2f, -4},
         .taps = {2, 2},
         .contrast = 0.8f,
         .brightness = -0.2f,
         .max = 255}};
    for (size_t i = 0; i < CLV_COUNT(paths); i++)
        compare(r, paths[i], 16, 20, 3, &norm, 1e-4f);
    oclgrind_log_check();
}

/* Training data from memory must arrive bit for bit. */
Test(sample, floats_are_copied_exactly)
{
    oclgrind_log_open("sample_floats");
    const struct clv_normalise norm = {{0, 0, 0, 0}, {1, 1, 1, 1}};
    const struct clv_sample_record one = {.width = 6,
                                          .height = 5,
                                          .channels = 4,
                                          .value_bytes = 4,
                                          .m = {1, 0, 0, 0, 1, 0},
                                          .taps = {1, 1},
                                          .contrast = 1,
                                          .max = 1};
    for (size_t i = 0; i < CLV_COUNT(paths); i++)
        compare((const struct clv_sample_record[N]){one, one, one}, paths[i], 5, 6, 4, &norm, 0);
    oclgrind_log_check();
}

/* Images of the network's own size: rows of one pattern of channels and a rest. */
Test(sample, stored_as_wanted_only_scales)
{
    oclgrind_log_open("sample_as_stored");
    const struct clv_normalise norm = {{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}};
    struct clv_sample_record r[N];
    for (int i = 0; i < N; i++)
        r[i] = (struct clv_sample_record){.width = 21,
                                          .height = 4,
                                          .channels = 3,
                                          .value_bytes = 1u << i,
                                          .m = {1, 0, 0, 0, 1, 0},
                                          .taps = {1, 1},
                                          .contrast = 1.1f,
                                          .brightness = 0.05f,
                                          .max = i == 0 ? 255.0f : i == 1 ? 65535.0f : 1.0f};
    for (size_t i = 0; i < CLV_COUNT(paths); i++)
        compare(r, paths[i], 4, 21, 3, &norm, 1e-5f);
    oclgrind_log_check();
}

/* A box with values, one with noise, and one at the edge of an image as it is stored; then mixup and CutMix of the
 * first and the last: 20 pixels of 3 channels are whole vectors and a rest. */
Test(sample, erased_and_mixed)
{
    oclgrind_log_open("sample_erased");
    const struct clv_normalise norm = {{0.4f, 0.5f, 0.6f, 0}, {0.2f, 0.3f, 0.25f, 1}};
    const struct clv_mix mixes[] = {{0.3f, {0, 0, 20, 16}}, {0, {3, 5, 17, 16}}};
    const struct clv_sample_record r[N] = {
        {.width = 50, .height = 40, .channels = 1, .value_bytes = 1, .m = {2.5f, 0, 0, 0, 2.5f, 0}, .taps = {3, 3},
         .contrast = 1, .max = 255, .erase = {2, 3, 9, 16}, .erase_value = {1, -2, 3}},
        {.width = 30, .height = 30, .channels = 3, .value_bytes = 1, .m = {1.2f, -0.9f, 3, 0.9f, 1.2f, -4},
         .taps = {2, 2}, .contrast = 1, .max = 255, .erase = {0, 0, 20, 7}, .erase_random = 1, .noise = {77, 3}},
        {.width = 20, .height = 16, .channels = 3, .value_bytes = 1, .m = {1, 0, 0, 0, 1, 0}, .taps = {1, 1},
         .contrast = 1, .max = 255, .erase = {19, 0, 20, 16}, .erase_value = {5, 5, 5}}};
    for (size_t i = 0; i < CLV_COUNT(paths); i++)
        for (size_t m = 0; m < CLV_COUNT(mixes); m++)
            compare_mixed(r, paths[i], 16, 20, 3, &norm, &mixes[m], 1e-4f);
    oclgrind_log_check();
}
