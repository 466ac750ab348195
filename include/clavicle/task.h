/* What a network is asked: the kind of its targets, and with it outputs, losses and metrics. */
#ifndef CLAVICLE_TASK_H
#define CLAVICLE_TASK_H

#include <clavicle/export.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clv_task {
    CLV_TASK_AUTO,        /* as data and network are: several labels an image MULTI_LABEL, two classes BINARY, else MULTI_CLASS */
    CLV_TASK_MULTI_CLASS, /* one of several classes: an output for each */
    CLV_TASK_BINARY,      /* one of two classes: an output for each, or one, the probability of class 1 */
    CLV_TASK_MULTI_LABEL, /* each label there or not, independently: a sigmoid output for each */
    CLV_TASK_ORDINAL,     /* one of several grades in order: an output for each grade (softmax), or one for each step between
                           * neighbours (sigmoid): the probability that the grade is above it */
};

/* "auto", "multi-class", "binary", "multi-label", "ordinal". */
CLV_API const char *clv_task_name(enum clv_task task);
/* The task of that name; false when there is none. */
CLV_API bool clv_task_parse(const char *name, enum clv_task *ret);

#ifdef __cplusplus
}
#endif
#endif
