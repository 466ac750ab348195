/* A buffer of its own for every planned tensor, NaN inside and guard zones around it. */
#include "base/util.h"
#include "step/step.h"
#include "step/stored.h"
#include <stdlib.h>
#include <string.h>

enum { GUARD = CLV_GUARD_BYTES };
static const uint32_t poison = 0x7fc0dead, guard_word = CLV_GUARD_WORD; /* a quiet NaN; a marker */

static size_t padded(const struct clv_tensor *t)
{
    return (size_t)clv_round_up(clv_tensor_bytes(t), 4);
}

static enum clv_err make_buffer(struct clv_device *dev, struct clv_tensor *t, struct clv_buffer **ret)
{
    const size_t bytes = padded(t);
    CLV_TRY(clv_buffer_create(dev, bytes + 2 * GUARD, ret));
    CLV_TRY(clv_queue_fill(dev, *ret, 0, GUARD, guard_word, -1));
    CLV_TRY(clv_queue_fill(dev, *ret, GUARD, bytes, clv_stored_nan(t->dtype, poison), -1));
    CLV_TRY(clv_queue_fill(dev, *ret, GUARD + bytes, GUARD, guard_word, -1));
    t->buffer = *ret;
    t->offset = GUARD / (size_t)clv_dtype_bytes(t->dtype);
    return CLV_OK;
}

enum clv_err clv_separate_bind(struct clv_device *dev, struct clv_steps *s, struct clv_separate *ret)
{
    *ret = (struct clv_separate){0};
    ret->buffer = calloc((size_t)s->n_tensors + 1, sizeof *ret->buffer);
    ret->tensor = calloc((size_t)s->n_tensors + 1, sizeof *ret->tensor);
    enum clv_err err = CLV_OK;
    if (!ret->buffer || !ret->tensor)
        err = clv_fail_nomem(clv_device_error(dev), "separate buffers");
    for (int i = 0; i < s->n_tensors && !err; i++) {
        struct clv_tensor *t = s->tensors[i];
        if (t->alias || (t->memory != CLV_MEMORY_ACTIVATION && t->memory != CLV_MEMORY_SCRATCH))
            continue;
        ret->tensor[ret->n] = t;
        err = make_buffer(dev, t, &ret->buffer[ret->n++]);
    }
    if (err)
        clv_separate_finish(ret);
    return err;
}

enum clv_err clv_separate_verify(struct clv_device *dev, const struct clv_separate *sep)
{
    uint32_t word[GUARD / 4];
    for (int i = 0; i < sep->n; i++) {
        const size_t where[2] = {0, GUARD + padded(sep->tensor[i])};
        for (int k = 0; k < 2; k++) {
            CLV_TRY(clv_queue_read_wait(dev, sep->buffer[i], where[k], word, GUARD));
            for (size_t j = 0; j < CLV_COUNT(word); j++)
                if (word[j] != guard_word)
                    return clv_fail(clv_device_error(dev), CLV_ERR_DATA,
                                    "tensor %s was written %zu bytes %s it", sep->tensor[i]->name,
                                    k ? j * 4 : GUARD - j * 4, k ? "behind" : "before");
        }
    }
    return CLV_OK;
}

void clv_separate_finish(struct clv_separate *sep)
{
    for (int i = 0; i < sep->n; i++)
        clv_buffer_destroy(&sep->buffer[i]);
    free(sep->buffer);
    free(sep->tensor);
    *sep = (struct clv_separate){0};
}
