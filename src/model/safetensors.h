/* The safetensors file format: 8 bytes little-endian header length, a JSON header
 * {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {..}},
 * then the tensors. https://github.com/huggingface/safetensors#format . Only F32 so far. */
#ifndef CLV_MODEL_SAFETENSORS_H
#define CLV_MODEL_SAFETENSORS_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- writing: declare everything, then write the arrays in the same order, then commit ---- */
struct clv_safetensors_writer;
CLV_CHECK enum clv_err clv_safetensors_create(const char *path, struct clv_safetensors_writer **ret,
                                              struct clv_error *err);
CLV_CHECK enum clv_err clv_safetensors_meta(struct clv_safetensors_writer *w, const char *key,
                                            const char *value, struct clv_error *err);
CLV_CHECK enum clv_err clv_safetensors_declare(struct clv_safetensors_writer *w, const char *name,
                                               const int *dims, int n_dims, struct clv_error *err);
CLV_CHECK enum clv_err clv_safetensors_write(struct clv_safetensors_writer *w, const float *data,
                                             uint64_t count, struct clv_error *err);
/* Syncs and renames into place. */
CLV_CHECK enum clv_err clv_safetensors_commit(struct clv_safetensors_writer *w, struct clv_error *err);
/* Frees the writer; removes what was not committed; accepts &NULL. */
void clv_safetensors_abort(struct clv_safetensors_writer **w);

/* ---- reading: any bytes give an error or a file, never a crash ---- */
struct clv_safetensors;
CLV_CHECK enum clv_err clv_safetensors_open(const char *path, struct clv_safetensors **ret,
                                            struct clv_error *err);
void clv_safetensors_close(struct clv_safetensors **f);
bool clv_safetensors_has(const struct clv_safetensors *f, const char *name);
/* Borrowed data, aligned for float. CLV_ERR_MISMATCH names tensor and both shapes. */
CLV_CHECK enum clv_err clv_safetensors_find(const struct clv_safetensors *f, const char *name,
                                            const int *dims, int n_dims, const float **data,
                                            struct clv_error *err);
/* NULL if there is none. Borrowed. */
const char *clv_safetensors_get_meta(const struct clv_safetensors *f, const char *key);

#endif
