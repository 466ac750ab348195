/* How long the products of a case take. */
#include "check/job.h"

#include "base/util.h"
#include <string.h>

/* Steps [first, last) are one product. */
struct product {
    struct clv_check_job *job;
    int first, last;
};

static enum clv_err run(void *priv, int count)
{
    const struct product *p = priv;
    for (int i = 0; i < count; i++)
        CLV_TRY(clv_steps_enqueue(p->job->dev, &p->job->steps, p->first, p->last,
                                  !p->job->training));
    return clv_queue_finish(p->job->dev);
}

/* What a backward step belongs to; NULL: to what comes after it (packing, an activation's gradient). */
static const char *kind_of(const struct clv_check_job *job, int i)
{
    const struct clv_step *s = &job->steps.step[i];
    if (i < job->n_forward)
        return "forward";
    if (!job->tested || s->node != job->tested)
        return "backward around";
    const char *what = s->label + strlen(s->node->name);
    if (strstr(what, "data"))
        return "backward data";
    if (strstr(what, "weights") || strstr(what, "bias"))
        return "backward weights";
    return NULL;
}

static int end_of(const struct clv_check_job *job, int first, const char **kind)
{
    int i = first;
    *kind = NULL;
    for (; i < job->steps.n; i++) {
        const char *k = kind_of(job, i);
        if (*kind && k && strcmp(k, *kind))
            break;
        if (!*kind && k && i > first && !strcmp(k, "backward around"))
            break;
        *kind = *kind ? *kind : k;
    }
    *kind = *kind ? *kind : "backward";
    return i;
}

static void describe(const struct product *p, struct clv_check_time *t)
{
    const struct clv_step *most = NULL;
    for (int i = p->first; i < p->last; i++) {
        const struct clv_step *s = &p->job->steps.step[i];
        if (s->prepare && !p->job->training) /* not once a run */
            continue;
        const struct clv_traffic bytes = clv_step_traffic(s);
        t->flops += s->flops;
        t->bytes.read += bytes.read;
        t->bytes.written += bytes.written;
        t->bytes.in_place += bytes.in_place;
        if (!most || s->flops > most->flops)
            most = s;
    }
    if (!most)
        return;
    strncat(t->variant, most->variant, sizeof t->variant - 1);
    clv_step_params(most, t->params, sizeof t->params);
}

enum clv_err clv_check_measure(struct clv_check_job *job)
{
    struct clv_check_result *r = job->result;
    int first = 0;
    while (first < job->steps.n && r->n_times < CLV_CHECK_TIMES) {
        struct clv_check_time *t = &r->time[r->n_times++];
        struct product p = {.job = job, .first = first};
        p.last = end_of(job, first, &t->what);
        t->pass = first < job->n_forward ? CLV_PASS_FORWARD : CLV_PASS_BACKWARD;
        describe(&p, t);
        const struct clv_measure m = {.repeat = job->options.bench_repeat,
                                      .limit = job->options.bench_seconds,
                                      .warm = true,
                                      .run = run,
                                      .priv = &p};
        CLV_TRY(clv_measure(&m, &t->measured, job->err));
        first = p.last;
    }
    return CLV_OK;
}
