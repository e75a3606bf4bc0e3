/* Elementwise kernels, pooling and the head's sums in plain C, for maps [C,H,W]. */
#include "kernels/kernel_sets.h"

#include <assert.h>
#include <string.h>

#include "kernels/exp_inline.h"

void ebm__act_forward(ebm_act act, float slope, size_t n, const float *x, float *y)
{
    switch (act) {
    case EBM_ACT_LEAKY_RELU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
        break;
    case EBM_ACT_RELU:
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] > 0.0f ? x[i] : 0.0f;
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

void ebm__act_backward(ebm_act act, float slope, size_t n, const float *x, const float *dy,
                       float *dx, bool accumulate)
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

void ebm__pool_forward(int32_t c, int32_t h, int32_t w, const float *x, float *y)
{
    int32_t oh = h / 2, ow = w / 2;
    for (int32_t k = 0; k < c; k++, x += (size_t)h * (size_t)w)
        for (int32_t i = 0; i < oh; i++) {
            const float *upper = x + (size_t)(2 * i) * (size_t)w, *lower = upper + w;
            for (int32_t j = 0; j < ow; j++)
                *y++ = 0.25f *
                       (upper[2 * j] + upper[2 * j + 1] + lower[2 * j] + lower[2 * j + 1]);
        }
}

void ebm__pool_backward(int32_t c, int32_t h, int32_t w, const float *dy, float *dx)
{
    int32_t oh = h / 2, ow = w / 2;
    memset(dx, 0, (size_t)c * (size_t)h * (size_t)w * sizeof *dx);
    for (int32_t k = 0; k < c; k++, dx += (size_t)h * (size_t)w)
        for (int32_t i = 0; i < oh; i++) {
            float *upper = dx + (size_t)(2 * i) * (size_t)w, *lower = upper + w;
            for (int32_t j = 0; j < ow; j++) {
                float quarter = 0.25f * *dy++;
                upper[2 * j] = upper[2 * j + 1] = quarter;
                lower[2 * j] = lower[2 * j + 1] = quarter;
            }
        }
}

void ebm__head_sum(ebm_act act, float slope, int32_t c, size_t hw, const float *x, float *sums)
{
    for (int32_t k = 0; k < c; k++, x += hw) {
        double sum = 0.0;
        for (size_t i = 0; i < hw; i++) {
            float y;
            ebm__act_forward(act, slope, 1, &x[i], &y);
            sum += (double)y;
        }
        sums[k] = (float)sum;
    }
}

void ebm__head_backward(ebm_act act, float slope, int32_t c, size_t hw, const float *x,
                        const float *d, float *dx)
{
    for (int32_t k = 0; k < c; k++, x += hw, dx += hw) {
        for (size_t i = 0; i < hw; i++)
            dx[i] = d[k];
        ebm__act_backward(act, slope, hw, x, dx, dx, false);
    }
}
