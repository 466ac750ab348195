/* Lowering of contractions: sizes that the kernels' int arithmetic cannot count are refused. */
#include "contract/contract.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <string.h>

static const struct clv_schedule *const schedules[] = {&clv_schedule_vector, &clv_schedule_tiled,
                                                       &clv_schedule_simple};

/* Emits one layer over `in` x `in` pixels at stride `stride`; no tensor has memory. */
static enum clv_err emit(const struct clv_schedule *s, int batch, int in, int stride, int kernel,
                         int channels, enum clv_pass pass, struct clv_error *err, int *steps)
{
    const struct clv_caps caps = {.gpu_path = s == &clv_schedule_tiled,
                                  .units = 1,
                                  .vector_width = 8,
                                  .max_work_group = 256,
                                  .local_bytes = 65536,
                                  .max_alloc = 1 << 30};
    const int out = (in - 1) / stride + 1;
    struct clv_node node = {.name = "conv2d_7"};
    struct clv_steps list = {0};
    struct clv_tensor x = {.n = batch, .h = in, .w = in, .c = channels, .pitch = channels, .name = "x"};
    struct clv_tensor y = {.n = batch, .h = out, .w = out, .c = channels, .pitch = channels, .name = "y"};
    struct clv_tensor other = {.n = 1, .h = 1, .w = 1, .c = 1, .pitch = 1, .name = "w"};
    struct clv_emit e = {.err = err, .caps = &caps, .batch = batch, .state = &other,
                         .force_variant = s->name, .steps = &list};
    const struct clv_contract p = {
        .node = &node,
        .conv = {.ih = in, .iw = in, .ci = channels, .oh = out, .ow = out, .co = channels,
                 .kh = kernel, .kw = kernel, .sh = stride, .sw = stride, .dh = 1, .dw = 1,
                 .pt = kernel / 2, .pl = kernel / 2, .groups = 1},
        .x = &x, .w = &other, .y = &y, .dy = &y, .dw = &other, .dx = &x,
    };
    const enum clv_err code = clv_contract_emit(&e, &p, pass);
    *steps = list.n;
    clv_steps_finish(&list);
    return code;
}

Test(contract, more_pixels_than_an_int_counts)
{
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        for (int pass = CLV_PASS_FORWARD; pass <= CLV_PASS_BACKWARD; pass++) {
            struct clv_error err = {0};
            int steps;
            cr_expect_eq(emit(schedules[i], 32768, 256, 1, 3, 8, pass, &err, &steps), CLV_ERR_SHAPE);
            cr_expect(strstr(err.text, "conv2d_7") && strstr(err.text, "32768") &&
                      strstr(err.text, "256x256"), "%s", err.text);
            cr_expect_eq(steps, 0, "%s: %d steps of a refused layer", schedules[i]->name, steps);
            err = (struct clv_error){0};
            cr_expect_eq(emit(schedules[i], 32768, 256, 4, 3, 8, pass, &err, &steps), CLV_ERR_SHAPE,
                         "only the input is too large");
            err = (struct clv_error){0};
            cr_expect_eq(emit(schedules[i], 32767, 255, 1, 3, 8, pass, &err, &steps), CLV_OK, "%s: %s",
                         schedules[i]->name, err.text);
            cr_expect_gt(steps, 0);
        }
    }
}

Test(contract, longer_filters_than_an_int_counts)
{
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        struct clv_error err = {0};
        int steps;
        cr_expect_eq(emit(schedules[i], 1, 4096, 1, 4095, 256, CLV_PASS_FORWARD, &err, &steps),
                     CLV_ERR_SHAPE);
        cr_expect(strstr(err.text, "conv2d_7") && strstr(err.text, "4095x4095"), "%s", err.text);
    }
}
