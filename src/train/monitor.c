/* The monitored value: best so far, epochs without improvement, the plateau's reductions. */
#include "train/fit.h"

#include "base/util.h"
#include <math.h>
#include <string.h>

static const struct { const char *name; bool larger_is_better, validation; } monitors[] = {
    [CLV_MONITOR_VAL_LOSS] = {"val_loss", false, true},
    [CLV_MONITOR_VAL_ACCURACY] = {"val_accuracy", true, true},
    [CLV_MONITOR_VAL_AUC] = {"val_auc", true, true},
    [CLV_MONITOR_VAL_F1] = {"val_f1", true, true},
    [CLV_MONITOR_LOSS] = {"loss", false, false},
    [CLV_MONITOR_ACCURACY] = {"accuracy", true, false},
};

enum clv_err clv_monitor_parse(const char *name, bool has_validation, enum clv_monitor *ret,
                               struct clv_error *err)
{
    if (!name || !*name)
        name = has_validation ? "val_loss" : "loss";
    for (size_t i = 0; i < CLV_COUNT(monitors); i++) {
        if (strcmp(monitors[i].name, name))
            continue;
        if (monitors[i].validation && !has_validation)
            return clv_fail(err, CLV_ERR_ARG, "monitor %s needs validation data; use loss or accuracy",
                            name);
        *ret = (enum clv_monitor)i;
        return CLV_OK;
    }
    return clv_fail(err, CLV_ERR_ARG, "unknown monitor '%s'; known: val_loss, val_accuracy, val_auc, "
                                      "val_f1, loss, accuracy", name);
}

bool clv_monitor_rises(enum clv_monitor m) { return monitors[m].larger_is_better; }

bool clv_monitor_validates(enum clv_monitor m) { return monitors[m].validation; }

double clv_monitor_value(enum clv_monitor m, const struct clv_event *e)
{
    const double value[] = {
        [CLV_MONITOR_VAL_LOSS] = e->val_loss, [CLV_MONITOR_VAL_ACCURACY] = e->val_accuracy,
        [CLV_MONITOR_VAL_AUC] = e->val_auc, [CLV_MONITOR_VAL_F1] = e->val_f1,
        [CLV_MONITOR_LOSS] = e->loss, [CLV_MONITOR_ACCURACY] = e->accuracy};
    return value[m];
}

static bool better(const struct clv_fit *f, double value, double than)
{
    if (isnan(value))
        return false;
    if (isnan(than))
        return true;
    const double gain = monitors[f->monitor].larger_is_better ? value - than : than - value;
    return gain > f->params.min_delta;
}

/* The plateau counts its own epochs: after a reduction it waits anew. */
static void judge_plateau(struct clv_fit *f, double value)
{
    struct clv_fit_state *s = &f->state;
    if (f->schedule.kind != CLV_LR_PLATEAU)
        return;
    if (better(f, value, s->plateau_best)) {
        s->plateau_best = value;
        s->plateau_bad = 0;
    } else if (++s->plateau_bad >= f->schedule.patience) {
        s->plateau_factor *= f->schedule.factor;
        s->plateau_bad = 0;
    }
}

bool clv_monitor_judge(struct clv_fit *f, double value)
{
    struct clv_fit_state *s = &f->state;
    judge_plateau(f, value);
    if (!better(f, value, s->best)) {
        s->bad_epochs++;
        return false;
    }
    s->best = value;
    s->best_epoch = s->epoch + 1;
    s->bad_epochs = 0;
    return true;
}
