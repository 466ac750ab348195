#include "data/pipeline.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESIZE_SQUASH, RESIZE_CROP, RESIZE_PAD };
enum { MAX_TAPS = 64 };

static const char *const resize_names[] = {"squash", "crop", "pad", NULL};

#define PRE(field) offsetof(struct clv_preprocess, field)
const struct clv_opt clv_preprocess_opts[] = {
    {"resize", "whole image squashed to the input, centre cut to its shape, or shape kept and edges "
               "repeated",
     CLV_OPT_ENUM, PRE(resize), "squash", .names = resize_names},
    {"crop", "box to keep: x,y,width,height in pixels of the file", CLV_OPT_LIST, PRE(crop), "", 0,
     CLV_IMAGE_MAX_PIXELS},
    {"crop_center", "share of each side to keep, about the centre", CLV_OPT_DOUBLE,
     PRE(crop_center), "1", 0.01, 1},
    {"rotate", "turn counter-clockwise, degrees", CLV_OPT_DOUBLE, PRE(rotate), "0", -360, 360},
    {"mean", "subtracted from values 0..1: one number or one per channel", CLV_OPT_LIST, PRE(mean),
     "0", -1000, 1000},
    {"std", "then divides: one number or one per channel", CLV_OPT_LIST, PRE(std), "1", 1e-6, 1000},
    {0}};

static enum clv_err check_list(const struct clv_opt_list *list, const char *name, int channels,
                               struct clv_error *err)
{
    if (list->n == 1 || list->n == channels)
        return CLV_OK;
    return clv_fail(err, CLV_ERR_ARG, "preprocess: %s has %d numbers, the input %d channel%s", name,
                    list->n, channels, channels == 1 ? "" : "s");
}

enum clv_err clv_pipeline_init(struct clv_pipeline *p, int height, int width, int channels,
                               const struct clv_pipeline_params *params, struct clv_error *err)
{
    *p = (struct clv_pipeline){.height = height, .width = width, .channels = channels};
    if (height < 1 || width < 1 || (int64_t)height * width > CLV_IMAGE_MAX_PIXELS / 4)
        return clv_fail(err, CLV_ERR_ARG, "input of %dx%d pixels: not usable for images", height,
                        width);
    if (channels < 1 || channels > CLV_SAMPLE_CHANNELS)
        return clv_fail(err, CLV_ERR_ARG, "input of %d channels: images need 1 to %d", channels,
                        CLV_SAMPLE_CHANNELS);
    CLV_TRY(clv_opt_parse(clv_preprocess_opts, &p->pre, "preprocess", params->preprocess, err));
    CLV_TRY(clv_opt_parse(clv_augment_opts, &p->aug, "augment", params->augment, err));
    if (p->pre.crop.n != 0 && p->pre.crop.n != 4)
        return clv_fail(err, CLV_ERR_ARG, "preprocess: crop has %d numbers; expected x,y,width,height",
                        p->pre.crop.n);
    CLV_TRY(check_list(&p->pre.mean, "mean", channels, err));
    CLV_TRY(check_list(&p->pre.std, "std", channels, err));
    return clv_augment_check(&p->aug, channels, err);
}

void clv_pipeline_normalise(const struct clv_pipeline *p, struct clv_normalise *ret)
{
    for (int c = 0; c < CLV_SAMPLE_CHANNELS; c++) {
        const int i = CLV_MIN(c, p->pre.mean.n - 1), j = CLV_MIN(c, p->pre.std.n - 1);
        ret->mean[c] = (float)p->pre.mean.v[i];
        ret->std[c] = (float)p->pre.std.v[j];
    }
}

struct box {
    uint32_t x, y, w, h;
};

static void center_box(struct box *b, double w, double h)
{
    const uint32_t nw = CLV_MAX(1, CLV_MIN(b->w, (uint32_t)lround(w)));
    const uint32_t nh = CLV_MAX(1, CLV_MIN(b->h, (uint32_t)lround(h)));
    *b = (struct box){b->x + (b->w - nw) / 2, b->y + (b->h - nh) / 2, nw, nh};
}

/* The part of the file's image that is used. */
static enum clv_err crop_box(const struct clv_pipeline *p, const struct clv_image *im,
                             struct box *ret, struct clv_error *err)
{
    struct box b = {0, 0, im->width, im->height};
    const double *v = p->pre.crop.v;
    if (p->pre.crop.n == 4) {
        if (v[2] < 1 || v[3] < 1 || v[0] + v[2] > im->width || v[1] + v[3] > im->height)
            return clv_fail(err, CLV_ERR_DATA,
                            "crop=%g,%g,%g,%g does not lie inside the image of %ux%u pixels", v[0],
                            v[1], v[2], v[3], im->width, im->height);
        b = (struct box){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2], (uint32_t)v[3]};
    }
    center_box(&b, b.w * p->pre.crop_center, b.h * p->pre.crop_center);
    if (p->pre.resize == RESIZE_CROP) {
        const double scale = fmin((double)b.w / p->width, (double)b.h / p->height);
        center_box(&b, scale * p->width, scale * p->height);
    }
    *ret = b;
    return CLV_OK;
}

/* The size an image of w x h pixels is kept with. */
static void fit(const struct clv_pipeline *p, uint32_t *w, uint32_t *h)
{
    const uint32_t most_w = 2 * (uint32_t)p->width, most_h = 2 * (uint32_t)p->height;
    if ((uint64_t)*w * *h <= (uint64_t)most_w * most_h)
        return;
    *w = CLV_MIN(*w, most_w);
    *h = CLV_MIN(*h, most_h);
}

enum clv_err clv_pipeline_size(const struct clv_pipeline *p, struct clv_image *im,
                               struct clv_error *err)
{
    struct box b = {0};
    CLV_TRY(crop_box(p, im, &b, err));
    if (im->channels == 3 && p->channels != 1 && p->channels != 3)
        return clv_fail(err, CLV_ERR_DATA, "a colour image; the network's input has %d channels",
                        p->channels);
    im->width = b.w;
    im->height = b.h;
    fit(p, &im->width, &im->height);
    if (p->channels == 1)
        im->channels = 1;
    return CLV_OK;
}

enum clv_err clv_pipeline_prepare(const struct clv_pipeline *p, struct clv_image *im,
                                  struct clv_error *err)
{
    struct clv_image size = *im;
    struct box b = {0};
    CLV_TRY(clv_pipeline_size(p, &size, err));
    CLV_TRY(crop_box(p, im, &b, err));
    CLV_TRY(clv_image_crop(im, b.x, b.y, b.w, b.h, err));
    if (size.channels == 1)
        CLV_TRY(clv_image_to_gray(im, err));
    return clv_image_reduce(im, size.width, size.height, err);
}

/* x' = a x + b y + c, y' = d x + e y + f */
struct affine {
    double a, b, c, d, e, f;
};

/* First q, then p. */
static struct affine compose(struct affine p, struct affine q)
{
    return (struct affine){p.a * q.a + p.b * q.d,       p.a * q.b + p.b * q.e,
                           p.a * q.c + p.b * q.f + p.c, p.d * q.a + p.e * q.d,
                           p.d * q.b + p.e * q.e,       p.d * q.c + p.e * q.f + p.f};
}

/* Where a point of the picture lay before the picture was turned counter-clockwise (y points down). */
static struct affine unrotate(double degrees)
{
    const double t = degrees * (3.14159265358979323846 / 180), c = cos(t), s = sin(t);
    return (struct affine){c, -s, 0, s, c, 0};
}

/* Output pixels about the centre -> the same before augmentation. Shapes are turned as the network
 * sees them, after resizing. */
static struct affine unaugment(const struct clv_pipeline *p, const struct clv_draw *d)
{
    const struct affine window = {d->window, 0, d->window_x * p->width,
                                  0, d->window, d->window_y * p->height};
    const struct affine shift = {1, 0, -d->shift_x * p->width, 0, 1, -d->shift_y * p->height};
    const struct affine zoom = {(d->flip_x ? -1 : 1) / d->zoom, 0, 0,
                                0, (d->flip_y ? -1 : 1) / d->zoom, 0};
    return compose(zoom, compose(unrotate(d->rotation), compose(shift, window)));
}

static uint32_t count_taps(double dx, double dy)
{
    const double n = ceil(sqrt(dx * dx + dy * dy) - 1e-3);
    return n < 1 ? 1 : n > MAX_TAPS ? MAX_TAPS : (uint32_t)n;
}

/* The box and what is in it. */
static void set_erase(const struct clv_pipeline *p, const struct clv_draw *d, struct clv_sample_record *r)
{
    const struct clv_opt_list *value = &p->aug.erase_value;
    memcpy(r->erase, d->erase, sizeof r->erase);
    memcpy(r->noise, d->noise, sizeof r->noise);
    r->erase_random = value->n < 0;
    for (int c = 0; c < CLV_SAMPLE_CHANNELS && value->n > 0; c++)
        r->erase_value[c] = (float)value->v[CLV_MIN(c, value->n - 1)];
}

void clv_pipeline_record(const struct clv_pipeline *p, const struct clv_image *im, const struct clv_draw *draw,
                         struct clv_sample_record *r)
{
    const struct affine to_center = {1, 0, -0.5 * p->width, 0, 1, -0.5 * p->height};
    double sx = (double)im->width / p->width, sy = (double)im->height / p->height;
    if (p->pre.resize == RESIZE_PAD)
        sx = sy = fmax(sx, sy);
    const struct affine to_source = {sx, 0, 0.5 * im->width, 0, sy, 0.5 * im->height};
    const struct clv_draw *d = draw ? draw : &clv_draw_nothing;
    struct affine m = to_center;
    if (draw)
        m = compose(unaugment(p, draw), m);
    if (p->pre.rotate != 0)
        m = compose(unrotate(p->pre.rotate), m);
    m = compose(to_source, m);
    *r = (struct clv_sample_record){
        .width = im->width,
        .height = im->height,
        .channels = (uint32_t)im->channels,
        .value_bytes = (uint32_t)im->value_bytes,
        .m = {(float)m.a, (float)m.b, (float)m.c, (float)m.d, (float)m.e, (float)m.f},
        .taps = {count_taps(m.a, m.d), count_taps(m.b, m.e)},
        .contrast = (float)d->contrast,
        .brightness = (float)d->brightness,
        .max = im->max,
    };
    set_erase(p, d, r);
}

char *clv_pipeline_help(void)
{
    struct clv_str s = {0};
    clv_str_add(&s, "preprocess:\n");
    clv_opt_help(clv_preprocess_opts, &s);
    clv_str_add(&s, "augment (training only):\n");
    clv_opt_help(clv_augment_opts, &s);
    return clv_str_take(&s);
}
