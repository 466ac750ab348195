/* Inside of the model room. */
#ifndef CLV_MODEL_MODEL_H
#define CLV_MODEL_MODEL_H

#include "graph/graph.h"
#include <clavicle/model.h>

/* A file of share/models as it was when the library was built. */
struct clv_builtin_model {
    const char *name; /* "lenet" */
    const char *text;
};
/* Generated from share/models; {NULL} ends. */
extern const struct clv_builtin_model clv_builtin_models[];

#endif
