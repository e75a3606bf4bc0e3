/* From log weights to normalisers with error bars, and to bits. */
#include <math.h>

#include "ebm/likelihood.h"

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

ebm_interval ebm_log_z_interval(const ebm_log_z *forward, const ebm_log_z *reverse)
{
    double f = 1.96 * forward->std_error, r = 1.96 * reverse->std_error;
    return (ebm_interval){.low = fmin(forward->value - f, reverse->value - r),
                          .high = fmax(forward->value + f, reverse->value + r)};
}

double ebm_bits_per_dim(double logp, size_t dim)
{
    return -logp / ((double)dim * 0.69314718055994531) + log2(127.5);
}
