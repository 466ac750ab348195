/* Test-time augmentation: the views of an image whose probabilities are averaged, the same for every image. */
#ifndef CLV_DATA_VIEWS_H
#define CLV_DATA_VIEWS_H

#include "data/pipeline.h"

enum { CLV_MAX_VIEWS = 64 };

struct clv_views {
    int n;                 /* 0 = the image as it is, alone */
    struct clv_draw *draw; /* [n] */
    char **name;           /* [n]: "as it is", "flip=horizontal rotation=5" */
};

/* text: "" and NULL none; a number N: the image as it is and N - 1 draws from p's augmentation, by seed (no erasing); else
 * options, every combination of which is a view. Errors: CLV_ERR_ARG; finish it in any case. */
CLV_CHECK enum clv_err clv_views_init(struct clv_views *v, const char *text, const struct clv_pipeline *p, uint64_t seed,
                                      struct clv_error *err);
void clv_views_finish(struct clv_views *v);
/* The options, a line each; malloc'ed. */
void clv_views_help(struct clv_str *out);

#endif
