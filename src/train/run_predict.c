/* Class probabilities of single files. Files are decoded a batch at a time; what cannot be decoded
 * gets its reason instead, and the rest is done. */
#include "train/run.h"

#include "base/util.h"
#include "data/loader.h"
#include <stdlib.h>
#include <string.h>

struct prediction {
    struct clv_run *run;
    struct clv_plan *plan;
    void (*on_result)(void *priv, const char *file, const float *prob, const char *error);
    void *priv;
    float *prob;   /* of one file */
    float *output; /* [batch][outputs]: mean over the views */
    char **reason; /* [batch]: NULL = decoded */
    size_t bad;    /* so far */
    char *first;   /* reason of the first bad one */
};

/* Fills the slot from files[n], n <= batch; *good = how many could be decoded. */
static enum clv_err decode(struct prediction *p, const char *const *files, int n, int *good)
{
    struct clv_run *r = p->run;
    void *slot = NULL;
    CLV_TRY(clv_plan_slot(p->plan, 0, &slot));
    *good = 0;
    for (int i = 0; i < n; i++) {
        struct clv_error why = {0};
        const enum clv_err e = clv_loader_file(r->loader, files[i], slot, *good, &why);
        if (e == CLV_ERR_NOMEM) {
            r->ctx->err = why;
            return e;
        }
        *good += !e;
        if (!e)
            continue;
        p->reason[i] = clv_strdupf("%s", why.text);
        if (p->reason[i] && !p->bad++)
            p->first = clv_strdupf("%s", why.text);
        if (!p->reason[i] || !p->first)
            return clv_fail_nomem(&r->ctx->err, files[i]);
    }
    return CLV_OK;
}

/* The n images in the slot, through every view. */
static enum clv_err run_views(struct prediction *p, int n)
{
    struct clv_run *r = p->run;
    const int views = CLV_MAX(r->views.n, 1);
    const size_t count = (size_t)n * (size_t)r->trainer->outputs;
    const struct clv_upload upload = {.bytes = clv_loader_slot_bytes(r->loader)};
    for (int v = 0; v < views; v++) {
        const float *output = NULL, *loss;
        void *slot = NULL;
        CLV_TRY(clv_plan_slot(p->plan, 0, &slot));
        if (r->views.n)
            clv_loader_view(r->loader, slot, n, &r->views.draw[v]);
        CLV_TRY(clv_trainer_submit(r->trainer, false, 0, &upload, n, NULL, NULL, NULL));
        CLV_TRY(clv_plan_wait(p->plan, 0, &output, &loss));
        for (size_t i = 0; i < count; i++)
            p->output[i] = v ? p->output[i] + output[i] : output[i];
    }
    for (size_t i = 0; i < count && views > 1; i++)
        p->output[i] /= (float)views;
    return CLV_OK;
}

static enum clv_err predict_batch(struct prediction *p, const char *const *files, int n)
{
    struct clv_run *r = p->run;
    const float *output = p->output;
    int good = 0;
    CLV_TRY(decode(p, files, n, &good));
    if (good)
        CLV_TRY(run_views(p, good));
    for (int i = 0; i < n; i++) {
        if (p->reason[i]) {
            p->on_result(p->priv, files[i], NULL, p->reason[i]);
            free(p->reason[i]);
            p->reason[i] = NULL;
            continue;
        }
        clv_run_probabilities(r, output, p->prob);
        output += r->trainer->outputs;
        p->on_result(p->priv, files[i], p->prob, NULL);
    }
    return CLV_OK;
}

enum clv_err clv_run_predict(struct clv_run *run, const char *const *files, size_t n,
                             void (*on_result)(void *priv, const char *file, const float *prob,
                                               const char *error),
                             void *priv)
{
    const size_t batch = (size_t)run->params.batch;
    struct prediction p = {.run = run, .on_result = on_result, .priv = priv};
    CLV_TRY(clv_run_start(run));
    enum clv_err e = clv_trainer_plan(run->trainer, false, &p.plan);
    p.prob = malloc((size_t)run->config.n_classes * sizeof *p.prob);
    p.output = malloc(batch * (size_t)run->trainer->outputs * sizeof *p.output);
    p.reason = calloc(batch, sizeof *p.reason);
    if (!e && (!p.prob || !p.output || !p.reason))
        e = clv_fail_nomem(&run->ctx->err, "predictions");
    for (size_t at = 0; at < n && !e; at += batch)
        e = predict_batch(&p, files + at, (int)CLV_MIN(n - at, batch));
    if (!e && p.bad)
        e = clv_fail(&run->ctx->err, CLV_ERR_DATA, "%zu of %zu files could not be read: %s%s",
                     p.bad, n, p.first, p.bad > 1 ? " and more" : "");
    for (size_t i = 0; p.reason && i < batch; i++)
        free(p.reason[i]);
    free(p.reason);
    free(p.prob);
    free(p.output);
    free(p.first);
    return e;
}
