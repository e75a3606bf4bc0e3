/* Sums over vectors in double, in eight lanes: the order is fixed by the code, so the bits do not
 * depend on the vector width, and the loops vectorise without reassociation. */
#ifndef EBM__REDUCE_H
#define EBM__REDUCE_H

#include <stddef.h>

#define EBM__LANES 8

static inline double ebm__lanes_sum(const double lane[EBM__LANES])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* @shape a, b [n] */
static inline double ebm__dot(const float *a, const float *b, size_t n)
{
    double lane[EBM__LANES] = {0};
    size_t i = 0;
    for (; i + EBM__LANES <= n; i += EBM__LANES)
        for (size_t k = 0; k < EBM__LANES; k++)
            lane[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++)
        lane[i % EBM__LANES] += (double)a[i] * (double)b[i];
    return ebm__lanes_sum(lane);
}

/* |a - b|^2 */
static inline double ebm__distance2(const float *a, const float *b, size_t n)
{
    double lane[EBM__LANES] = {0};
    size_t i = 0;
    for (; i + EBM__LANES <= n; i += EBM__LANES)
        for (size_t k = 0; k < EBM__LANES; k++) {
            double d = (double)a[i + k] - (double)b[i + k];
            lane[k] += d * d;
        }
    for (; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        lane[i % EBM__LANES] += d * d;
    }
    return ebm__lanes_sum(lane);
}

#endif
