#include "data/array.h"
#include "base/util.h"
#include <stdlib.h>

/* An item's index is its row; the part follows from the number of rows before. */
static size_t part_bytes(const struct clv_array_part *p)
{
    return (size_t)p->width * p->height * (size_t)p->channels;
}

enum clv_err clv_array_create(struct clv_data *d, struct clv_array **ret)
{
    struct clv_array *a = calloc(1, sizeof *a);
    if (!a)
        return clv_fail_nomem(&d->ctx->err, "the data set");
    d->priv = a;
    *ret = a;
    return CLV_OK;
}

static enum clv_err make_classes(struct clv_data *d, const struct clv_array *a)
{
    int most = 0;
    for (int k = 0; k < a->n_parts; k++)
        for (size_t i = 0; i < a->part[k].n; i++)
            most = CLV_MAX(most, a->part[k].labels[i]);
    int digits = 1;
    for (int m = most; m >= 10; m /= 10)
        digits++;
    d->classes = calloc((size_t)most + 1, sizeof *d->classes);
    if (!d->classes)
        return clv_fail_nomem(&d->ctx->err, "the class names");
    d->n_classes = most + 1;
    for (int c = 0; c <= most; c++) {
        d->classes[c] = clv_arena_printf(&d->arena, "%0*d", digits, c);
        if (!d->classes[c])
            return clv_fail_nomem(&d->ctx->err, "the class names");
    }
    return CLV_OK;
}

static enum clv_err add_part(struct clv_data *d, const struct clv_array_part *p, size_t before)
{
    const size_t bytes = part_bytes(p);
    for (size_t i = 0; i < p->n; i++) {
        struct clv_data_item *it = clv_data_add(d);
        if (it)
            it->path = clv_arena_printf(&d->arena, "%s/%zu", p->name, i);
        if (!it || !it->path)
            return clv_fail_nomem(&d->ctx->err, "the list of images");
        it->digest = clv_sha256(p->images + i * bytes, bytes);
        it->index = before + i;
        it->width = p->width;
        it->height = p->height;
        it->channels = p->channels;
        it->value_bytes = 1;
        it->label = p->labels[i];
        it->class_name = d->classes[it->label];
        it->given = p->given;
    }
    return CLV_OK;
}

enum clv_err clv_array_add_items(struct clv_data *d)
{
    const struct clv_array *a = d->priv;
    size_t before = 0;
    CLV_TRY(make_classes(d, a));
    for (int k = 0; k < a->n_parts; k++) {
        CLV_TRY(add_part(d, &a->part[k], before));
        before += a->part[k].n;
    }
    return CLV_OK;
}

enum clv_err clv_array_read(const struct clv_data *d, const struct clv_data_item *item,
                            struct clv_image *ret, struct clv_error *err)
{
    const struct clv_array *a = d->priv;
    size_t row = item->index;
    int k = 0;
    (void)err;
    while (row >= a->part[k].n)
        row -= a->part[k++].n;
    *ret = (struct clv_image){
        .width = item->width,
        .height = item->height,
        .channels = item->channels,
        .value_bytes = 1,
        .max = 255,
        .pixels = a->part[k].images + row * part_bytes(&a->part[k]),
    };
    return CLV_OK;
}

void clv_array_close(struct clv_data *d)
{
    struct clv_array *a = d->priv;
    for (int k = 0; a && k < CLV_ARRAY_MAX_PARTS; k++) {
        free(a->part[k].images);
        free(a->part[k].labels);
    }
    free(a);
    d->priv = NULL;
}
