/* Files: read whole, write without ever leaving half a file, folders. Paths are UTF-8 bytes. */
#ifndef CLV_BASE_FILE_H
#define CLV_BASE_FILE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whole file into malloc'ed memory plus a NUL; caller frees. CLV_ERR_IO names file and reason. */
CLV_CHECK enum clv_err clv_file_read(const char *path, unsigned char **data, size_t *size,
                                     struct clv_error *err);

/* Atomic output: everything goes to a temporary name in the same folder; commit flushes, syncs
 * file and folder, and renames. Abort removes the temporary file. */
struct clv_out { FILE *f; char *path, *tmp; };
CLV_CHECK enum clv_err clv_out_open(struct clv_out *o, const char *path, struct clv_error *err);
CLV_CHECK enum clv_err clv_out_commit(struct clv_out *o, struct clv_error *err);
void clv_out_abort(struct clv_out *o); /* no-op after commit or on {0} */
/* The three above for data in memory. */
CLV_CHECK enum clv_err clv_file_write(const char *path, const void *data, size_t size,
                                      struct clv_error *err);

bool clv_file_exists(const char *path);
/* A word that is another one as soon as a file was written to or replaced, as far as the file system knows (its size,
 * number and times); "" where there is no such file. CLV_FILE_STAMP: bytes of text. */
enum { CLV_FILE_STAMP = 128 };
void clv_file_stamp(const char *path, char text[CLV_FILE_STAMP]);
bool clv_dir_exists(const char *path);
CLV_CHECK enum clv_err clv_mkdirs(const char *path, struct clv_error *err);
/* malloc'ed "a/b". */
char *clv_path_join(const char *a, const char *b);
const char *clv_path_base(const char *path); /* borrowed: after the last '/' */
/* Sorted (byte order) entry names without . and ..; caller frees with clv_list_free. */
CLV_CHECK enum clv_err clv_dir_list(const char *path, char ***names, size_t *n,
                                    struct clv_error *err);
void clv_list_free(char **names, size_t n);
/* $variable/clavicle ("XDG_CACHE_HOME") or ~/fallback/clavicle (".cache"); malloc'ed; NULL without a
 * home. The only reader of these variables. */
char *clv_xdg_dir(const char *variable, const char *fallback);

#endif
