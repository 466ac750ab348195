/* Draws one phantom radiograph. Pure: the same arguments give the same pixels on every machine. */
#ifndef CLV_DATA_PHANTOM_DRAW_H
#define CLV_DATA_PHANTOM_DRAW_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* pixels: [size][size], 8-bit gray. stream separates the images of one seed; opacity says whether
 * the lungs hold a consolidation. Errors: CLV_ERR_NOMEM. */
CLV_CHECK enum clv_err clv_phantom_draw(int size, uint64_t seed, uint64_t stream, bool opacity,
                                        unsigned char *pixels, struct clv_error *err);

#endif
