/* Inside of the doctor room: groups of checks that report rows. */
#ifndef CLV_DOCTOR_DOCTOR_H
#define CLV_DOCTOR_DOCTOR_H

#include "device/device.h"
#include <clavicle/doctor.h>

struct clv_doctor {
    struct clv_device *dev;
    const struct clv_doctor_params *params;
    struct clv_doctor_summary *summary;
    double begun; /* the case */
    struct clv_check_kernels *kernels; /* while they are gathered */
    struct clv_check_known *known;     /* while cases run */
};

/* A case begins. */
void clv_doctor_begin(struct clv_doctor *d, const char *group, const char *name, const char *variant);
/* It has ended: row without its seconds. */
void clv_doctor_end(struct clv_doctor *d, struct clv_doctor_row *row);
/* It has ended with an error of the device: a row, and CLV_OK, unless memory ran out. */
CLV_CHECK enum clv_err clv_doctor_end_failed(struct clv_doctor *d, struct clv_doctor_row *row, enum clv_err e);

/* ---- groups ---- */
/* ops.c: every op with its cases and variants, one group each (check/check.h). */
CLV_CHECK enum clv_err clv_doctor_ops(struct clv_doctor *d);
/* update.c: "update", the optimizers' formulas, and fused updates against them bit for bit. */
CLV_CHECK enum clv_err clv_doctor_update(struct clv_doctor *d);
/* samples.c: "sample", from stored images to the network's input. */
CLV_CHECK enum clv_err clv_doctor_sample(struct clv_doctor *d);

#endif
