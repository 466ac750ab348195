/* What dice_crossentropy and dice_binary_crossentropy share: losses of images of probabilities, for masks.
 *
 * Of one sample, with p the probabilities, t the targets in 0..1, sums over its pixels, C classes:
 *     crossentropy * CE + dice * (1 - mean over classes of (2 sum p t + smooth) / (sum p + sum t + smooth))
 * CE is the mean over pixels of -sum over classes of t log p, or, binary, the mean over pixels and classes of
 * -(t log p + (1 - t) log(1 - p)). The soft Dice coefficient is that of Milletari, Navab and Ahmadi, "V-Net" (2016), with
 * plain sums as Drozdzal et al., "The Importance of Skip Connections in Biomedical Image Segmentation" (2016); the sum
 * with cross-entropy is Isensee et al., "nnU-Net" (2021). A class that a sample has nowhere and that is predicted nowhere
 * counts as 1 by `smooth`. */
#ifndef CLV_OPS_DICE_H
#define CLV_OPS_DICE_H

#include "ops/launch.h"

enum { CLV_DICE_CLASSES = 64 }; /* a work-item keeps three sums of each */

struct clv_dice_params {
    double dice, crossentropy, smooth;
    bool background; /* class 0 has a part in the Dice term */
};
extern const struct clv_opt clv_dice_opts[];

/* One number per sample from an h x w x c input. */
enum clv_err clv_dice_infer(struct clv_graph *g, struct clv_node *node);
void clv_dice_cost(const struct clv_node *node, enum clv_pass pass, struct clv_cost *cost);
enum clv_err clv_dice_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool binary);

#endif
