/* Races: wrong answers, noise, interruption. Nothing here depends on how fast anything is. */
#define _XOPEN_SOURCE 700
#include "tune/tune.h"
#include "tuned.h"

#include <criterion/criterion.h>

/* A device on which the tiled schedule has three candidates for the problem below. */
static const char caps[] = "gpu,wg=64,local=9000";

/* The default's items compute 4 x 4 elements, the others' 8 x 8 and 8 x 4. */
static int number_of(const struct clv_choice *c)
{
    return c->param[3] == 4 ? 0 : c->param[4] == 8 ? 1 : 2;
}

static struct clv_problem problem(enum clv_product product, bool pool, enum clv_act act)
{
    return (struct clv_problem){
        .product = product,
        .conv = {.ih = 9, .iw = 11, .ci = 5, .oh = 9, .ow = 11, .co = 19, .kh = 3, .kw = 3, .sh = 1, .sw = 1,
                 .dh = 1, .dw = 1, .pt = 1, .pl = 1, .groups = 1},
        .batch = 3,
        .pool = pool,
        .act = product == CLV_PRODUCT_DATA || (pool && product == CLV_PRODUCT_WEIGHTS) ? CLV_ACT_LINEAR
                                                                                        : act,
        .training = true,
        .dx = product == CLV_PRODUCT_WEIGHTS && !pool,
    };
}

/* ---- hooks ---- */

struct hook {
    int spoiled;  /* the candidate of this number is wrong; -1 = none */
    double times[8];
};

static void spoil(void *priv, const struct clv_choice *c, float *result, size_t n)
{
    const struct hook *h = priv;
    if (number_of(c) == h->spoiled)
        result[n / 2] += .01f;
}

static double seconds(void *priv, const struct clv_choice *c, double measured)
{
    const struct hook *h = priv;
    (void)measured;
    return h->times[number_of(c)];
}

static struct clv_raced race(struct tune_rig *t, struct hook *h)
{
    struct clv_problem p = problem(CLV_PRODUCT_FORWARD, false, CLV_ACT_RELU);
    p.conv.kw = 2; /* nothing for Winograd */
    const struct clv_race_params params = {.spoil = spoil, .seconds = seconds, .hook = h};
    struct clv_raced r;
    ok(t->r.ctx, clv_race(t->r.dev, &p, &params, &r));
    return r;
}

Test(race, the_fastest_wins_by_more_than_the_noise)
{
    struct tune_rig t;
    tune_open(&t, NULL, caps);
    struct hook h = {.spoiled = -1, .times = {1e-3, 5e-4, 7e-4}};
    const struct clv_raced r = race(&t, &h);
    cr_assert_str_eq(r.choice.schedule->name, "tiled");
    cr_assert_eq(r.tried, 3);
    cr_assert_eq(r.wrong, 0);
    cr_assert_eq(number_of(&r.choice), 1);
    cr_assert_eq(number_of(&r.fallback), 0);
    cr_assert_float_eq(r.fallback_seconds.median, 1e-3, 1e-9);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(race, the_default_stays_where_the_gain_is_noise)
{
    struct tune_rig t;
    tune_open(&t, NULL, caps);
    struct hook h = {.spoiled = -1, .times = {1e-3, .99e-3, .985e-3}};
    const struct clv_raced r = race(&t, &h);
    cr_assert_eq(number_of(&r.choice), 0);
    cr_assert_float_eq(r.seconds.median, 1e-3, 1e-9);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(race, a_wrong_answer_is_thrown_out_however_fast)
{
    struct tune_rig t;
    tune_open(&t, NULL, caps);
    struct hook h = {.spoiled = 1, .times = {1e-3, 1e-6, 5e-4}};
    struct clv_raced r = race(&t, &h);
    cr_assert_eq(r.wrong, 1);
    cr_assert_eq(number_of(&r.choice), 2);
    cr_assert(strstr(t.last, "tiled bm=64 bn=64"), "%s", t.last);
    /* The default, too. */
    h.spoiled = 0;
    r = race(&t, &h);
    cr_assert_eq(r.wrong, 1);
    cr_assert_eq(r.fallback_seconds.n, 0);
    cr_assert_eq(number_of(&r.choice), 1);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

/* ---- every kind of problem has a right default: the reference beside it is made by other code ---- */

/* large: those of the tiled schedule whose items compute 8 x 8 elements; else some of them all, the default first: the
 * whole list takes minutes. share: of four parts of those, 0 to 3, or -1 for all of them. */
static void expect_candidates_right(struct tune_rig *t, const struct clv_problem *p, bool large, int share)
{
    const struct clv_emit e = {.caps = clv_device_caps(t->r.dev), .batch = p->batch};
    struct clv_choice found[CLV_RACE_MAX];
    struct clv_trial *trial = NULL;
    char text[CLV_PROBLEM_TEXT], choice[CLV_CHOICE_TEXT];
    const int n = clv_contract_candidates(&e, p, false, found, CLV_RACE_MAX);
    clv_problem_text(p, text);
    ok(t->r.ctx, clv_trial_open(t->r.dev, p, &trial));
    const int step = large ? 1 : 1 + n / 8;
    for (int i = 0; i < n; i += step) {
        bool right = false;
        if (share >= 0 && i / step % 4 != share)
            continue;
        if (p->pool && !(found[i].schedule->pools && found[i].schedule->pools(&p->conv, p->product)))
            continue;
        if (large && (found[i].schedule != &clv_schedule_tiled || found[i].param[4] < 8))
            continue;
        clv_choice_text(&found[i], choice);
        ok(t->r.ctx, clv_trial_check(trial, &found[i], NULL, NULL, &right));
        cr_expect(right, "%s: %s", text, choice);
    }
    clv_trial_close(&trial);
}

static bool in_full(void) { return getenv("CLAVICLE_TEST_FULL") != NULL; }

/* With activations stored in 16 bits, too: one of each product. */
static void expect_right_16(struct tune_rig *t, enum clv_dtype dtype)
{
    for (int product = 0; product < CLV_PRODUCTS; product++) {
        struct clv_problem p = problem((enum clv_product)product, product == CLV_PRODUCT_FORWARD, CLV_ACT_RELU);
        p.dtype = dtype;
        expect_candidates_right(t, &p, false, in_full() ? -1 : 0);
    }
}

static void expect_right(const char *mask)
{
    static const enum clv_act acts[] = {CLV_ACT_LINEAR, CLV_ACT_RELU, CLV_ACT_SIGMOID, CLV_ACT_TANH};
    struct tune_rig t;
    tune_open(&t, NULL, mask);
    for (int product = 0; product < CLV_PRODUCTS; product++)
        for (int pool = 0; pool < 2; pool++)
            for (int a = 0; a < 4; a++) {
                /* What is done with a sum is the same code whatever the tile, so each activation has tiles of its own. */
                const struct clv_problem p = problem((enum clv_product)product, pool, acts[a]);
                expect_candidates_right(&t, &p, false, in_full() ? -1 : a);
            }
    expect_right_16(&t, mask ? CLV_F16 : CLV_BF16);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(race, candidates_of_a_cpu_are_right) { expect_right(NULL); }
Test(race, candidates_of_a_gpu_are_right) { expect_right(caps); }

/* Which are no small problem's default; with and without slices, channels in vectors of four or one, and edges just past
 * the tiles of 128. */
Test(race, large_tiles_of_a_gpu_are_right)
{
    static const struct {
        int ci, co;
    } channels[CLV_PRODUCTS] = {[CLV_PRODUCT_FORWARD] = {8, 132}, [CLV_PRODUCT_DATA] = {132, 8}, [CLV_PRODUCT_WEIGHTS] = {15, 129}};
    struct tune_rig t;
    tune_open(&t, NULL, "gpu");
    for (int product = 0; product < CLV_PRODUCTS; product++) {
        struct clv_problem p = problem((enum clv_product)product, product != CLV_PRODUCT_DATA,
                                       product == CLV_PRODUCT_FORWARD ? CLV_ACT_RELU : CLV_ACT_LINEAR);
        p.conv.ci = channels[product].ci;
        p.conv.co = channels[product].co;
        expect_candidates_right(&t, &p, true, -1);
    }
    rig_close(&t.r);
    tmp_remove(t.dir);
}

/* ---- a list of problems ---- */

struct session {
    int results, known, events, stop_after;
};

static bool should_stop(void *priv)
{
    const struct session *s = priv;
    return s->results >= s->stop_after;
}

static void on_event(void *priv, const struct clv_tune_event *e)
{
    struct session *s = priv;
    cr_assert(e->problem >= 1 && e->problem <= e->problems && *e->what && *e->trying);
    s->events++;
}

static void on_result(void *priv, const struct clv_tune_result *r)
{
    struct session *s = priv;
    s->results++;
    s->known += r->known;
    cr_assert(*r->choice && r->seconds > 0);
}

static enum clv_err tune(struct tune_rig *t, struct session *s, struct clv_tuning *results)
{
    static const struct clv_choice none = {.schedule = &clv_schedule_simple};
    struct clv_choices list = {0};
    const struct clv_tune_params params = {
        .should_stop = should_stop, .on_event = on_event, .on_result = on_result, .priv = s};
    for (int product = 0; product < CLV_PRODUCTS; product++) {
        const struct clv_problem p = problem((enum clv_product)product, false, CLV_ACT_RELU);
        ok(t->r.ctx, clv_choices_add(&list, &p, &none, &t->r.ctx->err));
    }
    const enum clv_err e = clv_tune_problems(t->r.dev, &list, &params, results == NULL, NULL, results);
    clv_choices_finish(&list);
    return e;
}

Test(tune, an_interrupted_one_keeps_its_results_and_goes_on)
{
    struct tune_rig t;
    tune_open(&t, NULL, caps);
    struct session s = {.stop_after = 2};
    cr_assert_eq(tune(&t, &s, NULL), CLV_ERR_CANCELLED);
    struct clv_tuning lines = {0};
    ok(t.r.ctx, clv_tuning_load(t.r.dev, &lines));
    cr_assert_eq(lines.n, 2);
    clv_tuning_finish(&lines);
    s = (struct session){.stop_after = 9};
    ok(t.r.ctx, tune(&t, &s, NULL));
    cr_assert_eq(s.results, 3);
    cr_assert_eq(s.known, 2);
    cr_assert_gt(s.events, 0);
    ok(t.r.ctx, clv_tuning_load(t.r.dev, &lines));
    cr_assert_eq(lines.n, 3);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(tune, without_a_file_the_results_serve_this_run)
{
    struct tune_rig t;
    struct clv_tuning results = {0};
    struct session s = {.stop_after = 9};
    tune_open(&t, "", caps);
    cr_assert_eq(tune(&t, &s, NULL), CLV_ERR_ARG);
    cr_assert_eq(s.events, 0);
    ok(t.r.ctx, tune(&t, &s, &results));
    cr_assert_eq(results.n, 3);
    cr_assert_eq(t.warnings, 1);
    clv_tuning_finish(&results);
    rig_close(&t.r);
}
