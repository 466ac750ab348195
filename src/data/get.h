/* Where the files of a known data set are, and fetching them. */
#ifndef CLV_DATA_GET_H
#define CLV_DATA_GET_H

#include "base/context.h"
#include <clavicle/data.h>

enum { CLV_PLACE_FILES = 4 };

struct clv_place {
    const char *base, *suffix; /* address = base file suffix */
    const char *folder;        /* below OUT, and below a mirror */
    struct {
        const char *name, *md5;
    } files[CLV_PLACE_FILES]; /* ends with the first NULL name */
};

/* clv_data_get() for one place; params is not NULL here. *path is malloc'ed: the file, or for a
 * place of several files their folder. */
CLV_CHECK enum clv_err clv_place_get(struct clv_context *ctx, const struct clv_place *place,
                                     const struct clv_data_get_params *params, char **path);

#endif
