/* The disk cache of compiled programs: files by key in one folder. Knows nothing of OpenCL.
 *
 * A file <key in hex>.clvbin is 48 + 32 bytes of header and the payload:
 *   0  "CLVPROG\n"
 *   8  format version, 32 bits     all numbers little-endian
 *  12  0, 32 bits
 *  16  payload bytes, 64 bits
 *  24  reserved, 0, 24 bytes
 *  48  SHA-256 of key and payload
 * Files appear by rename, so that processes may share a folder: a reader finds a whole file or none,
 * and of two writers the last one wins with the same content. What is damaged, foreign, of another
 * version or stored under another key counts as missing. Nothing in here is an error: without
 * a working cache programs are compiled; the reason goes to the debug log. */
#ifndef CLV_DEVICE_CACHEFILE_H
#define CLV_DEVICE_CACHEFILE_H

#include "base/context.h"
#include "base/hash.h"
#include <stdbool.h>
#include <stddef.h>

/* Raise it when the header, or what goes into the key, changes. */
enum { CLV_CACHE_FORMAT = 1 };

/* True: *data is malloc'ed and the caller's, and the file counts as just used. */
bool clv_cachefile_load(const struct clv_context *ctx, const char *dir,
                        const struct clv_digest *key, unsigned char **data, size_t *size);
/* Whether there is such a file; it may be damaged all the same. */
bool clv_cachefile_exists(const char *dir, const struct clv_digest *key);
/* Whether the folder is there, or can be made, and may be written to. */
bool clv_cachefile_can_store(const char *dir);
/* Writes one entry, makes the folder if need be, and trims the folder to max_bytes. */
void clv_cachefile_store(const struct clv_context *ctx, const char *dir, unsigned long long max_bytes,
                         const struct clv_digest *key, const void *data, size_t size);
/* Removes entries, the longest unused first, until the rest takes at most max_bytes. */
void clv_cachefile_trim(const struct clv_context *ctx, const char *dir,
                        unsigned long long max_bytes);

#endif
