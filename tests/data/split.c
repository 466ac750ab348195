/* Splits that Clavicle makes, and the list that keeps them. */
#define _XOPEN_SOURCE 700
#include "base/str.h"
#include "base/tmp.h"
#include "make.h"
#include <string.h>

static struct make_log lines;

/* 60 of A, 40 of B, 7 of C; A's first ten twice; B's files come from ten persons. */
static void make_set(const char *dir)
{
    char name[64];
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "A/a%03u.png", i);
        make_gray(dir, name, i < 50 ? i : i - 50);
    }
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "B/person%u_%03u.png", i / 4, i);
        make_gray(dir, name, 1000 + i);
    }
    for (unsigned i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "C/c%03u.png", i);
        make_gray(dir, name, 2000 + i);
    }
}

/* Split of every sample as text "path=split" sorted by split; malloc'ed. */
static char *describe(const struct clv_data *d)
{
    struct clv_str s = {0};
    for (int split = 0; split < CLV_SPLIT_COUNT; split++)
        for (size_t i = 0; i < clv_data_count(d, (enum clv_split)split); i++) {
            struct clv_sample_info in;
            cr_assert_eq(clv_data_sample(d, (enum clv_split)split, i, &in), CLV_OK);
            cr_assert_eq((int)in.split, split);
            clv_str_addf(&s, "%s=%d\n", in.path, split);
        }
    return clv_str_take(&s);
}

static char *describe_open(struct clv_context *ctx, const char *dir,
                           const struct clv_data_params *p)
{
    struct clv_data *d = make_open(ctx, dir, p);
    char *text = describe(d);
    clv_data_close(&d);
    return text;
}

static int split_of(const struct clv_data *d, const char *path)
{
    for (size_t i = 0; i < d->n_items; i++)
        if (!strcmp(d->items[i].path, path))
            return d->items[i].split;
    cr_assert(false, "%s is missing", path);
    return CLV_NO_SPLIT;
}

Test(split, stratified)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct clv_data *d = make_open(ctx, dir, &(struct clv_data_params){.seed = seed});
        const struct clv_data_info *in = clv_data_get_info(d);
        static const double n[3] = {60, 40, 7}, share[3] = {.7, .15, .15};
        for (int s = 0; s < 3; s++)
            for (int c = 0; c < 3; c++) /* pairs of duplicates may cost one more */
                cr_expect_float_eq((double)in->class_count[s][c], n[c] * share[s], c ? 1 : 2,
                                   "seed %d: class %d has %zu in %s", (int)seed, c,
                                   in->class_count[s][c], clv_split_name((enum clv_split)s));
        cr_expect_float_eq((double)in->count[0], 107 * .7, 2);
        cr_expect_float_eq((double)in->count[1], 107 * .15, 2);
        clv_data_close(&d);
    }
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(split, exact_when_shares_divide)
{
    char dir[64], name[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    for (unsigned i = 0; i < 100; i++) { /* 50 of each: 35, 7.5 and 7.5; together 70, 15, 15 */
        snprintf(name, sizeof name, "%c/%u.png", i % 2 ? 'x' : 'y', i);
        make_gray(dir, name, i);
    }
    struct clv_data *d = make_open(ctx, dir, NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->count[0] == 70 && in->count[1] == 15 && in->count[2] == 15, "%zu %zu %zu",
              in->count[0], in->count[1], in->count[2]);
    clv_data_close(&d);
    d = make_open(ctx, dir, &(struct clv_data_params){.split = "8/0/2"});
    in = clv_data_get_info(d);
    cr_expect(in->count[0] == 80 && in->count[1] == 0 && in->count[2] == 20);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(split, decided_by_seed)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    char *a = describe_open(ctx, dir, &(struct clv_data_params){.seed = 1});
    char *b = describe_open(ctx, dir, &(struct clv_data_params){.seed = 1});
    char *c = describe_open(ctx, dir, &(struct clv_data_params){.seed = 2});
    cr_expect_str_eq(a, b);
    cr_expect_str_neq(a, c);
    free(a), free(b), free(c);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(split, copies_and_persons_stay_together)
{
    char dir[64], x[64], y[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    /* A chain: person 0 and person 1 share an image, so both lie in one split. */
    make_copy(dir, "B/person0_000.png", "B/person1_copy.png");
    bool seen[3] = {false};
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct clv_data *d = make_open(
            ctx, dir, &(struct clv_data_params){.seed = seed, .group_by = "(person[0-9]+)_"});
        const struct clv_data_info *in = clv_data_get_info(d);
        cr_expect(in->leaked_images == 0 && in->leaked_groups == 0);
        cr_expect_eq(in->groups, 10);
        cr_expect_eq(in->duplicates, 22);
        for (unsigned i = 0; i < 10; i++) {
            snprintf(x, sizeof x, "A/a%03u.png", i);
            snprintf(y, sizeof y, "A/a%03u.png", i + 50);
            cr_expect_eq(split_of(d, x), split_of(d, y));
        }
        for (unsigned i = 0; i < 40; i++) {
            snprintf(x, sizeof x, "B/person%u_%03u.png", i / 4, i);
            snprintf(y, sizeof y, "B/person%u_%03u.png", i / 4, i / 4 * 4);
            cr_expect_eq(split_of(d, x), split_of(d, y));
        }
        cr_expect_eq(split_of(d, "B/person0_000.png"), split_of(d, "B/person1_004.png"));
        seen[split_of(d, "B/person5_020.png")] = true;
        clv_data_close(&d);
    }
    cr_expect(seen[0] && (seen[1] || seen[2]), "a person must not be bound to a split");
    cr_expect_eq(lines.lines, 0, "%s", lines.text);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(split, group_names)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    struct clv_sample_info s;
    make_set(tmp_dir(dir));
    struct clv_data *d = make_open(ctx, dir, &(struct clv_data_params){.group_by = "person([0-9]+)_"});
    for (size_t i = 0; i < clv_data_count(d, CLV_SPLIT_TRAIN); i++) {
        cr_assert_eq(clv_data_sample(d, CLV_SPLIT_TRAIN, i, &s), CLV_OK);
        cr_expect_eq(s.group != NULL, s.path[0] == 'B');
        cr_expect(!s.group || !strncmp(s.path + strlen("B/person"), s.group, strlen(s.group)));
    }
    clv_data_close(&d);
    make_refused(ctx, dir, &(struct clv_data_params){.group_by = "patient([0-9]+)"}, CLV_ERR_ARG,
                 (const char *[]){"patient", "matches none", NULL});
    make_refused(ctx, dir, &(struct clv_data_params){.group_by = "(("}, CLV_ERR_ARG,
                 (const char *[]){"((", NULL});
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(split, bad_shares)
{
    static const char *const bad[] = {"", "70", "70/30", "70/15/15/0", "a/b/c", "-1/1/1", "0/50/50",
                                      "70//30", "1/1/nan"};
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        make_refused(ctx, dir, &(struct clv_data_params){.split = bad[i]}, CLV_ERR_ARG,
                     (const char *[]){"70/15/15", NULL});
    make_refused(ctx, dir, &(struct clv_data_params){.val_fraction = 1}, CLV_ERR_ARG,
                 (const char *[]){"val_fraction", NULL});
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(split, val_fraction_of_train)
{
    char dir[64], name[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    for (unsigned i = 0; i < 80; i++) { /* 60 + 20; twenty persons with four images each */
        snprintf(name, sizeof name, "train/%s/p%u_%u.png", i < 60 ? "A" : "B", i / 4, i);
        make_gray(dir, name, i);
    }
    for (unsigned i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "test/%s/q%u_.png", i % 2 ? "A" : "B", i);
        make_gray(dir, name, 500 + i);
    }
    struct clv_data *d = make_open(ctx, dir, &(struct clv_data_params){.val_fraction = 0.2});
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect(in->class_count[1][0] == 12 && in->class_count[1][1] == 4 && in->count[2] == 10);
    cr_expect(in->count[0] == 64 && in->given_split);
    clv_data_close(&d);
    d = make_open(ctx, dir, &(struct clv_data_params){.val_fraction = 0.2, .group_by = "p[0-9]+_"});
    in = clv_data_get_info(d);
    cr_expect(in->class_count[1][0] == 12 && in->class_count[1][1] == 4 && in->leaked_groups == 0);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* Adding, moving and copying files later moves nothing between splits. */
Test(split, list_roundtrip)
{
    char dir[64], out[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    make_gray(dir, "C/odd, \"name\"\n.png", 7777);
    const char *list = make_path(tmp_dir(out), "split.csv");
    struct clv_data *d = make_open(ctx, dir, &(struct clv_data_params){.seed = 5});
    char *before = describe(d), fingerprint[65];
    memcpy(fingerprint, clv_data_get_info(d)->fingerprint, 65);
    cr_assert_eq(clv_data_write_split(d, list), CLV_OK);
    clv_data_close(&d);

    const struct clv_data_params p = {.seed = 99, .split_list = list};
    d = make_open(ctx, dir, &p);
    char *same = describe(d);
    cr_expect_str_eq(before, same);
    cr_expect_str_eq(fingerprint, clv_data_get_info(d)->fingerprint);
    cr_expect_eq(clv_data_get_info(d)->unknown, 0);
    clv_data_close(&d);

    make_gray(dir, "A/new.png", 5000);
    make_gray(dir, "AA/new class.png", 5001);
    make_copy(dir, "B/person3_012.png", "B/zz copy.png");
    rename(make_path(dir, "A/a020.png"), make_path(dir, "A/renamed.png"));
    d = make_open(ctx, dir, &p);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_expect_eq(in->unknown, 2);
    cr_expect_not_null(strstr(lines.text, "A/new.png, AA/new class.png"), "%s", lines.text);
    cr_expect_eq(in->n_classes, 3, "a class that is new must not renumber the others");
    cr_expect_eq(split_of(d, "A/new.png"), CLV_NO_SPLIT);
    cr_expect_eq(split_of(d, "B/zz copy.png"), split_of(d, "B/person3_012.png"));
    char want[64];
    snprintf(want, sizeof want, "A/a020.png=%d\n", split_of(d, "A/renamed.png"));
    cr_expect_not_null(strstr(before, want), "a renamed file keeps its split");
    cr_expect_eq(in->count[0] + in->count[1] + in->count[2], 109);
    clv_data_close(&d);
    free(before), free(same);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
    tmp_remove(out);
}

Test(split, damaged_lists)
{
    static const char *const bad[] = {
        "", "path,split\n", "path,split,label,sha256\na,train,A\n",
        "path,split,label,sha256\na,nosplit,A,"
        "0000000000000000000000000000000000000000000000000000000000000000\n",
        "path,split,label,sha256\na,train,A,abc\n",
        "path,split,label,sha256\n\"a,train,A,"
        "0000000000000000000000000000000000000000000000000000000000000000\n",
        "path,split,label,sha256\n\n"};
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make_file(dir, "list.csv", bad[i], strlen(bad[i]));
        make_refused(ctx, dir, &(struct clv_data_params){.split_list = make_path(dir, "list.csv")},
                     CLV_ERR_DATA, (const char *[]){"list.csv", "not a split list", NULL});
    }
    make_refused(ctx, dir, &(struct clv_data_params){.split_list = make_path(dir, "no.csv")},
                 CLV_ERR_IO, (const char *[]){"no.csv", NULL});
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* The folds of a set: each image outside of test is in val once, train and val are all of it, test is as it was. */
Test(split, folds_are_disjoint_stratified_and_grouped)
{
    enum { FOLDS = 5 };
    char dir[64], x[64], y[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct clv_data_params p = {.seed = seed, .group_by = "(person[0-9]+)_"};
        struct clv_data *plain = make_open(ctx, dir, &p);
        int *times = calloc(plain->n_items, sizeof *times);
        size_t most[3] = {0}, least[3] = {1000, 1000, 1000};
        p.folds = FOLDS;
        for (p.fold = 1; p.fold <= FOLDS; p.fold++) {
            struct clv_data *d = make_open(ctx, dir, &p);
            const struct clv_data_info *in = clv_data_get_info(d);
            for (size_t i = 0; i < d->n_items; i++) {
                cr_expect_eq(d->items[i].split == CLV_SPLIT_TEST, plain->items[i].split == CLV_SPLIT_TEST);
                times[i] += d->items[i].split == CLV_SPLIT_VAL;
            }
            for (int c = 0; c < 3; c++) {
                most[c] = in->class_count[1][c] > most[c] ? in->class_count[1][c] : most[c];
                least[c] = in->class_count[1][c] < least[c] ? in->class_count[1][c] : least[c];
            }
            cr_expect(in->leaked_images == 0 && in->leaked_groups == 0);
            for (unsigned i = 0; i < 40; i++) {
                snprintf(x, sizeof x, "B/person%u_%03u.png", i / 4, i);
                snprintf(y, sizeof y, "B/person%u_%03u.png", i / 4, i / 4 * 4);
                cr_expect_eq(split_of(d, x), split_of(d, y));
            }
            clv_data_close(&d);
        }
        for (size_t i = 0; i < plain->n_items; i++)
            cr_expect_eq(times[i], plain->items[i].split != CLV_SPLIT_TEST, "%s is in val %d times",
                         plain->items[i].path, times[i]);
        cr_expect_leq(most[0] - least[0], 2, "class A: %zu to %zu", least[0], most[0]); /* pairs of copies */
        cr_expect_leq(most[1] - least[1], 4, "class B: %zu to %zu", least[1], most[1]); /* persons of four */
        cr_expect_leq(most[2] - least[2], 1, "class C: %zu to %zu", least[2], most[2]);
        free(times);
        clv_data_close(&plain);
    }
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* What a list says is test stays so, and folds come out of the rest, whatever was train or val in it. */
Test(split, folds_of_a_list)
{
    char dir[64], out[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    const char *list = make_path(tmp_dir(out), "split.csv");
    struct clv_data_params p = {.seed = 3, .folds = 4, .fold = 1};
    struct clv_data *d = make_open(ctx, dir, &p);
    cr_assert_eq(clv_data_write_split(d, list), CLV_OK);
    clv_data_close(&d);
    p.fold = 3;
    char *third = describe_open(ctx, dir, &p);
    make_gray(dir, "A/new.png", 5000);
    p.split_list = list;
    char *listed = describe_open(ctx, dir, &p);
    cr_expect_str_eq(third, listed);
    free(third), free(listed);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
    tmp_remove(out);
}

Test(split, bad_folds)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    make_set(tmp_dir(dir));
    static const struct clv_data_params bad[] = {
        {.folds = 1, .fold = 1}, {.folds = 5}, {.folds = 5, .fold = 6}, {.folds = 101, .fold = 1}, {.folds = -1, .fold = 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        make_refused(ctx, dir, &bad[i], CLV_ERR_ARG, (const char *[]){"2 to 100 folds", NULL});
    make_refused(ctx, dir, &(struct clv_data_params){.folds = 100, .fold = 1}, CLV_ERR_DATA,
                 (const char *[]){"too few", NULL});
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}
