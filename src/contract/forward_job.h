/* A forward convolution as a schedule's kernel sees it: of x, or of dz for one phase of the data
 * product's stride. For src/contract only. */
#ifndef CLV_CONTRACT_FORWARD_JOB_H
#define CLV_CONTRACT_FORWARD_JOB_H

#include "contract/schedule.h"

enum { CLV_DATA_PHASES = 16 }; /* more strides are not worth a launch each */

struct clv_forward_job {
    struct clv_conv conv;
    bool pool, unpool;          /* of the output; of the input */
    int image, first, row, col; /* where its pixels lie in the output, in pixels */
    /* Where its filters come from: tap (h, w), reduced channel r, output o is
     * src[base + h * step_h + w * step_w + r * step_r + o * step_o] */
    int base, step_h, step_w, step_r, step_o;
};

struct clv_forward_job clv_forward_job_of(const struct clv_conv *c, bool pool);
/* Input pixels (row + i * sh, col + j * sw) of dx: a convolution of dz with stride 1 by the taps
 * that reach them, from last to first; kh = 0 where none does. */
struct clv_forward_job clv_data_job_of(const struct clv_conv *c, bool pool, int row, int col);
/* Forward, or the first phase of data: for planning. */
struct clv_forward_job clv_first_job_of(const struct clv_conv *c, enum clv_product product);
/* Data: a phase's label and share of the product's cost. */
struct clv_emit_info clv_phase_info(const struct clv_emit *e, const struct clv_contract *p);

#endif
