/* Memory by liveness: a tensor needs its bytes from the first step that touches it to the last; tensors
 * whose spans do not meet may share them. Places are chosen largest first, each at the lowest offset
 * that is free over its whole span (greedy by size: Pisarchyk and Lee, 2020). A segment is at most
 * max_alloc bytes; what does not fit goes to the next. */
#include "plan/internal.h"

#include "base/str.h"
#include "base/util.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct spans {
    struct clv_plan_place *by_id; /* indexed by tensor id; tensor NULL = not planned */
    int step;
};

static bool planned(const struct clv_tensor *t)
{
    return t->memory == CLV_MEMORY_ACTIVATION || t->memory == CLV_MEMORY_SCRATCH;
}

static void extend(void *priv, struct clv_tensor *t, enum clv_arg_kind kind)
{
    struct spans *s = priv;
    struct clv_tensor *root = clv_tensor_root(t);
    (void)kind;
    if (!planned(root))
        return;
    struct clv_plan_place *p = &s->by_id[root->id];
    if (!p->tensor) {
        p->tensor = root;
        p->first = s->step;
    }
    p->last = s->step;
    if (root->keeps) {
        p->first = 0;
        p->last = INT_MAX;
    }
}

static int by_size(const void *a, const void *b)
{
    const struct clv_plan_place *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->tensor->id - y->tensor->id; /* the same map every time */
}

static int by_offset(const void *a, const void *b)
{
    const struct clv_plan_place *x = *(struct clv_plan_place *const *)a,
                                *y = *(struct clv_plan_place *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Lowest free offset in a segment for p among the placed ones, whose pointers `near` has room for. */
static uint64_t lowest_gap(const struct clv_plan_map *map, int n_placed,
                           const struct clv_plan_place *p, int segment,
                           const struct clv_plan_place **near)
{
    int n = 0;
    for (int i = 0; i < n_placed; i++) {
        const struct clv_plan_place *q = &map->place[i];
        if (q->segment == segment && q->first <= p->last && q->last >= p->first)
            near[n++] = q;
    }
    qsort(near, (size_t)n, sizeof *near, by_offset);
    uint64_t at = 0;
    for (int i = 0; i < n; i++) {
        if (near[i]->offset >= at + p->bytes)
            break;
        at = CLV_MAX(at, near[i]->offset + near[i]->bytes);
    }
    return at;
}

static enum clv_err place_one(struct clv_plan_map *map, int i, uint64_t max_alloc,
                              const struct clv_plan_place **near, struct clv_error *err)
{
    struct clv_plan_place *p = &map->place[i];
    if (p->bytes > max_alloc) {
        char need[32], most[32];
        return clv_fail(err, CLV_ERR_DEVMEM,
                        "%s needs %s in one piece; the device allocates at most %s: use a smaller "
                        "batch or input", p->tensor->name, clv_str_bytes(need, p->bytes),
                        clv_str_bytes(most, max_alloc));
    }
    for (int s = 0; s <= map->n_segments; s++) {
        const uint64_t at = s < map->n_segments ? lowest_gap(map, i, p, s, near) : 0;
        if (at + p->bytes > max_alloc)
            continue;
        p->segment = s;
        p->offset = at;
        if (s == map->n_segments)
            map->segment[map->n_segments++] = (struct clv_plan_segment){0};
        map->segment[s].bytes = CLV_MAX(map->segment[s].bytes, at + p->bytes);
        break;
    }
    return CLV_OK;
}

static int collect(const struct clv_steps *steps, const struct clv_tensor *const *keep, int n_keep,
                   size_t align, struct clv_plan_place *by_id)
{
    struct spans s = {.by_id = by_id};
    for (; s.step < steps->n; s.step++)
        clv_step_visit(&steps->step[s.step], extend, &s);
    for (int i = 0; i < n_keep; i++)
        if (keep[i] && planned(keep[i]) && by_id[keep[i]->id].tensor)
            by_id[keep[i]->id].last = INT_MAX;
    int n = 0;
    for (int i = 0; i < steps->n_tensors; i++)
        if (by_id[i].tensor) {
            by_id[n] = by_id[i];
            by_id[n].bytes = (uint64_t)clv_round_up(clv_tensor_bytes(by_id[n].tensor), (int64_t)align);
            n++;
        }
    return n;
}

enum clv_err clv_plan_place(const struct clv_steps *steps, const struct clv_tensor *const *keep,
                            int n_keep, uint64_t max_alloc, size_t align, struct clv_plan_map *map,
                            struct clv_error *err)
{
    const size_t n = (size_t)steps->n_tensors + 1;
    *map = (struct clv_plan_map){.place = calloc(n, sizeof *map->place),
                                 .segment = calloc(n, sizeof *map->segment)};
    const struct clv_plan_place **near = calloc(n, sizeof *near);
    enum clv_err e = CLV_OK;
    if (!map->place || !map->segment || !near)
        e = clv_fail_nomem(err, "the memory map");
    if (!e) {
        map->n_places = collect(steps, keep, n_keep, align, map->place);
        qsort(map->place, (size_t)map->n_places, sizeof *map->place, by_size);
    }
    for (int i = 0; i < map->n_places && !e; i++)
        e = place_one(map, i, max_alloc, near, err);
    free(near);
    if (e)
        clv_plan_map_finish(map);
    return e;
}

void clv_plan_map_finish(struct clv_plan_map *map)
{
    for (int i = 0; i < map->n_segments; i++)
        clv_buffer_destroy(&map->segment[i].buffer);
    free(map->place);
    free(map->segment);
    *map = (struct clv_plan_map){0};
}
