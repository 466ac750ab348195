/* Downloads, against a local server that serves well and badly. */
#define _XOPEN_SOURCE 700
#include "data/get.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/tmp.h"
#include "clv_config.h"
#include "make.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct make_log lines;
enum { BYTES = 300000 };

/* A folder with www/set.bin, the server over www, and the place that describes the file. */
struct site {
    char dir[64], url[64], sum[33];
    const char *log, *out;
    unsigned char *bytes;
    struct clv_context *ctx;
    struct clv_place place;
    FILE *from; /* the server's stdout */
    int to;     /* its stdin: closing ends it */
};

static void start_server(struct site *s)
{
    int in[2], out[2];
    char script[512], port[16] = "";
    snprintf(script, sizeof script, "%s/tests/data/range_server.py",
             getenv("CLAVICLE_TEST_SOURCE"));
    cr_assert_eq(pipe(in), 0);
    cr_assert_eq(pipe(out), 0);
    if (fork() == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", script, make_path(s->dir, "www"), s->log, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s->to = in[1];
    s->from = fdopen(out[0], "r");
    cr_assert_not_null(fgets(port, sizeof port, s->from), "the server did not start");
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", atoi(port));
}

static struct site *open_site(void)
{
#ifndef CLV_HAVE_CURL
    cr_skip_test("built without libcurl");
#endif
    static struct site s;
    static char log[128], out[128];
    setenv("no_proxy", "*", 1);
    unsetenv("CLAVICLE_DATA");
    s.ctx = make_context(&lines);
    tmp_dir(s.dir);
    snprintf(log, sizeof log, "%s/log", s.dir);
    snprintf(out, sizeof out, "%s/out", s.dir);
    s.log = log;
    s.out = out;
    s.bytes = malloc(BYTES);
    for (unsigned i = 0; i < BYTES; i++)
        s.bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    make_file(s.dir, "www/set.bin", s.bytes, BYTES);
    cr_assert_eq(clv_md5_file(make_path(s.dir, "www/set.bin"), s.sum, NULL), CLV_OK);
    s.place = (struct clv_place){.base = "http://127.0.0.1:1/",
                                 .suffix = "",
                                 .folder = "sets",
                                 .files = {{"set.bin", s.sum}}};
    start_server(&s);
    return &s;
}

static void close_site(struct site *s)
{
    close(s->to);
    fclose(s->from);
    free(s->bytes);
    clv_context_destroy(&s->ctx);
    tmp_remove(s->dir);
}

/* As clv_place_get, from /how of the server. */
static enum clv_err get(struct site *s, const char *how, char **path)
{
    char base[96];
    snprintf(base, sizeof base, "%s/%s", s->url, how);
    return clv_place_get(s->ctx, &s->place,
                         &(struct clv_data_get_params){.out = s->out, .base_url = base}, path);
}

static void expect_fetched(struct site *s, const char *how)
{
    char *path = NULL, sum[33] = "";
    cr_assert_eq(get(s, how, &path), CLV_OK, "%s: %s", how, clv_error_text(s->ctx));
    cr_assert_str_eq(path, make_path(s->out, "sets/set.bin"));
    cr_assert_eq(clv_md5_file(path, sum, NULL), CLV_OK);
    cr_expect_str_eq(sum, s->sum);
    cr_expect(!clv_file_exists(make_path(s->out, "sets/set.bin.part")));
    free(path);
}

static void expect_refused(struct site *s, const char *how, enum clv_err code, const char *word)
{
    char *path = NULL;
    cr_assert_eq(get(s, how, &path), code, "%s: %s", how, clv_error_text(s->ctx));
    cr_expect_null(path);
    cr_expect(strstr(clv_error_text(s->ctx), word), "%s", clv_error_text(s->ctx));
    cr_expect(!strchr(clv_error_text(s->ctx), '\n'), "one line");
    cr_expect(!clv_file_exists(make_path(s->out, "sets/set.bin")));
}

static bool asked_for(const struct site *s, const char *line)
{
    unsigned char *text = NULL;
    size_t n = 0;
    if (clv_file_read(s->log, &text, &n, NULL))
        return false;
    const bool there = strstr((char *)text, line) != NULL;
    free(text);
    return there;
}

Test(get, whole_then_not_again)
{
    struct site *s = open_site();
    expect_fetched(s, "ok");
    cr_expect(asked_for(s, "/ok/set.bin -\n"));
    remove(s->log);
    expect_fetched(s, "ok"); /* is there and has the sum: no request */
    cr_expect(!clv_file_exists(s->log));
    make_file(s->out, "sets/set.bin", "damaged", 7);
    expect_fetched(s, "ok");
    cr_expect(clv_file_exists(s->log));
    close_site(s);
}

Test(get, resumes_what_is_there)
{
    struct site *s = open_site();
    make_file(s->out, "sets/set.bin.part", s->bytes, 100000);
    expect_fetched(s, "ok");
    cr_expect(asked_for(s, "/ok/set.bin bytes=100000-\n"));
    cr_expect(!asked_for(s, "/ok/set.bin -\n"));
    close_site(s);
}

Test(get, complete_part_is_taken)
{
    struct site *s = open_site();
    make_file(s->out, "sets/set.bin.part", s->bytes, BYTES);
    expect_fetched(s, "ok");
    close_site(s);
}

Test(get, server_without_ranges)
{
    struct site *s = open_site();
    make_file(s->out, "sets/set.bin.part", s->bytes, 100000);
    expect_fetched(s, "norange");
    close_site(s);
}

Test(get, foreign_part_is_thrown_away)
{
    struct site *s = open_site();
    make_file(s->out, "sets/set.bin.part", "something else", 14);
    expect_fetched(s, "ok");
    cr_expect(asked_for(s, "bytes=14-\n"));
    cr_expect(asked_for(s, "/ok/set.bin -\n"));
    close_site(s);
}

Test(get, cut_connection)
{
    struct site *s = open_site();
    expect_refused(s, "cut", CLV_ERR_NET, "run it again");
    struct stat st;
    cr_assert_eq(stat(make_path(s->out, "sets/set.bin.part"), &st), 0);
    cr_expect(st.st_size > BYTES / 2 && st.st_size < BYTES, "%lld", (long long)st.st_size);
    expect_fetched(s, "ok"); /* a later call goes on */
    cr_expect(!asked_for(s, "/ok/set.bin -\n"));
    remove(make_path(s->out, "sets/set.bin"));
    expect_fetched(s, "once"); /* one cut is mended within the call */
    cr_expect(asked_for(s, "/once/set.bin bytes=150000-\n"));
    close_site(s);
}

Test(get, wrong_sum)
{
    struct site *s = open_site();
    expect_refused(s, "wrong", CLV_ERR_DATA, s->sum);
    cr_expect(!clv_file_exists(make_path(s->out, "sets/set.bin.part")), "nothing is kept");
    expect_refused(s, "missing", CLV_ERR_NET, "404");
    close_site(s);
}

Test(get, mirror_first_and_untouched)
{
    struct site *s = open_site();
    const struct clv_data_get_params p = {
        .out = s->out, .mirror = make_path(s->dir, "mirror"), .base_url = s->url};
    char *path = NULL;
    make_file(s->dir, "mirror/sets/set.bin", "not it", 6); /* a wrong one is passed over */
    make_file(s->dir, "mirror/set.bin", s->bytes, BYTES);
    cr_assert_eq(clv_place_get(s->ctx, &s->place, &p, &path), CLV_OK, "%s", clv_error_text(s->ctx));
    cr_expect_str_eq(path, make_path(s->out, "sets/set.bin"));
    cr_expect(!clv_file_exists(s->log), "no request");
    cr_expect(strstr(lines.text, "mirror/sets/set.bin"), "warned: %s", lines.text);
    char **names = NULL;
    size_t n = 0;
    cr_assert_eq(clv_dir_list(p.mirror, &names, &n, NULL), CLV_OK);
    cr_expect_eq(n, 2);
    clv_list_free(names, n);
    free(path);
    close_site(s);
}

static void count_progress(void *priv, const char *file, uint64_t done, uint64_t total)
{
    uint64_t *last = priv;
    cr_expect_str_eq(file, "set.bin");
    cr_expect(done >= *last && done <= BYTES && (total == 0 || total == BYTES));
    *last = done;
}

Test(get, progress_counts_what_was_there)
{
    struct site *s = open_site();
    uint64_t last = 0;
    char base[96], *path = NULL;
    snprintf(base, sizeof base, "%s/ok", s->url);
    make_file(s->out, "sets/set.bin.part", s->bytes, 200000);
    cr_assert_eq(clv_place_get(s->ctx, &s->place,
                               &(struct clv_data_get_params){.out = s->out,
                                                             .base_url = base,
                                                             .progress = count_progress,
                                                             .priv = &last},
                               &path),
                 CLV_OK);
    cr_expect_eq(last, BYTES);
    free(path);
    close_site(s);
}

Test(get, several_files_give_their_folder)
{
    struct site *s = open_site();
    char *path = NULL;
    make_file(s->dir, "www/more.bin", s->bytes, BYTES);
    s->place.files[1].name = "more.bin";
    s->place.files[1].md5 = s->sum;
    cr_assert_eq(get(s, "ok", &path), CLV_OK, "%s", clv_error_text(s->ctx));
    cr_expect_str_eq(path, make_path(s->out, "sets"));
    cr_expect(clv_file_exists(make_path(path, "more.bin")));
    free(path);
    close_site(s);
}

Test(get, offline_is_one_line)
{
#ifndef CLV_HAVE_CURL
    cr_skip_test("built without libcurl");
#endif
    char dir[64], *path = NULL;
    struct clv_context *ctx = make_context(&lines);
    setenv("no_proxy", "*", 1);
    unsetenv("CLAVICLE_DATA");
    tmp_dir(dir);
    setenv("XDG_DATA_HOME", dir, 1);
    cr_assert_eq(clv_data_get(ctx, "breastmnist",
                              &(struct clv_data_get_params){.base_url = "http://127.0.0.1:1/x"},
                              &path),
                 CLV_ERR_NET);
    const char *text = clv_error_text(ctx);
    cr_expect(strstr(text, "breastmnist.npz") && strstr(text, "offline") &&
                  strstr(text, "CLAVICLE_DATA") && !strchr(text, '\n'),
              "%s", text);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

Test(get, names)
{
    struct clv_context *ctx = make_context(&lines);
    char *path = NULL;
    size_t n = 0;
    const struct clv_known_data *known = clv_data_known(&n);
    cr_assert_eq(n, 13);
    for (size_t i = 0; i < n; i++) {
        cr_expect(known[i].title && known[i].licence && known[i].source, "%s", known[i].name);
        cr_expect_eq(known[i].n_files, strcmp(known[i].name, "fashion-mnist") ? 1 : 4);
    }
    cr_expect_eq(clv_data_get(ctx, "mnist", NULL, &path), CLV_ERR_ARG);
    cr_expect(strstr(clv_error_text(ctx), "breastmnist, bloodmnist"), "%s", clv_error_text(ctx));
    clv_context_destroy(&ctx);
}

/* The real file through the real table. */
Test(get, real_set_from_the_mirror)
{
    const char *medmnist = make_real("medmnist");
    if (!medmnist)
        return;
    char dir[64], mirror[512], *path = NULL;
    struct clv_context *ctx = make_context(&lines);
    struct clv_data *d = NULL;
    tmp_dir(dir);
    snprintf(mirror, sizeof mirror, "%s/..", medmnist);
    setenv("CLAVICLE_DATA", mirror, 1);
    cr_assert_eq(
        clv_data_get(ctx, "breastmnist",
                     &(struct clv_data_get_params){.out = dir, .base_url = "http://127.0.0.1:1"},
                     &path),
        CLV_OK, "%s", clv_error_text(ctx));
    cr_expect_str_eq(path, make_path(dir, "medmnist/breastmnist.npz"));
    d = make_open(ctx, path, NULL);
    cr_expect_eq(clv_data_count(d, CLV_SPLIT_TRAIN), 546);
    clv_data_close(&d);
    clv_context_destroy(&ctx);
    free(path);
    tmp_remove(dir);
}
