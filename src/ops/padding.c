#include "ops/padding.h"

#include "base/util.h"
#include <stdlib.h>
#include <string.h>

bool clv_padding_parse(const char *text, int pad[4])
{
    int n = 0, value[4];
    for (const char *s = text;; s++) {
        char *end;
        const long v = strtol(s, &end, 10);
        if (end == s || *s < '0' || *s > '9' || v > CLV_PADDING_MAX || n == 4)
            return false;
        value[n++] = (int)v;
        s = end;
        if (!*s)
            break;
        if (*s != ',')
            return false;
    }
    for (int i = 0; i < 4; i++)
        pad[i] = value[n == 4 ? i : n == 2 ? i % 2 : 0];
    return n != 3;
}

bool clv_padding_read(const char *text, bool *same, int pad[4])
{
    memset(pad, 0, 4 * sizeof(*pad));
    *same = !strcmp(text, "same");
    return *same || !strcmp(text, "valid") || clv_padding_parse(text, pad);
}

int clv_padding_windows(bool same, int in, int reach, int stride, int after, int *before)
{
    if (!same)
        return in + *before + after < reach ? 0 : (in + *before + after - reach) / stride + 1;
    const int out = (int)clv_div_up(in, stride);
    *before = CLV_MAX((out - 1) * stride + reach - in, 0) / 2;
    return out;
}
