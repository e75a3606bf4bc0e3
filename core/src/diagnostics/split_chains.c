/* R-hat and effective sample size of chains laid side by side. */
#include "diagnostics/diagnostics_internal.h"

#include <math.h>
#include <string.h>

static double mean_of(const double *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

/* W: mean of the rows' variances; returns the variance of the rows' means, B/n. */
static double variances(ebm__rows r, double *within)
{
    double mean = 0.0, m2 = 0.0;
    *within = 0.0;
    for (size_t c = 0; c < r.rows; c++) {
        const double *x = r.x + c * r.n;
        double m = mean_of(x, r.n), var = 0.0, d = m - mean;
        for (size_t i = 0; i < r.n; i++)
            var += (x[i] - m) * (x[i] - m);
        *within += var / (double)(r.n - 1) / (double)r.rows;
        mean += d / (double)(c + 1); /* Welford */
        m2 += d * (m - mean);
    }
    return m2 / (double)(r.rows - 1);
}

double ebm__rhat(ebm__rows r)
{
    double within, between = variances(r, &within), n = (double)r.n;
    if (!(within > 0.0))
        return between > 0.0 ? (double)INFINITY : (double)NAN;
    return sqrt(((n - 1.0) / n * within + between) / within);
}

/* Sum over Geyer's pairs P_k = rho_2k + rho_2k+1 while they are positive, made monotone. */
static double geyer_sum(const double *acov, size_t n, double within, double plus)
{
    double sum = 0.0, last = (double)INFINITY;
    for (size_t k = 0; k + 1 < n; k += 2) {
        double even = k == 0 ? 1.0 : 1.0 - (within - acov[k]) / plus;
        double odd = 1.0 - (within - acov[k + 1]) / plus;
        if (!(even + odd > 0.0))
            break;
        last = fmin(last, even + odd);
        sum += last;
    }
    return sum;
}

double ebm__ess(ebm__rows r, ebm__ess_scratch s)
{
    double within, between = variances(r, &within), n = (double)r.n, total = n * (double)r.rows;
    double plus = (n - 1.0) / n * within + between, tau;
    if (!(plus > 0.0))
        return 0.0;
    memset(s.sum, 0, r.n * sizeof *s.sum);
    for (size_t c = 0; c < r.rows; c++) {
        ebm__autocovariance(r.n, r.x + c * r.n, s.re, s.im, s.acov);
        for (size_t i = 0; i < r.n; i++)
            s.sum[i] += s.acov[i] / (double)r.rows;
    }
    tau = 2.0 * geyer_sum(s.sum, r.n, within, plus) - 1.0;
    /* antithetic chains may beat independence, but not without bound: Vehtari et al. 2021 */
    return total / fmax(tau, 1.0 / log10(total));
}
