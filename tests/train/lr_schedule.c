/* Learning-rate schedules: factors by hand, texts that are refused. */
#include "train/lr_schedule.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct clv_lr_schedule parse(const char *text)
{
    struct clv_error err = {0};
    struct clv_lr_schedule s;
    cr_assert_eq(clv_lr_schedule_parse(text, &s, &err), CLV_OK, "%s", err.text);
    return s;
}

static void expect_factor(const char *text, uint64_t step, int epoch, double progress,
                          double reduced, double want)
{
    const struct clv_lr_schedule s = parse(text);
    const double got = clv_lr_schedule_factor(&s, step, epoch, progress, reduced);
    cr_expect(fabs(got - want) < 1e-12, "%s, step %llu, epoch %d: %.15g instead of %.15g", text,
              (unsigned long long)step, epoch, got, want);
}

Test(schedule, constant)
{
    expect_factor(NULL, 0, 0, 0, 1, 1);
    expect_factor("", 1000, 99, 1, 1, 1);
    expect_factor("constant warmup=10", 0, 0, 0, 1, .1);
    expect_factor("constant warmup=10", 9, 0, 0, 1, 1);
    expect_factor("constant warmup=10", 10, 0, 0, 1, 1);
}

Test(schedule, step)
{
    expect_factor("step every=3 factor=0.5", 0, 0, 0, 1, 1);
    expect_factor("step every=3 factor=0.5", 0, 2, 0, 1, 1);
    expect_factor("step every=3 factor=0.5", 0, 3, 0, 1, .5);
    expect_factor("step every=3 factor=0.5", 0, 8, 0, 1, .25);
    expect_factor("step every=3 factor=0.5 warmup=4", 1, 3, 0, 1, .25);
}

Test(schedule, step_at_milestones)
{
    expect_factor("step milestones=50,75", 0, 49, 0, 1, 1);
    expect_factor("step milestones=50,75", 0, 50, 0, 1, .1);
    expect_factor("step milestones=50,75", 0, 74, 0, 1, .1);
    expect_factor("step milestones=50,75", 0, 75, 0, 1, .01);
    expect_factor("step milestones=4 factor=0.5 every=1", 0, 3, 0, 1, 1);
}

Test(schedule, cosine)
{
    expect_factor("cosine", 0, 0, 0, 1, 1);
    expect_factor("cosine", 0, 0, .5, 1, .5);
    expect_factor("cosine", 0, 0, 1, 1, 0);
    expect_factor("cosine final=0.2", 0, 0, 1, 1, .2);
    expect_factor("cosine final=0.2", 0, 0, .5, 1, .6);
    expect_factor("cosine", 0, 0, 1. / 3, 1, .75);
}

Test(schedule, plateau_takes_the_reductions)
{
    expect_factor("plateau patience=2", 5, 5, .5, 1, 1);
    expect_factor("plateau patience=2", 5, 5, .5, .01, .01);
    const struct clv_lr_schedule s = parse("plateau patience=2 factor=0.3 min_rate=1e-6");
    cr_expect_eq(s.patience, 2);
    cr_expect_eq(s.factor, .3);
    cr_expect_eq(s.min_rate, 1e-6);
}

Test(schedule, bad_texts)
{
    static const char *const bad[] = {"linear",        "cosine final=2",     "step every=0",
                                      "step factor=0", "constant warmup=-1", "plateau patience=x",
                                      "cosine every=3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct clv_error err = {0};
        struct clv_lr_schedule s;
        cr_expect_eq(clv_lr_schedule_parse(bad[i], &s, &err), CLV_ERR_ARG, "%s", bad[i]);
        cr_expect(err.text[0]);
    }
    struct clv_error err = {0};
    struct clv_lr_schedule s;
    cr_expect_eq(clv_lr_schedule_parse("linear", &s, &err), CLV_ERR_ARG);
    cr_expect(strstr(err.text, "cosine"), "the known ones are listed: %s", err.text);
}

Test(schedule, help_names_every_schedule)
{
    struct clv_str out = {0};
    clv_lr_schedule_help(&out);
    cr_expect(strstr(out.text, "constant") && strstr(out.text, "step") &&
              strstr(out.text, "cosine") && strstr(out.text, "plateau") &&
              strstr(out.text, "warmup"));
    clv_str_finish(&out);
}
