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

/* The text that clv_model_load() would parse, and the name that its messages would begin with: both
 * malloc'ed. Same errors. */
CLV_CHECK enum clv_err clv_model_text(struct clv_context *ctx, const char *name_or_path, char **text,
                                      char **name);

#endif
