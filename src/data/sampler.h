/* Which samples make an epoch: all of them, shuffled, or draws with replacement that give rare classes their share. */
#ifndef CLV_DATA_SAMPLER_H
#define CLV_DATA_SAMPLER_H

#include "base/error.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clv_sampler;

/* label(priv, i), i < n: the class of sample i, from 0; they are read here only. NULL and "shuffle" leave *ret NULL: nothing
 * is drawn. n = 0: only the text is checked. Errors: CLV_ERR_ARG, CLV_ERR_NOMEM. */
CLV_CHECK enum clv_err clv_sampler_create(const char *text, size_t n, int32_t (*label)(const void *priv, size_t i),
                                          const void *priv, struct clv_error *err, struct clv_sampler **ret);
void clv_sampler_destroy(struct clv_sampler **s);
/* The samples of an epoch: order[n]. The same (seed, epoch) draws the same. */
void clv_sampler_order(const struct clv_sampler *s, uint64_t seed, uint64_t epoch, uint32_t *order);
void clv_sampler_help(struct clv_str *out);

#endif
