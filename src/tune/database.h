/* What was measured, on disk: CLAVICLE_CACHE_DIR/tuning.txt, a text that people may read, edit and
 * copy. A line is
 *
 *     platform|device|driver|kernels|problem|choice|seconds|seconds of the fallback
 *
 * with '#' lines between. `kernels` changes with Clavicle's version and its kernels, so what was
 * measured with others is no longer looked at. Lines of other devices stay as they are; lines that
 * are damaged are skipped with one warning and left out when the file is next written. Of two lines
 * for one problem the last counts. Writers lock tuning.lock, read again, merge and rename, so that
 * processes may share a folder. */
#ifndef CLV_TUNE_DATABASE_H
#define CLV_TUNE_DATABASE_H

#include "base/str.h"
#include "contract/selection.h"

struct clv_tuning_line {
    char *problem, *choice;
    double seconds, fallback; /* of the choice, of what is taken without a tuner; 0 = not known */
};
struct clv_tuning {
    struct clv_tuning_line *line;
    int n, cap;
};

/* Adds a line, or replaces that of the same problem. */
CLV_CHECK enum clv_err clv_tuning_put(struct clv_tuning *t, const char *problem, const char *choice,
                                      double seconds, double fallback, struct clv_error *err);
const struct clv_tuning_line *clv_tuning_find(const struct clv_tuning *t, const char *problem);
void clv_tuning_finish(struct clv_tuning *t);
/* "problem|choice|seconds|seconds" and a newline. */
void clv_tuning_print(struct clv_str *s, const struct clv_tuning_line *l);

/* malloc'ed; *ret is NULL without a cache folder. */
CLV_CHECK enum clv_err clv_tuning_path(struct clv_context *ctx, char **ret);
/* The lines of this device and these kernels. A file that is not there has none; one that cannot be
 * read neither, with a warning. */
CLV_CHECK enum clv_err clv_tuning_load(struct clv_device *dev, struct clv_tuning *ret);
/* Merges the lines into the file. CLV_ERR_WRITE: folder and reason; CLV_ERR_ARG without a cache
 * folder. */
CLV_CHECK enum clv_err clv_tuning_save(struct clv_device *dev, const struct clv_tuning *t);

/* ---- shipped with the library: share/tune/NAME.tune, lines "problem|choice|seconds|seconds" ----
 */

struct clv_builtin_tuning {
    const char *name; /* "avx512": CPU devices with registers of 16 floats; "avx2": 8 */
    const char *text;
};
/* Generated from share/tune; {NULL} ends. */
extern const struct clv_builtin_tuning clv_builtin_tunings[];
/* Those of the device's class: none on GPUs. */
CLV_CHECK enum clv_err clv_tuning_builtin(struct clv_device *dev, struct clv_tuning *ret);

/* ---- for lowering ---- */

/* What shipped lines say, then what the file's say. */
CLV_CHECK enum clv_err clv_tuning_select(struct clv_device *dev, const struct clv_tuning *own,
                                         struct clv_selection *ret);

#endif
