/* How a stored image becomes the network's input: the record that a decoder thread writes in front
 * of the pixels and cl/sample.cl reads, and a plain C version of the same sampling pass.
 *
 * Output pixel (x, y), centre (x + .5, y + .5), is mapped to the source by
 *   sx = m[0]*(x+.5) + m[1]*(y+.5) + m[2],   sy = m[3]*(x+.5) + m[4]*(y+.5) + m[5]
 * in source pixels whose centres lie at +.5. The pixel is the mean of taps[0] x taps[1] (x, y)
 * evenly spaced points inside the output pixel, each read bilinearly, edges clamped; with
 * taps = ceil(scale) this is the area average when shrinking and plain bilinear when growing.
 * Then v = value / max; v = (v - .5) * contrast + .5 + brightness; result (v - mean[c]) / std[c].
 * A gray source is repeated to every channel. Last, the pixels of the box `erase` are replaced. */
#ifndef CLV_BASE_SAMPLE_H
#define CLV_BASE_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

enum { CLV_SAMPLE_CHANNELS = 4 };

/* 128 bytes; the layout is shared with cl/sample.cl. */
struct clv_sample_record {
    uint32_t offset;     /* first pixel byte, from the begin of the slot; multiple of 16 */
    uint32_t width, height;
    uint32_t channels;   /* of the stored pixels: 1, or the network's count; interleaved */
    uint32_t value_bytes;/* 1 or 2 (native byte order), or 4: float, divided by max 1 */
    float m[6];
    uint32_t taps[2];    /* x, y; at least 1 */
    float contrast, brightness;
    float max;           /* 255, 65535, or what the file's bit depth says */
    /* Output pixels left <= x < right, top <= y < bottom (in that order; empty: none) become erase_value[channel] or, with
     * erase_random, normal numbers: Box and Muller's of clv_philox(noise, {x, y, channel, 0}). */
    uint32_t erase[4];
    float erase_value[CLV_SAMPLE_CHANNELS];
    uint32_t noise[2];   /* low, high */
    uint32_t erase_random;
    uint32_t reserved[5];
};

/* A slot for a batch of images of at most image_bytes each: the records, then the images, each
 * beginning at a multiple of CLV_SLOT_ALIGN. Offsets have 32 bits, so a slot is at most UINT32_MAX. */
enum { CLV_SLOT_ALIGN = 64 };
static inline size_t clv_slot_stride(size_t image_bytes)
{
    return (image_bytes + CLV_SLOT_ALIGN - 1) / CLV_SLOT_ALIGN * CLV_SLOT_ALIGN;
}
static inline size_t clv_slot_header(size_t batch)
{
    return batch * sizeof(struct clv_sample_record); /* 128 bytes each */
}
static inline size_t clv_slot_bytes(size_t batch, size_t image_bytes)
{
    return clv_slot_header(batch) + batch * clv_slot_stride(image_bytes);
}

/* How the samples of a batch are mixed with each other, behind sampling and in place: of n samples, i and n - 1 - i are a
 * pair; inside the box (as `erase` above) each becomes keep * itself + (1 - keep) * the other. That of the middle of an odd
 * number stays. */
struct clv_mix { float keep; uint32_t box[4]; };
extern const struct clv_mix clv_mix_none; /* an empty box */
/* Share of a sample's own pixels, and so of its label, in what it becomes. */
double clv_mix_share(const struct clv_mix *m, int h, int w);
/* Reference: x[n][h][w][c]; and the same for the targets[n][outputs]. */
void clv_mix_reference(const struct clv_mix *m, int n, int h, int w, int c, float *x);
void clv_mix_targets(const struct clv_mix *m, int h, int w, int n, int outputs, float *targets);

struct clv_normalise { float mean[CLV_SAMPLE_CHANNELS], std[CLV_SAMPLE_CHANNELS]; };

/* Reference: one sample from its slot to out[h][w][c]. */
void clv_sample_reference(const unsigned char *slot, const struct clv_sample_record *r, int h, int w,
                          int c, const struct clv_normalise *norm, float *out);

#endif
