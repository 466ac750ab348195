/* Programs for PoCL that need no compiler at the start: bitcode handed over as a program's binary.
 *
 * PoCL keeps XX/PROGRAM/program.bc, the linked bitcode of a program, and beside it the machine code of
 * each kernel for each local size. From source it runs the preprocessor to find the folder again, 30 to
 * 50 ms a program. It also takes program.bc as a binary; then the folder's name follows from the bytes,
 * and where that folder has a program.bc PoCL reads it, in 1 to 10 ms. (Where it has none, PoCL 3.1 links
 * its library in a second time and may crash on the result: so it is put there, and looked for, first.)
 * clGetProgramInfo() would give a binary, too, but compiles every kernel once more for that.
 *
 * A cache entry of this kind is "pocl XX/PROGRAM\n" and the bitcode. */
#ifndef CLV_DEVICE_POCLWORK_H
#define CLV_DEVICE_POCLWORK_H

#include <stdbool.h>
#include <stddef.h>

/* ---- a worker, whose POCL_CACHE_DIR `own` nobody else uses ---- */
/* "XX/PROGRAM" of the one program in there beside `except` (may be NULL); malloc'ed. NULL when there is
 * none, or more than one. */
char *clv_poclwork_program(const char *own, const char *except);
/* Bytes of own/program/program.bc; malloc'ed. */
bool clv_poclwork_bitcode(const char *own, const char *program, unsigned char **data, size_t *size);
/* The entry of a program under the name that PoCL gives it as a binary; malloc'ed. */
bool clv_poclwork_wrap(const char *name, const void *bitcode, size_t size, unsigned char **entry,
                       size_t *entry_size);
/* Moves own/program to shared/name by renaming whole folders, so that nobody sees half of one; what is
 * there already stays. */
void clv_poclwork_publish(const char *own, const char *program, const char *shared,
                          const char *name);

/* ---- reading ---- */
/* Whether these bytes are such an entry. */
bool clv_poclwork_is_entry(const void *data, size_t size);
/* Where the bitcode begins in an entry whose folder in `shared` holds the same bitcode; 0 otherwise.
 * name may be NULL; else it receives "XX/PROGRAM", malloc'ed. */
size_t clv_poclwork_unwrap(const char *shared, const void *data, size_t size, char **name);

#endif
