/* A guard over the folder in which PoCL keeps compiled code (<cache folder>/pocl).
 *
 * PoCL trusts that folder: a program or an object file that is empty, cut short or altered, by
 * a crash of the machine for instance, ends every later process with abort() or runs wrong code.
 * So clv_poclcache_seal() writes down the SHA-256 of every file (<cache folder>/pocl.sums), and
 * clv_poclcache_check() removes the programs whose files do not agree; PoCL compiles them again.
 * Reading a large folder takes a second, so files that the file system calls unchanged since they were
 * sealed (clv_file_stamp) are not read as long as the machine has been up: what a crash lost shows none
 * of its marks. Where the machine does not tell when it was started, all are.
 * A file that no seal knows, left by a process that was killed, must at least look whole.
 * Never an error; the reason for a removal goes to the debug log. */
#ifndef CLV_DEVICE_POCLCACHE_H
#define CLV_DEVICE_POCLCACHE_H

#include "base/context.h"

/* Before the first OpenCL call of the process. */
void clv_poclcache_check(const struct clv_context *ctx, const char *cache_dir);
/* When a device closes. Does nothing unless POCL_CACHE_DIR is the folder in cache_dir. */
void clv_poclcache_seal(const struct clv_context *ctx, const char *cache_dir);
/* Removes such a folder with all that PoCL left in it. */
void clv_poclcache_remove(const char *dir);

#endif
