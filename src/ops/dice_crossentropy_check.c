#include "ops/dice_check.h"

/* 70 x 70 pixels are two slices on a CPU, and many on a GPU. */
static const struct clv_check_case cases[] = {
    {"logits", "", {{5, 7, 2}}, .batch = 3, .n = 2, .before = "softmax", .flags = CLV_CHECK_SMALL},
    {"large logits", "", {{3, 2, 4}}, .before = "softmax", .fill = CLV_CHECK_LARGE},
    {"no background", "background=no smooth=0.01", {{4, 3, 3}}, .before = "softmax"},
    {"weights", "dice=0.5 crossentropy=2", {{4, 4, 3}}, .before = "softmax", .flags = CLV_CHECK_PITCH | CLV_CHECK_SMALL},
    {"Dice alone", "crossentropy=0", {{3, 4, 2}}, .before = "softmax"},
    {"one pixel", "", {{1, 1, 5}}, .batch = 4, .before = "softmax"},
    {"slices", "", {{70, 70, 2}}, .batch = 1, .before = "softmax"},
    {"probabilities", "", {{4, 3, 2}}, .fill = CLV_CHECK_UNIT, .flags = CLV_CHECK_SMALL},
    {"unfused", "smooth=2", {{3, 3, 4}}, .before = "softmax", .flags = CLV_CHECK_NO_FUSE},
    {"evaluation", "", {{4, 5, 2}}, .batch = 3, .n = 2, .before = "softmax", .flags = CLV_CHECK_EVAL},
};

static void reference(const struct clv_check_ref *r)
{
    clv_dice_reference(r, false);
}

const struct clv_check clv_check_dice_crossentropy = {
    .op = "dice_crossentropy", CLV_CHECK_CASES(cases), .reference = reference};
