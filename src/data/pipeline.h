/* Preprocessing and augmentation: what the options mean for one image.
 *
 * The options crop and resize=crop cut the image itself; what is left is the image for everything
 * that follows, and sampling beyond its edges repeats them. The rest becomes the record's affine map. */
#ifndef CLV_DATA_PIPELINE_H
#define CLV_DATA_PIPELINE_H

#include "base/opt.h"
#include "base/sample.h"
#include "data/augment.h"
#include "data/image.h"
#include <clavicle/data.h>

struct clv_preprocess {
    int resize; /* squash, crop, pad */
    struct clv_opt_list crop, mean, std;
    double crop_center, rotate;
};
extern const struct clv_opt clv_preprocess_opts[];

struct clv_pipeline {
    int height, width, channels; /* of the network's input */
    struct clv_preprocess pre;
    struct clv_augment aug;
};

/* Errors: CLV_ERR_ARG with option and range. */
CLV_CHECK enum clv_err clv_pipeline_init(struct clv_pipeline *p, int height, int width, int channels,
                                         const struct clv_pipeline_params *params,
                                         struct clv_error *err);
void clv_pipeline_normalise(const struct clv_pipeline *p, struct clv_normalise *ret);

/* Size that an image of im's size (no pixels needed) is stored with: cropped, gray if the network is,
 * and reduced to at most twice the network's sides when it has more than four times its pixels.
 * Errors: CLV_ERR_DATA when a crop box lies outside. */
CLV_CHECK enum clv_err clv_pipeline_size(const struct clv_pipeline *p, struct clv_image *im,
                                         struct clv_error *err);
/* Does that to the pixels. */
CLV_CHECK enum clv_err clv_pipeline_prepare(const struct clv_pipeline *p, struct clv_image *im,
                                            struct clv_error *err);

/* Everything of the record but offset, for a prepared image. draw: what augmentation drew for it, NULL = nothing. */
void clv_pipeline_record(const struct clv_pipeline *p, const struct clv_image *im, const struct clv_draw *draw,
                         struct clv_sample_record *r);

#endif
