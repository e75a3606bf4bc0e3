/* Elementwise kernels, pooling and the head's sums for maps that are planes of floats with any
 * padding, as inline functions: every float32 set compiles them with its own instructions. The
 * arithmetic is the same in all of them, operation by operation, so the bits are too. */
#ifndef EBM_MAP_INLINE_H
#define EBM_MAP_INLINE_H

#include <string.h>

#include "ebm/kernels.h"
#include "kernels/exp_inline.h"
#include "kernels/share_inline.h"

/* Where the values of a map lie: value (c,i,j) at c*plane + base + i*row + j, in floats. */
typedef struct ebm__layout {
    size_t base, row, plane;
} ebm__layout;

/* act(x) at one point. NaN stays NaN. */
static inline float ebm__act_at(ebm_act act, float slope, float x)
{
    float below = slope * x; /* always computed: loops over this then need no branch */
    switch (act) {
    case EBM_ACT_LEAKY_RELU:
        return x > 0.0f ? x : below;
    case EBM_ACT_RELU:
        return x < 0.0f ? 0.0f : x;
    case EBM_ACT_SILU:
        return x * ebm__sigmoid(x);
    case EBM_ACT_SQUARE:
        return 0.5f * x * x;
    case EBM_ACT_NONE:
        break;
    }
    return x;
}

/* act'(x) at one point. @eq silu: s(x) (1 + x (1 - s(x))) */
static inline float ebm__slope_at(ebm_act act, float slope, float x)
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
    case EBM_ACT_SQUARE:
        return x;
    case EBM_ACT_NONE:
        break;
    }
    return 1.0f;
}

/* act''(x) at one point. @eq silu: s (1-s) (2 + x (1-2s)), s = s(x) */
static inline float ebm__curve_at(ebm_act act, float x)
{
    if (act != EBM_ACT_SILU)
        return act == EBM_ACT_SQUARE ? 1.0f : 0.0f;
    float s = ebm__sigmoid(x);
    return s * (1.0f - s) * (2.0f + x * (1.0f - 2.0f * s));
}

/* Runs `LOOP(kind)` with the kind as a constant, so that the loop inside vectorises. */
#define EBM__BY_ACT(kind, LOOP)                                                                    \
    switch (kind) {                                                                                \
    case EBM_ACT_LEAKY_RELU:                                                                       \
        LOOP(EBM_ACT_LEAKY_RELU);                                                                  \
        break;                                                                                     \
    case EBM_ACT_RELU:                                                                             \
        LOOP(EBM_ACT_RELU);                                                                        \
        break;                                                                                     \
    case EBM_ACT_SILU:                                                                             \
        LOOP(EBM_ACT_SILU);                                                                        \
        break;                                                                                     \
    case EBM_ACT_SQUARE:                                                                           \
        LOOP(EBM_ACT_SQUARE);                                                                      \
        break;                                                                                     \
    case EBM_ACT_NONE:                                                                             \
        LOOP(EBM_ACT_NONE);                                                                        \
        break;                                                                                     \
    }

static inline void ebm__act_run(ebm_activation act, size_t n, const float *x, float *y)
{
#define FORWARD_LOOP(KIND)                                                                         \
    for (size_t i = 0; i < n; i++)                                                                 \
    y[i] = ebm__act_at(KIND, act.slope, x[i])
    EBM__BY_ACT(act.kind, FORWARD_LOOP)
#undef FORWARD_LOOP
}

static inline void ebm__exp_run(size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = ebm__exp(x[i]);
}

/* What a gate looks at: the sign of act(x) is that of x where the slope has one of two values. */
static inline const float *ebm__gate_source(const ebm_gate *gate)
{
    bool smooth = gate->act.kind == EBM_ACT_SILU || gate->act.kind == EBM_ACT_SQUARE;
    return smooth ? gate->x : gate->activated;
}

/* y = act'(x)*v for n values; x is not read for NONE. y and v may be the same. */
static inline void ebm__gate_run(ebm_activation act, size_t n, const float *x, const float *v,
                                 float *y)
{
#define GATE_LOOP(KIND)                                                                            \
    for (size_t i = 0; i < n; i++)                                                                 \
    y[i] = ebm__slope_at(KIND, act.slope, x[i]) * v[i]
    if (act.kind == EBM_ACT_NONE)
        x = v; /* any readable array: its values have no part in the result */
    EBM__BY_ACT(act.kind, GATE_LOOP)
#undef GATE_LOOP
}

/* Where a member's planes begin and end, in floats. Padding is zero, every activation keeps zero,
 * so whole planes may be passed through. */
static inline size_t ebm__planes_first(const ebm_map_shape *m, ebm__layout l, ebm_share share)
{
    return ebm__share_first((size_t)m->c, share) * l.plane;
}

static inline size_t ebm__planes_end(const ebm_map_shape *m, ebm__layout l, ebm_share share)
{
    return ebm__share_end((size_t)m->c, share) * l.plane;
}

static inline void ebm__map_act_forward(ebm_activation act, const ebm_map_shape *m, ebm__layout l,
                                        const float *x, float *y, ebm_share share)
{
    size_t first = ebm__planes_first(m, l, share);
    ebm__act_run(act, ebm__planes_end(m, l, share) - first, x + first, y + first);
}

static inline void ebm__map_act_tangent(const ebm_gate *gate, const ebm_map_shape *m, ebm__layout l,
                                        const float *v, float *y, ebm_share share)
{
    size_t first = ebm__planes_first(m, l, share);
    const float *x = gate->act.kind == EBM_ACT_NONE ? v : ebm__gate_source(gate);
    ebm__gate_run(gate->act, ebm__planes_end(m, l, share) - first, x + first, v + first, y + first);
}

static inline void ebm__map_gate_backward(const ebm_gate *gate, const ebm_map_shape *m,
                                          ebm__layout l, const float *u, float *dx, bool accumulate)
{
    const float *x = gate->act.kind == EBM_ACT_NONE ? u : ebm__gate_source(gate);
    ebm_activation act = gate->act;
    for (size_t i = 0; i < (size_t)m->c * l.plane; i++) {
        float value = ebm__slope_at(act.kind, act.slope, x[i]) * u[i];
        dx[i] = accumulate ? dx[i] + value : value;
    }
}

static inline void ebm__map_curve_backward(ebm_activation act, const ebm_map_shape *m,
                                           ebm__layout l, const float *x, const float *v,
                                           const float *u, float *dx, bool accumulate)
{
    for (size_t i = 0; i < (size_t)m->c * l.plane; i++) {
        float value = ebm__curve_at(act.kind, x[i]) * v[i] * u[i];
        dx[i] = accumulate ? dx[i] + value : value;
    }
}

static inline void ebm__map_add(const ebm_map_shape *m, ebm__layout l, const float *dy, float *dx,
                                ebm_share share)
{
    for (size_t i = ebm__planes_first(m, l, share); i < ebm__planes_end(m, l, share); i++)
        dx[i] += dy[i];
}

static inline void ebm__map_load(const ebm_map_shape *m, ebm__layout l, const float *image,
                                 float *map)
{
    memset(map, 0, (size_t)m->c * l.plane * sizeof *map);
    for (int32_t k = 0; k < m->c; k++)
        for (int32_t i = 0; i < m->h; i++, image += m->w)
            memcpy(map + (size_t)k * l.plane + l.base + (size_t)i * l.row, image,
                   (size_t)m->w * sizeof *map);
}

static inline void ebm__map_store(const ebm_map_shape *m, ebm__layout l, const float *map,
                                  float *image)
{
    for (int32_t k = 0; k < m->c; k++)
        for (int32_t i = 0; i < m->h; i++, image += m->w)
            memcpy(image, map + (size_t)k * l.plane + l.base + (size_t)i * l.row,
                   (size_t)m->w * sizeof *image);
}

/* One channel of a pooled map. lx: layout of the large map. */
static inline void ebm__pool_plane(const ebm_map_shape *m, ebm__layout lx, ebm__layout ly,
                                   const float *x, float *y)
{
    memset(y, 0, ly.plane * sizeof *y);
    for (int32_t i = 0; i < m->h / 2; i++) {
        const float *upper = x + lx.base + 2 * (size_t)i * lx.row, *lower = upper + lx.row;
        float *out = y + ly.base + (size_t)i * ly.row;
        for (int32_t j = 0; j < m->w / 2; j++)
            out[j] = 0.25f * (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]);
    }
}

static inline void ebm__map_pool_forward(const ebm_map_shape *m, ebm__layout lx, ebm__layout ly,
                                         const float *x, float *y, ebm_activation act,
                                         float *activated, ebm_share share)
{
    for (size_t k = ebm__share_first((size_t)m->c, share); k < ebm__share_end((size_t)m->c, share);
         k++) {
        ebm__pool_plane(m, lx, ly, x + k * lx.plane, y + k * ly.plane);
        if (activated)
            ebm__act_run(act, ly.plane, y + k * ly.plane, activated + k * ly.plane);
    }
}

static inline void ebm__map_pool_backward(const ebm_map_shape *m, ebm__layout lx, ebm__layout ly,
                                          const float *dy, float *dx, ebm_share share)
{
    for (size_t k = ebm__share_first((size_t)m->c, share); k < ebm__share_end((size_t)m->c, share);
         k++) {
        memset(dx + k * lx.plane, 0, lx.plane * sizeof *dx);
        for (int32_t i = 0; i < m->h / 2; i++) {
            float *upper = dx + k * lx.plane + lx.base + 2 * (size_t)i * lx.row;
            float *lower = upper + lx.row;
            const float *in = dy + k * ly.plane + ly.base + (size_t)i * ly.row;
            for (int32_t j = 0; j < m->w / 2; j++)
                upper[2 * j] = upper[2 * j + 1] = lower[2 * j] = lower[2 * j + 1] = 0.25f * in[j];
        }
    }
}

/* One channel of an upsampled map. lx: layout of the small map. */
static inline void ebm__up_plane(const ebm_map_shape *m, ebm__layout lx, ebm__layout ly,
                                 const float *x, const float *residual, float *y)
{
    memcpy(y, residual, ly.plane * sizeof *y);
    for (int32_t i = 0; i < m->h / 2; i++) {
        const float *in = x + lx.base + (size_t)i * lx.row;
        float *upper = y + ly.base + 2 * (size_t)i * ly.row, *lower = upper + ly.row;
        for (int32_t j = 0; j < m->w / 2; j++) {
            upper[2 * j] += in[j];
            upper[2 * j + 1] += in[j];
            lower[2 * j] += in[j];
            lower[2 * j + 1] += in[j];
        }
    }
}

/* All of y is written, also when nobody reads it but the activation. */
static inline void ebm__map_up_forward(const ebm_map_shape *m, ebm__layout lx, ebm__layout ly,
                                       const float *x, const ebm_conv_result *out, ebm_share share)
{
    for (size_t k = ebm__share_first((size_t)m->c, share); k < ebm__share_end((size_t)m->c, share);
         k++) {
        float *y = (out->y ? out->y : out->activated) + k * ly.plane;
        ebm__up_plane(m, lx, ly, x + k * lx.plane, out->residual + k * ly.plane, y);
        if (out->activated)
            ebm__act_run(out->act, ly.plane, y, out->activated + k * ly.plane);
    }
}

static inline void ebm__map_up_backward(const ebm_map_shape *m, ebm__layout lx, ebm__layout ly,
                                        const float *dy, float *dx, ebm_share share)
{
    for (size_t k = ebm__share_first((size_t)m->c, share); k < ebm__share_end((size_t)m->c, share);
         k++) {
        memset(dx + k * lx.plane, 0, lx.plane * sizeof *dx);
        for (int32_t i = 0; i < m->h / 2; i++) {
            const float *upper = dy + k * ly.plane + ly.base + 2 * (size_t)i * ly.row;
            const float *lower = upper + ly.row;
            float *out = dx + k * lx.plane + lx.base + (size_t)i * lx.row;
            for (int32_t j = 0; j < m->w / 2; j++)
                out[j] = upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1];
        }
    }
}

/* Sum over the pixels of one plane of act(x), or of act'(x)*v if there is a v. In double: planes
 * have up to a million values. */
static inline double ebm__plane_sum(ebm_activation act, const ebm_map_shape *m, ebm__layout l,
                                    const float *x, const float *v)
{
    float row[64];
    double sum = 0.0;
    for (int32_t i = 0; i < m->h; i++)
        for (int32_t j = 0; j < m->w; j += 64) {
            size_t at = l.base + (size_t)i * l.row + (size_t)j;
            int32_t n = m->w - j < 64 ? m->w - j : 64;
            if (v)
                ebm__gate_run(act, (size_t)n, x + at, v + at, row);
            else
                ebm__act_run(act, (size_t)n, x + at, row);
            for (int32_t p = 0; p < n; p++)
                sum += (double)row[p];
        }
    return sum;
}

static inline void ebm__map_head_sum(ebm_activation act, const ebm_map_shape *m, ebm__layout l,
                                     const float *x, float *sums, ebm_share share)
{
    for (size_t k = ebm__share_first((size_t)m->c, share); k < ebm__share_end((size_t)m->c, share);
         k++)
        sums[k] = (float)ebm__plane_sum(act, m, l, x + k * l.plane, NULL);
}

static inline void ebm__map_head_tangent(ebm_activation act, const ebm_map_shape *m, ebm__layout l,
                                         const float *x, const float *v, float *sums)
{
    for (size_t k = 0; k < (size_t)m->c; k++)
        sums[k] = (float)ebm__plane_sum(act, m, l, x + k * l.plane, v + k * l.plane);
}

static inline void ebm__map_head_backward(ebm_activation act, const ebm_map_shape *m, ebm__layout l,
                                          const float *x, const float *d, float *dx,
                                          ebm_share share)
{
    for (size_t k = ebm__share_first((size_t)m->c, share); k < ebm__share_end((size_t)m->c, share);
         k++) {
        memset(dx + k * l.plane, 0, l.plane * sizeof *dx);
        for (int32_t i = 0; i < m->h; i++) {
            size_t at = k * l.plane + l.base + (size_t)i * l.row;
            for (int32_t j = 0; j < m->w; j++)
                dx[at + (size_t)j] = d[k];
            ebm__gate_run(act, (size_t)m->w, x + at, dx + at, dx + at);
        }
    }
}

#endif
