/* The memory map: whoever lives at the same time lies apart, and nothing exceeds a segment. */
#include "base/rng.h"
#include "plan/internal.h"


#include <criterion/criterion.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 64 };

/* Steps that are only arguments: fill of one tensor each, so that spans are under control. */
struct world {
    struct clv_tensor tensor[MAX], *list[MAX];
    struct clv_step step[4 * MAX];
    struct clv_steps steps;
};

static struct clv_tensor *tensor(struct world *w, int64_t count)
{
    const int id = w->steps.n_tensors++;
    w->tensor[id] = (struct clv_tensor){.dtype = CLV_F32, .n = 1, .h = 1, .w = 1, .c = count,
                                        .pitch = count, .name = "t", .id = id};
    w->list[id] = &w->tensor[id];
    w->steps.tensors = w->list;
    w->steps.step = w->step;
    return w->list[id];
}

static void touch(struct world *w, struct clv_tensor *t)
{
    w->step[w->steps.n++] = (struct clv_step){.kind = CLV_STEP_FILL, .label = "fill", .u.fill = {t, 0}};
}

static bool meet(const struct clv_plan_place *a, const struct clv_plan_place *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static void check_map(const struct clv_plan_map *m, uint64_t max_alloc, size_t align)
{
    for (int i = 0; i < m->n_places; i++) {
        const struct clv_plan_place *a = &m->place[i];
        cr_assert_eq(a->offset % align, 0);
        cr_assert_leq(a->offset + a->bytes, m->segment[a->segment].bytes);
        cr_assert_leq(m->segment[a->segment].bytes, max_alloc);
        for (int k = 0; k < i; k++) {
            const struct clv_plan_place *b = &m->place[k];
            if (!meet(a, b) || a->segment != b->segment)
                continue;
            cr_assert(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset,
                      "tensors %d and %d overlap", a->tensor->id, b->tensor->id);
        }
    }
}

Test(memory, a_chain_needs_two_places)
{
    struct world w = {0};
    struct clv_plan_map m;
    struct clv_error err = {0};
    struct clv_tensor *t[8];
    for (int i = 0; i < 8; i++)
        t[i] = tensor(&w, 256);
    for (int i = 1; i < 8; i++) /* from one to the next */
        w.step[w.steps.n++] = (struct clv_step){
            .kind = CLV_STEP_GEMM, .label = "gemm", .u.gemm = {.a = t[i - 1], .b = t[i - 1], .c = t[i]}};
    cr_assert_eq(clv_plan_place(&w.steps, NULL, 0, 1 << 20, 128, &m, &err), CLV_OK);
    check_map(&m, 1 << 20, 128);
    cr_expect_eq(m.n_segments, 1);
    cr_expect_eq(m.segment[0].bytes, 2 * 1024);
    clv_plan_map_finish(&m);
}

Test(memory, kept_tensors_outlive_the_steps)
{
    struct world w = {0};
    struct clv_plan_map m;
    struct clv_error err = {0};
    struct clv_tensor *out = tensor(&w, 64), *later = tensor(&w, 64);
    const struct clv_tensor *keep[] = {out, NULL};
    touch(&w, out);
    touch(&w, later);
    cr_assert_eq(clv_plan_place(&w.steps, keep, 2, 1 << 20, 128, &m, &err), CLV_OK);
    check_map(&m, 1 << 20, 128);
    cr_expect_eq(m.segment[0].bytes, 512);
    cr_expect_eq(m.place[0].last, INT_MAX);
    clv_plan_map_finish(&m);
}

Test(memory, a_view_keeps_its_owner_alive)
{
    struct world w = {0};
    struct clv_plan_map m;
    struct clv_error err = {0};
    struct clv_tensor *owner = tensor(&w, 64), *view = tensor(&w, 64), *other = tensor(&w, 64);
    view->alias = owner;
    touch(&w, owner);
    touch(&w, other);
    touch(&w, view);
    cr_assert_eq(clv_plan_place(&w.steps, NULL, 0, 1 << 20, 128, &m, &err), CLV_OK);
    cr_expect_eq(m.n_places, 2, "a view has no place of its own");
    check_map(&m, 1 << 20, 128);
    cr_expect_eq(m.segment[0].bytes, 512);
    clv_plan_map_finish(&m);
}

Test(memory, random_lives_never_overlap)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct world w = {0};
        struct clv_plan_map m;
        struct clv_error err = {0};
        struct clv_rng rng = clv_rng_init(seed, 0);
        for (int i = 0; i < MAX; i++)
            tensor(&w, 1 + clv_rng_below(&rng, 2000));
        for (int i = 0; i < 3 * MAX; i++)
            touch(&w, w.list[clv_rng_below(&rng, MAX)]);
        cr_assert_eq(clv_plan_place(&w.steps, NULL, 0, 32768, 256, &m, &err), CLV_OK);
        check_map(&m, 32768, 256);
        cr_expect_gt(m.n_segments, 1, "so small a limit needs several segments");
        clv_plan_map_finish(&m);
    }
}

Test(memory, too_large_is_refused_with_name_size_and_limit)
{
    struct world w = {0};
    struct clv_plan_map m;
    struct clv_error err = {0};
    tensor(&w, 1 << 20)->name = "conv2d_1";
    touch(&w, w.list[0]);
    cr_assert_eq(clv_plan_place(&w.steps, NULL, 0, 1 << 20, 128, &m, &err), CLV_ERR_DEVMEM);
    cr_expect(strstr(err.text, "conv2d_1") && strstr(err.text, "4.0 MiB") && strstr(err.text, "1.0 MiB"),
              "%s", err.text);
}
