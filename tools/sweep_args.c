#include "sweep_args.h"
#include "request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of words ---- */

void words_add(struct words *w, const char *text)
{
    char **bigger = realloc(w->word, ((size_t)w->n + 2) * sizeof *bigger), *copy = strdup(text);
    if (bigger)
        w->word = bigger;
    if (!bigger || !copy) {
        free(copy);
        w->failed = true;
        return;
    }
    w->word[w->n++] = copy;
    w->word[w->n] = NULL;
}

void words_finish(struct words *w)
{
    for (int i = 0; i < w->n; i++)
        free(w->word[i]);
    free(w->word);
    *w = (struct words){0};
}

static char *join(const char *a, const char *b, const char *c, const char *d)
{
    char *text = malloc(strlen(a) + strlen(b) + strlen(c) + strlen(d) + 1);
    if (text)
        strcat(strcat(strcat(strcpy(text, a), b), c), d);
    return text;
}

static void add_joined(struct words *w, const char *a, const char *b, const char *c, const char *d)
{
    char *text = join(a, b, c, d);
    if (text)
        words_add(w, text);
    else
        w->failed = true;
    free(text);
}

/* ---- settings ---- */

bool sweep_may_set(const char *name)
{
    static const char *const shared[] = {"data", "split", "val-fraction", "group-by", "skip-bad", "refuse-leaks", "monitor", "min-delta"};
    static const char *const others[] = {"out", "resume", "force", "folds", "trials", "trace", "profile", "quiet", "help", "json", "plan"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (!strcmp(name, shared[i])) {
            cli_usage("%s cannot be searched: members are compared on the same validation images by the same number", name);
            return false;
        }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(name, others[i])) {
            cli_usage("%s cannot be searched: it changes no training", name);
            return false;
        }
    return true;
}

/* learning_rate is --learning-rate. */
static void option_name(char name[128], const char *setting)
{
    snprintf(name, 128, "%s", setting);
    for (char *c = name; *c && *c != '.'; c++)
        if (*c == '_')
            *c = '-';
}

/* The owner's text among the words, "--OWNER TEXT" or "--OWNER=TEXT", taken out of them; NULL if there is none. */
static char *take_text(struct words *w, const char *owner)
{
    const size_t n = strlen(owner);
    char *text = NULL;
    for (int i = 0; i < w->n; i++) {
        const char *word = w->word[i];
        if (strncmp(word, "--", 2) || strncmp(word + 2, owner, n) || (word[2 + n] && word[2 + n] != '='))
            continue;
        const int count = word[2 + n] ? 1 : 2;
        if (i + count > w->n)
            continue;
        free(text);
        text = strdup(count == 1 ? word + 3 + n : w->word[i + 1]);
        for (int k = 0; k < count; k++)
            free(w->word[i + k]);
        memmove(w->word + i, w->word + i + count, (size_t)(w->n - i - count + 1) * sizeof *w->word);
        w->n -= count;
        i--;
    }
    return text;
}

/* --OWNER 'TEXT KEY=VALUE' instead of --OWNER TEXT. */
static void add_key(struct words *w, const char *owner, const char *key, const char *value)
{
    char *text = take_text(w, owner);
    const char *base = text                          ? text
                       : !strcmp(owner, "optimizer") ? "adam"
                       : !strcmp(owner, "schedule")  ? "constant"
                                                     : "";
    char *pair = join(key, "=", value, "");
    add_joined(w, "--", owner, "=", "");
    char *last = !w->failed && pair ? join(w->word[w->n - 1], base, *base ? " " : "", pair) : NULL;
    if (last) {
        free(w->word[w->n - 1]);
        w->word[w->n - 1] = last;
    } else {
        w->failed = true;
    }
    free(pair);
    free(text);
}

void sweep_words(struct words *w, const char *const *base, size_t n_base, const struct clv_setting *settings, size_t n)
{
    for (size_t i = 0; i < n_base; i++)
        words_add(w, base[i]);
    for (size_t i = 0; i < n && !w->failed; i++) {
        char name[128];
        option_name(name, settings[i].name);
        char *dot = strchr(name, '.');
        if (dot)
            *dot = '\0';
        if (dot) {
            add_key(w, name, dot + 1, settings[i].value);
        } else if (!strcmp(name, "model")) {
            words_add(w, settings[i].value);
        } else if (train_has_option(name)) {
            free(take_text(w, name));
            add_joined(w, "--", name, "=", settings[i].value);
        } else {
            add_key(w, "optimizer", settings[i].name, settings[i].value);
        }
    }
}

/* ---- for a shell ---- */

char *words_quote(const struct words *w)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=:,+@%-";
    size_t size = 1;
    for (int i = 0; i < w->n; i++)
        size += 4 * strlen(w->word[i]) + 3;
    char *text = malloc(size), *out = text;
    for (int i = 0; text && i < w->n; i++) {
        const char *s = w->word[i];
        const bool quote = !*s || s[strspn(s, plain)];
        if (i)
            *out++ = ' ';
        if (quote)
            *out++ = '\'';
        for (; *s; s++) {
            if (*s == '\'')
                out += sprintf(out, "'\\''");
            else
                *out++ = *s;
        }
        if (quote)
            *out++ = '\'';
    }
    if (text)
        *out = '\0';
    return text;
}
