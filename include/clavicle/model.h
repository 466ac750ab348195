/* Model files: the text language of layers, and the built-in models.
 *
 *     # comment
 *     let classes = 2                     default of a variable; callers may set it
 *     input 224 224 3                     or: input $height $width $channels
 *     conv2d filters=32 kernel_size=3 activation=relu
 *     skip = maxpool2d 2                  a named node
 *     conv2d filters=32 kernel_size=3 padding=same
 *     add from=skip,_                     inputs by name; _ is the line before
 *     dense units=$classes activation=softmax
 *
 * A line takes the line before as its input unless from= names others. The last line is the output.
 * `block NAME PARAMETER ...` to `end` makes a layer of layers, `repeat N` to `end` runs lines N times.
 * The grammar is in docs/model-language.md. */
#ifndef CLAVICLE_MODEL_H
#define CLAVICLE_MODEL_H

#include <clavicle/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clv_variable { const char *name; int value; };

/* Parses model text. `name` is the file name for messages ("FILE:LINE:COLUMN: ..."). variables
 * override the file's `let` lines; those the file does not mention are ignored.
 * Error CLV_ERR_MODEL. *ret is untouched on failure. */
CLV_API CLV_CHECK enum clv_err clv_model_parse(struct clv_context *ctx, const char *text,
                                               const char *name,
                                               const struct clv_variable *variables,
                                               size_t n_variables, struct clv_graph **ret);

/* A built-in name ("tutorial-cnn", "lenet", "resnet18", ...), or the path of a model file. A name is looked for
 * as $CLAVICLE_MODEL_DIR/NAME.model first, then among the built-in models, which are compiled in,
 * then as a path; with a '/' in it, it is a path. CLV_ERR_MODEL: a name that is none of these (with
 * the list of names), or a fault in the text; CLV_ERR_IO: the file cannot be read. */
CLV_API CLV_CHECK enum clv_err clv_model_load(struct clv_context *ctx, const char *name_or_path,
                                              const struct clv_variable *variables,
                                              size_t n_variables, struct clv_graph **ret);

/* Name of the index-th built-in model, NULL behind the last. Static. */
CLV_API const char *clv_model_builtin(size_t index);

#ifdef __cplusplus
}
#endif
#endif
