/* Masks on what a device can do, and the caps that lowering decides by. */
#include "device/internal.h"
#include "base/str.h"
#include "base/util.h"
#include <string.h>

static const struct {
    const char *name;
    uint32_t bit;
} features[] = {
    {"fp16", CLV_FEAT_FP16},           {"fp64", CLV_FEAT_FP64},
    {"subgroups", CLV_FEAT_SUBGROUPS}, {"local", CLV_FEAT_LOCAL},
    {"unified", CLV_FEAT_UNIFIED},     {"min-vector-width", CLV_FEAT_MIN_VECTOR_WIDTH},
};

/* Kinds of device that other machines have, as far as masks on a CPU can play them. */
static const struct {
    const char *name, *caps;
} profiles[] = {
    {"wave64", "gpu,no-unified,local=64K,wg=256"}, /* AMD's boards */
    {"lanes8", "gpu,no-local"},         /* Intel's, with the tiles that need no local memory */
    {"wg224", "gpu,wg=224"},            /* a limit that is no power of two */
    {"local16", "gpu,local=16K"},       /* old and embedded GPUs */
    {"alloc256", "gpu,alloc=256M"},     /* a fourth of 1 GiB, as OpenCL 1.2 lets drivers answer */
};

/* What a forced unit is taken for: worth using. */
enum { FORCED_GAIN = 1000 };

#define CAPS_HELP                                                                                  \
    "known: no-fp16, no-fp64, no-subgroups, no-local, no-unified, no-min-vector-width, none, "     \
    "local=BYTES, wg=ITEMS, alloc=BYTES, vector=FLOATS, gpu, unit=NAME, "                                     \
    "profile=wave64|lanes8|wg224|local16|alloc256"

/* "48K" -> 49152. False for anything that is no whole number or does not fit. */
static bool parse_size(const char *text, uint64_t *ret)
{
    char digits[24];
    size_t len = strlen(text);
    unsigned shift = 0;
    if (!len || len >= sizeof(digits))
        return false;
    switch (text[len - 1]) {
    case 'K':
    case 'k':
        shift = 10;
        break;
    case 'M':
    case 'm':
        shift = 20;
        break;
    case 'G':
    case 'g':
        shift = 30;
        break;
    default:
        break;
    }
    len -= shift != 0;
    memcpy(digits, text, len);
    digits[len] = 0;
    long long v;
    if (!clv_parse_int(digits, &v) || v < 0 || (uint64_t)v > UINT64_MAX >> 1 >> shift)
        return false;
    *ret = (uint64_t)v << shift;
    return true;
}

static bool parse_limit(const char *word, struct clv_caps_mask *mask)
{
    uint64_t v;
    const char *eq = strchr(word, '=');
    if (!eq || !parse_size(eq + 1, &v))
        return false;
    const size_t len = (size_t)(eq - word);
    if (len == 5 && !memcmp(word, "local", 5)) {
        mask->local_bytes = v;
        return true;
    }
    if (len == 5 && !memcmp(word, "alloc", 5)) {
        mask->max_alloc = v;
        return v > 0;
    }
    if (len == 2 && !memcmp(word, "wg", 2)) {
        mask->max_work_group = (size_t)v;
        return v > 0;
    }
    if (len == 6 && !memcmp(word, "vector", 6)) {
        mask->vector_width = (unsigned)v;
        return v == 1 || v == 2 || v == 4 || v == 8 || v == 16;
    }
    return false;
}

static bool parse_word(const char *word, struct clv_caps_mask *mask)
{
    if (!strcmp(word, "gpu")) {
        mask->gpu_path = true;
        return true;
    }
    if (!strcmp(word, "none")) {
        for (size_t i = 0; i < CLV_COUNT(features); i++)
            mask->without |= features[i].bit;
        return true;
    }
    if (!strncmp(word, "no-", 3)) {
        for (size_t i = 0; i < CLV_COUNT(features); i++) {
            if (strcmp(word + 3, features[i].name))
                continue;
            mask->without |= features[i].bit;
            return true;
        }
        return false;
    }
    if (!strncmp(word, "unit=", 5)) {
        for (int i = 0; i < CLV_UNITS; i++) {
            if (strcmp(word + 5, clv_unit_name((enum clv_unit)i)))
                continue;
            mask->has_unit = true;
            mask->unit = (enum clv_unit)i;
            return true;
        }
        return false;
    }
    return parse_limit(word, mask);
}

/* What "profile=NAME" stands for; NULL for every other word. */
static const char *find_profile(const char *word)
{
    if (strncmp(word, "profile=", 8) != 0)
        return NULL;
    for (size_t i = 0; i < CLV_COUNT(profiles); i++)
        if (!strcmp(word + 8, profiles[i].name))
            return profiles[i].caps;
    return NULL;
}

static enum clv_err parse_list(const char *p, struct clv_caps_mask *mask, struct clv_error *err)
{
    while (*p) {
        char word[40];
        p += strspn(p, " ");
        size_t len = strcspn(p, ",");
        const char *next = p + len + (p[len] == ',');
        while (len && p[len - 1] == ' ')
            len--;
        if (len >= sizeof(word))
            return clv_fail(err, CLV_ERR_ARG, "caps: \"%.*s\" is not known; " CAPS_HELP, 60, p);
        memcpy(word, p, len);
        word[len] = 0;
        const char *profile = find_profile(word);
        if (profile)
            CLV_TRY(parse_list(profile, mask, err));
        else if (len && !parse_word(word, mask))
            return clv_fail(err, CLV_ERR_ARG, "caps: \"%s\" is not known; " CAPS_HELP, word);
        p = next;
    }
    return CLV_OK;
}

enum clv_err clv_caps_parse(const char *text, struct clv_caps_mask *mask, struct clv_error *err)
{
    *mask = (struct clv_caps_mask){.local_bytes = UINT64_MAX};
    return parse_list(text ? text : "", mask, err);
}

/* Off the GPUs the kernels know registers of 4, 8 and 16 floats. */
static unsigned cpu_vector_width(unsigned native)
{
    return native >= 16 ? 16 : native >= 8 ? 8 : 4;
}

void clv_caps_apply(const struct clv_caps_mask *mask, struct clv_device_info *info,
                    struct clv_caps *caps)
{
    if (mask->gpu_path) /* whatever a CPU's driver says of its memory: the path is made for it */
        info->features |= CLV_FEAT_LOCAL;
    info->features &= ~mask->without;
    info->local_bytes = CLV_MIN(info->local_bytes, mask->local_bytes);
    if (mask->max_alloc)
        info->max_alloc = CLV_MIN(info->max_alloc, mask->max_alloc);
    if (mask->max_work_group)
        info->max_work_group = CLV_MIN(info->max_work_group, mask->max_work_group);
    if (mask->vector_width)
        info->vector_width = mask->vector_width;
    else if (info->type != CLV_DEVICE_GPU)
        info->vector_width = cpu_vector_width(info->vector_width);
    *caps = (struct clv_caps){
        .features = info->features,
        .unit = mask->unit,
        .unit_gain = mask->unit ? FORCED_GAIN : 0,
        .gpu_path = info->type == CLV_DEVICE_GPU || mask->gpu_path,
        .units = info->units,
        .vector_width = info->vector_width,
        .max_work_group = info->max_work_group,
        .sub_groups = info->features & CLV_FEAT_SUBGROUPS ? info->sub_groups : 0,
        .local_bytes = info->local_bytes,
        .max_alloc = info->max_alloc,
        .global_bytes = info->global_bytes,
    };
}

const char *clv_caps_wide_option(const struct clv_caps *caps, int vector)
{
    return vector == 16 && caps->features & CLV_FEAT_MIN_VECTOR_WIDTH ? "-DMIN_VECTOR_WIDTH " : "";
}
