/* What the reference says of a case, from one run of it to the next. */
#include "base/hash.h"
#include "check/job.h"

#include <stdlib.h>
#include <string.h>

struct known_difference {
    uint64_t place;
    double slope;
    bool smooth;
};

struct clv_check_known {
    uint64_t of;            /* fingerprint of what all of this was computed from; 0 = nothing */
    double *values;         /* of all nodes, one behind the other; NULL = not known */
    struct known_difference *difference; /* [n], in the order they are asked for */
    size_t n, cap;
};

struct clv_check_known *clv_check_known_create(void)
{
    return calloc(1, sizeof(struct clv_check_known));
}

void clv_check_known_destroy(struct clv_check_known **known)
{
    if (!*known)
        return;
    free((*known)->values);
    free((*known)->difference);
    free(*known);
    *known = NULL;
}

/* Everything that the reference reads: what a variant changes is none of it. */
static uint64_t fingerprint(const struct clv_check_job *job)
{
    const struct clv_reference *r = &job->reference;
    const uint64_t plain[] = {(uint64_t)r->n, r->training, r->seed, r->step, (uint64_t)job->graph->n_nodes};
    uint64_t h = clv_hash64(job->check->op, strlen(job->check->op), 0);
    h = clv_hash64(job->c->name, strlen(job->c->name), h);
    h = clv_hash64(plain, sizeof(plain), h);
    for (int i = 0; i < job->graph->n_nodes; i++) {
        const struct clv_node *before = r->fusion[i].softmax;
        const int fused[] = {r->fusion[i].dead, before ? before->id : -1};
        h = clv_hash64(fused, sizeof(fused), h);
    }
    for (int i = 0; i < job->n_arrays; i++) {
        const struct clv_check_array *a = &job->array[i];
        const size_t count = (size_t)(a->samples * clv_shape_count(a->shape));
        if (a->given && !a->got)
            h = clv_hash64(a->given, count * sizeof(*a->given), h);
    }
    return h ? h : 1;
}

/* One array, to or from `at`; NULL: only its number. */
static size_t copy_array(double *array, size_t count, double *at, bool back)
{
    if (at && array)
        memcpy(back ? array : at, back ? at : array, count * sizeof(*at));
    return array ? count : 0;
}

/* What the reference computes of the nodes, outputs and state, one behind the other, to or from values; NULL: only
 * their number. */
static size_t copy_values(const struct clv_check_job *job, double *values, bool back)
{
    const struct clv_reference *r = &job->reference;
    size_t at = 0;
    for (int i = 0; i < job->graph->n_nodes; i++) {
        const struct clv_node *node = job->graph->nodes[i];
        if (r->fusion[i].dead)
            continue;
        at += copy_array(r->value[i], (size_t)(r->n * clv_shape_count(node->shape)), values ? values + at : NULL,
                         back);
        for (int k = 0; k < node->n_weights; k++)
            at += copy_array(r->state[i][k], (size_t)node->weights[k].count, values ? values + at : NULL, back);
    }
    return at;
}

void clv_check_know_values(struct clv_check_job *job)
{
    struct clv_check_known *k = job->options.known;
    const uint64_t of = k ? fingerprint(job) : 0;
    if (k && k->of == of && k->values) {
        (void)copy_values(job, k->values, true);
        return;
    }
    clv_reference_forward(&job->reference);
    if (!k)
        return;
    free(k->values);
    k->of = of;
    k->n = 0;
    k->values = malloc((copy_values(job, NULL, false) + 1) * sizeof(*k->values));
    (void)copy_values(job, k->values, false);
}

bool clv_check_recall(struct clv_check_job *job, uint64_t place, double *slope, bool *smooth)
{
    const struct clv_check_known *k = job->options.known;
    const size_t i = job->n_differences++;
    if (!k || i >= k->n || k->difference[i].place != place)
        return false;
    *slope = k->difference[i].slope;
    *smooth = k->difference[i].smooth;
    return true;
}

void clv_check_remember(struct clv_check_job *job, uint64_t place, double slope, bool smooth)
{
    struct clv_check_known *k = job->options.known;
    const size_t i = job->n_differences - 1;
    if (!k || i > k->n)
        return;
    if (i == k->cap) {
        const size_t cap = k->cap ? 2 * k->cap : 256;
        struct known_difference *more = realloc(k->difference, cap * sizeof(*more));
        if (!more)
            return;
        k->difference = more;
        k->cap = cap;
    }
    k->difference[i] = (struct known_difference){place, slope, smooth};
    if (i == k->n)
        k->n++;
}
