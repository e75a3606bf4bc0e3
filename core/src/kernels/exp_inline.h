/* exp for floats in plain arithmetic: same bits on every CPU, and loops over it vectorise. */
#ifndef EBM_EXP_INLINE_H
#define EBM_EXP_INLINE_H

#include <stdint.h>
#include <string.h>

/* @range saturates outside [-87, 88]
 * @eq x = k ln2 + r, |r| <= ln2/2; exp r by its Taylor series to r^7/7! (next term < 1e-8) */
static inline float ebm__exp(float x)
{
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    /* adding and subtracting 1.5*2^23 rounds to the nearest whole number */
    float k = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
    float r = (x - k * 0.693359375f) - k * -2.12194440e-4f; /* ln2 in two parts */
    float p =
        1.0f +
        r * (1.0f + r * (0.5f + r * (1.0f / 6.0f +
                                     r * (1.0f / 24.0f +
                                          r * (1.0f / 120.0f +
                                               r * (1.0f / 720.0f + r * (1.0f / 5040.0f)))))));
    uint32_t bits = (uint32_t)((int32_t)k + 127) << 23;
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* Logistic function 1/(1+exp(-x)). */
static inline float ebm__sigmoid(float x)
{
    return 1.0f / (1.0f + ebm__exp(-x));
}

#endif
