/* The other files of a run folder: their names, history, positions in checkpoints, metrics. */
#include "train/run.h"

#include "base/file.h"
#include "base/util.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- names ---- */

enum clv_err clv_run_paths_init(struct clv_run_paths *p, const char *dir, struct clv_error *err)
{
    if (!*dir)
        return clv_fail(err, CLV_ERR_ARG, "the folder of the run has an empty name");
    *p = (struct clv_run_paths){
        .dir = clv_strdupf("%s", dir),
        .config = clv_path_join(dir, "config.json"),
        .history = clv_path_join(dir, "history.csv"),
        .split = clv_path_join(dir, "split.csv"),
        .best = clv_path_join(dir, "best.safetensors"),
        .last = clv_path_join(dir, "last.safetensors"),
        .metrics = clv_path_join(dir, "metrics.json"),
    };
    if (p->dir && p->config && p->history && p->split && p->best && p->last && p->metrics)
        return CLV_OK;
    clv_run_paths_finish(p);
    return clv_fail_nomem(err, dir);
}

void clv_run_paths_finish(struct clv_run_paths *p)
{
    free(p->dir);
    free(p->config);
    free(p->history);
    free(p->split);
    free(p->best);
    free(p->last);
    free(p->metrics);
    *p = (struct clv_run_paths){0};
}

static const char *const own[] = {"config.json",      "history.csv",      "split.csv",
                                  "best.safetensors", "last.safetensors", "metrics.json",
                                  "results.json",     "results.txt",      "sweep.json"};

bool clv_run_is_leftover(const char *name)
{
    for (size_t i = 0; i < CLV_COUNT(own); i++) {
        const size_t n = strlen(own[i]);
        if (!strncmp(name, own[i], n) && !strncmp(name + n, ".tmp", 4))
            return true;
    }
    return false;
}

void clv_run_remove_leftovers(const struct clv_run_paths *p)
{
    struct clv_error ignored = {0};
    char **names = NULL;
    size_t n = 0;
    if (clv_dir_list(p->dir, &names, &n, &ignored))
        return;
    for (size_t i = 0; i < n; i++) {
        char *path = clv_run_is_leftover(names[i]) ? clv_path_join(p->dir, names[i]) : NULL;
        if (path)
            (void)unlink(path);
        free(path);
    }
    clv_list_free(names, n);
}

/* "fold-2", "trial-13" or "fold-2-trial-13". */
static bool is_member(const char *name)
{
    for (const char *const *word = (const char *const[]){"fold-", "trial-", NULL}; *word; word++) {
        if (strncmp(name, *word, strlen(*word)) != 0)
            continue;
        name += strlen(*word);
        const size_t n = strspn(name, "0123456789");
        if (!n)
            return false;
        name += n + (name[n] == '-');
    }
    return !*name;
}

static void remove_member(const char *dir)
{
    struct clv_run_paths p;
    struct clv_error ignored = {0};
    if (clv_run_paths_init(&p, dir, &ignored))
        return;
    if (clv_file_exists(p.config)) {
        clv_run_remove_leftovers(&p);
        const char *const files[] = {p.metrics, p.history, p.best, p.last, p.split, p.config};
        for (size_t i = 0; i < CLV_COUNT(files); i++)
            (void)unlink(files[i]);
        (void)rmdir(dir);
    }
    clv_run_paths_finish(&p);
}

void clv_run_remove_members(const char *dir)
{
    static const char *const together[] = {"results.json", "results.txt"};
    struct clv_error ignored = {0};
    char **names = NULL;
    size_t n = 0;
    if (clv_dir_list(dir, &names, &n, &ignored))
        return;
    for (size_t i = 0; i < n; i++) {
        char *path = clv_path_join(dir, names[i]);
        if (path && is_member(names[i]))
            remove_member(path);
        for (size_t k = 0; path && k < CLV_COUNT(together); k++)
            if (!strcmp(names[i], together[k]))
                (void)unlink(path);
        free(path);
    }
    clv_list_free(names, n);
}

/* ---- history.csv ---- */

static const struct column {
    const char *name;
    size_t offset;
} columns[] = {
    {"epoch", offsetof(struct clv_run_row, epoch)},
    {"loss", offsetof(struct clv_run_row, loss)},
    {"accuracy", offsetof(struct clv_run_row, accuracy)},
    {"val_loss", offsetof(struct clv_run_row, val_loss)},
    {"val_accuracy", offsetof(struct clv_run_row, val_accuracy)},
    {"val_auc", offsetof(struct clv_run_row, val_auc)},
    {"val_f1", offsetof(struct clv_run_row, val_f1)},
    {"learning_rate", offsetof(struct clv_run_row, learning_rate)},
    {"images_per_second", offsetof(struct clv_run_row, images_per_second)},
    {"seconds", offsetof(struct clv_run_row, seconds)},
    {"skipped_steps", offsetof(struct clv_run_row, skipped_steps)},
};

enum clv_err clv_run_history_add(struct clv_run_history *h, const struct clv_run_row *row,
                                 struct clv_error *err)
{
    if (h->n == h->cap) {
        const size_t cap = h->cap ? 2 * h->cap : 16;
        struct clv_run_row *rows = realloc(h->rows, cap * sizeof *rows);
        if (!rows)
            return clv_fail_nomem(err, "the history");
        h->rows = rows;
        h->cap = cap;
    }
    h->rows[h->n++] = *row;
    return CLV_OK;
}

enum clv_err clv_run_history_write(const struct clv_run_history *h, const char *path,
                                   struct clv_error *err)
{
    struct clv_str s = {0};
    for (size_t c = 0; c < CLV_COUNT(columns); c++)
        clv_str_addf(&s, "%s%s", c ? "," : "", columns[c].name);
    for (size_t i = 0; i < h->n; i++) {
        for (size_t c = 0; c < CLV_COUNT(columns); c++) {
            double v;
            memcpy(&v, (const char *)&h->rows[i] + columns[c].offset, sizeof v);
            clv_str_add(&s, c ? "," : "\n");
            if (isfinite(v))
                clv_str_add_double(&s, v);
        }
    }
    clv_str_add(&s, "\n");
    const enum clv_err e =
        s.failed ? clv_fail_nomem(err, path) : clv_file_write(path, s.text, s.len, err);
    clv_str_finish(&s);
    return e;
}

/* One line, which is cut up; false when it is none of ours. */
static bool parse_row(char *line, struct clv_run_row *row)
{
    for (size_t c = 0; c < CLV_COUNT(columns); c++) {
        double v = NAN;
        const size_t n = strcspn(line, ",");
        const bool last = c == CLV_COUNT(columns) - 1;
        if ((line[n] == ',') == last)
            return false;
        line[n] = '\0';
        if (n && !clv_parse_double(line, &v))
            return false;
        memcpy((char *)row + columns[c].offset, &v, sizeof v);
        line += n + !last;
    }
    return true;
}

void clv_run_history_read(struct clv_run_history *h, const char *path, int epochs)
{
    struct clv_error ignored = {0};
    unsigned char *text = NULL;
    size_t size = 0;
    if (clv_file_read(path, &text, &size, &ignored))
        return;
    char *at = strchr((char *)text, '\n');
    while (at && h->n < (size_t)CLV_MAX(epochs, 0)) {
        char *line = at + 1;
        struct clv_run_row row;
        at = strchr(line, '\n');
        if (at)
            *at = '\0';
        if (!parse_row(line, &row) || row.epoch != (double)(h->n + 1) ||
            clv_run_history_add(h, &row, &ignored))
            break;
    }
    free(text);
}

void clv_run_history_finish(struct clv_run_history *h)
{
    free(h->rows);
    *h = (struct clv_run_history){0};
}

/* ---- where a training stands ---- */

char *clv_run_state_text(const struct clv_fit_state *s)
{
    json_t *o = json_object();
    const bool ok =
        o && clv_json_set_u64(o, "step", s->step) &&
        clv_json_set(o, "epoch", json_integer(s->epoch)) &&
        clv_json_set_u64(o, "batch", s->batch) && clv_json_set_double(o, "loss_sum", s->loss_sum) &&
        clv_json_set_double(o, "correct", s->correct) &&
        clv_json_set_u64(o, "samples", s->samples) && clv_json_set_double(o, "best", s->best) &&
        clv_json_set(o, "best_epoch", json_integer(s->best_epoch)) &&
        clv_json_set(o, "bad_epochs", json_integer(s->bad_epochs)) &&
        clv_json_set_double(o, "plateau_factor", s->plateau_factor) &&
        clv_json_set(o, "plateau_bad", json_integer(s->plateau_bad)) &&
        clv_json_set_double(o, "plateau_best", s->plateau_best);
    char *text = ok ? clv_json_dump(o) : NULL;
    json_decref(o);
    return text;
}

static enum clv_err get_count(const json_t *o, const char *key, int *ret, struct clv_error *err)
{
    long long v = 0;
    CLV_TRY(clv_json_get_int(o, key, &v, err));
    if (v < 0 || v > INT_MAX)
        return clv_fail(err, CLV_ERR_DATA, "member \"%s\" is not in 0..%d", key, INT_MAX);
    *ret = (int)v;
    return CLV_OK;
}

static enum clv_err take_state(const json_t *o, struct clv_fit_state *s, struct clv_error *err)
{
    CLV_TRY(clv_json_get_u64(o, "step", &s->step, err));
    CLV_TRY(get_count(o, "epoch", &s->epoch, err));
    CLV_TRY(clv_json_get_u64(o, "batch", &s->batch, err));
    CLV_TRY(clv_json_get_double(o, "loss_sum", &s->loss_sum, err));
    CLV_TRY(clv_json_get_double(o, "correct", &s->correct, err));
    CLV_TRY(clv_json_get_u64(o, "samples", &s->samples, err));
    CLV_TRY(clv_json_get_double(o, "best", &s->best, err));
    CLV_TRY(get_count(o, "best_epoch", &s->best_epoch, err));
    CLV_TRY(get_count(o, "bad_epochs", &s->bad_epochs, err));
    CLV_TRY(clv_json_get_double(o, "plateau_factor", &s->plateau_factor, err));
    CLV_TRY(get_count(o, "plateau_bad", &s->plateau_bad, err));
    return clv_json_get_double(o, "plateau_best", &s->plateau_best, err);
}

enum clv_err clv_run_state_parse(const char *text, struct clv_fit_state *ret, struct clv_error *err)
{
    json_t *o = NULL;
    struct clv_fit_state s = {0};
    CLV_TRY(clv_json_parse(text, strlen(text), "clavicle.fit", &o, err));
    const enum clv_err e = take_state(o, &s, err);
    json_decref(o);
    if (!e)
        *ret = s;
    return e;
}

/* ---- metrics.json ---- */

static json_t *class_json(const struct clv_class_metrics *c, const char *name)
{
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "class", name, "support",
                     (json_int_t)c->support, "predicted", (json_int_t)c->predicted, "precision",
                     clv_json_double(c->precision), "recall", clv_json_double(c->recall),
                     "specificity", clv_json_double(c->specificity), "f1", clv_json_double(c->f1),
                     "auc", clv_json_double(c->auc));
}

static json_t *confusion_json(const struct clv_metrics *m)
{
    json_t *rows = json_array();
    for (int t = 0; t < m->n_classes; t++) {
        json_t *row = json_array();
        for (int p = 0; p < m->n_classes; p++)
            json_array_append_new(row,
                                  json_integer((json_int_t)m->confusion[t * m->n_classes + p]));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *clv_run_metrics_json(const struct clv_metrics *m, const char *const *classes)
{
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"loss", m->loss},
        {"accuracy", m->accuracy},
        {"balanced_accuracy", m->balanced_accuracy},
        {"auc", m->auc},
        {"precision_macro", m->precision_macro},
        {"recall_macro", m->recall_macro},
        {"f1_macro", m->f1_macro},
        {"specificity_macro", m->specificity_macro},
        {"precision_weighted", m->precision_weighted},
        {"recall_weighted", m->recall_weighted},
        {"f1_weighted", m->f1_weighted},
    };
    json_t *o = json_object(), *names = json_array(), *per_class = json_array();
    bool ok = clv_json_set(o, "count", json_integer((json_int_t)m->count));
    for (size_t i = 0; i < CLV_COUNT(numbers); i++)
        ok = ok && clv_json_set_double(o, numbers[i].key, numbers[i].value);
    for (int c = 0; c < m->n_classes; c++) {
        ok = !json_array_append_new(names, json_string(classes[c])) && ok;
        ok = !json_array_append_new(per_class, class_json(&m->per_class[c], classes[c])) && ok;
    }
    ok = clv_json_set(o, "classes", names) && ok;
    ok = clv_json_set(o, "positive", json_string(classes[m->positive])) && ok;
    ok = clv_json_set(o, "confusion", confusion_json(m)) && ok;
    ok = clv_json_set(o, "per_class", per_class) && ok;
    if (ok)
        return o;
    json_decref(o);
    return NULL;
}
