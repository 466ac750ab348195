#include "ops/dice_check.h"

/* 70 x 70 pixels are two slices on a CPU, and many on a GPU. */
static const struct clv_check_case cases[] = {
    {"logits", "", {{5, 7, 1}}, .batch = 3, .n = 2, .before = "sigmoid", .flags = CLV_CHECK_SMALL},
    {"overlapping", "", {{3, 5, 3}}, .before = "sigmoid", .targets = CLV_CHECK_SOFT},
    {"weights", "dice=0.5 crossentropy=2", {{4, 4, 3}}, .before = "sigmoid", .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"Dice alone", "crossentropy=0", {{3, 4, 2}}, .before = "sigmoid"},
    {"one pixel", "", {{1, 1, 5}}, .batch = 4, .before = "sigmoid"},
    {"slices", "", {{70, 70, 2}}, .batch = 1, .before = "sigmoid"},
    {"probabilities", "", {{4, 3, 2}}, .fill = CLV_CHECK_UNIT, .flags = CLV_CHECK_SMALL},
    {"unfused", "smooth=2", {{3, 3, 4}}, .before = "sigmoid", .flags = CLV_CHECK_NO_FUSE},
    {"evaluation", "", {{4, 5, 2}}, .batch = 3, .n = 2, .before = "sigmoid", .flags = CLV_CHECK_EVAL},
};

static void reference(const struct clv_check_ref *r)
{
    clv_dice_reference(r, true);
}

const struct clv_check clv_check_dice_binary_crossentropy = {
    .op = "dice_binary_crossentropy", CLV_CHECK_CASES(cases), .reference = reference};
