#include "data/augment.h"
#include "base/rng.h"
#include "base/util.h"
#include <math.h>

enum { FLIP_NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, FLIP_BOTH };
enum { ERASE_TRIES = 10 };
static const uint64_t augment_key = 0x6175676d656e74u; /* "augment" */
static const uint64_t erase_key = 0x6572617365u;       /* "erase" */
static const uint64_t mix_key = 0x6d6978u;             /* "mix" */

static const char *const flip_names[] = {"none", "horizontal", "vertical", "both", NULL};
static const char *const random_names[] = {"random", NULL};

#define AUG(field) offsetof(struct clv_augment, field)
const struct clv_opt clv_augment_opts[] = {
    {"rotation", "turn by a random angle, degrees", CLV_OPT_RANGE, AUG(rotation), "0", -360, 360},
    {"shift", "move along each axis by a random share of it", CLV_OPT_RANGE, AUG(shift), "0", -1, 1},
    {"zoom", "enlarge by 1 + a random number", CLV_OPT_RANGE, AUG(zoom), "0", -0.9, 10},
    {"flip", "mirror every second image on the named axis", CLV_OPT_ENUM, AUG(flip), "none",
     .names = flip_names},
    {"crop", "keep a random window, sides between this share and all", CLV_OPT_DOUBLE, AUG(crop), "1",
     0.01, 1},
    {"brightness", "add a random number to values 0..1", CLV_OPT_RANGE, AUG(brightness), "0", -1, 1},
    {"contrast", "stretch about 0.5 by 1 + a random number", CLV_OPT_RANGE, AUG(contrast), "0", -1,
     10},
    {"erase_p", "share of images of which a random box is erased", CLV_OPT_DOUBLE, AUG(erase_p), "0", 0, 1},
    {"erase_scale", "the box's area as a share of the image", CLV_OPT_RANGE, AUG(erase_scale), "0.02:0.33", 0, 1},
    {"erase_ratio", "the box's height over its width", CLV_OPT_RANGE, AUG(erase_ratio), "0.3:3.3", 0.01, 100},
    {"erase_value", "what is in it then, after mean and std: one number or one per channel, or random: normal noise",
     CLV_OPT_LIST, AUG(erase_value), "0", -1e6, 1e6, random_names},
    {"mixup", "alpha of mixup: pairs of a batch become weighted means, images and labels", CLV_OPT_DOUBLE, AUG(mixup),
     "0", 0, 1000},
    {"cutmix", "alpha of CutMix: pairs of a batch swap a box, labels by its area; with mixup, too, each batch takes one",
     CLV_OPT_DOUBLE, AUG(cutmix), "0", 0, 1000},
    {"mix_p", "share of batches that mixup or CutMix changes", CLV_OPT_DOUBLE, AUG(mix_p), "1", 0, 1},
    {0}};

const struct clv_draw clv_draw_nothing = {.zoom = 1, .window = 1, .contrast = 1};

enum clv_err clv_augment_check(const struct clv_augment *a, int channels, struct clv_error *err)
{
    const int n = a->erase_value.n;
    if (n < 0 || n == 1 || n == channels)
        return CLV_OK;
    return clv_fail(err, CLV_ERR_ARG, "augment: erase_value has %d numbers, the input %d channel%s", n, channels,
                    channels == 1 ? "" : "s");
}

/* Z. Zhong et al., "Random Erasing Data Augmentation", arXiv 1708.04896, as torchvision's RandomErasing draws it: a
 * box that does not fit is drawn again, at most ten times. */
static void draw_erase(const struct clv_augment *a, int height, int width, struct clv_rng *rng, struct clv_draw *d)
{
    const bool erases = clv_rng_uniform(rng) < a->erase_p;
    const double area = (double)height * width, low = log(a->erase_ratio[0]), high = log(a->erase_ratio[1]);
    d->noise[0] = clv_rng_u32(rng);
    d->noise[1] = clv_rng_u32(rng);
    for (int i = 0; i < ERASE_TRIES && erases; i++) {
        const double size = area * clv_rng_range(rng, a->erase_scale[0], a->erase_scale[1]);
        const double ratio = exp(clv_rng_range(rng, low, high));
        const double h = nearbyint(sqrt(size * ratio)), w = nearbyint(sqrt(size / ratio));
        if (h >= height || w >= width)
            continue;
        const uint32_t top = clv_rng_below(rng, (uint32_t)(height - (int)h + 1));
        const uint32_t left = clv_rng_below(rng, (uint32_t)(width - (int)w + 1));
        d->erase[0] = left;
        d->erase[1] = top;
        d->erase[2] = left + (uint32_t)w;
        d->erase[3] = top + (uint32_t)h;
        return;
    }
}

/* All numbers are always drawn, in one order, so that an option changes nothing but itself. */
struct clv_draw clv_augment_draw(const struct clv_augment *a, int height, int width, uint64_t seed, uint64_t epoch,
                                 uint32_t index)
{
    struct clv_rng rng = clv_rng_init(seed ^ augment_key, epoch << 32 | index);
    struct clv_rng erase = clv_rng_init(seed ^ erase_key, epoch << 32 | index);
    struct clv_draw d = {0};
    d.rotation = clv_rng_range(&rng, a->rotation[0], a->rotation[1]);
    d.shift_x = clv_rng_range(&rng, a->shift[0], a->shift[1]);
    d.shift_y = clv_rng_range(&rng, a->shift[0], a->shift[1]);
    d.zoom = 1 + clv_rng_range(&rng, a->zoom[0], a->zoom[1]);
    d.flip_x = clv_rng_u32(&rng) >> 31 && (a->flip == FLIP_HORIZONTAL || a->flip == FLIP_BOTH);
    d.flip_y = clv_rng_u32(&rng) >> 31 && (a->flip == FLIP_VERTICAL || a->flip == FLIP_BOTH);
    d.window = clv_rng_range(&rng, a->crop, 1);
    d.window_x = (clv_rng_uniform(&rng) - 0.5) * (1 - d.window);
    d.window_y = (clv_rng_uniform(&rng) - 0.5) * (1 - d.window);
    d.brightness = clv_rng_range(&rng, a->brightness[0], a->brightness[1]);
    d.contrast = 1 + clv_rng_range(&rng, a->contrast[0], a->contrast[1]);
    draw_erase(a, height, width, &erase, &d);
    return d;
}

bool clv_augment_mixes(const struct clv_augment *a)
{
    return (a->mixup > 0 || a->cutmix > 0) && a->mix_p > 0;
}

/* S. Yun et al., "CutMix", arXiv 1905.04899: 1 - keep of the image, cut off at the edges. */
struct clv_mix clv_augment_box(int height, int width, double keep, int x, int y)
{
    const double half = 0.5 * sqrt(1 - keep);
    const int half_w = (int)(half * width), half_h = (int)(half * height);
    return (struct clv_mix){0, {(uint32_t)CLV_MAX(x - half_w, 0), (uint32_t)CLV_MAX(y - half_h, 0),
                                (uint32_t)CLV_MIN(x + half_w, width), (uint32_t)CLV_MIN(y + half_h, height)}};
}

/* H. Zhang et al., "mixup", arXiv 1710.09412: one weight for the whole batch, from Beta(alpha, alpha). */
struct clv_mix clv_augment_mix(const struct clv_augment *a, int height, int width, uint64_t seed, uint64_t epoch,
                               uint64_t batch)
{
    struct clv_rng rng = clv_rng_init(seed ^ mix_key, epoch << 32 | (uint32_t)batch);
    const bool mixes = clv_rng_uniform(&rng) < a->mix_p, second = clv_rng_u32(&rng) >> 31;
    if (!mixes || !clv_augment_mixes(a))
        return clv_mix_none;
    const bool cut = a->cutmix > 0 && (a->mixup <= 0 || second);
    const double alpha = cut ? a->cutmix : a->mixup;
    const double keep = clv_rng_beta(&rng, alpha, alpha);
    if (!cut)
        return (struct clv_mix){(float)keep, {0, 0, (uint32_t)width, (uint32_t)height}};
    const int x = (int)clv_rng_below(&rng, (uint32_t)width), y = (int)clv_rng_below(&rng, (uint32_t)height);
    return clv_augment_box(height, width, keep, x, y);
}
