/* Who computes a product: what was forced, what was measured, else the first schedule in the list
 * that supports and suits the problem. */
#include "contract/schedule.h"
#include "contract/selection.h"

#include "base/util.h"
#include <string.h>

static bool takes(const struct clv_schedule *s, const struct clv_emit *e,
                  const struct clv_problem *p)
{
    return clv_schedule_takes(s, e->caps, p) &&
           !(s == &clv_schedule_winograd && e->winograd == CLV_NO_WINOGRAD);
}

static const struct clv_schedule *forced(const struct clv_emit *e, const struct clv_problem *p)
{
    const struct clv_schedule *clblast = &clv_schedule_clblast, *s;
    const bool named = e->force_variant && !strcmp(e->force_variant, clblast->name);
    if ((named || e->gemm == CLV_GEMM_CLBLAST) && takes(clblast, e, p))
        return clblast;
    for (size_t i = 0; e->force_variant && (s = clv_contract_schedule(i)); i++)
        if (!strcmp(e->force_variant, s->name) && takes(s, e, p))
            return s;
    return NULL;
}

/* On the GPU path a Winograd tile is taken where it is asked for: nothing there says where it pays. */
static bool suits(const struct clv_schedule *s, const struct clv_emit *e,
                  const struct clv_problem *p)
{
    if (s == &clv_schedule_matrix)
        return clv_matrix_suits(e, p);
    if (s == &clv_schedule_winograd && e->winograd > 0 && e->caps->gpu_path)
        return true;
    return !s->suits || s->suits(e->caps, &p->conv, p->product, p->batch);
}

/* The last schedule takes everything. */
static const struct clv_schedule *first_that_suits(const struct clv_emit *e,
                                                   const struct clv_problem *p)
{
    for (size_t i = 0;; i++) {
        const struct clv_schedule *s = clv_contract_schedule(i);
        if (takes(s, e, p) && suits(s, e, p))
            return s;
    }
}

static struct clv_choice with_defaults(const struct clv_emit *e, const struct clv_problem *p,
                                       const struct clv_schedule *s)
{
    struct clv_choice c = {.schedule = s};
    if (s->defaults)
        s->defaults(e->caps, &p->conv, p->product, p->batch, c.param);
    if (s == &clv_schedule_winograd && e->winograd > 0)
        clv_winograd_defaults(e->caps, &p->conv, p->product, p->batch, e->winograd, c.param);
    return c;
}

/* Options go before what was measured. */
static bool is_wanted(const struct clv_emit *e, const struct clv_choice *c)
{
    if (c->schedule == &clv_schedule_clblast)
        return e->gemm != CLV_GEMM_NATIVE;
    return c->schedule != &clv_schedule_winograd || e->winograd == 0 ||
           e->winograd == clv_winograd_tile(c);
}

static bool selected(const struct clv_emit *e, const struct clv_problem *p, const char *key,
                     const struct clv_schedule *s, struct clv_choice *ret)
{
    const struct clv_selection_entry *said = clv_selection_find(e->selection, key);
    const char *why;
    return said && clv_choice_parse(said->choice, e->caps, p, ret, &why) && ret->schedule == s;
}

/* Of CLBlast, what a run recorded, or what was measured: under a word of its own, since it asks for
 * nothing. */
static struct clv_choice forced_choice(const struct clv_emit *e, const struct clv_problem *p,
                                       const struct clv_schedule *s)
{
    char text[CLV_PROBLEM_TEXT + sizeof CLV_TUNED_CLBLAST] = CLV_TUNED_CLBLAST;
    const size_t n = strlen(text);
    struct clv_choice c;
    clv_problem_text(p, text + n);
    if (s == &clv_schedule_clblast &&
        (selected(e, p, text + n, s, &c) || selected(e, p, text, s, &c)))
        return c;
    return with_defaults(e, p, s);
}

struct clv_choice clv_contract_choose(const struct clv_emit *e, const struct clv_problem *p,
                                      const char **ignored, const char **why)
{
    const struct clv_schedule *s = forced(e, p);
    const struct clv_selection_entry *said = NULL;
    const char *reason = NULL;
    struct clv_choice c;
    if (ignored)
        *ignored = NULL;
    if (s)
        return forced_choice(e, p, s);
    if (e->selection) {
        char text[CLV_PROBLEM_TEXT];
        clv_problem_text(p, text);
        said = clv_selection_find(e->selection, text);
    }
    const bool fits = said && clv_choice_parse(said->choice, e->caps, p, &c, &reason);
    if (fits && is_wanted(e, &c))
        return c;
    if (said && !fits && !said->quiet && ignored)
        *ignored = said->choice;
    if (why)
        *why = reason;
    return with_defaults(e, p, first_that_suits(e, p));
}

/* ---- what a tuner tries ---- */

static int add(const struct clv_choice *c, struct clv_choice *out, int n, int max)
{
    for (int i = 0; i < n; i++)
        if (out[i].schedule == c->schedule && !memcmp(out[i].param, c->param, sizeof c->param))
            return n;
    if (n < max)
        out[n++] = *c;
    return n;
}

static int add_schedule(const struct clv_emit *e, const struct clv_problem *p,
                        const struct clv_schedule *s, struct clv_choice *out, int n, int max)
{
    int param[CLV_SCHEDULE_CANDIDATES][CLV_CHOICE_PARAMS] = {{0}};
    struct clv_choice c = with_defaults(e, p, s);
    if (s != &clv_schedule_clblast) /* whose candidates have an order */
        n = add(&c, out, n, max);
    const int found = s->candidates ? s->candidates(e->caps, &p->conv, p->product, p->batch, param,
                                                    CLV_SCHEDULE_CANDIDATES)
                                    : 0;
    for (int i = 0; i < found; i++) {
        memcpy(c.param, param[i], sizeof c.param);
        n = is_wanted(e, &c) ? add(&c, out, n, max) : n;
    }
    return n;
}

int clv_contract_candidates(const struct clv_emit *e, const struct clv_problem *p, bool clblast,
                            struct clv_choice *out, int max)
{
    struct clv_emit plain = *e;
    plain.selection = NULL;
    plain.gemm = CLV_GEMM_AUTO;
    const struct clv_choice first = clv_contract_choose(&plain, p, NULL, NULL);
    const struct clv_schedule *s;
    int n = add(&first, out, 0, max);
    for (size_t i = 0; (s = clv_contract_schedule(i)); i++) {
        /* The reference, and what is written for GPUs, take long on CPU devices and never win. */
        const bool in_vain = (s == &clv_schedule_simple && first.schedule != s) ||
                             (s == &clv_schedule_tiled && !e->caps->gpu_path);
        if (!in_vain && takes(s, e, p) &&
            (!p->pool || (s->pools && s->pools(&p->conv, p->product))))
            n = add_schedule(e, p, s, out, n, max);
    }
    if (clblast && !p->pool && takes(&clv_schedule_clblast, e, p))
        n = add_schedule(e, p, &clv_schedule_clblast, out, n, max);
    return n;
}

bool clv_contract_takes_pool(const struct clv_emit *e, const struct clv_conv *c, enum clv_act act,
                             enum clv_dtype dtype)
{
    const int products = e->training ? CLV_PRODUCTS : 1;
    const struct clv_contract p = {.conv = *c, .act = act, .dtype = dtype, .pool = true};
    for (int i = 0; i < products; i++) {
        const struct clv_problem q = clv_problem_of(e, &p, (enum clv_product)i);
        const struct clv_schedule *s = clv_contract_choose(e, &q, NULL, NULL).schedule;
        if (!s->pools || !s->pools(c, q.product))
            return false;
    }
    return true;
}
