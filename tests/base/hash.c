#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "base/hash.h"
#include "base/file.h"
#include "tmp.h"

#include <string.h>

Test(hash, fnv1a)
{
    /* Vectors of Noll's FNV pages (draft-eastlake-fnv). */
    cr_assert_eq(clv_hash64_str(""), 0xcbf29ce484222325u);
    cr_assert_eq(clv_hash64_str("a"), 0xaf63dc4c8601ec8cu);
    cr_assert_eq(clv_hash64_str("foobar"), 0x85944171f73967e8u);
    cr_assert_eq(clv_hash64("bar", 3, clv_hash64("foo", 3, 0)), clv_hash64_str("foobar"));
}

static void expect(struct clv_digest d, const char *hex)
{
    char text[65];
    clv_digest_hex(&d, text);
    cr_assert_str_eq(text, hex);
}

Test(hash, sha256)
{
    /* FIPS 180-2, appendix B. */
    expect(clv_sha256("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(clv_sha256("abc", 3),
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    expect(clv_sha256(two, strlen(two)),
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    struct clv_sha256 s;
    clv_sha256_init(&s);
    for (int i = 0; i < 1000; i++) {
        char block[1000];
        memset(block, 'a', sizeof(block));
        clv_sha256_add(&s, block, sizeof(block));
    }
    expect(clv_sha256_finish(&s),
           "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

Test(hash, pieces_do_not_run_together)
{
    const struct clv_digest a = clv_sha256_pieces((const char *[]){"ab", "c"}, 2);
    const struct clv_digest b = clv_sha256_pieces((const char *[]){"a", "bc"}, 2);
    const struct clv_digest c = clv_sha256_pieces((const char *[]){"abc"}, 1);
    const struct clv_digest d = clv_sha256_pieces((const char *[]){"ab", "c"}, 2);
    cr_assert(memcmp(a.b, b.b, 32) && memcmp(a.b, c.b, 32) && memcmp(b.b, c.b, 32));
    cr_assert(!memcmp(a.b, d.b, 32));
}

Test(hash, md5_of_a_file)
{
    /* RFC 1321, appendix A.5. */
    static const char *const cases[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    char d[64], p[128], hex[33];
    tmp_dir(d);
    snprintf(p, sizeof(p), "%s/f", d);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(clv_file_write(p, cases[i][0], strlen(cases[i][0]), NULL), CLV_OK);
        cr_assert_eq(clv_md5_file(p, hex, NULL), CLV_OK);
        cr_assert_str_eq(hex, cases[i][1]);
    }
    struct clv_error err = {0};
    tmp_remove(d);
    cr_assert_eq(clv_md5_file(p, hex, &err), CLV_ERR_IO);
    cr_assert_not_null(strstr(err.text, p));
    cr_assert_eq(clv_md5_file("/tmp", hex, &err), CLV_ERR_IO);
}
