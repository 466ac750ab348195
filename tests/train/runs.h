/* A folder with a small data set and a model file, for tests of run folders. */
#ifndef TESTS_TRAIN_RUNS_H
#define TESTS_TRAIN_RUNS_H

#include "../base/tmp.h"
#include "../rig.h"
#include "base/context.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "data/pngwrite.h"
#include <clavicle/run.h>
#include <stdint.h>
#include <unistd.h>

static const char runs_model[] = "let classes = 2\n"
                                 "input 16 16 1\n"
                                 "conv2d 4 3 activation=relu\n"
                                 "maxpool2d 2\n"
                                 "flatten\n"
                                 "dropout 0.2\n"
                                 "dense units=$classes activation=softmax\n";

struct runs {
    char dir[64];
    struct clv_context *ctx;
    char log[8192];
    /* what watch() does and sees */
    int batches, epochs, ends, cancel_at;
    void (*at_epoch)(struct runs *r, const struct clv_event *e);
    double last_loss;
};

static inline void runs_log(void *priv, enum clv_log_level level, const char *line)
{
    struct runs *r = priv;
    const size_t n = strlen(r->log);
    (void)level;
    snprintf(r->log + n, sizeof r->log - n, "%s\n", line);
}

/* dir/name in one of a few rotating buffers. */
static inline const char *runs_path(const struct runs *r, const char *name, char buf[256])
{
    snprintf(buf, 256, "%s/%s", r->dir, name);
    return buf;
}
#define P(r, name) runs_path((r), (name), (char[256]){0})

/* A gray image, bright on the left (class A) or on the right (class B), with noise keyed by seed.
 */
static inline void runs_image(const struct runs *r, const char *name, int class, uint64_t seed)
{
    struct clv_error err = {0};
    unsigned char pixels[12 * 14];
    struct clv_rng rng = clv_rng_init(seed, 7);
    for (int y = 0; y < 12; y++)
        for (int x = 0; x < 14; x++)
            pixels[y * 14 + x] =
                (unsigned char)(clv_rng_below(&rng, 120) + ((x < 7) == (class == 0) ? 100u : 0u));
    char *path = clv_path_join(r->dir, name), *folder = clv_strdupf("%s", path);
    *strrchr(folder, '/') = '\0';
    cr_assert_eq(clv_mkdirs(folder, &err), CLV_OK, "%s", err.text);
    FILE *f = fopen(path, "wb"); /* not atomically: hundreds of syncs */
    cr_assert(f && !clv_png_write_file(f, path, &(struct clv_png){pixels, 14, 12, 1}, &err) &&
              !fclose(f));
    free(path);
    free(folder);
}

/* n images of each of the classes A and B below name. */
static inline void runs_set(const struct runs *r, const char *name, int n, uint64_t seed)
{
    for (int i = 0; i < 2 * n; i++) {
        char file[128];
        snprintf(file, sizeof file, "%s/%c/%03d.png", name, "AB"[i % 2], i);
        runs_image(r, file, i % 2, seed * 1000 + (uint64_t)i);
    }
}

static inline void runs_text(const struct runs *r, const char *name, const char *text)
{
    struct clv_error err = {0};
    cr_assert_eq(clv_file_write(P(r, name), text, strlen(text), &err), CLV_OK, "%s", err.text);
}

/* Skips where there is no device. */
static inline void runs_begin(struct runs *r)
{
    struct rig rig = rig_open(NULL);
    rig_close(&rig);
    *r = (struct runs){0};
    tmp_dir(r->dir);
    r->ctx = clv_context_create(
        &(struct clv_context_params){.log = runs_log, .log_priv = r, .log_level = CLV_LOG_INFO});
    runs_set(r, "data", 20, 1);
    runs_text(r, "net.model", runs_model);
}

static inline void runs_end(struct runs *r)
{
    clv_context_destroy(&r->ctx);
    tmp_remove(r->dir);
}

static inline int runs_watch(void *priv, const struct clv_event *e)
{
    struct runs *r = priv;
    if (e->kind == CLV_EVENT_BATCH) {
        r->batches++;
        r->last_loss = e->loss;
    }
    r->epochs += e->kind == CLV_EVENT_EPOCH;
    r->ends += e->kind == CLV_EVENT_END;
    if (e->kind == CLV_EVENT_EPOCH && r->at_epoch)
        r->at_epoch(r, e);
    return r->cancel_at && r->batches >= r->cancel_at;
}

static inline struct clv_device_params runs_device(void)
{
    return (struct clv_device_params){.select = getenv("CLAVICLE_TEST_DEVICE"),
                                      .caps = getenv("CLAVICLE_TEST_CAPS")};
}

/* Parameters of a small training; out in the caller's buffer. */
static inline struct clv_run_params runs_params(struct runs *r, char model[256], char data[256],
                                                char out[256], const char *run)
{
    return (struct clv_run_params){
        .model = runs_path(r, "net.model", model),
        .data = runs_path(r, "data", data),
        .out = runs_path(r, run, out),
        .device = runs_device(),
        .split.seed = 5,
        .trainer = {.batch = 4, .seed = 5, .optimizer = "adam learning_rate=0.01"},
        .fit = {.epochs = 3, .on_event = runs_watch, .priv = r},
        .threads = 2,
    };
}
#define PARAMS(r, run) runs_params((r), (char[256]){0}, (char[256]){0}, (char[256]){0}, (run))

static inline enum clv_err runs_resume(struct runs *r, const char *run,
                                       struct clv_run_result *result)
{
    char path[256];
    const struct clv_run_params p = {.resume = runs_path(r, run, path),
                                     .device = runs_device(),
                                     .fit = {.on_event = runs_watch, .priv = r}};
    r->batches = r->epochs = r->ends = 0;
    return clv_run_train(r->ctx, &p, result);
}

static inline bool runs_same_file(const struct runs *r, const char *a, const char *b)
{
    struct clv_error err = {0};
    unsigned char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    cr_assert_eq(clv_file_read(P(r, a), &x, &n, &err), CLV_OK, "%s", err.text);
    cr_assert_eq(clv_file_read(P(r, b), &y, &m, &err), CLV_OK, "%s", err.text);
    const bool same = n == m && !memcmp(x, y, n);
    free(x);
    free(y);
    return same;
}

static inline json_t *runs_json(const struct runs *r, const char *name)
{
    struct clv_error err = {0};
    json_t *j = NULL;
    cr_assert_eq(clv_json_load(P(r, name), &j, &err), CLV_OK, "%s", err.text);
    return j;
}

#endif
