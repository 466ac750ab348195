/* Mean and standard deviation per channel of one split. */
#include "data/dataset.h"
#include <math.h>
#include <string.h>

/* Exact integer sums over one image. */
static void sum_image(const struct clv_image *im, int channel, uint64_t *sum, double *squares)
{
    const size_t n = (size_t)im->width * im->height, c = (size_t)im->channels;
    uint64_t s = 0, q = 0; /* at most 2^28 * 65535^2 < 2^60 */
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        if (im->value_bytes == 1) {
            v = im->pixels[i * c + (size_t)channel];
        } else {
            uint16_t w;
            memcpy(&w, im->pixels + 2 * (i * c + (size_t)channel), sizeof w);
            v = w;
        }
        s += v;
        q += v * v;
    }
    *sum = s;
    *squares = (double)q;
}

enum clv_err clv_data_stats(struct clv_data *data, enum clv_split split, struct clv_data_stats *ret)
{
    double sum[4] = {0}, squares[4] = {0}, pixels = 0;
    const size_t n = clv_data_count(data, split);
    struct clv_data_stats st = {.channels = data->info.channels};
    if (n == 0)
        return clv_fail(&data->ctx->err, CLV_ERR_ARG, "%s: no images in %s", data->root,
                        clv_split_name(split));
    for (size_t i = 0; i < n; i++) {
        struct clv_image im = {0};
        CLV_TRY(data->format->read(data, clv_data_item_at(data, split, i), &im, &data->ctx->err));
        const double max = (double)im.max;
        for (int c = 0; c < st.channels; c++) {
            uint64_t s;
            double q;
            sum_image(&im, im.channels == 1 ? 0 : c, &s, &q);
            sum[c] += (double)s / max;
            squares[c] += q / (max * max);
        }
        pixels += (double)im.width * im.height;
        clv_image_finish(&im);
    }
    for (int c = 0; c < st.channels; c++) {
        st.mean[c] = sum[c] / pixels;
        st.std[c] = sqrt(fmax(0, squares[c] / pixels - st.mean[c] * st.mean[c]));
    }
    *ret = st;
    return CLV_OK;
}

enum clv_err clv_data_class_weights(const struct clv_data *data, enum clv_split split, double *weight)
{
    const size_t n = clv_data_count(data, split), *count = data->info.class_count[split];
    for (int c = 0; c < data->n_classes; c++) {
        if (!count[c])
            return clv_fail(&data->ctx->err, CLV_ERR_DATA,
                            "%s: class %s has no %s images, so that no weight balances it", data->root, data->classes[c],
                            clv_split_name(split));
        weight[c] = (double)n / ((double)data->n_classes * (double)count[c]);
    }
    return CLV_OK;
}
