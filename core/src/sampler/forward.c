/* Forward paths of images and mixed noise. Knows level tables and counters, not densities. */
#include "ebm/forward.h"

#include <math.h>
#include <stdbool.h>

#include "sampler/reduce.h"

/* Draws mixed at a time; they stay on the stack and in the first-level cache. A multiple of 4. */
#define BLOCK 256

static ebm_stream stream_of(uint64_t seed, uint32_t index, ebm_draw draw)
{
    return (ebm_stream){.seed = seed,
                        .purpose = draw.purpose,
                        .chain = index,
                        .level = (uint32_t)draw.level,
                        .step = (uint32_t)draw.step};
}

/* Which of the two streams has all draws, or NULL: they are mixed. A stream is not independent of
 * itself: mixed with itself it would have the variance 1 + sin(lambda pi), up to 2. */
static const ebm_stream *alone(const ebm_noise *noise, const ebm_stream *a, const ebm_stream *b)
{
    const bool same = noise->seed == noise->seed_b && noise->index == noise->index_b;
    if (noise->lambda <= 0.0 || same)
        return a;
    return noise->lambda >= 1.0 ? b : NULL;
}

void ebm_noise_normal(const ebm_noise *noise, ebm_draw draw, uint32_t first, size_t n, float *out)
{
    const double half_pi = 1.5707963267948966;
    const ebm_stream a = stream_of(noise->seed, noise->index, draw);
    const ebm_stream b = stream_of(noise->seed_b, noise->index_b, draw);
    const ebm_stream *one = alone(noise, &a, &b);
    float wa, wb, other[BLOCK];
    if (one) {
        ebm_rng_normal(one, first, n, out);
        return;
    }
    wa = (float)cos(noise->lambda * half_pi);
    wb = (float)sin(noise->lambda * half_pi);
    ebm_rng_normal(&a, first, n, out);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t count = n - at < BLOCK ? n - at : BLOCK;
        ebm_rng_normal(&b, first + (uint32_t)at, count, other);
        for (size_t i = 0; i < count; i++)
            out[at + i] = wa * out[at + i] + wb * other[i];
    }
}

/* to = keep from + add e */
static void blend_noise(const ebm_noise *noise, ebm_draw draw, const float coef[2], size_t dim,
                        const float *from, float *to)
{
    float e[BLOCK];
    for (size_t at = 0; at < dim; at += BLOCK) {
        size_t count = dim - at < BLOCK ? dim - at : BLOCK;
        ebm_noise_normal(noise, draw, (uint32_t)at, count, e);
        for (size_t i = 0; i < count; i++)
            to[at + i] = coef[0] * from[at + i] + coef[1] * e[i];
    }
}

void ebm_forward_step(const ebm_levels *levels, const ebm_noise *noise, ebm_draw draw, size_t dim,
                      const float *from, float *to)
{
    const float coef[2] = {(float)levels->a[draw.level], (float)levels->sigma[draw.level]};
    blend_noise(noise, draw, coef, dim, from, to);
}

/* The image to level 0, which the first step of the process reaches from clean pixels. */
static void first_state(const ebm_levels *levels, const ebm_noise *noise, size_t dim,
                        const float *image, float *x)
{
    const float coef[2] = {(float)levels->abar[0], (float)levels->sbar[0]};
    blend_noise(noise, (ebm_draw){.purpose = EBM_PURPOSE_FORWARD}, coef, dim, image, x);
}

void ebm_forward_path(const ebm_levels *levels, const ebm_noise *noise, size_t dim,
                      const float *image, int32_t last, float *path)
{
    first_state(levels, noise, dim, image, path);
    for (int32_t i = 1; i <= last; i++) {
        const ebm_draw draw = {.purpose = EBM_PURPOSE_FORWARD, .level = i};
        float *row = path + (size_t)i * dim;
        ebm_forward_step(levels, noise, draw, dim, row - dim, row);
    }
}

void ebm_forward_state(const ebm_levels *levels, const ebm_noise *noise, size_t dim,
                       const float *image, int32_t level, float *x)
{
    first_state(levels, noise, dim, image, x);
    ebm_forward_on(levels, noise, dim, level, x);
}

void ebm_forward_on(const ebm_levels *levels, const ebm_noise *noise, size_t dim, int32_t level,
                    float *x)
{
    for (int32_t i = 1; i <= level; i++) {
        const ebm_draw draw = {.purpose = EBM_PURPOSE_FORWARD, .level = i};
        ebm_forward_step(levels, noise, draw, dim, x, x);
    }
}

void ebm_slerp(const float *a, const float *b, double lambda, size_t dim, float *out)
{
    double norms = sqrt(ebm__dot(a, a, dim) * ebm__dot(b, b, dim));
    double cosine = norms > 0.0 ? ebm__dot(a, b, dim) / norms : 1.0;
    double w = acos(fmax(-1.0, fmin(1.0, cosine))), s = sin(w);
    /* parallel vectors have no arc between them: the chord is the limit */
    float wa = (float)(s < 1e-4 ? 1.0 - lambda : sin((1.0 - lambda) * w) / s);
    float wb = (float)(s < 1e-4 ? lambda : sin(lambda * w) / s);
    for (size_t i = 0; i < dim; i++)
        out[i] = wa * a[i] + wb * b[i];
}
