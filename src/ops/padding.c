#include "ops/padding.h"

#include <stdlib.h>

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
