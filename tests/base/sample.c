#include "base/sample.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct clv_normalise plain = {{0, 0, 0, 0}, {1, 1, 1, 1}};

/* A record that keeps everything: one tap, values divided by 1. */
static struct clv_sample_record record(uint32_t w, uint32_t h, uint32_t channels)
{
    return (struct clv_sample_record){.width = w,
                                      .height = h,
                                      .channels = channels,
                                      .value_bytes = 1,
                                      .m = {1, 0, 0, 0, 1, 0},
                                      .taps = {1, 1},
                                      .contrast = 1,
                                      .max = 1};
}

static void expect(const float *got, const float *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_float_eq(got[i], wanted[i], 1e-5f, "value %zu: %g instead of %g", i,
                           (double)got[i], (double)wanted[i]);
}

Test(sample, record_is_128_bytes)
{
    cr_assert_eq(sizeof(struct clv_sample_record), 128);
}

Test(sample, identity)
{
    static const unsigned char slot[] = {9, 9, 9, 9, 1, 2, 3, 4, 5, 6};
    struct clv_sample_record r = record(3, 2, 1);
    float out[6];
    r.offset = 4;
    clv_sample_reference(slot, &r, 2, 3, 1, &plain, out);
    expect(out, (const float[]){1, 2, 3, 4, 5, 6}, 6);
}

Test(sample, exact_halving_is_the_mean)
{
    static const unsigned char slot[] = {0, 4, 10, 20, 8, 12, 30, 40};
    struct clv_sample_record r = record(4, 2, 1);
    float out[2];
    r.m[0] = r.m[4] = 2;
    r.taps[0] = r.taps[1] = 2;
    clv_sample_reference(slot, &r, 1, 2, 1, &plain, out);
    expect(out, (const float[]){6, 25}, 2);
}

Test(sample, growing_is_bilinear_and_clamped)
{
    static const unsigned char slot[] = {10, 30};
    struct clv_sample_record r = record(2, 1, 1);
    float out[4];
    r.m[0] = 0.5f;
    clv_sample_reference(slot, &r, 1, 4, 1, &plain, out);
    expect(out, (const float[]){10, 15, 25, 30}, 4);
}

Test(sample, rotation_by_90_degrees)
{
    /* Clockwise: out(x, y) = in(y, 2 - x) for a source 3 high, 2 wide, to 2 high, 3 wide. */
    static const unsigned char slot[] = {1, 2, 3, 4, 5, 6};
    struct clv_sample_record r = record(2, 3, 1);
    float out[6];
    memcpy(r.m, (const float[]){0, 1, 0, -1, 0, 3}, sizeof(r.m));
    clv_sample_reference(slot, &r, 2, 3, 1, &plain, out);
    expect(out, (const float[]){5, 3, 1, 6, 4, 2}, 6);
}

Test(sample, far_outside_is_the_edge)
{
    static const unsigned char slot[] = {1, 2, 3, 4};
    struct clv_sample_record r = record(2, 2, 1);
    float out[1];
    static const float shift[][3] = {{-1e30f, -5, 1}, {1e30f, -5, 2}, {-5, 1e30f, 3}, {7, 7, 4}};
    for (size_t i = 0; i < 4; i++) {
        r.m[2] = shift[i][0];
        r.m[5] = shift[i][1];
        clv_sample_reference(slot, &r, 1, 1, 1, &plain, out);
        expect(out, &shift[i][2], 1);
    }
}

Test(sample, value_sizes_and_the_maximum)
{
    float out[2];
    struct clv_sample_record r = record(2, 1, 1);
    r.max = 255;
    clv_sample_reference((const unsigned char[]){0, 255}, &r, 1, 2, 1, &plain, out);
    expect(out, (const float[]){0, 1}, 2);
    const uint16_t wide[] = {1023, 0x1234};
    r.value_bytes = 2;
    r.max = 1023;
    clv_sample_reference((const unsigned char *)wide, &r, 1, 2, 1, &plain, out);
    expect(out, (const float[]){1, (float)0x1234 / 1023}, 2);
    const float real[] = {-0.5f, 2.5f};
    r.value_bytes = 4;
    r.max = 1;
    clv_sample_reference((const unsigned char *)real, &r, 1, 2, 1, &plain, out);
    expect(out, real, 2);
}

Test(sample, channels_contrast_and_normalisation)
{
    static const unsigned char slot[] = {51, 102, 204};
    static const struct clv_normalise norm = {{.5f, .25f, 0}, {.5f, .25f, 1}};
    struct clv_sample_record r = record(1, 1, 3);
    float out[3];
    r.max = 255;
    r.contrast = 2;
    r.brightness = 0.1f;
    clv_sample_reference(slot, &r, 1, 1, 3, &norm, out);
    /* .2 .4 .8 -> (v - .5) * 2 + .6 = 0 .4 1.2 */
    expect(out, (const float[]){-1, .6f, 1.2f}, 3);
    r.channels = 1;
    clv_sample_reference(slot, &r, 1, 1, 3, &plain, out);
    expect(out, (const float[]){0, 0, 0}, 3);
}

Test(sample, erased_boxes)
{
    static const unsigned char slot[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const struct clv_normalise norm = {{1, 1, 1, 1}, {2, 2, 2, 2}};
    struct clv_sample_record r = record(3, 3, 1);
    float out[9], noise[64 * 64 * 2];
    r.erase[0] = 1, r.erase[1] = 1, r.erase[2] = 2, r.erase[3] = 3;
    r.erase_value[0] = -7; /* not normalised */
    clv_sample_reference(slot, &r, 3, 3, 1, &norm, out);
    expect(out, (const float[]){0, 0.5f, 1, 1.5f, -7, 2.5f, 3, -7, 4}, 9);
    r.erase[0] = r.erase[1] = 0, r.erase[2] = r.erase[3] = 64;
    r.erase_random = 1, r.noise[0] = 5, r.noise[1] = 6;
    clv_sample_reference(slot, &r, 64, 64, 2, &norm, noise);
    double sum = 0, squares = 0, products = 0;
    for (int i = 0; i < 64 * 64 * 2; i++) {
        sum += (double)noise[i];
        squares += (double)noise[i] * (double)noise[i];
        products += (double)noise[i] * (double)noise[i ^ 1];
    }
    cr_expect_float_eq(sum / 8192, 0, 0.05);
    cr_expect_float_eq(squares / 8192, 1, 0.07);
    cr_expect_float_eq(products / 8192, 0, 0.07, "channels differ");
}

/* Five samples of 1 x 2 pixels: 0 and 4, 1 and 3 are pairs, 2 stays. */
Test(sample, pairs_are_mixed)
{
    const struct clv_mix up = {0.75f, {0, 0, 2, 1}}, cut = {0, {1, 0, 2, 1}}, empty = {0, {1, 0, 1, 1}};
    float a[] = {0, 8, 100, 200, 5, 5, 300, 400, 16, 24}, b[10], t[] = {1, 0, 0, 1, 1, 0, 1, 0, 0, 1};
    memcpy(b, a, sizeof b);
    clv_mix_reference(&up, 5, 1, 2, 1, a);
    expect(a, (const float[]){4, 12, 150, 250, 5, 5, 250, 350, 12, 20}, 10);
    clv_mix_reference(&empty, 5, 1, 2, 1, b);
    clv_mix_reference(&clv_mix_none, 5, 1, 2, 1, b);
    clv_mix_reference(&cut, 5, 1, 2, 1, b);
    expect(b, (const float[]){0, 24, 100, 400, 5, 5, 300, 200, 16, 8}, 10);
    cr_expect_eq(clv_mix_share(&up, 1, 2), 0.75);
    cr_expect_eq(clv_mix_share(&cut, 1, 2), 0.5);
    cr_expect_eq(clv_mix_share(&empty, 1, 2), 1);
    cr_expect_eq(clv_mix_share(&clv_mix_none, 1, 2), 1);
    clv_mix_targets(&up, 1, 2, 5, 2, t);
    expect(t, (const float[]){0.75f, 0.25f, 0.25f, 0.75f, 1, 0, 0.75f, 0.25f, 0.25f, 0.75f}, 10);
}
