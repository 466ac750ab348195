/* Data sets that are arrays in memory: images [n][height][width][channels] of bytes and n labels. */
#ifndef CLV_DATA_ARRAY_H
#define CLV_DATA_ARRAY_H

#include "data/dataset.h"

struct clv_array_part {
    char name[32];         /* first half of a sample's path: "test" in "test/17" */
    int given;             /* enum clv_split or CLV_NO_SPLIT */
    size_t n;
    uint32_t width, height;
    int channels;          /* 1 or 3 */
    unsigned char *images; /* owned */
    int32_t *labels;       /* owned; 0..CLV_ARRAY_MAX_LABEL */
};
enum { CLV_ARRAY_MAX_LABEL = 65535, CLV_ARRAY_MAX_PARTS = 3 };

/* What d->priv points to for an array format; owned. */
struct clv_array {
    struct clv_array_part part[CLV_ARRAY_MAX_PARTS];
    int n_parts;
};

/* Zeroed, in d->priv. */
CLV_CHECK enum clv_err clv_array_create(struct clv_data *d, struct clv_array **ret);
/* Items and classes of the finished parts. Classes are "0", "1", ... up to the largest label, with
 * leading zeros where needed, so that byte order is the order of the numbers. */
CLV_CHECK enum clv_err clv_array_add_items(struct clv_data *d);
enum clv_err clv_array_read(const struct clv_data *d, const struct clv_data_item *item,
                            struct clv_image *ret, struct clv_error *err);
void clv_array_close(struct clv_data *d);

#endif
