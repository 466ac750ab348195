/* The ranges of a search: what is read, what is drawn, and the rungs of successive halving. */
#include "sweep/space.h"

#include "base/str.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static void expect_refused(const char *text, const char *says)
{
    struct clv_arena arena = {0};
    struct clv_error err = {0};
    struct clv_space space;
    cr_expect_eq(clv_space_parse(text, "r.txt", &arena, &space, &err), CLV_ERR_ARG, "%s", text);
    cr_expect_not_null(strstr(err.text, says), "'%s' is not in: %s", says, err.text);
    clv_arena_finish(&arena);
}

Test(space, read)
{
    struct clv_arena arena = {0};
    struct clv_error err = {0};
    struct clv_space s;
    static const char text[] = "# of a search\r\n\n  learning_rate log 1e-4 1e-2 # rate\r\nbatch\tchoice 16 32\n"
                               "schedule choice \"cosine warmup=10\" constant\nx.y-z int -2 3\nw uniform low=0 high=.5";
    cr_assert_eq(clv_space_parse(text, "r.txt", &arena, &s, &err), CLV_OK, "%s", err.text);
    cr_assert_eq(s.n, 5);
    cr_expect(!strcmp(s.range[0].name, "learning_rate") && s.range[0].kind == CLV_RANGE_LOG && s.range[0].low == 1e-4 &&
              s.range[0].high == 1e-2);
    cr_expect(s.range[1].n == 2 && !strcmp(s.range[1].choice[0], "16") && !strcmp(s.range[1].choice[1], "32"));
    cr_expect(s.range[2].n == 2 && !strcmp(s.range[2].choice[0], "cosine warmup=10") && !strcmp(s.range[2].choice[1], "constant"));
    cr_expect(s.range[3].kind == CLV_RANGE_INT && s.range[3].low == -2 && s.range[3].high == 3);
    cr_expect(s.range[4].kind == CLV_RANGE_UNIFORM && s.range[4].high == .5);
    clv_arena_finish(&arena);
}

Test(space, refused)
{
    expect_refused("", "no ranges");
    expect_refused("# nothing\n\n", "no ranges");
    expect_refused("a log 1 2\na log 1 2\n", "r.txt:2: a has a range already");
    expect_refused("a\n", "r.txt:1: expected NAME");
    expect_refused("a normal 0 1\n", "unknown kind of range 'normal'");
    expect_refused("a chioce 0 1\n", "did you mean choice?");
    expect_refused("a log 0 1\n", "r.txt:1: log: low=0 is out of range");
    expect_refused("a log 1\n", "high");
    expect_refused("a log 2 1\n", "2 is not below 1");
    expect_refused("a uniform 1 1\n", "1 is not below 1");
    expect_refused("a uniform 1 2 3\n", "one value too many");
    expect_refused("a uniform 1 x\n", "cannot be understood");
    expect_refused("a int 1 2.5\n", "whole numbers");
    expect_refused("a choice\n", "no values");
    expect_refused("\n\na choice 1 2 1\n", "r.txt:3: choice: '1' is there twice");
    expect_refused("a choice \"1\n", "not closed");
    expect_refused("a=b choice 1\n", "no name of an option");
}

static char *draw_text(const struct clv_space *s, uint64_t seed, int n)
{
    struct clv_arena arena = {0};
    struct clv_error err = {0};
    struct clv_str out = {0};
    struct clv_setting *settings = calloc((size_t)n * (size_t)s->n, sizeof *settings);
    cr_assert_eq(clv_space_draw(s, seed, n, &arena, settings, &err), CLV_OK, "%s", err.text);
    for (int i = 0; i < n * s->n; i++)
        clv_str_addf(&out, "%s=%s\n", settings[i].name, settings[i].value);
    free(settings);
    clv_arena_finish(&arena);
    return clv_str_take(&out);
}

Test(space, draws)
{
    enum { N = 400 };
    struct clv_arena arena = {0};
    struct clv_error err = {0};
    struct clv_space s;
    struct clv_setting settings[N * 4];
    int low = 0, count[4] = {0};
    cr_assert_eq(clv_space_parse("a log 1e-4 1e-2\nb uniform -1 1\nc int 0 3\nd choice x y", "r.txt", &arena, &s, &err), CLV_OK);
    cr_assert_eq(clv_space_draw(&s, 7, N, &arena, settings, &err), CLV_OK);
    for (int i = 0; i < N; i++) {
        double a, b;
        long long c;
        cr_assert(clv_parse_double(settings[4 * i].value, &a) && clv_parse_double(settings[4 * i + 1].value, &b) &&
                  clv_parse_int(settings[4 * i + 2].value, &c));
        cr_expect(a >= 1e-4 && a <= 1e-2 && b >= -1 && b <= 1 && c >= 0 && c <= 3);
        low += a < 1e-3;
        count[c]++;
        cr_expect(!strcmp(settings[4 * i + 3].value, "x") || !strcmp(settings[4 * i + 3].value, "y"));
    }
    cr_expect(low > N * 2 / 5 && low < N * 3 / 5, "half of a logarithmic range lies below its middle: %d", low);
    for (int c = 0; c < 4; c++)
        cr_expect(count[c] > N / 6 && count[c] < N / 3, "%d was drawn %d times", c, count[c]);
    char *same = draw_text(&s, 7, 5), *more = draw_text(&s, 7, 9), *other = draw_text(&s, 8, 5);
    cr_expect(!strncmp(more, same, strlen(same)), "more members do not change the first ones");
    cr_expect_str_neq(same, other);
    free(same), free(more), free(other);
    clv_arena_finish(&arena);
}

Test(space, no_draw_twice)
{
    struct clv_arena arena = {0};
    struct clv_error err = {0};
    struct clv_space s;
    struct clv_setting settings[26];
    int seen[4][3] = {{0}};
    cr_assert_eq(clv_space_parse("a int 1 4\nb choice 1 2 3", "r.txt", &arena, &s, &err), CLV_OK);
    cr_assert_eq(clv_space_draw(&s, 0, 12, &arena, settings, &err), CLV_OK);
    for (int i = 0; i < 12; i++)
        seen[settings[2 * i].value[0] - '1'][settings[2 * i + 1].value[0] - '1']++;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 3; b++)
            cr_expect_eq(seen[a][b], 1);
    cr_expect_eq(clv_space_draw(&s, 0, 13, &arena, settings, &err), CLV_ERR_ARG);
    cr_expect_not_null(strstr(err.text, "only 12 combinations"), "%s", err.text);
    clv_arena_finish(&arena);
}

/* By hand; the first is the row s = 3 of Hyperband's table for R = 27, eta = 3. */
Test(space, rungs)
{
    static const struct { int n, epochs, eta, rungs, members[4], until[4]; } known[] = {
        {27, 27, 3, 4, {27, 9, 3, 1}, {1, 3, 9, 27}},
        {10, 10, 3, 3, {10, 3, 1}, {1, 3, 10}},
        {9, 100, 3, 3, {9, 3, 1}, {11, 33, 100}},
        {100, 4, 2, 3, {100, 50, 25}, {1, 2, 4}},
        {2, 50, 3, 1, {2}, {50}},
        {50, 2, 3, 1, {50}, {2}},
        {1, 1, 2, 1, {1}, {1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct clv_rung r[CLV_MAX_RUNGS];
        cr_assert_eq(clv_halving_rungs(known[i].n, known[i].epochs, known[i].eta, r), known[i].rungs, "case %zu", i);
        for (int k = 0; k < known[i].rungs; k++)
            cr_expect(r[k].members == known[i].members[k] && r[k].epochs == known[i].until[k], "case %zu, rung %d: %d, %d", i, k,
                      r[k].members, r[k].epochs);
    }
}
