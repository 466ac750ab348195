/* Problems and choices as text, and lists of them. */
#include "contract/selection.h"

#include "base/hash.h"
#include "base/str.h"
#include "base/util.h"
#include <clavicle/context.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernels that a schedule may launch, from meson.build's list. */
#define CLV_CONTRACT_SOURCE(name) CLV_SOURCE(name);
#include "contract/source_list.h"
#undef CLV_CONTRACT_SOURCE

static const char *const product_names[CLV_PRODUCTS] = {"forward", "data", "weights"};

/* ---- texts ---- */

struct clv_problem clv_problem_of(const struct clv_emit *e, const struct clv_contract *p,
                                  enum clv_product product)
{
    const bool act = product == CLV_PRODUCT_FORWARD || (product == CLV_PRODUCT_WEIGHTS && !p->pool);
    return (struct clv_problem){
        .product = product,
        .conv = p->conv,
        .batch = e->batch,
        .act = act ? p->act : CLV_ACT_LINEAR,
        .dtype = p->dtype,
        .pool = p->pool,
        .parts = e->matrix_parts,
        .training = e->training,
        .dx = product == CLV_PRODUCT_WEIGHTS && !p->pool && p->dx,
    };
}

void clv_problem_text(const struct clv_problem *p, char text[CLV_PROBLEM_TEXT])
{
    const struct clv_conv *c = &p->conv;
    snprintf(text, CLV_PROBLEM_TEXT,
             "%s n%d x%dx%dx%d y%dx%dx%d k%dx%d s%dx%d d%dx%d p%d,%d g%d %s%s%s%s%s%s",
             product_names[p->product], p->batch, c->ih, c->iw, c->ci, c->oh, c->ow, c->co, c->kh,
             c->kw, c->sh, c->sw, c->dh, c->dw, c->pt, c->pl, c->groups, clv_act_names[p->act],
             p->dtype == CLV_F16    ? " f16"
             : p->dtype == CLV_BF16 ? " bf16"
                                    : "",
             p->parts == 2 ? " split" : p->parts ? " b16" : "", p->pool ? " pool" : "",
             p->product == CLV_PRODUCT_FORWARD && p->training ? " train" : "", p->dx ? " dx" : "");
}

void clv_choice_text(const struct clv_choice *c, char text[CLV_CHOICE_TEXT])
{
    size_t at = (size_t)snprintf(text, CLV_CHOICE_TEXT, "%s", c->schedule->name);
    for (int i = 0; i < CLV_CHOICE_PARAMS && c->schedule->params[i] && at < CLV_CHOICE_TEXT; i++)
        at += (size_t)snprintf(text + at, CLV_CHOICE_TEXT - at, " %s=%d", c->schedule->params[i],
                               c->param[i]);
}

static const struct clv_schedule *find_schedule(const char *name, size_t len)
{
    for (size_t i = 0;; i++) {
        const struct clv_schedule *s = clv_contract_schedule(i);
        s = s ? s : &clv_schedule_clblast;
        if (strlen(s->name) == len && !memcmp(s->name, name, len))
            return s;
        if (s == &clv_schedule_clblast)
            return NULL;
    }
}

/* "name=value", each parameter once; the whole of the text. */
static bool parse_params(const char *text, struct clv_choice *c)
{
    const struct clv_schedule *s = c->schedule;
    int wanted = 0, seen = 0;
    while (wanted < CLV_CHOICE_PARAMS && s->params[wanted])
        wanted++;
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        const size_t name = strcspn(at, "= ");
        int i = 0;
        while (i < wanted && (strlen(s->params[i]) != name || memcmp(s->params[i], at, name) != 0))
            i++;
        if (i == wanted || at[name] != '=' || seen & 1 << i)
            return false;
        char number[16];
        const size_t len = strcspn(at + name + 1, " ");
        long long v = 0;
        snprintf(number, sizeof number, "%.*s", (int)CLV_MIN(len, sizeof number - 1),
                 at + name + 1);
        if (len >= sizeof number || !clv_parse_int(number, &v) || v < INT32_MIN || v > INT32_MAX)
            return false;
        c->param[i] = (int)v;
        seen |= 1 << i;
        at += name + 1 + len;
    }
    return seen == (1 << wanted) - 1;
}

/* Nobody but the schedule knows which parameters its kernels bear: it has to have offered them. */
static bool is_offered(const struct clv_caps *caps, const struct clv_problem *p,
                       const struct clv_choice *c)
{
    const struct clv_schedule *s = c->schedule;
    int offered[1 + CLV_SCHEDULE_CANDIDATES][CLV_CHOICE_PARAMS] = {{0}}, n = 1;
    if (s->defaults)
        s->defaults(caps, &p->conv, p->product, p->batch, offered[0]);
    if (s->candidates)
        n += s->candidates(caps, &p->conv, p->product, p->batch, offered + 1,
                           CLV_SCHEDULE_CANDIDATES);
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < CLV_CHOICE_PARAMS && s->params[k] && offered[i][k] == c->param[k])
            k++;
        if (k == CLV_CHOICE_PARAMS || !s->params[k])
            return true;
    }
    return false;
}

bool clv_schedule_takes(const struct clv_schedule *s, const struct clv_caps *caps,
                        const struct clv_problem *p)
{
    return s->supports(caps, &p->conv, p->product) && (s != &clv_schedule_matrix || p->parts) &&
           (!clv_dtype_is_16(p->dtype) || (s->stores16 && s->stores16(&p->conv, p->product)));
}

bool clv_choice_parse(const char *text, const struct clv_caps *caps, const struct clv_problem *p,
                      struct clv_choice *ret, const char **why)
{
    const size_t name = strcspn(text, " ");
    struct clv_choice c = {.schedule = find_schedule(text, name)};
    const struct clv_schedule *s = c.schedule;
    *why = NULL;
    if (!s)
        *why = "there is no such schedule";
    else if (!clv_schedule_takes(s, caps, p))
        *why = "the schedule does not compute this here";
    else if (p->pool && !(s->pools && s->pools(&p->conv, p->product)))
        *why = "the schedule takes no fused pool";
    else if (!parse_params(text + name, &c))
        *why = "its parameters are incomplete or unknown";
    else if (!is_offered(caps, p, &c))
        *why = "the schedule does not offer these parameters here";
    else
        *ret = c;
    return !*why;
}

/* ---- lists ---- */

/* Room for one more in an array of `item` bytes each. */
static bool grow(void **array, int n, int *cap, size_t item)
{
    if (n < *cap)
        return true;
    const int bigger = *cap ? 2 * *cap : 32;
    void *p = realloc(*array, (size_t)bigger * item);
    if (!p)
        return false;
    *array = p;
    *cap = bigger;
    return true;
}

static struct clv_selection_entry *find_entry(const struct clv_selection *s, const char *problem)
{
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->entry[i].problem, problem))
            return &s->entry[i];
    return NULL;
}

const struct clv_selection_entry *clv_selection_find(const struct clv_selection *s,
                                                     const char *problem)
{
    return s ? find_entry(s, problem) : NULL;
}

enum clv_err clv_selection_put(struct clv_selection *s, const char *problem, const char *choice,
                               bool quiet, struct clv_error *err)
{
    struct clv_selection_entry *old = find_entry(s, problem),
                               e = {clv_strdupf("%s", problem), clv_strdupf("%s", choice), quiet};
    void *array = s->entry;
    if (!e.problem || !e.choice || (!old && !grow(&array, s->n, &s->cap, sizeof *s->entry))) {
        free(e.problem);
        free(e.choice);
        return clv_fail_nomem(err, "a selection");
    }
    s->entry = array;
    if (!old)
        s->entry[s->n++] = e;
    if (!old)
        return CLV_OK;
    free(old->problem);
    free(old->choice);
    *old = e;
    return CLV_OK;
}

void clv_selection_finish(struct clv_selection *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->entry[i].problem);
        free(s->entry[i].choice);
    }
    free(s->entry);
    *s = (struct clv_selection){0};
}

enum clv_err clv_choices_add(struct clv_choices *list, const struct clv_problem *p,
                             const struct clv_choice *choice, struct clv_error *err)
{
    char text[CLV_PROBLEM_TEXT], other[CLV_PROBLEM_TEXT];
    clv_problem_text(p, text);
    for (int i = 0; i < list->n; i++) {
        clv_problem_text(&list->item[i].problem, other);
        if (!strcmp(text, other))
            return CLV_OK;
    }
    void *array = list->item;
    if (!grow(&array, list->n, &list->cap, sizeof *list->item))
        return clv_fail_nomem(err, "the list of choices");
    list->item = array;
    list->item[list->n++] = (struct clv_chosen){*p, *choice};
    return CLV_OK;
}

void clv_choices_finish(struct clv_choices *list)
{
    free(list->item);
    *list = (struct clv_choices){0};
}

/* ---- what the measurements are of ---- */

void clv_contract_version(char text[17])
{
    uint64_t h = clv_hash64_str(clv_version());
#define CLV_CONTRACT_SOURCE(name) h = clv_hash64(clv_cl_##name.text, strlen(clv_cl_##name.text), h);
#include "contract/source_list.h"
#undef CLV_CONTRACT_SOURCE
    snprintf(text, 17, "%016llx", (unsigned long long)h);
}
