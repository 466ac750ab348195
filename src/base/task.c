#include <clavicle/task.h>

#include "base/util.h"
#include <string.h>

static const char *const names[] = {[CLV_TASK_AUTO] = "auto",
                                    [CLV_TASK_MULTI_CLASS] = "multi-class",
                                    [CLV_TASK_BINARY] = "binary",
                                    [CLV_TASK_MULTI_LABEL] = "multi-label",
                                    [CLV_TASK_ORDINAL] = "ordinal"};

const char *clv_task_name(enum clv_task task)
{
    return (unsigned)task < CLV_COUNT(names) ? names[task] : "?";
}

bool clv_task_parse(const char *name, enum clv_task *ret)
{
    for (size_t i = 0; i < CLV_COUNT(names); i++) {
        if (strcmp(name, names[i]))
            continue;
        *ret = (enum clv_task)i;
        return true;
    }
    return false;
}
