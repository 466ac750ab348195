#include "data/views.h"
#include "base/util.h"
#include <stdlib.h>
#include <string.h>

enum { FLIP_NONE, FLIP_HORIZONTAL, FLIP_VERTICAL, FLIP_BOTH };
static const char *const flip_names[] = {"none", "horizontal", "vertical", "both", NULL};

struct choices {
    int flip;
    struct clv_opt_list rotation, zoom;
};
#define AT(field) offsetof(struct choices, field)
static const struct clv_opt view_opts[] = {
    {"flip", "as it is and mirrored on the named axis; both: all four", CLV_OPT_ENUM, AT(flip), "none", .names = flip_names},
    {"rotation", "turned by each of these angles, degrees counter-clockwise", CLV_OPT_LIST, AT(rotation), "0", -360, 360},
    {"zoom", "enlarged by 1 + each of these", CLV_OPT_LIST, AT(zoom), "0", -0.9, 10},
    {0}};

/* What of a draw is not as the image is. */
static char *name_of(const struct clv_draw *d)
{
    const struct { const char *key; double value, plain; } parts[] = {
        {"rotation", d->rotation, 0}, {"zoom", d->zoom - 1, 0}, {"shift_x", d->shift_x, 0}, {"shift_y", d->shift_y, 0},
        {"crop", d->window, 1}, {"brightness", d->brightness, 0}, {"contrast", d->contrast - 1, 0}};
    struct clv_str s = {0};
    if (d->flip_x || d->flip_y)
        clv_str_addf(&s, "flip=%s", flip_names[d->flip_x + 2 * d->flip_y]);
    for (size_t i = 0; i < CLV_COUNT(parts); i++)
        if (parts[i].value < parts[i].plain || parts[i].value > parts[i].plain)
            clv_str_addf(&s, "%s%s=%.4g", s.len ? " " : "", parts[i].key, parts[i].value);
    if (!s.len)
        clv_str_add(&s, "as it is");
    return clv_str_take(&s);
}

static enum clv_err add(struct clv_views *v, const struct clv_draw *d, struct clv_error *err)
{
    if (v->n == CLV_MAX_VIEWS)
        return clv_fail(err, CLV_ERR_ARG, "tta: more than %d views", CLV_MAX_VIEWS);
    if (!v->draw) {
        v->draw = calloc(CLV_MAX_VIEWS, sizeof *v->draw);
        v->name = calloc(CLV_MAX_VIEWS, sizeof *v->name);
    }
    char *name = name_of(d);
    if (!v->draw || !v->name || !name) {
        free(name);
        return clv_fail_nomem(err, "views");
    }
    v->draw[v->n] = *d;
    v->name[v->n++] = name;
    return CLV_OK;
}

static enum clv_err add_draws(struct clv_views *v, long long n, const struct clv_pipeline *p, uint64_t seed,
                              struct clv_error *err)
{
    bool changes = false;
    if (n < 2 || n > CLV_MAX_VIEWS)
        return clv_fail(err, CLV_ERR_ARG, "tta: %lld views; it must be 2..%d", n, CLV_MAX_VIEWS);
    CLV_TRY(add(v, &clv_draw_nothing, err));
    for (uint64_t i = 1; i < (uint64_t)n; i++) {
        struct clv_draw d = clv_augment_draw(&p->aug, p->height, p->width, seed, i, 0);
        memset(d.erase, 0, sizeof d.erase);
        CLV_TRY(add(v, &d, err));
        changes = changes || strcmp(v->name[i], v->name[0]) != 0;
    }
    if (changes)
        return CLV_OK;
    return clv_fail(err, CLV_ERR_ARG,
                    "tta: the run's augmentation makes no other views; name them, such as flip=horizontal");
}

/* Mirrored ones last, so that the first of the list is as near to the image as there is. */
static enum clv_err add_choices(struct clv_views *v, const struct choices *c, struct clv_error *err)
{
    for (int flip = FLIP_NONE; flip <= FLIP_BOTH; flip++) {
        if ((flip & c->flip) != flip)
            continue;
        for (int i = 0; i < c->rotation.n; i++)
            for (int k = 0; k < c->zoom.n; k++) {
                struct clv_draw d = clv_draw_nothing;
                d.flip_x = flip & FLIP_HORIZONTAL;
                d.flip_y = flip & FLIP_VERTICAL;
                d.rotation = c->rotation.v[i];
                d.zoom = 1 + c->zoom.v[k];
                CLV_TRY(add(v, &d, err));
            }
    }
    return CLV_OK;
}

enum clv_err clv_views_init(struct clv_views *v, const char *text, const struct clv_pipeline *p, uint64_t seed,
                            struct clv_error *err)
{
    struct choices c;
    long long n;
    *v = (struct clv_views){0};
    if (!text || !*text)
        return CLV_OK;
    if (clv_parse_int(text, &n))
        return add_draws(v, n, p, seed, err);
    CLV_TRY(clv_opt_parse(view_opts, &c, "tta", text, err));
    if (!c.rotation.n || !c.zoom.n)
        return clv_fail(err, CLV_ERR_ARG, "tta: rotation and zoom need at least one number");
    return add_choices(v, &c, err);
}

void clv_views_finish(struct clv_views *v)
{
    for (int i = 0; i < v->n; i++)
        free(v->name[i]);
    free(v->name);
    free(v->draw);
    *v = (struct clv_views){0};
}

void clv_views_help(struct clv_str *out) { clv_opt_help(view_opts, out); }
