/* Option tables. One table per op, optimizer, schedule, loss and augmentation serves text parsing,
 * printing, range checks, --help and the documentation.
 *
 * Text form: a first word (the table's owner) followed by key=value pairs separated by blanks:
 *   "conv2d filters=32 kernel_size=3x3 activation=relu"
 * Values contain no blanks. Lists are comma-separated. A bare value (no '=') sets the table's
 * entries in order, so "maxpool2d 2" is "maxpool2d pool_size=2". */
#ifndef CLV_BASE_OPT_H
#define CLV_BASE_OPT_H

#include "base/error.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum clv_opt_type {
    CLV_OPT_INT,    /* int */
    CLV_OPT_U64,    /* uint64_t */
    CLV_OPT_DOUBLE, /* double */
    CLV_OPT_BOOL,   /* bool: true/false/yes/no/1/0 */
    CLV_OPT_ENUM,   /* int: index into names */
    CLV_OPT_PAIR,   /* int[2]: "3" sets both, "3x5" height x width */
    CLV_OPT_RANGE,  /* double[2]: "a:b" low and high; a bare "a" means -a:a when a >= 0 */
    CLV_OPT_LIST,   /* struct clv_opt_list: comma-separated numbers, or one of the names: n is then -1 - its index */
    CLV_OPT_STRING, /* char[CLV_OPT_STRING_MAX] */
};
enum { CLV_OPT_LIST_MAX = 64, CLV_OPT_STRING_MAX = 128 };
struct clv_opt_list { int n; double v[CLV_OPT_LIST_MAX]; };

struct clv_opt {
    const char *name;         /* Keras' parameter name where Keras has one; NULL ends the table */
    const char *help;         /* one sentence, with the unit */
    enum clv_opt_type type;
    size_t offset;            /* offsetof in the params struct */
    const char *def;          /* default in text form; NULL = required */
    double min, max;          /* inclusive; both 0 = unbounded */
    const char *const *names; /* ENUM, LIST (may be NULL): NULL-terminated */
};

/* Sets every option to its default (required ones stay zero). */
void clv_opt_defaults(const struct clv_opt *opts, void *params);

/* Parses text (NULL and "" are empty) over the defaults. `who` begins every message ("conv2d").
 * Unknown names are answered with the nearest known name and the list. Every required option must
 * be given. Error code CLV_ERR_ARG; err->at is where the faulty word begins. */
CLV_CHECK enum clv_err clv_opt_parse(const struct clv_opt *opts, void *params, const char *who,
                                     const char *text, struct clv_error *err);

/* The same text back, canonical, only what differs from the default (all = everything). */
void clv_opt_print(const struct clv_opt *opts, const void *params, bool all, struct clv_str *out);

/* "  filters=INT  number of output channels (1..65536, required)" a line per option. */
void clv_opt_help(const struct clv_opt *opts, struct clv_str *out);

/* The owner of a table, the first word of "adam learning_rate=0.01", among names[0..n-1]: its index, and
 * the options behind it (within text). An unknown word is CLV_ERR_ARG with the nearest name and the list;
 * `what` says what was looked for ("optimizer"). */
CLV_CHECK enum clv_err clv_opt_choose(const char *what, const char *text, const char *const *names,
                                      size_t n, size_t *index, const char **options,
                                      struct clv_error *err);

/* Nearest of n names by edit distance, NULL if none is near: for "did you mean". */
const char *clv_nearest(const char *word, const char *const *names, size_t n);

#endif
