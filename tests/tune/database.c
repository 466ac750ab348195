/* The file of tuning results: what survives of it, and who may write it at once. */
#define _XOPEN_SOURCE 700
#include "base/file.h"
#include "tune/database.h"
#include "tuned.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(struct tune_rig *t, struct clv_tuning *lines, const char *problem, const char *choice)
{
    ok(t->r.ctx, clv_tuning_put(lines, problem, choice, 1e-3, 2e-3, &t->r.ctx->err));
}

static void save_one(struct tune_rig *t, const char *problem, const char *choice)
{
    struct clv_tuning lines = {0};
    put(t, &lines, problem, choice);
    ok(t->r.ctx, clv_tuning_save(t->r.dev, &lines));
    clv_tuning_finish(&lines);
}

static struct clv_tuning load(struct tune_rig *t)
{
    struct clv_tuning lines = {0};
    ok(t->r.ctx, clv_tuning_load(t->r.dev, &lines));
    return lines;
}

static const char *choice_of(const struct clv_tuning *lines, const char *problem)
{
    const struct clv_tuning_line *l = clv_tuning_find(lines, problem);
    return l ? l->choice : "";
}

static char *text_of(const struct tune_rig *t)
{
    unsigned char *data = NULL;
    size_t size;
    ok(t->r.ctx, clv_file_read(t->path, &data, &size, &t->r.ctx->err));
    return (char *)data;
}

static void append(const struct tune_rig *t, const void *bytes, size_t n)
{
    FILE *f = fopen(t->path, "ab");
    cr_assert(f);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

Test(database, what_is_saved_is_loaded_and_replaced_by_problem)
{
    struct tune_rig t;
    tune_open(&t, NULL, NULL);
    struct clv_tuning lines = load(&t);
    cr_assert_eq(lines.n, 0);
    save_one(&t, "a", "vector mr=6");
    save_one(&t, "b", "simple");
    save_one(&t, "a", "vector mr=8");
    lines = load(&t);
    cr_assert_eq(lines.n, 2);
    cr_assert_str_eq(choice_of(&lines, "a"), "vector mr=8");
    cr_assert_float_eq(clv_tuning_find(&lines, "a")->seconds, 1e-3, 1e-9);
    cr_assert_float_eq(clv_tuning_find(&lines, "a")->fallback, 2e-3, 1e-9);
    cr_assert_eq(t.warnings, 0);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(database, damaged_lines_are_skipped_said_once_and_dropped)
{
    static const char junk[] = "\n\xff\xfe nonsense\na|b|c|d|e|f|g\na|b|c|d||x|1|1\n|||||||||||\n"
                               "p|d|v|k|a|simple|nan|1\np|d|v|k|a|simple|1|-1\np|d\0d|v|k|a|";
    struct tune_rig t;
    tune_open(&t, NULL, NULL);
    save_one(&t, "a", "vector");
    append(&t, junk, sizeof junk - 1);
    struct clv_tuning lines = load(&t);
    cr_assert_eq(lines.n, 1);
    cr_assert_str_eq(choice_of(&lines, "a"), "vector");
    cr_assert_eq(t.warnings, 1, "%d", t.warnings);
    cr_assert(strstr(t.last, t.path) && strstr(t.last, "7 damaged lines"), "%s", t.last);
    clv_tuning_finish(&lines);
    save_one(&t, "b", "simple");
    char *text = text_of(&t);
    cr_assert_not(strstr(text, "nonsense"));
    lines = load(&t);
    cr_assert_eq(lines.n, 2);
    cr_assert_eq(t.warnings, 1);
    free(text);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

/* Cut anywhere, the file gives whole lines or none. */
Test(database, a_file_that_was_cut_short_gives_what_is_whole)
{
    struct tune_rig t;
    tune_open(&t, NULL, NULL);
    save_one(&t, "a", "vector");
    save_one(&t, "b", "simple");
    char *text = text_of(&t);
    const size_t size = strlen(text);
    for (size_t n = 0; n < size; n += 7) {
        cr_assert_eq(truncate(t.path, 0), 0);
        append(&t, text, n);
        struct clv_tuning lines = load(&t);
        cr_assert(lines.n == 0 || !strcmp(choice_of(&lines, "a"), "vector"));
        clv_tuning_finish(&lines);
    }
    free(text);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(database, lines_of_other_devices_and_kernels_are_ignored_and_kept)
{
    static const char other[] = "platform|a board|1.0|0123456789abcdef|a|simple|1|1\n";
    struct tune_rig t, masked;
    tune_open(&t, NULL, NULL);
    append(&t, other, sizeof other - 1);
    save_one(&t, "b", "vector");
    char *text = text_of(&t);
    cr_assert(strstr(text, other), "%s", text);
    /* The same line, measured with other kernels. */
    char *line = strstr(text, "|b|vector");
    cr_assert(line);
    line[-1] = line[-1] == '0' ? '1' : '0';
    cr_assert_eq(truncate(t.path, 0), 0);
    append(&t, text, strlen(text));
    struct clv_tuning lines = load(&t);
    cr_assert_eq(lines.n, 0);
    save_one(&t, "b", "simple");
    tune_open(&masked, t.dir, "vector=4");
    lines = load(&masked);
    cr_assert_eq(lines.n, 0, "a masked device takes what was measured without masks");
    cr_assert_eq(t.warnings + masked.warnings, 0);
    free(text);
    rig_close(&masked.r);
    rig_close(&t.r);
    tmp_remove(t.dir);
}

Test(database, two_processes_write_and_nothing_is_lost)
{
    enum { PROCESSES = 2, LINES = 12 };
    char dir[64], problem[32];
    tmp_dir(dir);
    for (int p = 0; p < PROCESSES; p++) {
        if (fork())
            continue;
        struct tune_rig t;
        tune_open(&t, dir, NULL);
        for (int i = 0; i < LINES; i++) {
            snprintf(problem, sizeof problem, "problem %d %d", p, i);
            save_one(&t, problem, "simple");
        }
        _exit(0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status = 1;
        cr_assert(wait(&status) > 0);
        cr_assert_eq(status, 0);
    }
    struct tune_rig t;
    tune_open(&t, dir, NULL);
    struct clv_tuning lines = load(&t);
    cr_assert_eq(lines.n, PROCESSES * LINES, "%d", lines.n);
    clv_tuning_finish(&lines);
    rig_close(&t.r);
    tmp_remove(dir);
}

Test(database, what_cannot_be_written_is_one_clear_error)
{
    char dir[64], path[80];
    struct tune_rig t;
    struct clv_tuning lines = {0};
    snprintf(path, sizeof path, "%s/file", tmp_dir(dir));
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fclose(f);
    snprintf(path, sizeof path, "%s/file/cache", dir);
    tune_open(&t, path, NULL);
    put(&t, &lines, "a", "simple");
    cr_assert_eq(clv_tuning_save(t.r.dev, &lines), CLV_ERR_WRITE);
    cr_assert(strstr(clv_error_text(t.r.ctx), dir), "%s", clv_error_text(t.r.ctx));
    rig_close(&t.r);
    tune_open(&t, "", NULL);
    cr_assert_eq(clv_tuning_save(t.r.dev, &lines), CLV_ERR_ARG);
    clv_tuning_finish(&lines);
    lines = load(&t);
    cr_assert_eq(lines.n, 0);
    rig_close(&t.r);
    tmp_remove(dir);
}

/* What the library ships can be read, every line of it. */
Test(database, shipped_lines_are_whole)
{
    struct tune_rig t;
    tune_open(&t, NULL, NULL);
    for (const struct clv_builtin_tuning *b = clv_builtin_tunings; b->name; b++) {
        int lines = 0;
        for (const char *at = b->text; *at; at += strcspn(at, "\n"), at += *at == '\n')
            lines += *at != '#' && *at != '\n';
        const int width = !strcmp(b->name, "avx512") ? 16 : 8;
        struct clv_tuning found = {0};
        if (clv_device_caps(t.r.dev)->vector_width != (unsigned)width ||
            clv_device_caps(t.r.dev)->gpu_path)
            continue;
        ok(t.r.ctx, clv_tuning_builtin(t.r.dev, &found));
        cr_assert_eq(found.n, lines);
        clv_tuning_finish(&found);
    }
    rig_close(&t.r);
    tmp_remove(t.dir);
}
