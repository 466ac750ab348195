/* The files of a run folder, without a device: config.json, history.csv, positions. */
#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
#include "../base/tmp.h"

#include "base/file.h"
#include "base/rng.h"
#include "train/run.h"
#include <math.h>
#include <string.h>

static struct clv_run_config sample(const char **classes)
{
    return (struct clv_run_config){
        .version = "0.1.0",
        .model_name = "lenet",
        .model_text = "input 8 8 1\nflatten # \"quoted\"\n",
        .height = 8,
        .width = 9,
        .channels = 1,
        .parameters = 1234,
        .classes = classes,
        .n_classes = 2,
        .data_path = "/data/x",
        .data_format = "folder",
        .fingerprint = "abcd",
        .count = {7, 8, 9},
        .leaked_images = 3,
        .given_split = true,
        .split = {.split = "70/15/15", .seed = UINT64_MAX, .val_fraction = .15},
        .trainer = {.batch = 32,
                    .seed = (uint64_t)1 << 63,
                    .optimizer = "adam",
                    .clip_norm = 1e-300,
                    .gemm = CLV_GEMM_MODE_CLBLAST,
                    .winograd = CLV_WINOGRAD_2,
                    .precision = CLV_PRECISION_MIXED_FP16,
                    .loss_scale = 1024},
        .fit = {.epochs = 10, .monitor = "val_loss", .min_delta = .1, .max_steps = 5},
        .checkpoint_seconds = 60,
        .cache_bytes = (size_t)3 << 30,
        .platform = "P",
        .driver = "D",
    };
}

Test(run_files, config_round_trip)
{
    char dir[64];
    struct clv_error err = {0};
    const char *classes[] = {"NORMAL", "PN\xc3\x89UMONIE"};
    const struct clv_run_config c = sample(classes);
    struct clv_run_config d = {0};
    tmp_dir(dir);
    char *path = clv_path_join(dir, "config.json");
    cr_assert_eq(clv_run_config_write(&c, path, &err), CLV_OK, "%s", err.text);
    cr_assert_eq(clv_run_config_read(path, &d, &err), CLV_OK, "%s", err.text);
    cr_expect_str_eq(d.model_text, c.model_text);
    cr_expect_str_eq(d.classes[1], c.classes[1]);
    cr_expect(d.n_classes == 2 && d.height == 8 && d.width == 9 && d.parameters == 1234);
    cr_expect(d.split.seed == UINT64_MAX && d.trainer.seed == (uint64_t)1 << 63);
    cr_expect(d.trainer.clip_norm == 1e-300 && d.fit.min_delta == .1 &&
              d.split.val_fraction == .15);
    cr_expect(d.trainer.gemm == CLV_GEMM_MODE_CLBLAST && d.trainer.winograd == CLV_WINOGRAD_2 &&
              d.trainer.precision == CLV_PRECISION_MIXED_FP16 && d.trainer.loss_scale == 1024 && d.given_split && !d.split.skip_bad);
    cr_expect(d.count[0] == 7 && d.count[2] == 9 && d.leaked_images == 3);
    cr_expect(d.cache_bytes == (size_t)3 << 30);
    cr_expect_null(d.trainer.pipeline.augment);
    cr_expect_str_eq(d.driver, "D");
    clv_run_config_finish(&d);
    clv_run_config_finish(&d);
    classes[1] = "\xff";
    cr_expect_eq(clv_run_config_write(&c, path, &err), CLV_ERR_ARG, "names that JSON cannot hold");
    free(path);
    tmp_remove(dir);
}

/* Bytes changed at random: an error that names the file, or a config that can be used and freed. */
Test(run_files, damaged_config_never_crashes)
{
    char dir[64];
    struct clv_error err = {0};
    const char *classes[] = {"A", "B"};
    const struct clv_run_config c = sample(classes);
    unsigned char *text = NULL;
    size_t size = 0;
    int read = 0;
    struct clv_rng rng = clv_rng_init(3, 4);
    tmp_dir(dir);
    char *path = clv_path_join(dir, "config.json");
    cr_assert_eq(clv_run_config_write(&c, path, &err), CLV_OK);
    cr_assert_eq(clv_file_read(path, &text, &size, &err), CLV_OK);
    for (int i = 0; i < 2000; i++) {
        struct clv_run_config d = {0};
        unsigned char *at = &text[clv_rng_below(&rng, (uint32_t)size)];
        const unsigned char was = *at;
        *at = i % 2 ? (unsigned char)clv_rng_below(&rng, 256)
                    : (unsigned char)"\"{}[]:,0-9nt"[clv_rng_below(&rng, 12)];
        FILE *f = fopen(path, "wb");
        cr_assert(f && fwrite(text, 1, size, f) == size && !fclose(f));
        *at = was;
        if (clv_run_config_read(path, &d, &err)) {
            cr_expect(strstr(err.text, "config.json"), "%s", err.text);
            continue;
        }
        read++;
        cr_expect(d.n_classes >= 1 && d.model_text && d.data_path);
        clv_run_config_finish(&d);
    }
    cr_expect(read > 100 && read < 1900, "%d of 2000 could be read", read);
    free(text);
    free(path);
    tmp_remove(dir);
}

Test(run_files, position_round_trip)
{
    struct clv_error err = {0};
    const struct clv_fit_state s = {.step = UINT64_MAX,
                                    .epoch = 3,
                                    .batch = 17,
                                    .loss_sum = 1. / 3,
                                    .correct = 12,
                                    .samples = 99,
                                    .best = NAN,
                                    .best_epoch = 2,
                                    .bad_epochs = 1,
                                    .plateau_factor = .1 * .1,
                                    .plateau_bad = 4,
                                    .plateau_best = -1e-300};
    struct clv_fit_state t = {0};
    char *text = clv_run_state_text(&s);
    cr_assert(text);
    cr_assert_eq(clv_run_state_parse(text, &t, &err), CLV_OK, "%s", err.text);
    cr_expect(t.step == s.step && t.epoch == 3 && t.batch == 17 && t.samples == 99);
    cr_expect(t.loss_sum == s.loss_sum && t.correct == 12 && isnan(t.best));
    cr_expect(t.best_epoch == 2 && t.bad_epochs == 1 && t.plateau_factor == s.plateau_factor);
    cr_expect(t.plateau_bad == 4 && t.plateau_best == s.plateau_best);
    free(text);
    static const char *const bad[] = {"", "{}", "[]", "{\"step\": -1}",
                                      "{\"step\": 1, \"epoch\": 99999999999}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(clv_run_state_parse(bad[i], &t, &err), CLV_ERR_DATA, "%s", bad[i]);
    cr_expect_eq(t.epoch, 3, "untouched on failure");
}

static struct clv_run_history read_text(const char *dir, const char *text, int epochs)
{
    struct clv_error err = {0};
    struct clv_run_history h = {0};
    char *path = clv_path_join(dir, "h.csv");
    cr_assert_eq(clv_file_write(path, text, strlen(text), &err), CLV_OK);
    clv_run_history_read(&h, path, epochs);
    free(path);
    return h;
}

Test(run_files, history_keeps_what_is_whole)
{
    static const struct {
        const char *text;
        int epochs;
        size_t rows;
    } cases[] = {
        {"head\n1,2,3,4,5,6,7,8,9,10,0\n2,2,,,,,,8,9,10,0\n", 5, 2},
        {"head\n1,2,3,4,5,6,7,8,9,10,0\n2,2,,,,,,8,9,10,0\n", 1, 1},
        {"head\n1,2,3,4,5,6,7,8,9,10,0\n2,2,,,,,,8,9,10,0\n", 0, 0},
        {"head\n1,2,3,4,5,6,7,8,9,10,0\n2,2,,,,,8,9,10,0\n", 5, 1},
        {"head\n1,2,3,4,5,6,7,8,9,10,0\n3,2,,,,,,8,9,10,0\n", 5, 1},
        {"head\n1,2,3,4,5,6,7,8,9,10,x\n", 5, 0},
        {"head\n1,2,3,4,5,6,7,8,9,10,0,12\n", 5, 0},
        {"head\n1,2,3,4,5,6,7,8,9,10,0", 5, 1},
        {"head", 5, 0},
        {"", 5, 0},
    };
    char dir[64];
    tmp_dir(dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct clv_run_history h = read_text(dir, cases[i].text, cases[i].epochs);
        cr_expect_eq(h.n, cases[i].rows, "case %zu: %zu rows", i, h.n);
        if (h.n > 1)
            cr_expect(isnan(h.rows[1].val_loss) && h.rows[1].seconds == 10);
        clv_run_history_finish(&h);
    }
    struct clv_run_history none = {0};
    clv_run_history_read(&none, "/nonexistent", 3);
    cr_expect_eq(none.n, 0);
    tmp_remove(dir);
}

Test(run_files, history_round_trip)
{
    char dir[64];
    struct clv_error err = {0};
    struct clv_run_history h = {0}, back = {0};
    tmp_dir(dir);
    char *path = clv_path_join(dir, "h.csv");
    for (int i = 1; i <= 40; i++) {
        const struct clv_run_row row = {i, 1. / i, .5, NAN, .1, .2, .3, 1e-5, 100, i, 2};
        cr_assert_eq(clv_run_history_add(&h, &row, &err), CLV_OK);
    }
    cr_assert_eq(clv_run_history_write(&h, path, &err), CLV_OK, "%s", err.text);
    clv_run_history_read(&back, path, 40);
    cr_assert_eq(back.n, 40);
    for (size_t i = 0; i < 40; i++)
        cr_expect(back.rows[i].loss == h.rows[i].loss && back.rows[i].skipped_steps == 2 && isnan(back.rows[i].val_loss));
    clv_run_history_finish(&h);
    clv_run_history_finish(&back);
    free(path);
    tmp_remove(dir);
}
