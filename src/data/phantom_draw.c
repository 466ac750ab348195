/* A chest radiograph, frontal view, from simple shapes.
 *
 * Chest coordinates: u to the right, v down, about -1..1 over the image; every image sees them
 * through a random shift, scale, rotation and mirror. Brightness is attenuation: air 0, bone 1.
 *
 * What tells the classes apart is a texture: a consolidation is coarse-grained (alveoli that filled
 * unevenly), while harmless shadows (soft tissue, skin folds) of the same number, size, place and
 * outline are smooth. A consolidation is also a little brighter, but less so than lungs, shadows
 * and exposures differ among themselves: the mean brightness of a region, all that a linear
 * classifier of a small image sees, says little, while a convolution that looks for the grain finds
 * it anywhere. tools/dev/phantom_check.py measures both.
 *
 * Equal bits everywhere: only + - * /, sqrt, floor and comparisons of doubles, which IEEE 754
 * fixes, no other libm call, and no fused multiply-add: gcc does not contract under -std=c11, clang
 * is told below. (A machine that evaluates double in long double, FLT_EVAL_METHOD 2, is not
 * covered.) */
#include "data/phantom_draw.h"
#include "base/rng.h"
#include "base/util.h"
#include <math.h>
#include <stdlib.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { N_RIBS = 9, MAX_SHADOWS = 3, N_VESSELS = 8, N_SEGMENTS = 7 };

struct side { /* one lung; x = distance from the mid line */
    double width, top, base, inner, dome, dark;
};

struct shadow { /* an ellipse with a ragged edge */
    double u, v, ru, rv, c, s, level, grain, pitch;
    uint32_t key;
};

struct scene {
    double m[6]; /* pixel -> chest coordinates */
    double tissue, torso, shoulder;
    struct side side[2]; /* 0: image left of the unmirrored view */
    double heart_u, heart_v, heart_ru, heart_rv, heart_level;
    double spine, vertebra, trachea;
    double rib_v[2][N_RIBS], rib_level, rib_half, rib_bend;
    double collar[2], collar_level;
    double bubble, field, field_pitch;
    int n_shadows;
    struct shadow shadow[MAX_SHADOWS];
    double gain, offset, grad_u, grad_v, gamma, noise;
    uint32_t field_key;
};

/* ---- helpers ---- */

/* Own versions of base/rng.h's, compiled here because contraction would change their last bit. */
static double uniform(struct clv_rng *r, double lo, double hi)
{
    const double f = (double)clv_rng_u32(r) * (1.0 / 4294967296.0);
    return lo + (hi - lo) * f;
}

/* A random rotation from the half-angle tangent: cosine and sine without libm. */
static void rotation(double half_tan, double *c, double *s)
{
    const double d = 1.0 + half_tan * half_tan;
    *c = (1.0 - half_tan * half_tan) / d;
    *s = 2.0 * half_tan / d;
}

static double clamp01(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* 0 below lo, 1 above hi, smooth between. */
static double ramp(double x, double lo, double hi)
{
    const double t = clamp01((x - lo) / (hi - lo));
    return t * t * (3.0 - 2.0 * t);
}

/* Bump of height 1 at 0 that reaches 0 at |x| = 1. */
static double bump(double x)
{
    const double t = 1.0 - x * x;
    return t > 0 ? t * t : 0;
}

/* -1..1 per lattice point (the 32-bit finaliser of MurmurHash3). */
static double lattice(uint32_t key, int32_t x, int32_t y)
{
    uint32_t h = key ^ (uint32_t)x * 0x9E3779B1u ^ (uint32_t)y * 0x85EBCA77u;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    h ^= h >> 16;
    return (double)h * (2.0 / 4294967296.0) - 1.0;
}

/* Value noise: lattice points joined smoothly, -1..1. */
static double smooth_noise(uint32_t key, double x, double y)
{
    const double fx = floor(x), fy = floor(y);
    const int32_t ix = (int32_t)fx, iy = (int32_t)fy;
    const double tx = x - fx, ty = y - fy;
    const double sx = tx * tx * (3.0 - 2.0 * tx), sy = ty * ty * (3.0 - 2.0 * ty);
    const double a = lattice(key, ix, iy), b = lattice(key, ix + 1, iy);
    const double c = lattice(key, ix, iy + 1), d = lattice(key, ix + 1, iy + 1);
    const double top = a + (b - a) * sx, low = c + (d - c) * sx;
    return top + (low - top) * sy;
}

/* ---- the random scene ---- */

static void scene_view(struct scene *sc, struct clv_rng *r, int size)
{
    double c, s;
    rotation(uniform(r, -0.05, 0.05), &c, &s); /* about 6 degrees each way */
    const double zoom = uniform(r, 0.93, 1.12) * 2.0 / size;
    const double wide = zoom * uniform(r, 0.94, 1.06);
    const double flip = clv_rng_u32(r) & 1 ? -1.0 : 1.0;
    const double du = uniform(r, -0.07, 0.07), dv = uniform(r, -0.07, 0.07);
    sc->m[0] = flip * wide * c;
    sc->m[1] = flip * -wide * s;
    sc->m[3] = zoom * s;
    sc->m[4] = zoom * c;
    sc->m[2] = flip * du - 0.5 * size * (sc->m[0] + sc->m[1]);
    sc->m[5] = dv - 0.5 * size * (sc->m[3] + sc->m[4]);
}

static void scene_body(struct scene *sc, struct clv_rng *r)
{
    sc->tissue = uniform(r, 0.60, 0.72);
    sc->torso = uniform(r, 0.86, 1.02);
    sc->shoulder = uniform(r, -0.90, -0.74);
    for (int i = 0; i < 2; i++) {
        struct side *l = &sc->side[i];
        l->width = uniform(r, 0.66, 0.76);
        l->top = uniform(r, -0.74, -0.66);
        l->base = uniform(r, 0.42, 0.56) + 0.04 * i;
        l->inner = uniform(r, 0.12, 0.17);
        l->dome = uniform(r, 0.6, 1.3);
        l->dark = uniform(r, 0.26, 0.40);
    }
    sc->heart_u = uniform(r, 0.10, 0.17);
    sc->heart_v = uniform(r, 0.24, 0.32);
    sc->heart_ru = uniform(r, 0.24, 0.36);
    sc->heart_rv = uniform(r, 0.27, 0.36);
    sc->heart_level = uniform(r, 0.08, 0.16);
    sc->spine = uniform(r, 0.04, 0.10);
    sc->vertebra = uniform(r, 0.0, 0.135);
    sc->trachea = uniform(r, 0.06, 0.14);
    sc->bubble = uniform(r, -0.15, 0.15);
    sc->field = uniform(r, 0.02, 0.05);
    sc->field_pitch = uniform(r, 1.6, 3.0);
    sc->field_key = clv_rng_u32(r);
}

static void scene_bones(struct scene *sc, struct clv_rng *r)
{
    const double first = uniform(r, -0.72, -0.62), step = uniform(r, 0.128, 0.150);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < N_RIBS; k++)
            sc->rib_v[i][k] = first + k * step + uniform(r, -0.012, 0.012);
    sc->rib_level = uniform(r, 0.05, 0.11);
    sc->rib_half = uniform(r, 0.030, 0.040);
    sc->rib_bend = uniform(r, 0.45, 0.75);
    for (int i = 0; i < 2; i++)
        sc->collar[i] = uniform(r, -0.66, -0.56);
    sc->collar_level = uniform(r, 0.10, 0.18);
}

/* Shadows in the lung fields; in an image with an opacity they are grainy. */
static void scene_shadows(struct scene *sc, struct clv_rng *r, bool opacity)
{
    sc->n_shadows = 1 + (int)(clv_rng_u32(r) >> 31) + (int)(clv_rng_u32(r) >> 31);
    for (int i = 0; i < sc->n_shadows; i++) {
        struct shadow *s = &sc->shadow[i];
        const double side = clv_rng_u32(r) & 1 ? -1.0 : 1.0;
        s->v = uniform(r, -0.42, 0.32);
        s->u = side * uniform(r, 0.30, 0.48);
        s->ru = uniform(r, 0.24, 0.40);
        s->rv = uniform(r, 0.28, 0.46);
        rotation(uniform(r, -1.0, 1.0), &s->c, &s->s);
        s->level = uniform(r, 0.04, 0.13) + (opacity ? 0.10 : 0.0);
        s->pitch = uniform(r, 0.042, 0.056);
        const double rough = uniform(r, 0.18, 0.25);
        s->grain = opacity ? rough : 0;
        s->key = clv_rng_u32(r);
    }
}

static void scene_exposure(struct scene *sc, struct clv_rng *r)
{
    sc->gain = uniform(r, 0.92, 1.12);
    sc->offset = uniform(r, -0.04, 0.04);
    sc->grad_u = uniform(r, -0.05, 0.05);
    sc->grad_v = uniform(r, -0.05, 0.05);
    sc->gamma = uniform(r, -0.15, 0.25);
    sc->noise = uniform(r, 0.006, 0.014);
}

/* ---- vessels: drawn once into a plane, since they are thin and few ---- */

struct plane {
    int size;
    const double *m; /* scene.m */
    float *value;
};

/* A soft line from chest point a to b, half width h there; brightest wins. */
static void draw_segment(struct plane *p, const double a[2], const double b[2], double h)
{
    const double *m = p->m, det = m[0] * m[4] - m[1] * m[3];
    double lo[2] = {p->size, p->size}, hi[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        const double du = (k ? b[0] : a[0]) - m[2], dv = (k ? b[1] : a[1]) - m[5];
        const double q[2] = {(m[4] * du - m[1] * dv) / det, (m[0] * dv - m[3] * du) / det};
        const double reach = 2.0 + 0.6 * h * p->size;
        for (int i = 0; i < 2; i++) {
            lo[i] = CLV_MIN(lo[i], q[i] - reach);
            hi[i] = CLV_MAX(hi[i], q[i] + reach);
        }
    }
    const double du = b[0] - a[0], dv = b[1] - a[1], len2 = du * du + dv * dv;
    for (int y = (int)CLV_MAX(lo[1], 0); y < p->size && y < hi[1]; y++) {
        for (int x = (int)CLV_MAX(lo[0], 0); x < p->size && x < hi[0]; x++) {
            const double u = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2] - a[0];
            const double v = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5] - a[1];
            const double t = clamp01((u * du + v * dv) / len2);
            const double eu = u - t * du, ev = v - t * dv;
            const double d2 = (eu * eu + ev * ev) / (h * h);
            const float w = (float)(d2 < 1 ? (1 - d2) * CLV_MIN(1.0, h * 40) : 0);
            float *out = &p->value[y * p->size + x];
            *out = CLV_MAX(*out, w);
        }
    }
}

/* One vessel from the hilum outward, thinning, with a fork half way. */
static void draw_vessel(struct plane *p, struct clv_rng *r, const double from[2], double du,
                        double dv, double h, int n)
{
    double a[2] = {from[0], from[1]};
    for (int i = 0; i < n; i++) {
        double c, s;
        rotation(uniform(r, -0.16, 0.16), &c, &s);
        const double tu = c * du - s * dv, tv = s * du + c * dv;
        const double step = uniform(r, 0.07, 0.12);
        const double b[2] = {a[0] + tu * step, a[1] + tv * step};
        draw_segment(p, a, b, h);
        du = tu;
        dv = tv;
        a[0] = b[0];
        a[1] = b[1];
        h *= 0.86;
        if (n == N_SEGMENTS && i == 2) {
            rotation(clv_rng_u32(r) & 1 ? 0.28 : -0.28, &c, &s);
            draw_vessel(p, r, a, c * du - s * dv, s * du + c * dv, h * 0.8, 4);
        }
    }
}

static void draw_vessels(struct plane *p, struct clv_rng *r)
{
    const double fullness = uniform(r, 0.018, 0.030);
    for (int i = 0; i < 2 * N_VESSELS; i++) {
        const double side = i & 1 ? 1.0 : -1.0;
        const double from[2] = {side * uniform(r, 0.15, 0.22), uniform(r, -0.10, 0.08)};
        double c, s; /* fan of directions, from steeply up to steeply down */
        rotation(0.75 * ((i >> 1) - 0.5 * (N_VESSELS - 1)) / (0.5 * N_VESSELS) +
                     uniform(r, -0.06, 0.06),
                 &c, &s);
        draw_vessel(p, r, from, side * c, s, fullness * uniform(r, 0.7, 1.2), N_SEGMENTS);
    }
}

/* ---- a pixel ---- */

/* How deep (u, v) lies inside the lung of its side, in chest units; negative outside. */
static double lung_depth(const struct side *l, double x, double v)
{
    const double q = clamp01((v - l->top) / (l->base + 0.1 - l->top));
    const double up = 1.0 - q, up2 = up * up, up4 = up2 * up2;
    const double outer = 0.30 + (l->width - 0.30) * sqrt(1.0 - up2 * up);
    const double inner = l->inner + (0.29 - l->inner) * up4 * up4;
    const double base = l->base + l->dome * (x - 0.34) * (x - 0.34);
    double d = CLV_MIN(x - inner, outer - x);
    d = CLV_MIN(d, 0.8 * (base - v));
    return CLV_MIN(d, v - l->top);
}

/* Band of half thickness h around v = 0 with the bright rims of a tubular bone. */
static double bone(double v, double h)
{
    const double t = v / h;
    return t * t < 1 ? (1.0 - t * t * t * t) * (0.62 + 0.38 * t * t) : 0;
}

static double ribs(const struct scene *sc, int i, double x, double v)
{
    double sum = 0;
    for (int k = 0; k < N_RIBS; k++) {
        /* behind: from the spine slightly up, then bending down to the side */
        const double back = sc->rib_v[i][k] - 0.12 * x + sc->rib_bend * x * x;
        sum += bone(v - back, sc->rib_half);
        /* in front: from the side down to the middle, ending before the sternum */
        const double slope = 0.55, front = sc->rib_v[i][k] + 0.42 - slope * (x - 0.3);
        sum += 0.45 * ramp(x, 0.24, 0.40) * bone((v - front) * 0.88, sc->rib_half);
    }
    return sum * ramp(x, 0.05, 0.16);
}

static double collar_bone(const struct scene *sc, int i, double x, double v)
{
    const double mid = sc->collar[i] - 0.26 * x + 0.16 * x * x * x;
    return ramp(x, 0.08, 0.12) * (1.0 - ramp(x, 0.80, 0.90)) * bone(v - mid, 0.038);
}

/* Thickness of soft tissue, 0 in the air beside the body. */
static double body(const struct scene *sc, double x, double v)
{
    const double neck = 0.20 + 0.9 * ramp(v, sc->shoulder - 0.25, sc->shoulder + 0.38);
    const double edge = CLV_MIN(sc->torso + 0.12 * ramp(v, 0.2, -0.7), neck);
    const double depth = edge - x;
    return ramp(depth, -0.01, 0.03) * (0.60 + 0.40 * ramp(depth, 0.0, 0.28));
}

static double mediastinum(const struct scene *sc, double u, double x, double v)
{
    const double row = (v + 3.0) / 0.135 + sc->vertebra;
    const double t = 2.0 * (row - floor(row)) - 1.0; /* disc at the ends, vertebra between */
    double sum = sc->spine * (1.0 - ramp(x, 0.07, 0.12)) * (0.55 + 0.45 * bump(t));
    sum += 0.05 * (1.0 - ramp(x, 0.10, 0.26)) * ramp(v, -0.75, -0.3);
    sum -= sc->trachea * bump((u - 0.01) / 0.075) * (1.0 - ramp(v, -0.35, -0.22));
    return sum;
}

/* Grain of a consolidation, -1..1: smooth noise pushed towards its extremes. */
static double grain(uint32_t key, double x, double y)
{
    const double g = 1.5 * (smooth_noise(key + 1, 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x) +
                            smooth_noise(key + 2, 0.96 * x - 0.28 * y, 0.96 * y + 0.28 * x));
    return g < -1 ? -1 : g > 1 ? 1 : g;
}

static double shadows(const struct scene *sc, double u, double v)
{
    double sum = 0;
    for (int i = 0; i < sc->n_shadows; i++) {
        const struct shadow *s = &sc->shadow[i];
        const double du = u - s->u, dv = v - s->v;
        const double a = (s->c * du + s->s * dv) / s->ru, b = (s->c * dv - s->s * du) / s->rv;
        const double q = a * a + b * b;
        if (q >= 1.5)
            continue;
        const double ragged = q + 0.30 * smooth_noise(s->key, u * 9.0, v * 9.0);
        const double w = 1.0 - ramp(ragged, 0.35, 1.15);
        double level = s->level;
        if (s->grain > 0)
            level += s->grain * grain(s->key, u / s->pitch, v / s->pitch);
        sum += w * level;
    }
    return sum;
}

/* Attenuation at a chest point; vessel: 0..1 from the plane. */
static double attenuation(const struct scene *sc, double u, double v, double vessel)
{
    const int i = u > 0;
    const double x = fabs(u);
    const struct side *l = &sc->side[i];
    const double depth = lung_depth(l, x, v);
    const double hu = (u - sc->heart_u) / sc->heart_ru, hv = (v - sc->heart_v) / sc->heart_rv;
    const double heart = 1.0 - ramp(hu * hu + hv * hv - 0.55 * hu * hv, 0.80, 1.12);
    const double lung = ramp(depth, -0.012, 0.022);
    const double air = lung * (1.0 - 0.88 * heart);
    const double thick = body(sc, x, v);

    const double below = ramp(v, l->base - 0.06, l->base + 0.16);

    double t = sc->tissue * thick;
    t += 0.09 * below * thick; /* the belly */
    t += (mediastinum(sc, u, x, v) + sc->heart_level * heart * (1.0 - below)) * thick;
    t -= 0.20 * bump((u - 0.34 - sc->bubble) / 0.16) * bump((v - sc->side[1].base - 0.22) / 0.10) *
         (1.0 - lung);
    t -= air * l->dark * (0.72 + 0.28 * ramp(depth, 0.0, 0.25));
    t += air * (0.12 * vessel + shadows(sc, u, v));
    t += 0.07 * air * bump((x - 0.17) / 0.16) * bump((v + 0.01) / 0.22); /* hilum */
    const double cage = ramp(depth, -0.07, -0.03);
    t += sc->rib_level * cage * (1.0 - 0.55 * heart) * ribs(sc, i, x, v);
    t += sc->collar_level * thick * collar_bone(sc, i, x, v);
    return t + sc->field * thick *
                   smooth_noise(sc->field_key, u * sc->field_pitch, v * sc->field_pitch);
}

/* What the detector and the operator make of it: contrast, gradient, tone curve, 0..1. */
static double expose(const struct scene *sc, double t, double u, double v)
{
    double y = sc->gain * (t - 0.45) + 0.45 + sc->offset + sc->grad_u * u + sc->grad_v * v;
    y = clamp01(y);
    return y * (1.0 + sc->gamma) / (1.0 + sc->gamma * y);
}

/* Sum of four bytes: a good enough bell, variance 1, no libm. */
static double bell(struct clv_rng *r)
{
    const uint32_t w = clv_rng_u32(r);
    const uint32_t sum = (w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24);
    return ((double)sum - 510.0) * (1.0 / 147.8);
}

enum clv_err clv_phantom_draw(int size, uint64_t seed, uint64_t stream, bool opacity,
                              unsigned char *pixels, struct clv_error *err)
{
    struct scene sc = {0};
    struct clv_rng r = clv_rng_init(seed, stream);
    scene_view(&sc, &r, size);
    scene_body(&sc, &r);
    scene_bones(&sc, &r);
    scene_shadows(&sc, &r, opacity);
    scene_exposure(&sc, &r);

    struct plane p = {.size = size, .m = sc.m};
    p.value = calloc((size_t)size * (size_t)size, sizeof *p.value);
    if (!p.value)
        return clv_fail_nomem(err, "a phantom image");
    draw_vessels(&p, &r);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            const double u = sc.m[0] * (x + 0.5) + sc.m[1] * (y + 0.5) + sc.m[2];
            const double v = sc.m[3] * (x + 0.5) + sc.m[4] * (y + 0.5) + sc.m[5];
            const size_t at = (size_t)y * (size_t)size + (size_t)x;
            const double t = attenuation(&sc, u, v, p.value[at]);
            const double out = clamp01(expose(&sc, t, u, v) + sc.noise * bell(&r));
            pixels[at] = (unsigned char)(out * 255.0 + 0.5);
        }
    }
    free(p.value);
    return CLV_OK;
}
