/* Reports of time: samples by step, the roofline, the writers. */
#include "plan/profile.h"

#include "base/spread.h"
#include "base/util.h"
#include <clavicle/profile.h>
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(profile, median_and_quartiles)
{
    double v[] = {5, 1, 4, 2, 3};
    const struct clv_spread s = clv_spread_of(v, 5, false);
    cr_expect(s.median == 3 && s.low == 2 && s.high == 4 && s.best == 1 && s.n == 5);
    cr_expect_eq(clv_spread_of(v, 5, true).best, 5);
    cr_expect_eq(clv_spread_of(v, 4, false).median, 2.5);
    cr_expect_eq(clv_spread_of(v, 1, false).high, 1);
    cr_expect_eq(clv_spread_of(v, 0, false).n, 0);
    const struct clv_spread rate = clv_spread_rate(&s, 12);
    cr_expect(rate.median == 4 && rate.low == 3 && rate.high == 6 && rate.best == 12);
}

static const struct clv_ceilings ceilings = {
    .flops = {.best = 100e9, .n = 1},
    .memory = {{.bytes = 1000, .read = {.best = 1e9}, .write = {.best = 1e9}, .copy = {.best = 1e9}},
               {.bytes = 1000000, .read = {.best = 4e6}, .write = {.best = 2e6}, .copy = {.best = 1e6}}}};

Test(profile, the_ceiling_is_the_longer_of_arithmetic_and_memory)
{
    enum clv_bound bound;
    cr_expect_float_eq(clv_ceilings_seconds(&ceilings, 200e9, 0, 0, &bound), 2, 1e-9);
    cr_expect_eq(bound, CLV_BOUND_COMPUTE);
    /* 1 MB there and back at the copy's rate, 4 MB more at the reading rate. */
    cr_expect_float_eq(clv_ceilings_seconds(&ceilings, 200e9, 5e6, 1e6, &bound), 3, 1e-9);
    cr_expect_eq(bound, CLV_BOUND_MEMORY);
    cr_expect_float_eq(clv_ceilings_seconds(&ceilings, 0, 0, 2e6, NULL), 1, 1e-9);
    cr_expect_float_eq(clv_ceilings_seconds(&ceilings, 0, 1000, 0, NULL), 1e-6, 1e-12, "fits the small set");
    cr_expect_eq(clv_ceilings_seconds(&ceilings, 0, 0, 0, &bound), 0);
    cr_expect_eq(bound, CLV_BOUND_NONE);
}

Test(profile, what_was_measured_for_a_line_goes_before_the_estimate)
{
    enum clv_bound bound;
    struct clv_timing row = {.flops = 200e9, .read = 5e6, .written = 1e6};
    cr_expect_float_eq(clv_timing_floor(&row, &ceilings, &bound), 3, 1e-9);
    row.memory = 2.5;
    cr_expect_float_eq(clv_timing_floor(&row, &ceilings, &bound), 2.5, 1e-9);
    cr_expect_eq(bound, CLV_BOUND_MEMORY);
    row.memory = 1.5;
    cr_expect_float_eq(clv_timing_floor(&row, &ceilings, &bound), 2, 1e-9);
    cr_expect_eq(bound, CLV_BOUND_COMPUTE);
}

static struct clv_profile_table *make_table(struct clv_error *err)
{
    static struct clv_tensor x = {.dtype = CLV_F32, .n = 1, .h = 1, .w = 1, .c = 100, .pitch = 100},
                             y = {.dtype = CLV_F32, .n = 1, .h = 1, .w = 1, .c = 50, .pitch = 50};
    static struct clv_tensor z = {.dtype = CLV_F32, .n = 1, .h = 1, .w = 1, .c = 25, .pitch = 25};
    static const struct clv_arg args[] = {CLV_IN(&x), CLV_OUT(&y), CLV_INOUT(&z)};
    static const struct clv_node node = {.name = "conv2d_1"};
    struct clv_step step[] = {
        {.kind = CLV_STEP_KERNEL, .label = "sample", .variant = ""},
        {.kind = CLV_STEP_KERNEL, .label = "conv2d_1 forward", .variant = "vector", .node = &node, .flops = 1e6},
        {.kind = CLV_STEP_KERNEL, .label = "update", .variant = "", .bytes = 1200}};
    for (size_t i = 0; i < CLV_COUNT(step); i++) {
        step[i].u.kernel.options = "-DMR=6 -DVW=16";
        step[i].u.kernel.args = args;
        step[i].u.kernel.n_args = CLV_COUNT(args);
    }
    const struct clv_steps steps = {.step = step, .n = CLV_COUNT(step)};
    struct clv_profile_table *t = NULL;
    cr_assert_eq(clv_profile_table_create(&steps, 32, err, &t), CLV_OK);
    return t;
}

Test(profile, a_line_per_step)
{
    struct clv_error err = {0};
    struct clv_profile_table *t = make_table(&err);
    int n;
    const struct clv_timing *r = clv_profile_table_rows(t, &n);
    cr_assert_eq(n, 3);
    cr_expect_str_eq(r[0].pass, "input");
    cr_expect_str_eq(r[1].pass, "forward");
    cr_expect_str_eq(r[2].pass, "update");
    cr_expect_str_eq(r[1].group, "conv2d_1");
    cr_expect_str_eq(r[1].params, "MR=6 VW=16");
    cr_expect(r[1].read == 500 && r[1].written == 300 && r[1].in_place == 100,
              "tensors, where the op counted nothing");
    cr_expect(r[2].read == 750 && r[2].written == 450 && r[2].in_place == 150, "the op's count, shared as the tensors are");
    cr_expect_eq(r[1].seconds.n, 0);
    clv_profile_table_destroy(&t);
}

Test(profile, long_runs_keep_their_median)
{
    struct clv_error err = {0};
    struct clv_profile_table *t = make_table(&err);
    const int runs = 20 * CLV_PROFILE_SAMPLES + 7;
    int n;
    for (int i = 0; i < runs; i++) /* slower and slower: early and late ones must both count */
        cr_assert_eq(clv_profile_table_add(t, 1, i, &err), CLV_OK);
    const struct clv_timing *r = &clv_profile_table_rows(t, &n)[1];
    cr_expect_eq(r->runs, (uint64_t)runs);
    cr_expect_leq(r->seconds.n, CLV_PROFILE_SAMPLES);
    cr_expect_float_eq(r->seconds.median / runs, .5, .02, "median %g", r->seconds.median);
    cr_expect_float_eq(r->total, (double)runs * (runs - 1) / 2, 1);
    cr_expect_eq(clv_profile_table_add(t, 3, 1, &err), CLV_ERR_ARG);
    clv_profile_table_destroy(&t);
}

Test(profile, writers_agree)
{
    const struct clv_timing row[] = {
        {.what = "conv2d \"a\", b", .group = "conv2d", .pass = "forward", .variant = "vector",
         .params = "VW=16", .note = "", .batch = 2, .runs = 3, .total = 3, .flops = 50e9, .max_error = .5,
         .seconds = {.median = 1, .low = .9, .high = 1.1, .best = .8, .n = 3}},
        {.what = "never ran", .group = "", .pass = "backward", .variant = "", .params = "", .note = "",
         .max_error = -1}};
    char *text = clv_timings_text(row, 2, &ceilings), *json = clv_timings_json(row, 2, &ceilings),
         *csv = clv_timings_csv(row, 2, NULL);
    cr_assert(text && json && csv);
    cr_expect(strstr(text, "50.0%") && strstr(text, "compute") && strstr(text, "20.0%"), "%s", text);
    json_t *list = json_loads(json, 0, NULL);
    const json_t *first = json_array_get(list, 0), *second = json_array_get(list, 1);
    cr_assert(second, "%s", json);
    cr_expect_float_eq(json_real_value(json_object_get(first, "gflops")), 50, 1e-9);
    cr_expect_float_eq(json_real_value(json_object_get(first, "ceiling_fraction")), .5, 1e-9);
    cr_expect(json_is_null(json_object_get(second, "median_s")));
    cr_expect_eq(strncmp(csv, "what,group,pass,variant,params,note,batch,runs,", 47), 0, "%s", csv);
    cr_expect(strstr(csv, "\n\"conv2d \"\"a\"\", b\",\"conv2d\",\"forward\",\"vector\",\"VW=16\",\"\",2,3,3,1,"),
              "%s", csv);
    json_decref(list);
    free(text);
    free(json);
    free(csv);
}
