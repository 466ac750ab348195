#include "check/check.h"

/* An input has nothing to compute: the case shows that what was put in is what the next layer sees.
 */
static const struct clv_check_case cases[] = {
    {"feeds",
     "",
     {{3, 5, 2}},
     .after = "relu",
     .fill = CLV_CHECK_DISTINCT,
     .flags = CLV_CHECK_SMALL},
};

static void reference(const struct clv_check_ref *r)
{
    (void)r; /* its values are given */
}

const struct clv_check clv_check_input = {
    .op = "input", CLV_CHECK_CASES(cases), .reference = reference};
