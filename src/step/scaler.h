/* The loss scale, and steps that are skipped because a gradient was not finite.
 *
 * In 16-bit floats small gradients become 0. So the loss's gradient is multiplied by a scale, and each gradient
 * divided by it where the optimizer takes it. Scales are powers of two: both change no digit. Where a gradient is not
 * finite, the step leaves weights and slots as they were, it does not count for the optimizer's corrections
 * by step, and the scale is halved; after `growth` steps in a row that were not skipped it is doubled, unless that
 * would be infinite. Values and rules are those of torch.amp.GradScaler (pytorch.org/docs/stable/amp.html, and
 * _amp_update_scale_ in ATen/native/cuda/AmpKernels.cu); keras.optimizers.LossScaleOptimizer differs in its first
 * scale, 2^15. Micikevicius et al., Mixed Precision Training, 2018, section 3.2.
 *
 * All of it happens on the device, between steps that the host does not wait for: the store holds a struct clv_scaler,
 * which a plan for training reads at its begin and changes before its updates. The layout is shared with
 * cl/scaler.cl: 32-bit words only. */
#ifndef CLV_STEP_SCALER_H
#define CLV_STEP_SCALER_H

#include <stdint.h>

struct clv_scaler {
    float scale;             /* of the next step */
    uint32_t growth;         /* good steps after which it is doubled; 0 = it stays what it is */
    uint32_t good;           /* steps in a row that were not skipped since it changed */
    uint32_t skipped;        /* steps in all that were skipped */
    uint32_t in_a_row;       /* the last so many were */
    float used;              /* scale of the last step, which the gradients in memory carry */
    uint32_t bad;            /* while a step runs: it has a gradient that is not finite */
    uint32_t reserved;
};

enum { CLV_SCALER_FIRST = 65536, CLV_SCALER_GROWTH = 2000 };
/* Below this scale, or after so many steps in a row that were skipped at a scale that stays, training is given up:
 * gradients beyond any scale do not come from the scale. (fairseq ends at 1e-4: optim/dynamic_loss_scaler.py.) */
enum { CLV_SCALER_FLOOR = 1, CLV_SCALER_PATIENCE = 16 };

#endif
