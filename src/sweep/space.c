#include "sweep/space.h"

#include "base/opt.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/util.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STREAM = 0x73776570, REDRAWS = 100000 }; /* "swep"; before an unlikely draw is repeated after all */
static const char blanks[] = " \t\r";

/* ---- reading ---- */

#define FIELD(f) offsetof(struct clv_range, f)
static const struct clv_opt log_opts[] = {
    {"low", "smallest value", CLV_OPT_DOUBLE, FIELD(low), NULL, 1e-300, 1e300},
    {"high", "largest value", CLV_OPT_DOUBLE, FIELD(high), NULL, 1e-300, 1e300}, {0}};
static const struct clv_opt uniform_opts[] = {
    {"low", "smallest value", CLV_OPT_DOUBLE, FIELD(low), NULL, -1e300, 1e300},
    {"high", "largest value", CLV_OPT_DOUBLE, FIELD(high), NULL, -1e300, 1e300}, {0}};
static const struct clv_opt int_opts[] = {
    {"low", "smallest value", CLV_OPT_DOUBLE, FIELD(low), NULL, -1e9, 1e9},
    {"high", "largest value", CLV_OPT_DOUBLE, FIELD(high), NULL, -1e9, 1e9}, {0}};

static const struct { const char *name; const struct clv_opt *opts; } kinds[] = {
    [CLV_RANGE_LOG] = {"log", log_opts},
    [CLV_RANGE_UNIFORM] = {"uniform", uniform_opts},
    [CLV_RANGE_INT] = {"int", int_opts},
    [CLV_RANGE_CHOICE] = {"choice", NULL},
};

/* Words between blanks, or between double quotes. The text is cut up. */
static enum clv_err parse_choice(char *text, struct clv_arena *arena, struct clv_range *r, struct clv_error *err)
{
    const char *words[CLV_MAX_CHOICES];
    for (char *s = text + strspn(text, blanks); *s; s += strspn(s, blanks)) {
        const bool quoted = *s == '"';
        char *word = s + quoted, *end = word + strcspn(word, quoted ? "\"" : blanks);
        if (quoted && !*end)
            return clv_fail(err, CLV_ERR_ARG, "choice: the last quote is not closed");
        if (r->n == CLV_MAX_CHOICES)
            return clv_fail(err, CLV_ERR_ARG, "choice: more than %d values", CLV_MAX_CHOICES);
        s = end + (*end != '\0');
        *end = '\0';
        for (int i = 0; i < r->n; i++)
            if (!strcmp(words[i], word))
                return clv_fail(err, CLV_ERR_ARG, "choice: '%s' is there twice", word);
        words[r->n++] = word;
    }
    if (!r->n)
        return clv_fail(err, CLV_ERR_ARG, "choice: no values");
    r->choice = clv_arena_alloc(arena, (size_t)r->n * sizeof *r->choice);
    for (int i = 0; r->choice && i < r->n; i++)
        if (!(r->choice[i] = clv_arena_strdup(arena, words[i])))
            return clv_fail_nomem(err, "the ranges");
    return r->choice ? CLV_OK : clv_fail_nomem(err, "the ranges");
}

static enum clv_err parse_kind(char *text, struct clv_arena *arena, struct clv_range *r, struct clv_error *err)
{
    const char *names[CLV_COUNT(kinds)], *options;
    size_t kind;
    for (size_t i = 0; i < CLV_COUNT(kinds); i++)
        names[i] = kinds[i].name;
    CLV_TRY(clv_opt_choose("kind of range", text, names, CLV_COUNT(kinds), &kind, &options, err));
    r->kind = (enum clv_range_kind)kind;
    if (r->kind == CLV_RANGE_CHOICE)
        return parse_choice(text + (options - text), arena, r, err);
    CLV_TRY(clv_opt_parse(kinds[kind].opts, r, names[kind], options, err));
    if (r->kind == CLV_RANGE_INT && (floor(r->low) < r->low || floor(r->high) < r->high))
        return clv_fail(err, CLV_ERR_ARG, "int: %g to %g are no whole numbers", r->low, r->high);
    if (!(r->low < r->high))
        return clv_fail(err, CLV_ERR_ARG, "%s: %g is not below %g", names[kind], r->low, r->high);
    return CLV_OK;
}

static enum clv_err parse_line(char *line, struct clv_arena *arena, struct clv_space *s, struct clv_error *err)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    line += strspn(line, blanks);
    char *end = line + strcspn(line, blanks);
    if (!*line)
        return CLV_OK;
    if (strspn(line, bytes) < (size_t)(end - line))
        return clv_fail(err, CLV_ERR_ARG, "'%.*s' is no name of an option", (int)CLV_MIN(end - line, 100), line);
    if (!end[strspn(end, blanks)])
        return clv_fail(err, CLV_ERR_ARG, "expected NAME log|uniform|int LOW HIGH, or NAME choice A B ...");
    *end++ = '\0';
    if (s->n == CLV_MAX_RANGES)
        return clv_fail(err, CLV_ERR_ARG, "more than %d ranges", CLV_MAX_RANGES);
    for (int i = 0; i < s->n; i++)
        if (!strcmp(s->range[i].name, line))
            return clv_fail(err, CLV_ERR_ARG, "%s has a range already", line);
    struct clv_range *r = &s->range[s->n++];
    *r = (struct clv_range){.name = clv_arena_strdup(arena, line)};
    return r->name ? parse_kind(end + strspn(end, blanks), arena, r, err) : clv_fail_nomem(err, "the ranges");
}

enum clv_err clv_space_parse(const char *text, const char *name, struct clv_arena *arena, struct clv_space *ret,
                             struct clv_error *err)
{
    char *copy = clv_strdupf("%s", text), *next = copy;
    enum clv_err e = copy ? CLV_OK : clv_fail_nomem(err, "the ranges");
    *ret = (struct clv_space){0};
    for (int number = 1; !e && next; number++) {
        char *line = next;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        line[strcspn(line, "#")] = '\0';
        e = parse_line(line, arena, ret, err);
        if (e && e != CLV_ERR_NOMEM)
            clv_fail_prefix(err, "%s:%d", name, number);
    }
    free(copy);
    if (!e && !ret->n)
        return clv_fail(err, CLV_ERR_ARG, "%s: no ranges in it; a line is NAME log|uniform|int LOW HIGH, or NAME choice A B ...", name);
    return e;
}

/* ---- drawing ---- */

/* Four digits are enough to search with and easy to paste; the ends stay the ends. */
static void add_number(struct clv_str *s, const struct clv_range *r, double v)
{
    char text[32];
    double back;
    struct clv_str rounded = {0};
    clv_str_addf(&rounded, "%.4g", v);
    snprintf(text, sizeof text, "%s", rounded.text ? rounded.text : "0");
    clv_str_finish(&rounded);
    if (clv_parse_double(text, &back) && back >= r->low && back <= r->high)
        clv_str_add(s, text);
    else
        clv_str_add_double(s, v);
}

static const char *draw(const struct clv_range *r, struct clv_rng *rng, struct clv_arena *arena)
{
    struct clv_str s = {0};
    if (r->kind == CLV_RANGE_CHOICE)
        return r->choice[clv_rng_below(rng, (uint32_t)r->n)];
    if (r->kind == CLV_RANGE_INT)
        clv_str_addf(&s, "%.0f", r->low + clv_rng_below(rng, (uint32_t)(r->high - r->low + 1)));
    else if (r->kind == CLV_RANGE_LOG)
        add_number(&s, r, exp(clv_rng_range(rng, log(r->low), log(r->high))));
    else
        add_number(&s, r, clv_rng_range(rng, r->low, r->high));
    const char *text = s.failed ? NULL : clv_arena_strdup(arena, s.text);
    clv_str_finish(&s);
    return text;
}

static bool drawn_before(const struct clv_space *s, const struct clv_setting *settings, int i)
{
    const struct clv_setting *now = settings + (size_t)i * (size_t)s->n;
    for (const struct clv_setting *was = settings; was < now; was += s->n) {
        int k = 0;
        while (k < s->n && !strcmp(was[k].value, now[k].value))
            k++;
        if (k == s->n)
            return true;
    }
    return false;
}

enum clv_err clv_space_draw(const struct clv_space *space, uint64_t seed, int n, struct clv_arena *arena,
                            struct clv_setting *settings, struct clv_error *err)
{
    double combinations = 1;
    for (int k = 0; k < space->n; k++) {
        const struct clv_range *r = &space->range[k];
        combinations *= r->kind == CLV_RANGE_CHOICE ? r->n : r->kind == CLV_RANGE_INT ? r->high - r->low + 1 : HUGE_VAL;
    }
    if (combinations < n)
        return clv_fail(err, CLV_ERR_ARG, "%d trials, but the ranges have only %.0f combinations", n, combinations);
    for (int i = 0; i < n; i++) {
        struct clv_rng rng = clv_rng_init(seed, ((uint64_t)STREAM << 32) + (uint64_t)i);
        for (int again = 0; again < REDRAWS; again++) {
            for (int k = 0; k < space->n; k++) {
                struct clv_setting *s = &settings[(size_t)i * (size_t)space->n + (size_t)k];
                *s = (struct clv_setting){space->range[k].name, draw(&space->range[k], &rng, arena)};
                if (!s->value)
                    return clv_fail_nomem(err, "the settings");
            }
            if (!drawn_before(space, settings, i))
                break;
        }
    }
    return CLV_OK;
}

/* ---- successive halving ---- */

int clv_halving_rungs(int n, int epochs, int eta, struct clv_rung *rungs)
{
    long long power = 1;
    int s = 0;
    while (s + 1 < CLV_MAX_RUNGS && power * eta <= n && power * eta <= epochs) {
        power *= eta;
        s++;
    }
    long long divisor = 1;
    for (int k = 0; k <= s; k++) {
        rungs[k] = (struct clv_rung){(int)(n / divisor), (int)(epochs / power)};
        divisor *= eta;
        power /= eta;
    }
    return s + 1;
}
