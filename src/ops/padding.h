/* Padding in text form, for the ops that take it by sides. */
#ifndef CLV_OPS_PADDING_H
#define CLV_OPS_PADDING_H

#include <stdbool.h>

enum { CLV_PADDING_MAX = 4096 }; /* pixels on a side */

/* One, two or four numbers in 0..CLV_PADDING_MAX separated by commas: all sides, rows and columns, or top, left,
 * bottom, right, which is their order in pad. False for anything else. */
bool clv_padding_parse(const char *text, int pad[4]);

/* "valid" (no padding), "same", or numbers as above; false for anything else. Where *same is set pad is zeros, and
 * clv_padding_windows() finds what lies before. */
bool clv_padding_read(const char *text, bool *same, int pad[4]);

/* How many windows an axis of `in` pixels has that reach over `reach` of them each, `stride` apart; 0 where none fits.
 * same: ceil(in / stride), with *before set so that the odd pixel of padding lies behind, as Keras. Else
 * floor((in + *before + after - reach) / stride) + 1. */
int clv_padding_windows(bool same, int in, int reach, int stride, int after, int *before);

#endif
