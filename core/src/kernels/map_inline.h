/* Elementwise kernels, pooling and the head's sums for maps of any plane layout, as inline
 * functions: every kernel set compiles them with its own instructions. The arithmetic is the same
 * in all of them, operation by operation, so the bits are too. */
#ifndef EBM_MAP_INLINE_H
#define EBM_MAP_INLINE_H

#include <string.h>

#include "ebm/kernels.h"
#include "kernels/exp_inline.h"

/* Where the values of a map lie: value (c,i,j) at c*plane + base + i*row + j, in floats. */
typedef struct ebm__layout {
    size_t base, row, plane;
} ebm__layout;

static inline void ebm__map_act_forward(ebm_act act, float slope, size_t n, const float *x,
                                        float *y)
{
    switch (act) {
    case EBM_ACT_LEAKY_RELU:
        for (size_t i = 0; i < n; i++) {
            float below = slope * x[i]; /* always computed: the loop then needs no branch */
            y[i] = x[i] > 0.0f ? x[i] : below;
        }
        break;
    case EBM_ACT_RELU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] < 0.0f ? 0.0f : x[i]; /* this way round NaN stays NaN */
        break;
    case EBM_ACT_SILU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] * ebm__sigmoid(x[i]);
        break;
    case EBM_ACT_NONE:
        if (y != x)
            memmove(y, x, n * sizeof *y);
        break;
    }
}

/* act'(x) at one point. @eq silu: s(x) (1 + x (1 - s(x))) */
static inline float slope_at(ebm_act act, float slope, float x)
{
    float s;
    switch (act) {
    case EBM_ACT_LEAKY_RELU:
        return x > 0.0f ? 1.0f : slope;
    case EBM_ACT_RELU:
        return x > 0.0f ? 1.0f : 0.0f;
    case EBM_ACT_SILU:
        s = ebm__sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
    case EBM_ACT_NONE:
        break;
    }
    return 1.0f;
}

/* One loop per activation and mode, so that `act` is a constant inside and the loop vectorises. */
#define BACKWARD_LOOP(ACT)                                                                         \
    do {                                                                                           \
        if (accumulate)                                                                            \
            for (size_t i = 0; i < n; i++)                                                         \
                dx[i] += slope_at(ACT, slope, x[i]) * dy[i];                                       \
        else                                                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                dx[i] = slope_at(ACT, slope, x[i]) * dy[i];                                        \
    } while (0)

static inline void ebm__map_act_backward(ebm_act act, float slope, size_t n, const float *x,
                                         const float *dy, float *dx, bool accumulate)
{
    switch (act) {
    case EBM_ACT_LEAKY_RELU:
        BACKWARD_LOOP(EBM_ACT_LEAKY_RELU);
        break;
    case EBM_ACT_RELU:
        BACKWARD_LOOP(EBM_ACT_RELU);
        break;
    case EBM_ACT_SILU:
        BACKWARD_LOOP(EBM_ACT_SILU);
        break;
    case EBM_ACT_NONE:
        BACKWARD_LOOP(EBM_ACT_NONE);
        break;
    }
}

static inline void ebm__map_zero(int32_t c, ebm__layout l, float *map)
{
    memset(map, 0, (size_t)c * l.plane * sizeof *map);
}

static inline void ebm__map_load(int32_t c, int32_t h, int32_t w, ebm__layout l, const float *image,
                                 float *map)
{
    ebm__map_zero(c, l, map);
    for (int32_t k = 0; k < c; k++)
        for (int32_t i = 0; i < h; i++, image += w)
            memcpy(map + (size_t)k * l.plane + l.base + (size_t)i * l.row, image,
                   (size_t)w * sizeof *map);
}

static inline void ebm__map_store(int32_t c, int32_t h, int32_t w, ebm__layout l, const float *map,
                                  float *image)
{
    for (int32_t k = 0; k < c; k++)
        for (int32_t i = 0; i < h; i++, image += w)
            memcpy(image, map + (size_t)k * l.plane + l.base + (size_t)i * l.row,
                   (size_t)w * sizeof *image);
}

/* lx, ly: layouts of the large and the small map */
static inline void ebm__map_pool_forward(int32_t c, int32_t h, int32_t w, ebm__layout lx,
                                         ebm__layout ly, const float *x, float *y)
{
    ebm__map_zero(c, ly, y);
    for (int32_t k = 0; k < c; k++)
        for (int32_t i = 0; i < h / 2; i++) {
            const float *upper = x + (size_t)k * lx.plane + lx.base + 2 * (size_t)i * lx.row;
            const float *lower = upper + lx.row;
            float *out = y + (size_t)k * ly.plane + ly.base + (size_t)i * ly.row;
            for (int32_t j = 0; j < w / 2; j++)
                out[j] =
                    0.25f * (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]);
        }
}

static inline void ebm__map_pool_backward(int32_t c, int32_t h, int32_t w, ebm__layout lx,
                                          ebm__layout ly, const float *dy, float *dx)
{
    ebm__map_zero(c, lx, dx);
    for (int32_t k = 0; k < c; k++)
        for (int32_t i = 0; i < h / 2; i++) {
            float *upper = dx + (size_t)k * lx.plane + lx.base + 2 * (size_t)i * lx.row;
            float *lower = upper + lx.row;
            const float *in = dy + (size_t)k * ly.plane + ly.base + (size_t)i * ly.row;
            for (int32_t j = 0; j < w / 2; j++) {
                float quarter = 0.25f * in[j];
                upper[2 * j] = upper[2 * j + 1] = quarter;
                lower[2 * j] = lower[2 * j + 1] = quarter;
            }
        }
}

/* A row of activations at a time, then their sum in double, in the order of the pixels. */
static inline void ebm__map_head_sum(ebm_act act, float slope, int32_t c, int32_t h, int32_t w,
                                     ebm__layout l, const float *x, float *sums)
{
    float row[64];
    for (int32_t k = 0; k < c; k++) {
        double sum = 0.0;
        for (int32_t i = 0; i < h; i++)
            for (int32_t j = 0; j < w; j += 64) {
                int32_t n = w - j < 64 ? w - j : 64;
                ebm__map_act_forward(act, slope, (size_t)n,
                                     x + (size_t)k * l.plane + l.base + (size_t)i * l.row + j, row);
                for (int32_t p = 0; p < n; p++)
                    sum += (double)row[p];
            }
        sums[k] = (float)sum;
    }
}

static inline void ebm__map_head_backward(ebm_act act, float slope, int32_t c, int32_t h, int32_t w,
                                          ebm__layout l, const float *x, const float *d, float *dx)
{
    ebm__map_zero(c, l, dx);
    for (int32_t k = 0; k < c; k++)
        for (int32_t i = 0; i < h; i++) {
            size_t at = (size_t)k * l.plane + l.base + (size_t)i * l.row;
            for (int32_t j = 0; j < w; j++)
                dx[at + (size_t)j] = d[k];
            ebm__map_act_backward(act, slope, (size_t)w, x + at, dx + at, dx + at, false);
        }
}

#endif
