/* Which device a device string means. Pure functions over the list, so made-up machines can be
 * tested. */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Vendor words and what the platform's name (or a GPU's vendor) contains. A CPU's vendor string is
 * never looked at: PoCL's device on an Intel processor is not "intel". */
static const struct {
    const char *word, *names[3];
} vendors[] = {
    {"nvidia", {"NVIDIA"}},
    {"amd", {"AMD", "Advanced Micro Devices"}},
    {"intel", {"Intel"}},
    {"pocl", {"Portable Computing Language", "PoCL"}},
};

/* Drivers that stand in where the vendor's own is missing; they rank behind it. */
static const char *const stand_ins[] = {"Clover", "rusticl"};

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Any case; `part` may begin anywhere. */
static bool contains(const char *text, const char *part)
{
    for (; *text; text++) {
        size_t i = 0;
        while (part[i] && same_letter(text[i], part[i]))
            i++;
        if (!part[i])
            return true;
    }
    return !*part;
}

/* The same, but as whole words: "Intel(R) OpenCL" has the word Intel, "Intellect" has not. */
static bool contains_word(const char *text, const char *word)
{
    const size_t len = strlen(word);
    for (const char *p = text; *p; p++) {
        const bool starts = p == text || !isalnum((unsigned char)p[-1]);
        if (starts && !strncasecmp(p, word, len) && !isalnum((unsigned char)p[len]))
            return true;
    }
    return false;
}

static bool is_vendor(const struct clv_device_info *d, size_t vendor)
{
    for (size_t i = 0; i < CLV_COUNT(vendors[vendor].names); i++) {
        const char *name = vendors[vendor].names[i];
        if (!name)
            continue;
        if (contains_word(d->platform_name, name))
            return true;
        if (d->type == CLV_DEVICE_GPU && contains_word(d->vendor, name))
            return true;
    }
    return false;
}

static int type_rank(enum clv_device_type type)
{
    switch (type) {
    case CLV_DEVICE_GPU:
        return 3;
    case CLV_DEVICE_ACCELERATOR:
        return 2;
    case CLV_DEVICE_CPU:
        return 1;
    case CLV_DEVICE_SOFTWARE:
        break;
    }
    return 0;
}

static bool is_stand_in(const struct clv_device_info *d)
{
    for (size_t i = 0; i < CLV_COUNT(stand_ins); i++)
        if (contains(d->platform_name, stand_ins[i]))
            return true;
    return false;
}

/* Whether a is the better device: type, then a vendor's own driver, then units x clock. Equal
 * devices keep the order of the list. */
static bool is_better(const struct clv_device_info *a, const struct clv_device_info *b)
{
    const int rank_a = type_rank(a->type), rank_b = type_rank(b->type);
    if (rank_a != rank_b)
        return rank_a > rank_b;
    const bool stand_in_a = is_stand_in(a), stand_in_b = is_stand_in(b);
    if (stand_in_a != stand_in_b)
        return stand_in_b;
    return (uint64_t)a->units * CLV_MAX(a->clock_mhz, 1) >
           (uint64_t)b->units * CLV_MAX(b->clock_mhz, 1);
}

/* What a string asks for. */
struct wish {
    enum { BEST, TYPE, VENDOR, INDEX, NAME } kind;
    enum clv_device_type type;
    size_t vendor;
    int platform, device;
    const char *text;
};

static bool is_index(const char *s, int *platform, int *device)
{
    char rest;
    if (!isdigit((unsigned char)s[0]) || strlen(s) > 12)
        return false;
    const char *colon = strchr(s, ':');
    if (!colon || !isdigit((unsigned char)colon[1]))
        return false;
    return sscanf(s, "%5d:%5d%c", platform, device, &rest) == 2;
}

static struct wish parse_wish(const char *s)
{
    struct wish w = {.kind = NAME, .text = s};
    if (!s || !*s || !strcasecmp(s, "best"))
        w.kind = BEST;
    else if (!strcasecmp(s, "gpu"))
        w.kind = TYPE, w.type = CLV_DEVICE_GPU;
    else if (!strcasecmp(s, "cpu"))
        w.kind = TYPE, w.type = CLV_DEVICE_CPU;
    else if (is_index(s, &w.platform, &w.device))
        w.kind = INDEX;
    for (size_t i = 0; w.kind == NAME && i < CLV_COUNT(vendors); i++)
        if (!strcasecmp(s, vendors[i].word))
            w.kind = VENDOR, w.vendor = i;
    return w;
}

static bool matches(const struct wish *w, const struct clv_device_info *d)
{
    switch (w->kind) {
    case BEST:
        return true;
    case TYPE:
        return d->type == w->type;
    case VENDOR:
        return is_vendor(d, w->vendor);
    case INDEX:
        return d->platform == w->platform && d->device == w->device;
    case NAME:
        break;
    }
    return contains(d->name, w->text);
}

/* "0:0 name (platform), 1:0 ..." of the usable devices that match; w NULL = all usable ones. */
static void add_candidates(struct clv_str *s, const struct clv_device_info *list, size_t n,
                           const struct wish *w)
{
    const char *comma = "";
    for (size_t i = 0; i < n; i++) {
        if (list[i].unusable || (w && !matches(w, &list[i])))
            continue;
        clv_str_addf(s, "%s%d:%d %s (%s)", comma, list[i].platform, list[i].device, list[i].name,
                     list[i].platform_name);
        comma = ", ";
    }
}

static enum clv_err fail_none(const struct clv_device_info *list, size_t n, const struct wish *w,
                              struct clv_error *err)
{
    size_t usable = 0;
    const struct clv_device_info *broken = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!list[i].unusable)
            usable++;
        else if (!broken && w->kind != BEST && list[i].device >= 0 && matches(w, &list[i]))
            broken = &list[i];
    }
    struct clv_str s = {0};
    if (broken)
        clv_str_addf(&s, "device \"%s\" is %d:%d %s, which cannot be used: %s", w->text,
                     broken->platform, broken->device, broken->name, broken->unusable);
    else if (w->kind == BEST)
        clv_str_addf(&s, "no usable OpenCL device");
    else
        clv_str_addf(&s, "no device matches \"%s\"", w->text);
    if (usable) {
        clv_str_add(&s, "; candidates: ");
        add_candidates(&s, list, n, NULL);
    } else {
        clv_str_addf(&s, "%s; %s", w->kind == BEST ? "" : ", and there is no other usable one",
                     clv_device_install_hint());
    }
    const enum clv_err e =
        clv_fail(err, CLV_ERR_NODEV, "%s", s.text && !s.failed ? s.text : "no usable device");
    clv_str_finish(&s);
    return e;
}

static enum clv_err fail_ambiguous(const struct clv_device_info *list, size_t n,
                                   const struct wish *w, struct clv_error *err)
{
    struct clv_str s = {0};
    add_candidates(&s, list, n, w);
    const enum clv_err e =
        clv_fail(err, CLV_ERR_NODEV, "device \"%s\" is ambiguous; candidates: %s", w->text,
                 s.text && !s.failed ? s.text : "");
    clv_str_finish(&s);
    return e;
}

enum clv_err clv_device_select(const struct clv_device_info *list, size_t n, const char *select,
                               size_t *index, struct clv_error *err)
{
    const struct wish w = parse_wish(select);
    size_t best = n, found = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].unusable || !matches(&w, &list[i]))
            continue;
        found++;
        if (best == n || is_better(&list[i], &list[best]))
            best = i;
    }
    if (!found)
        return fail_none(list, n, &w, err);
    if (found > 1 && w.kind == NAME)
        return fail_ambiguous(list, n, &w, err);
    *index = best;
    return CLV_OK;
}
