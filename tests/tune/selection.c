/* Choices as text: what is taken, what is refused, what a plan does with it. */
#define _XOPEN_SOURCE 700
#include "base/str.h"
#include "contract/selection.h"
#include "plan/plan.h"
#include "train/trainer.h"
#include "tune/database.h"
#include "tuned.h"

#include <criterion/criterion.h>

#define TILED(bm) "tiled bm=" bm " bn=32 bk=16 tm=4 tn=4 slices=1"

static const struct clv_problem dense = {
    .product = CLV_PRODUCT_FORWARD,
    .conv = {.ih = 1, .iw = 1, .ci = 7, .oh = 1, .ow = 1, .co = 9, .kh = 1, .kw = 1, .sh = 1, .sw = 1, .dh = 1,
             .dw = 1, .groups = 1},
    .batch = 4,
};

Test(selection, texts_of_problems_are_canonical)
{
    char text[CLV_PROBLEM_TEXT];
    struct clv_problem p = dense;
    p.act = CLV_ACT_RELU;
    p.training = true;
    clv_problem_text(&p, text);
    cr_assert_str_eq(text, "forward n4 x1x1x7 y1x1x9 k1x1 s1x1 d1x1 p0,0 g1 relu train");
    p.product = CLV_PRODUCT_WEIGHTS;
    p.act = CLV_ACT_LINEAR;
    p.dx = true;
    clv_problem_text(&p, text);
    cr_assert_str_eq(text, "weights n4 x1x1x7 y1x1x9 k1x1 s1x1 d1x1 p0,0 g1 linear dx");
}

Test(selection, what_a_schedule_does_not_offer_is_refused)
{
    static const char *const wrong[] = {
        "", " ", "nonsense", "simple x=1", "tiled", "tiled bm", "tiled bm=", "tiled bm=x",
        "tiled bm=32 bn=32 bk=16 tm=4 tn=4", TILED("31"), TILED("-32"), TILED("32") " more=1",
        TILED("32") " bm=32", TILED("99999999999999999999"), "x" TILED("32"), "simple nonsense",
    };
    struct tune_rig t;
    struct clv_choice c = {0};
    const char *why = NULL;
    char text[CLV_CHOICE_TEXT];
    tune_open(&t, NULL, "gpu");
    const struct clv_caps *caps = clv_device_caps(t.r.dev);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_not(clv_choice_parse(wrong[i], caps, &dense, &c, &why), "%s", wrong[i]);
        cr_assert(why && *why && !c.schedule);
    }
    cr_assert(clv_choice_parse(TILED("32"), caps, &dense, &c, &why), "%s", why);
    clv_choice_text(&c, text);
    cr_assert_str_eq(text, TILED("32"));
    cr_assert(clv_choice_parse("simple", caps, &dense, &c, &why), "%s", why);
    struct clv_problem pool = dense;
    pool.pool = true;
    cr_assert_not(clv_choice_parse("simple", caps, &pool, &c, &why));
    rig_close(&t.r);
    tmp_remove(t.dir);
}

/* Variant of the step with this label; "" if there is none. */
static const char *variant_of(struct tune_rig *t, struct clv_trainer *trainer, const char *label)
{
    struct clv_plan *plan = NULL;
    ok(t->r.ctx, clv_trainer_plan(trainer, true, &plan));
    const struct clv_steps *s = clv_plan_steps(plan);
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->step[i].label, label))
            return s->step[i].variant;
    return "";
}

static struct clv_trainer *trainer_of(struct tune_rig *t, struct clv_graph *g, enum clv_tune_mode mode,
                                      const struct clv_selection *recorded)
{
    struct clv_trainer *trainer = NULL;
    const struct clv_trainer_params p = {.batch = 4, .tune = mode};
    ok(t->r.ctx, clv_trainer_create_as(t->r.dev, g, &p, recorded, &trainer));
    return trainer;
}

Test(selection, the_database_decides_but_off_never_reads_it_and_a_record_goes_before_it)
{
    struct tune_rig t;
    struct clv_tuning lines = {0};
    struct clv_selection recorded = {0};
    tune_open(&t, NULL, "gpu");
    const char key[] = "forward n4 x1x1x6 y1x1x3 k1x1 s1x1 d1x1 p0,0 g1 linear train";
    ok(t.r.ctx, clv_tuning_put(&lines, key, "simple", 1, 1, &t.r.ctx->err));
    ok(t.r.ctx, clv_tuning_save(t.r.dev, &lines));
    ok(t.r.ctx, clv_selection_put(&recorded, key, TILED("64"), false, &t.r.ctx->err));
    const struct {
        enum clv_tune_mode mode;
        const struct clv_selection *recorded;
        const char *variant;
    } row[] = {{CLV_TUNE_CACHED, NULL, "simple"},
               {CLV_TUNE_OFF, NULL, "tiled"},
               {CLV_TUNE_CACHED, &recorded, "tiled"},
               {CLV_TUNE_OFF, &recorded, "tiled"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct clv_graph *g = rig_graph(&t.r, "input 1 2 3\nflatten\ndense 3 activation=softmax\n");
        struct clv_trainer *trainer = trainer_of(&t, g, row[i].mode, row[i].recorded);
        cr_assert_str_eq(variant_of(&t, trainer, "dense_1 forward"), row[i].variant, "%zu", i);
        clv_trainer_destroy(&trainer);
        clv_graph_destroy(&g);
    }
    cr_assert_eq(t.warnings, 0, "%s", t.last);
    clv_selection_finish(&recorded);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(selection, what_does_not_fit_is_passed_over_with_a_warning)
{
    struct tune_rig t;
    struct clv_tuning lines = {0};
    tune_open(&t, NULL, "gpu");
    const char key[] = "forward n4 x1x1x6 y1x1x3 k1x1 s1x1 d1x1 p0,0 g1 linear train";
    ok(t.r.ctx, clv_tuning_put(&lines, key, TILED("7"), 1, 1, &t.r.ctx->err));
    ok(t.r.ctx, clv_tuning_save(t.r.dev, &lines));
    struct clv_graph *g = rig_graph(&t.r, "input 1 2 3\nflatten\ndense 3 activation=softmax\n");
    struct clv_trainer *trainer = trainer_of(&t, g, CLV_TUNE_CACHED, NULL);
    cr_assert_str_eq(variant_of(&t, trainer, "dense_1 forward"), "tiled");
    cr_assert_eq(t.warnings, 1);
    cr_assert(strstr(t.last, "dense_1") && strstr(t.last, TILED("7")), "%s", t.last);
    clv_trainer_destroy(&trainer);
    clv_graph_destroy(&g);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

/* Whether the training plan of a dense layer goes to CLBlast; nothing is built for it. */
static bool takes_clblast(struct tune_rig *t, enum clv_gemm_mode gemm, double steps)
{
    struct clv_graph *g = rig_graph(&t->r, "input 1 2 3\nflatten\ndense 3 activation=softmax\n");
    const struct clv_trainer_params p = {.batch = 4, .plan_only = true, .gemm = gemm, .planned_steps = steps};
    struct clv_trainer *trainer = NULL;
    ok(t->r.ctx, clv_trainer_create(t->r.dev, g, &p, &trainer));
    char *text = clv_trainer_plan_text(trainer, true);
    cr_assert(text);
    const bool found = strstr(text, "clblast") != NULL;
    free(text);
    clv_trainer_destroy(&trainer);
    clv_graph_destroy(&g);
    return found;
}

Test(selection, clblast_is_taken_unasked_only_where_it_pays_for_its_build)
{
    struct tune_rig t;
    struct clv_tuning lines = {0};
    char set[32];
    if (!clv_gemm_available())
        cr_skip_test("built without CLBlast");
    tune_open(&t, NULL, NULL);
    cr_assert_not(takes_clblast(&t, CLV_GEMM_MODE_AUTO, 1e9), "nothing was measured");
    const char key[] = "forward n4 x1x1x6 y1x1x3 k1x1 s1x1 d1x1 p0,0 g1 linear train";
    snprintf(set, sizeof set, "clblast set=%d", clv_gemm_default_set(clv_device_caps(t.r.dev)));
    /* Half a second less a step, for ten seconds of building. */
    ok(t.r.ctx, clv_tuning_put(&lines, key, "simple", 1, 1, &t.r.ctx->err));
    char *its = clv_strdupf(CLV_TUNED_CLBLAST "%s", key);
    ok(t.r.ctx, clv_tuning_put(&lines, its, set, .5, 10, &t.r.ctx->err));
    ok(t.r.ctx, clv_tuning_save(t.r.dev, &lines));
    cr_assert_not(takes_clblast(&t, CLV_GEMM_MODE_AUTO, 0));
    cr_assert_not(takes_clblast(&t, CLV_GEMM_MODE_AUTO, 19));
    cr_assert(takes_clblast(&t, CLV_GEMM_MODE_AUTO, 21));
    cr_assert_not(takes_clblast(&t, CLV_GEMM_MODE_NATIVE, 1e9));
    cr_assert(takes_clblast(&t, CLV_GEMM_MODE_CLBLAST, 0));
    /* A line that asks for it by itself is passed over. */
    ok(t.r.ctx, clv_tuning_put(&lines, key, set, .1, 1, &t.r.ctx->err));
    ok(t.r.ctx, clv_tuning_save(t.r.dev, &lines));
    cr_assert_not(takes_clblast(&t, CLV_GEMM_MODE_AUTO, 0));
    free(its);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(t.dir);
}
