/* Hashes: FNV-1a for tables, SHA-256 and MD5 (nettle) for content. */
#ifndef CLV_BASE_HASH_H
#define CLV_BASE_HASH_H

#include "base/error.h"
#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

/* FNV-1a; seed 0 to begin, or the hash so far to go on. */
uint64_t clv_hash64(const void *data, size_t n, uint64_t seed);
uint64_t clv_hash64_str(const char *s);

struct clv_digest { uint8_t b[32]; };
struct clv_digest clv_sha256(const void *data, size_t n);
/* The same piece by piece. Nothing to free. */
struct clv_sha256 { struct sha256_ctx ctx; };
void clv_sha256_init(struct clv_sha256 *s);
void clv_sha256_add(struct clv_sha256 *s, const void *data, size_t n);
struct clv_digest clv_sha256_finish(struct clv_sha256 *s);
/* Digest of several pieces, each preceded by its length so that pieces cannot run together. */
struct clv_digest clv_sha256_pieces(const char *const *pieces, size_t n);
void clv_digest_hex(const struct clv_digest *d, char out[65]);
/* MD5 of a file as 32 hex digits and NUL. */
CLV_CHECK enum clv_err clv_md5_file(const char *path, char out[33], struct clv_error *err);

#endif
