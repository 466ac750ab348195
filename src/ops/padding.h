/* Padding in text form, for the ops that take it by sides. */
#ifndef CLV_OPS_PADDING_H
#define CLV_OPS_PADDING_H

#include <stdbool.h>

enum { CLV_PADDING_MAX = 4096 }; /* pixels on a side */

/* One, two or four numbers in 0..CLV_PADDING_MAX separated by commas: all sides, rows and columns, or top, left,
 * bottom, right, which is their order in pad. False for anything else. */
bool clv_padding_parse(const char *text, int pad[4]);

#endif
