/* A contact sheet of what the network sees: the loader's batches of the first epoch through the
 * plain C version of the sampling pass. Mean and standard deviation are left out, so that the sheet
 * shows an image; everything else is what training gets, in the order in which it gets it. */
#include "base/util.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/pngwrite.h"
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, BATCH = 8, DEFAULT_COUNT = 16, GAP_GRAY = 96, MAX_PIXELS = 1 << 28 };

struct sheet {
    size_t count, columns, rows;
    int height, width, channels; /* of the network's input */
    struct clv_png image;
    unsigned char *pixels; /* owned */
    float *sample;         /* [height][width][channels]; owned */
};

static void sheet_finish(struct sheet *s)
{
    free(s->pixels);
    free(s->sample);
}

/* As square as it gets. Errors: CLV_ERR_ARG, CLV_ERR_NOMEM; finish it in any case. */
static enum clv_err sheet_init(struct sheet *s, const struct clv_preview_params *p,
                               size_t available, struct clv_error *err)
{
    *s = (struct sheet){.height = p->height, .width = p->width, .channels = p->channels};
    const size_t h = (size_t)s->height + GAP, w = (size_t)s->width + GAP;
    s->count = CLV_MIN(p->count ? p->count : DEFAULT_COUNT, available);
    while (s->columns * s->rows < s->count) {
        if ((s->columns + 1) * w <= (s->rows + 1) * h)
            s->columns++;
        else
            s->rows++;
        if (!s->columns || !s->rows)
            s->columns = s->rows = 1;
        if (s->columns * w + GAP > MAX_PIXELS / (s->rows * h + GAP))
            return clv_fail(
                err, CLV_ERR_ARG,
                "preview: %zu tiles of %dx%d pixels make too large a sheet; ask for fewer",
                s->count, s->width, s->height);
    }
    s->image.width = (int)(s->columns * w + GAP);
    s->image.height = (int)(s->rows * h + GAP);
    s->image.channels = s->channels < 3 ? 1 : 3;
    const size_t bytes =
        (size_t)s->image.width * (size_t)s->image.height * (size_t)s->image.channels;
    s->pixels = malloc(bytes);
    s->sample =
        calloc((size_t)s->height * (size_t)s->width * (size_t)s->channels, sizeof *s->sample);
    if (!s->pixels || !s->sample)
        return clv_fail_nomem(err, "a contact sheet");
    memset(s->pixels, GAP_GRAY, bytes);
    s->image.pixels = s->pixels;
    return CLV_OK;
}

/* s->sample to tile number `at`. */
static void sheet_put(struct sheet *s, size_t at)
{
    const size_t c = (size_t)s->image.channels;
    const size_t left = GAP + at % s->columns * ((size_t)s->width + GAP);
    const size_t top = GAP + at / s->columns * ((size_t)s->height + GAP);
    for (size_t y = 0; y < (size_t)s->height; y++) {
        unsigned char *out = s->pixels + ((top + y) * (size_t)s->image.width + left) * c;
        const float *in = s->sample + y * (size_t)s->width * (size_t)s->channels;
        for (size_t x = 0; x < (size_t)s->width; x++, in += s->channels)
            for (size_t k = 0; k < c; k++) {
                const float v = in[k];
                *out++ = (unsigned char)(v > 0 ? v < 1 ? v * 255.0f + 0.5f : 255.0f : 0.0f);
            }
    }
}

static enum clv_err draw_tiles(struct clv_data *data, enum clv_split split, struct clv_loader *l,
                               struct sheet *s)
{
    struct clv_normalise plain = {.mean = {0}}, norm;
    clv_loader_normalise(l, &norm);
    for (int k = 0; k < CLV_SAMPLE_CHANNELS; k++)
        plain.std[k] = 1;
    unsigned char *slot = malloc(clv_loader_slot_bytes(l));
    if (!slot)
        return clv_fail_nomem(&data->ctx->err, "a contact sheet");
    enum clv_err e = clv_loader_start(l, 0, 0);
    for (size_t done = 0; done < s->count && !e;) {
        uint32_t index[BATCH];
        int32_t label[BATCH];
        int n = 0;
        e = clv_loader_next(l, slot, &n, index, label);
        if (e || n == 0)
            break;
        for (int i = 0; i < n && done < s->count; i++, done++) {
            struct clv_sample_record r;
            memcpy(&r, slot + (size_t)i * sizeof r, sizeof r);
            for (int k = 0; k < CLV_SAMPLE_CHANNELS; k++) /* which is set behind mean and deviation */
                r.erase_value[k] = r.erase_value[k] * norm.std[k] + norm.mean[k];
            clv_sample_reference(slot, &r, s->height, s->width, s->channels, &plain, s->sample);
            sheet_put(s, done);
            clv_log(data->ctx, CLV_LOG_INFO, "row %zu column %zu: %s (%s)", done / s->columns + 1,
                    done % s->columns + 1, clv_data_item_at(data, split, index[i])->path,
                    data->classes[label[i]]);
        }
    }
    free(slot);
    return e;
}

enum clv_err clv_data_preview(struct clv_data *data, const char *png_path,
                              const struct clv_preview_params *params)
{
    struct sheet s = {0};
    struct clv_loader *l = NULL;
    /* training: the order is shuffled, so that the sheet shows all classes */
    const struct clv_loader_params lp = {.data = data,
                                         .split = params->split,
                                         .batch = BATCH,
                                         .height = params->height,
                                         .width = params->width,
                                         .channels = params->channels,
                                         .pipeline = params->pipeline,
                                         .training = true,
                                         .seed = params->seed,
                                         .threads = 1};
    const size_t available = clv_data_count(data, params->split);
    if (!available)
        return clv_fail(&data->ctx->err, CLV_ERR_DATA, "%s: no %s images to preview", data->root,
                        clv_split_name(params->split));
    CLV_TRY(clv_loader_create(data->ctx, &lp, &l)); /* also checks sizes and pipeline */
    enum clv_err e = sheet_init(&s, params, available, &data->ctx->err);
    if (!e)
        e = draw_tiles(data, params->split, l, &s);
    if (!e)
        e = clv_png_write(png_path, &s.image, &data->ctx->err);
    sheet_finish(&s);
    clv_loader_destroy(&l);
    return e;
}
