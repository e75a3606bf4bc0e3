/* What the files of diagnostics share. @shape series are [chains, draws], row by row */
#ifndef EBM__DIAGNOSTICS_INTERNAL_H
#define EBM__DIAGNOSTICS_INTERNAL_H

#include "ebm/diagnostics.h"

/* Checks the sizes of a series. @err RANGE */
ebm_status ebm__series_check(const ebm_series *s, ebm_error *err);

/* Inverse of the standard normal distribution function. @range 0 < p < 1
 * @eq start: Abramowitz and Stegun 26.2.23; then three Halley steps on Phi(x) - p */
double ebm__normal_quantile(double p);

typedef struct ebm__ranked {
    double value;
    size_t at;
} ebm__ranked;

/* Replaces n values by normal scores of their ranks; ties share their mean rank.
 * @eq z = Phi^-1((rank - 3/8)/(n + 1/4)). Vehtari et al. 2021, eq. 14 @shape scratch [n] */
void ebm__rank_normalise(size_t n, double *x, ebm__ranked *scratch);

/* Value at quantile q of n sorted records: the one of rank ceil(q n). */
double ebm__sorted_quantile(const ebm__ranked *sorted, size_t n, double q);
void ebm__sort_values(size_t n, const double *x, ebm__ranked *sorted);

/* Length of the transform that autocovariances of n values need: a power of two >= 2n. */
size_t ebm__fft_length(size_t n);

/* Biased autocovariances of x at lags 0..n-1 by a Fourier transform.
 * @eq   acov_k = 1/n sum_i (x_i - m)(x_{i+k} - m)
 * @shape x, out [n]; re, im [ebm__fft_length(n)] */
void ebm__autocovariance(size_t n, const double *x, double *re, double *im, double *out);

/* Split chains side by side: `rows` of `n` values. */
typedef struct ebm__rows {
    size_t rows, n;
    const double *x;
} ebm__rows;

/* @eq sqrt( ((n-1)/n W + B/n) / W ). Vehtari et al. 2021, eq. 1-4 */
double ebm__rhat(ebm__rows r);
/* Effective sample size with Geyer's initial monotone sequence. @eq there, eq. 10-13
 * @shape acov, sum [n]; re, im [ebm__fft_length(n)] */
typedef struct ebm__ess_scratch {
    double *acov, *sum, *re, *im;
} ebm__ess_scratch;
double ebm__ess(ebm__rows r, ebm__ess_scratch s);

#endif
