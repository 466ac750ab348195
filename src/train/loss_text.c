/* class_weight=balanced: numbers that only the training images tell, put into the loss's text. */
#include "train/trainer.h"

#include "base/str.h"
#include "graph/op.h"
#include <stdlib.h>
#include <string.h>

static const struct clv_opt *find_weights(const struct clv_op *op)
{
    for (const struct clv_opt *o = op->opts; o && o->name; o++)
        if (!strcmp(o->name, "class_weight"))
            return o;
    return NULL;
}

/* The loss's options with another list of weights. */
static enum clv_err print(const struct clv_op *op, void *params, const struct clv_opt *at,
                          const struct clv_opt_list *list, char **ret, struct clv_error *err)
{
    struct clv_str s = {0};
    memcpy((char *)params + at->offset, list, sizeof *list);
    clv_str_addf(&s, "%s ", op->name);
    clv_opt_print(op->opts, params, false, &s);
    *ret = clv_str_take(&s);
    return *ret ? CLV_OK : clv_fail_nomem(err, "the loss");
}

enum clv_err clv_loss_reweigh(struct clv_context *ctx, const char *text, const struct clv_opt_list *list,
                              struct clv_opt_list *was, char **ret)
{
    const struct clv_op *op;
    const char *options;
    *was = (struct clv_opt_list){0};
    *ret = NULL;
    if (!text || !*text)
        return CLV_OK;
    CLV_TRY(clv_loss_choose(ctx, text, &op, &options));
    const struct clv_opt *at = find_weights(op);
    if (!at)
        return CLV_OK;
    void *params = calloc(1, op->params_size);
    if (!params)
        return clv_fail_nomem(&ctx->err, "the loss");
    enum clv_err e = clv_opt_parse(op->opts, params, op->name, options, &ctx->err);
    if (!e)
        memcpy(was, (char *)params + at->offset, sizeof *was);
    if (!e && list)
        e = print(op, params, at, list, ret, &ctx->err);
    free(params);
    return e;
}
