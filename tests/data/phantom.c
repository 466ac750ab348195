/* The phantom set: equal everywhere, balanced, never half there, never in another's place. */
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "base/hash.h"
#include "base/tmp.h"
#include "base/util.h"
#include "data/phantom_draw.h"
#include "make.h"
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

static struct make_log lines;

/* What these images are on every machine. When the drawing is changed on purpose, put in the sums
 * that the failing test prints, and repeat tools/dev/phantom_check.py. */
Test(phantom, same_pixels_everywhere)
{
    static const struct {
        int size;
        uint64_t seed, stream;
        bool opacity;
        const char *sha256;
    } cases[] = {
        {224, 0, 0, false, "1c932bd1d6514367df154c88e0874129e04ce763b74f43bcc2a2eaf8f9ec0e22"},
        {224, 1, (uint64_t)1 << 32, true,
         "6369128456b82de436ecbd9a6682860bfd41ff07a482184f319c47cec68eda6a"},
        {61, 123456789012345, (uint64_t)2 << 40 | 7, true,
         "6cb3e2647268e71590167a08616f210c34800def2fc6843a7aed518c31c1e170"},
    };
    static unsigned char pixels[224 * 224];
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        char hex[65];
        cr_assert_eq(clv_phantom_draw(cases[i].size, cases[i].seed, cases[i].stream,
                                      cases[i].opacity, pixels, NULL),
                     CLV_OK);
        const struct clv_digest d =
            clv_sha256(pixels, (size_t)cases[i].size * (size_t)cases[i].size);
        clv_digest_hex(&d, hex);
        cr_expect_str_eq(hex, cases[i].sha256, "case %zu: %s", i, hex);
    }
}

/* An opacity changes nothing outside the lungs and something inside: same scene, same noise. */
Test(phantom, classes_differ_only_in_the_lungs)
{
    enum { SIDE = 128 };
    static unsigned char normal[SIDE * SIDE], sick[SIDE * SIDE];
    for (uint64_t stream = 0; stream < 8; stream++) {
        int differ = 0, edge = 0;
        cr_assert_eq(clv_phantom_draw(SIDE, 5, stream, false, normal, NULL), CLV_OK);
        cr_assert_eq(clv_phantom_draw(SIDE, 5, stream, true, sick, NULL), CLV_OK);
        for (int i = 0; i < SIDE * SIDE; i++) {
            const int x = i % SIDE, y = i / SIDE;
            differ += normal[i] != sick[i];
            edge += normal[i] != sick[i] && (x < 6 || x >= SIDE - 6 || y < 6 || y >= SIDE - 6);
        }
        cr_expect(differ > 300 && differ < SIDE * SIDE / 2 && edge == 0, "%d %d", differ, edge);
    }
}

static enum clv_err phantom(struct clv_context *ctx, const char *out, size_t train, size_t val,
                            size_t test, bool force)
{
    return clv_data_phantom(
        ctx, out,
        &(struct clv_phantom_params){
            .size = 32, .seed = 9, .count = {train, val, test}, .force = force});
}

static size_t entries(const char *dir)
{
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(clv_dir_list(dir, &names, &n, NULL), CLV_OK);
    clv_list_free(names, n);
    return n;
}

Test(phantom, balanced_and_opens)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    cr_assert_eq(phantom(ctx, make_path(dir, "deep/er/set/"), 10, 5, 6, false), CLV_OK, "%s",
                 clv_error_text(ctx));
    struct clv_data *d = make_open(ctx, make_path(dir, "deep/er/set"), NULL);
    const struct clv_data_info *in = clv_data_get_info(d);
    cr_assert_eq(in->n_classes, 2);
    cr_expect_str_eq(in->classes[0], "NORMAL");
    cr_expect_str_eq(in->classes[1], "OPACITY");
    cr_expect(in->given_split && in->min_width == 32 && in->max_height == 32 && in->channels == 1);
    cr_expect(in->class_count[0][0] == 5 && in->class_count[0][1] == 5);
    cr_expect(in->class_count[1][0] == 3 && in->class_count[1][1] == 2);
    cr_expect(in->class_count[2][0] == 3 && in->class_count[2][1] == 3);
    cr_expect(in->duplicates == 0 && in->ignored == 0);
    cr_expect_eq(entries(make_path(dir, "deep/er")), 1, "nothing temporary is left");
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(phantom, more_images_change_none)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    unsigned char *a = NULL, *b = NULL;
    size_t na = 0, nb = 0;
    tmp_dir(dir);
    cr_assert_eq(phantom(ctx, make_path(dir, "few"), 4, 0, 2, false), CLV_OK);
    cr_assert_eq(phantom(ctx, make_path(dir, "many"), 8, 6, 4, false), CLV_OK);
    cr_expect(!clv_dir_exists(make_path(dir, "few/val")));
    static const char *const same[] = {"train/NORMAL/00002.png", "train/OPACITY/00001.png",
                                       "test/OPACITY/00001.png"};
    for (size_t i = 0; i < CLV_COUNT(same); i++) {
        cr_assert_eq(clv_file_read(make_path(make_path(dir, "few"), same[i]), &a, &na, NULL),
                     CLV_OK);
        cr_assert_eq(clv_file_read(make_path(make_path(dir, "many"), same[i]), &b, &nb, NULL),
                     CLV_OK);
        cr_expect(na == nb && !memcmp(a, b, na), "%s", same[i]);
        free(a);
        free(b);
    }
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(phantom, replaces_only_a_phantom_set_and_only_by_force)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    const char *set = make_path(dir, "set");
    cr_assert_eq(phantom(ctx, set, 4, 2, 2, false), CLV_OK);
    cr_expect_eq(phantom(ctx, set, 2, 2, 2, false), CLV_ERR_EXISTS);
    cr_expect(strstr(clv_error_text(ctx), "--force"), "%s", clv_error_text(ctx));
    cr_expect_eq(entries(make_path(set, "train/NORMAL")), 2);
    cr_expect_eq(phantom(ctx, set, 2, 2, 2, true), CLV_OK, "%s", clv_error_text(ctx));
    cr_expect_eq(entries(make_path(set, "train/NORMAL")), 1);
    cr_expect_eq(entries(dir), 1);
    make_file(set, "train/NORMAL/my_own.png", "x", 1);
    cr_expect_eq(phantom(ctx, set, 4, 2, 2, true), CLV_ERR_EXISTS);
    cr_expect(strstr(clv_error_text(ctx), "my_own.png"), "%s", clv_error_text(ctx));
    cr_expect_eq(entries(make_path(set, "train/NORMAL")), 2);
    make_file(dir, "file", "x", 1);
    cr_expect_eq(phantom(ctx, make_path(dir, "file"), 4, 2, 2, true), CLV_ERR_EXISTS);
    cr_expect_eq(entries(dir), 2);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(phantom, failure_leaves_nothing)
{
    char dir[64];
    struct clv_context *ctx = make_context(&lines);
    tmp_dir(dir);
    make_file(dir, "file", "x", 1);
    cr_expect_eq(phantom(ctx, make_path(dir, "file/set"), 4, 2, 2, false), CLV_ERR_WRITE);
    const char *set = make_path(dir, "set");
    cr_assert_eq(phantom(ctx, set, 4, 2, 2, false), CLV_OK);
    signal(SIGXFSZ, SIG_IGN); /* a disk that is full after 300 bytes of a file */
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){300, 300});
    cr_expect_eq(phantom(ctx, make_path(dir, "other"), 4, 2, 2, false), CLV_ERR_WRITE);
    cr_expect(strstr(clv_error_text(ctx), "00001.png"), "%s", clv_error_text(ctx));
    cr_expect_eq(phantom(ctx, set, 2, 2, 2, true), CLV_ERR_WRITE);
    cr_expect_eq(entries(make_path(set, "train/NORMAL")), 2, "the old set is whole");
    cr_expect_eq(entries(dir), 2, "file and set");
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(phantom, arguments)
{
    struct clv_context *ctx = make_context(&lines);
    struct clv_phantom_params p = {.size = 15, .count = {2, 2, 2}};
    cr_expect_eq(clv_data_phantom(ctx, "/tmp/never-made", &p), CLV_ERR_ARG);
    p.size = 16;
    p.count[1] = (size_t)-1;
    cr_expect_eq(clv_data_phantom(ctx, "/tmp/never-made", &p), CLV_ERR_ARG);
    cr_expect_eq(clv_data_phantom(ctx, "", &p), CLV_ERR_ARG);
    cr_expect(!clv_dir_exists("/tmp/never-made"));
    clv_context_destroy(&ctx);
}
