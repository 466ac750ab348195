/* The trainer's side of loss scales and skipped steps (step/scaler.h): what the host knows of them, in messages and
 * in files. */
#include "train/trainer.h"

#include "base/str.h"
#include "base/util.h"
#include "model/safetensors.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_power_of_two(double x)
{
    int exponent;
    return frexp(x, &exponent) == .5;
}

enum clv_err clv_trainer_check_scale(const struct clv_trainer_params *p, struct clv_error *err)
{
    const bool scales = p->precision == CLV_PRECISION_MIXED_FP16;
    if ((p->loss_scale != 0 || p->loss_scale_steps) && !scales)
        return clv_fail(err, CLV_ERR_ARG, "a loss scale is for mixed-fp16; nothing else scales its loss");
    if (p->loss_scale != 0 && (!is_power_of_two(p->loss_scale) || p->loss_scale < CLV_SCALER_FLOOR || p->loss_scale > 0x1p126))
        return clv_fail(err, CLV_ERR_ARG, "the loss scale %g is no power of two in 1..2^126", p->loss_scale);
    if (p->loss_scale_steps < 0)
        return clv_fail(err, CLV_ERR_ARG, "loss_scale_steps %d is negative", p->loss_scale_steps);
    return CLV_OK;
}

enum clv_err clv_trainer_make_scaler(struct clv_trainer *t)
{
    const struct clv_trainer_params *p = &t->params;
    t->scaler = (struct clv_scaler){.scale = 1, .used = 1};
    if (p->precision == CLV_PRECISION_MIXED_FP16) {
        t->scaler.scale = p->loss_scale > 0 ? (float)p->loss_scale : (float)CLV_SCALER_FIRST;
        t->scaler.growth = (uint32_t)(p->loss_scale_steps ? p->loss_scale_steps : CLV_SCALER_GROWTH);
    }
    const bool mixed = p->precision == CLV_PRECISION_MIXED || p->precision == CLV_PRECISION_MIXED_FP16;
    return mixed && !p->inference_only ? clv_store_add_scaler(t->store, &t->scaler) : CLV_OK;
}

static void set_scalars(const struct clv_trainer *t, uint32_t step, struct clv_step_state *st)
{
    struct clv_step_state as = *st;
    as.step = CLV_MAX(step, 1u);
    t->optim->scalars(t->optim_params, &as);
    as.step = st->step;
    *st = as;
}

/* One step may be in flight whose end is not known: the device takes the one of two rates. */
enum clv_err clv_trainer_set_scalars(struct clv_trainer *t, struct clv_step_state *st)
{
    if (t->store->scaler.buffer && t->unknown >= CLV_PLAN_RING) {
        CLV_TRY(clv_store_get_scaler(t->store, &t->scaler));
        t->unknown = 0;
    }
    struct clv_step_state behind = *st;
    set_scalars(t, st->step - t->scaler.skipped - 1, &behind);
    set_scalars(t, st->step - t->scaler.skipped, st);
    st->skipped = t->scaler.skipped;
    st->rate_behind = behind.rate;
    t->unknown++;
    return CLV_OK;
}

static enum clv_err give_up(struct clv_trainer *t, uint64_t step)
{
    const struct clv_scaler *s = &t->scaler;
    if (s->growth)
        return clv_fail(&t->ctx->err, CLV_ERR_NONFINITE,
                        "step %" PRIu64 ": the loss scale has fallen below %d, and gradients still are not finite: lower the "
                        "learning rate, clip the gradients or take precision mixed; the last checkpoint is kept", step,
                        (int)CLV_SCALER_FLOOR);
    return clv_fail(&t->ctx->err, CLV_ERR_NONFINITE,
                    "step %" PRIu64 ": the gradients of %" PRIu32 " steps in a row are not finite: lower the learning rate "
                    "or clip the gradients; the last checkpoint is kept", step, s->in_a_row);
}

enum clv_err clv_trainer_land(struct clv_trainer *t, int slot, uint64_t step, bool *skipped)
{
    const struct clv_scaler *now = clv_plan_scaler(t->plan[1], slot);
    *skipped = now && now->in_a_row;
    if (!now)
        return CLV_OK;
    t->scaler = *now;
    t->unknown = CLV_MAX(t->unknown - 1, 0);
    const bool lost = now->growth ? now->scale < CLV_SCALER_FLOOR : now->in_a_row > CLV_SCALER_PATIENCE;
    return lost ? give_up(t, step) : CLV_OK;
}

/* ---- files ---- */

/* "scale 2^16 good 12 skipped 1 in_a_row 0": whole numbers, which no locale writes otherwise. */
enum clv_err clv_trainer_scaler_text(struct clv_trainer *t, char text[CLV_SCALER_TEXT])
{
    struct clv_scaler s;
    *text = '\0';
    if (!t->store->scaler.buffer)
        return CLV_OK;
    CLV_TRY(clv_store_get_scaler(t->store, &s));
    snprintf(text, CLV_SCALER_TEXT, "scale 2^%d good %" PRIu32 " skipped %" PRIu32 " in_a_row %" PRIu32, ilogbf(s.scale), s.good,
             s.skipped, s.in_a_row);
    return CLV_OK;
}

enum clv_err clv_trainer_take_scaler(struct clv_trainer *t, const char *text)
{
    struct clv_scaler s = t->store->first;
    int exponent = ilogbf(s.scale);
    if (!t->store->scaler.buffer)
        return CLV_OK;
    if (text && (sscanf(text, "scale 2^%d good %" SCNu32 " skipped %" SCNu32 " in_a_row %" SCNu32, &exponent, &s.good, &s.skipped,
                        &s.in_a_row) != 4 || abs(exponent) > 126 || s.skipped > t->step))
        return clv_fail(&t->ctx->err, CLV_ERR_DATA, "clavicle.scaler is '%.80s'; the file is damaged", text);
    s.scale = s.used = ldexpf(1, exponent);
    t->scaler = s;
    t->unknown = 0;
    return clv_store_set_scaler(t->store, &s);
}

/* ---- what others ask for ---- */

double clv_trainer_loss_scale(const struct clv_trainer *t) { return (double)t->scaler.scale; }

uint64_t clv_trainer_skipped(const struct clv_trainer *t) { return t->scaler.skipped; }
