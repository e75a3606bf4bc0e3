/* Autocovariances by the Fourier transform: a chain of 10^5 draws that mixes badly has as many
 * lags, and their direct sums would take minutes. */
#include "diagnostics/diagnostics_internal.h"

#include <math.h>
#include <string.h>

size_t ebm__fft_length(size_t n)
{
    size_t length = 1;
    while (length < 2 * n)
        length *= 2;
    return length;
}

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

static void bit_reverse(size_t n, double *re, double *im)
{
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            swap(&re[i], &re[j]);
            swap(&im[i], &im[j]);
        }
    }
}

/* Forward transform in place, radix 2. @eq X_k = sum_j x_j exp(-2 pi i jk/n); Cooley, Tukey 1965 */
static void fft(size_t n, double *re, double *im)
{
    bit_reverse(n, re, im);
    for (size_t half = 1; half < n; half *= 2)
        for (size_t k = 0; k < half; k++) {
            double angle = -3.14159265358979324 * (double)k / (double)half;
            double wr = cos(angle), wi = sin(angle);
            for (size_t i = k; i < n; i += 2 * half) {
                size_t j = i + half;
                double tr = wr * re[j] - wi * im[j], ti = wr * im[j] + wi * re[j];
                re[j] = re[i] - tr;
                im[j] = im[i] - ti;
                re[i] += tr;
                im[i] += ti;
            }
        }
}

/* The power spectrum is real and even, so a second forward transform inverts it up to 1/length. */
void ebm__autocovariance(size_t n, const double *x, double *re, double *im, double *out)
{
    const size_t length = ebm__fft_length(n);
    double mean = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    memset(re, 0, length * sizeof *re);
    memset(im, 0, length * sizeof *im);
    for (size_t i = 0; i < n; i++)
        re[i] = x[i] - mean;
    fft(length, re, im);
    for (size_t k = 0; k < length; k++) {
        re[k] = re[k] * re[k] + im[k] * im[k];
        im[k] = 0.0;
    }
    fft(length, re, im);
    for (size_t i = 0; i < n; i++)
        out[i] = re[i] / ((double)length * (double)n);
}
