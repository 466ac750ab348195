/* Augmentation: what its options mean, drawn for one image, and for one batch (mixup, CutMix). */
#ifndef CLV_DATA_AUGMENT_H
#define CLV_DATA_AUGMENT_H

#include "base/opt.h"
#include "base/sample.h"

struct clv_augment {
    double rotation[2], shift[2], zoom[2], brightness[2], contrast[2];
    double crop;
    int flip;
    double erase_p, erase_scale[2], erase_ratio[2];
    struct clv_opt_list erase_value; /* n = -1: random */
    double mixup, cutmix, mix_p;
};
extern const struct clv_opt clv_augment_opts[];

/* What becomes of one image. All zero but contrast, window and zoom = 1: nothing. */
struct clv_draw {
    double rotation, shift_x, shift_y, zoom, window, window_x, window_y, brightness, contrast;
    bool flip_x, flip_y;
    uint32_t erase[4], noise[2];     /* as struct clv_sample_record has them */
};
extern const struct clv_draw clv_draw_nothing;

/* Errors: CLV_ERR_ARG, what does not fit together. */
CLV_CHECK enum clv_err clv_augment_check(const struct clv_augment *a, int channels, struct clv_error *err);
/* For an image of height x width pixels; the same (seed, epoch, index) draws the same. */
struct clv_draw clv_augment_draw(const struct clv_augment *a, int height, int width, uint64_t seed, uint64_t epoch,
                                 uint32_t index);

/* Anything but mixing is drawn for images, so it needs a decoder of images. */
bool clv_augment_mixes(const struct clv_augment *a);
/* CutMix's box for the share `keep` about pixel (x, y). */
struct clv_mix clv_augment_box(int height, int width, double keep, int x, int y);
/* How a batch of such images is mixed. */
struct clv_mix clv_augment_mix(const struct clv_augment *a, int height, int width, uint64_t seed, uint64_t epoch,
                               uint64_t batch);

#endif
