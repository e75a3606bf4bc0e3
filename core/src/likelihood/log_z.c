/* From log weights to normalisers with error bars, and to bits. */
#include <math.h>

#include "ebm/likelihood.h"
#include "ebm/memory.h"
#include "likelihood/student.h"

#define LN_2      0.69314718055994531
#define LOG_2PI   1.8378770664093453
#define HALF_BIN  (1.0 / 255.0)
#define SQRT_HALF 0.70710678118654752

/* Sums of exp(w - max), so that nothing overflows. @eq delta method: se(log mean) = sd/(mean
 * sqrt n) */
static void summarise(const ebm_particle *p, size_t n, double sign, ebm_log_z *out)
{
    double top = -(double)INFINITY, sum = 0.0, square = 0.0, count = (double)n;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, p[i].log_weight);
    for (size_t i = 0; i < n; i++) {
        double e = exp(p[i].log_weight - top);
        sum += e;
        square += e * e;
        out->bound += sign * p[i].log_weight / count;
        out->acceptance += p[i].acceptance / count;
    }
    double mean = sum / count, variance = fmax(0.0, (square - sum * mean) / (count - 1.0));
    out->value = sign * (top + log(mean));
    out->std_error = sqrt(variance / count) / mean;
    out->ess = sum * sum / square;
    out->particles = n;
}

ebm_status ebm_log_z_of(const ebm_particle *p, size_t n, bool reverse, ebm_log_z *out,
                        ebm_error *err)
{
    *out = (ebm_log_z){0};
    if (n < 2)
        return ebm_error_set(err, EBM_ERR_RANGE, "particles", "needs at least 2");
    summarise(p, n, reverse ? -1.0 : 1.0, out);
    return EBM_OK;
}

ebm_status ebm_log_z_of_level(const ebm_particle *p, const double *log_z, size_t n, int32_t levels,
                              int32_t t, ebm_log_z *out, ebm_error *err)
{
    ebm_particle *there = ebm_alloc(n, sizeof *there);
    *out = (ebm_log_z){0};
    if (!there)
        return ebm_error_set(err, EBM_ERR_NOMEM, "particles", "no memory");
    for (size_t k = 0; k < n; k++)
        there[k] = (ebm_particle){log_z[k * (size_t)levels + (size_t)t], p[k].acceptance};
    ebm_status st = ebm_log_z_of(there, n, false, out, err);
    ebm_free(there);
    return st;
}

ebm_interval ebm_log_z_interval(const ebm_log_z *forward, const ebm_log_z *reverse)
{
    double f = ebm__student(forward->particles - 1) * forward->std_error;
    double r = ebm__student(reverse->particles - 1) * reverse->std_error;
    return (ebm_interval){.low = fmin(forward->value - f, reverse->value - r),
                          .high = fmax(forward->value + f, reverse->value + r)};
}

/* log(Phi(r-e) - Phi(-r-e)) for e >= 0, which it is even in: both terms are upper tails, so that
 * nothing cancels where they are small. */
static double log_share_of_bin(double r, double e)
{
    return log(0.5 * (erfc((e - r) * SQRT_HALF) - erfc((e + r) * SQRT_HALF)));
}

/* Its mean over e, N(0,1): by the trapezoidal rule, which converges faster than any power for such
 * a function. Beyond 9 the density is below 1e-18. */
static double mean_log_share(double r)
{
    const double step = 1.0 / 64.0, end = 9.0;
    double sum = 0.5 * log_share_of_bin(r, 0.0);
    for (double e = step; e <= end; e += step)
        sum += exp(-0.5 * e * e) * log_share_of_bin(r, e);
    return 2.0 * step * sum * exp(-0.5 * LOG_2PI);
}

double ebm_bits_per_dim(double logp, size_t dim, const ebm_levels *levels)
{
    const double r = levels->abar[0] * HALF_BIN / levels->sbar[0];
    const double entropy = 0.5 * (1.0 + LOG_2PI) + log(levels->sbar[0]);
    return -logp / ((double)dim * LN_2) - (mean_log_share(r) + entropy) / LN_2;
}
