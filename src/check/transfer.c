/* Between a check's arrays and the device. */
#include "base/util.h"
#include "check/job.h"
#include "step/stored.h"

#include <stdlib.h>
#include <string.h>

/* Another NaN than clv_separate_bind()'s, which would do as well. */
static const uint32_t poison = 0x7fc0beef;

static size_t byte_offset(const struct clv_tensor *t)
{
    return (size_t)t->offset * (size_t)clv_dtype_bytes(t->dtype);
}

/* Samples without numbers and the gaps between pixels keep their NaN. */
static void lay_out(uint32_t *words, const struct clv_check_array *a)
{
    const int64_t c = a->shape.c, used = a->samples * clv_shape_count(a->shape) / c;
    for (int64_t pixel = 0; pixel < used; pixel++)
        for (int64_t i = 0; i < c; i++)
            clv_stored_put(a->t->dtype, words, pixel * a->t->pitch + i, a->given[pixel * c + i]);
}

static void lay_out_state(uint32_t *words, const struct clv_check_job *job)
{
    const struct clv_step_state state = {
        .n = job->n,
        .inv_n = 1.0f / (float)job->n,
        .step = CLV_CHECK_STEP,
        .seed = {(uint32_t)job->options.seed, (uint32_t)(job->options.seed >> 32)}};
    memcpy(words, &state, sizeof(state));
    memcpy(words + sizeof(state) / sizeof(*words), job->sample_index,
           (size_t)job->batch * sizeof(uint32_t));
}

/* The whole buffer in one write, guards included: Oclgrind's record of what is initialised forgets
 * a buffer's other parts when it is written in pieces. */
static enum clv_err put(struct clv_check_job *job, const struct clv_tensor *t)
{
    const size_t bytes = clv_buffer_bytes(t->buffer), n = bytes / 4, guard = CLV_GUARD_BYTES / 4;
    uint32_t *image = malloc(n * sizeof(*image));
    if (!image)
        return clv_fail_nomem(job->err, "a check's upload");
    for (size_t i = 0; i < n; i++)
        image[i] = i < guard || i >= n - guard ? (uint32_t)CLV_GUARD_WORD
                                               : clv_stored_nan(t->dtype, poison);
    if (t == job->emit.state)
        lay_out_state(image + guard, job);
    for (int i = 0; i < job->n_arrays; i++)
        if (job->array[i].t == t && job->array[i].given)
            lay_out(image + guard, &job->array[i]);
    const enum clv_err e = clv_queue_write_wait(job->dev, t->buffer, 0, image, bytes);
    free(image);
    return e;
}

enum clv_err clv_check_execute(struct clv_check_job *job)
{
    for (int i = 0; i < job->separate.n; i++)
        CLV_TRY(put(job, job->separate.tensor[i]));
    if (!job->options.no_kernels)
        CLV_TRY(clv_steps_enqueue(job->dev, &job->steps, 0, job->steps.n, false));
    CLV_TRY(clv_queue_finish(job->dev));
    for (int i = 0; i < job->n_arrays && !clv_check_only_times(job); i++) {
        struct clv_check_array *a = &job->array[i];
        if (a->got)
            CLV_TRY(clv_queue_read_wait(job->dev, a->t->buffer, byte_offset(a->t), a->got,
                                        (size_t)clv_tensor_bytes(a->t)));
    }
    return CLV_OK;
}

float clv_check_got(const struct clv_check_array *a, int s, int64_t i)
{
    const int64_t pixels = (int64_t)a->shape.h * a->shape.w, c = a->shape.c;
    return clv_stored_get(a->t->dtype, a->got, (s * pixels + i / c) * a->t->pitch + i % c);
}
