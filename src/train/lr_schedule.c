#include "train/lr_schedule.h"

#include "base/util.h"
#include <math.h>

#define FIELD(f) offsetof(struct clv_lr_schedule, f)
#define WARMUP {"warmup", "steps over which the rate rises from 0", CLV_OPT_INT, FIELD(warmup), "0", 0, 1e9}

static const struct clv_opt constant_opts[] = {WARMUP, {0}};
static const struct clv_opt step_opts[] = {
    {"every", "epochs between reductions", CLV_OPT_INT, FIELD(every), "30", 1, 1e9},
    {"factor", "what a reduction multiplies the rate by", CLV_OPT_DOUBLE, FIELD(factor), "0.1", 1e-9, 1},
    {"milestones", "instead of every: numbers of epochs after which the rate is reduced, such as 50,75", CLV_OPT_LIST,
     FIELD(milestones), "", 1, 1e9},
    WARMUP, {0}};
static const struct clv_opt cosine_opts[] = {
    {"final", "share of the rate that is left at the end", CLV_OPT_DOUBLE, FIELD(final), "0", 0, 1},
    WARMUP, {0}};
static const struct clv_opt plateau_opts[] = {
    {"patience", "epochs without improvement before a reduction", CLV_OPT_INT, FIELD(patience), "10", 1, 1e9},
    {"factor", "what a reduction multiplies the rate by", CLV_OPT_DOUBLE, FIELD(factor), "0.1", 1e-9, 1},
    {"min_rate", "the rate is not reduced below it", CLV_OPT_DOUBLE, FIELD(min_rate), "0", 0, 1e9},
    WARMUP, {0}};

static const struct { const char *name, *help; const struct clv_opt *opts; } kinds[] = {
    [CLV_LR_CONSTANT] = {"constant", "the optimizer's rate throughout", constant_opts},
    [CLV_LR_STEP] = {"step", "reduced every so many epochs, or after those named", step_opts},
    [CLV_LR_COSINE] = {"cosine", "half a cosine over the whole training", cosine_opts},
    [CLV_LR_PLATEAU] = {"plateau", "reduced when the monitored value stops improving", plateau_opts},
};

enum clv_err clv_lr_schedule_parse(const char *text, struct clv_lr_schedule *ret, struct clv_error *err)
{
    if (!text || !*text)
        text = "constant";
    const char *names[CLV_COUNT(kinds)], *options;
    size_t kind;
    for (size_t i = 0; i < CLV_COUNT(kinds); i++)
        names[i] = kinds[i].name;
    CLV_TRY(clv_opt_choose("schedule", text, names, CLV_COUNT(kinds), &kind, &options, err));
    *ret = (struct clv_lr_schedule){.kind = (enum clv_lr_kind)kind};
    return clv_opt_parse(kinds[kind].opts, ret, names[kind], options, err);
}

static int reductions(const struct clv_lr_schedule *s, int epoch)
{
    int n = 0;
    for (int i = 0; i < s->milestones.n; i++)
        n += epoch >= s->milestones.v[i];
    return s->milestones.n ? n : epoch / s->every;
}

double clv_lr_schedule_factor(const struct clv_lr_schedule *s, uint64_t step, int epoch, double progress,
                           double reduced)
{
    const double pi = 3.14159265358979323846;
    double f = 1;
    switch (s->kind) {
    case CLV_LR_CONSTANT:
        break;
    case CLV_LR_STEP:
        f = pow(s->factor, reductions(s, epoch));
        break;
    case CLV_LR_COSINE:
        f = s->final + (1 - s->final) * .5 * (1 + cos(pi * CLV_MIN(progress, 1.)));
        break;
    case CLV_LR_PLATEAU:
        f = reduced;
        break;
    }
    if (step < (uint64_t)s->warmup)
        f *= (double)(step + 1) / s->warmup;
    return f;
}

void clv_lr_schedule_help(struct clv_str *out)
{
    for (size_t i = 0; i < CLV_COUNT(kinds); i++) {
        clv_str_addf(out, "%s: %s\n", kinds[i].name, kinds[i].help);
        clv_opt_help(kinds[i].opts, out);
    }
}
