#include "base/hash.h"
#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <nettle/md5.h>
#include <nettle/version.h>
#include <string.h>

uint64_t clv_hash64(const void *data, size_t n, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t h = seed ? seed : 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

uint64_t clv_hash64_str(const char *s)
{
    return clv_hash64(s, strlen(s), 0);
}

void clv_sha256_init(struct clv_sha256 *s)
{
    sha256_init(&s->ctx);
}

void clv_sha256_add(struct clv_sha256 *s, const void *data, size_t n)
{
    if (n)
        sha256_update(&s->ctx, n, data);
}

struct clv_digest clv_sha256_finish(struct clv_sha256 *s)
{
    struct clv_digest d;
#if NETTLE_VERSION_MAJOR >= 4
    sha256_digest(&s->ctx, d.b);
#else
    sha256_digest(&s->ctx, sizeof(d.b), d.b);
#endif
    return d;
}

struct clv_digest clv_sha256(const void *data, size_t n)
{
    struct clv_sha256 s;
    clv_sha256_init(&s);
    clv_sha256_add(&s, data, n);
    return clv_sha256_finish(&s);
}

struct clv_digest clv_sha256_pieces(const char *const *pieces, size_t n)
{
    struct clv_sha256 s;
    clv_sha256_init(&s);
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(pieces[i]);
        unsigned char le[8]; /* the same digest on every machine */
        for (int b = 0; b < 8; b++)
            le[b] = (unsigned char)((uint64_t)length >> (8 * b));
        clv_sha256_add(&s, le, sizeof(le));
        clv_sha256_add(&s, pieces[i], length);
    }
    return clv_sha256_finish(&s);
}

static void hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void clv_digest_hex(const struct clv_digest *d, char out[65])
{
    hex(d->b, sizeof(d->b), out);
}

enum clv_err clv_md5_file(const char *path, char out[33], struct clv_error *err)
{
    struct md5_ctx ctx;
    uint8_t digest[16];
    unsigned char block[16384];
    char reason[128];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f)
        return clv_fail(err, CLV_ERR_IO, "cannot read %s: %s", path, clv_errno_text(reason, errno));
    md5_init(&ctx);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        md5_update(&ctx, n, block);
    const int why = ferror(f) ? errno : 0;
    fclose(f);
    if (why)
        return clv_fail(err, CLV_ERR_IO, "cannot read %s: %s", path, clv_errno_text(reason, why));
#if NETTLE_VERSION_MAJOR >= 4
    md5_digest(&ctx, digest);
#else
    md5_digest(&ctx, sizeof(digest), digest);
#endif
    hex(digest, sizeof(digest), out);
    return CLV_OK;
}
