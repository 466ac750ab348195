#include "ops/resize.h"

enum { TENSORS = 5, MAX_ARGS = TENSORS + 9 };

enum clv_err clv_resize_emit(struct clv_emit *e, const struct clv_node *node, enum clv_pass pass, bool wide,
                             const struct clv_resize *r)
{
    const struct clv_shape in = node->in[0]->shape, out = node->shape;
    const bool forward = pass == CLV_PASS_FORWARD;
    struct clv_tensor *from = forward ? clv_emit_in(e, node, 0) : clv_emit_grad_out(e, node);
    struct clv_tensor *to = forward ? clv_emit_out(e, node) : NULL;
    bool accumulate = false;
    if (!forward) {
        CLV_TRY(clv_emit_grad_in(e, node, 0, &to, &accumulate));
        if (!to)
            return CLV_OK;
    }
    const struct clv_launch l = clv_launch_cells(e, wide, forward ? out : in);
    const struct clv_emit_info info = clv_launch_info(e, node, pass);
    const int size[] = {in.h, in.w, out.h, out.w, out.c};
    struct clv_arg arg[MAX_ARGS] = {CLV_IN(e->state), CLV_PIXELS_IN(from), CLV_PIXELS_ADD(to, accumulate)};
    int n = TENSORS;
    if (!forward)
        arg[n++] = (struct clv_arg)CLV_I32(accumulate);
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        arg[n++] = (struct clv_arg)CLV_I32(size[i]);
    for (int i = 0; i < r->n_extra; i++)
        arg[n++] = (struct clv_arg)CLV_I32(r->extra[i]);
    arg[n++] = (struct clv_arg)CLV_U32(l.chunk);
    return clv_emit_kernel(e, &info,
                           &(struct clv_kernel_step){.source = r->source,
                                                     .name = forward ? r->forward : r->backward,
                                                     .options = clv_emit_options(e, "%s%s", r->options, l.options),
                                                     CLV_LAUNCH(l),
                                                     .args = arg,
                                                     .n_args = n});
}
