/* Ranks and normal scores. */
#include "diagnostics/diagnostics_internal.h"

#include <math.h>
#include <stdlib.h>

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752);
}

double ebm__normal_quantile(double p)
{
    double tail = p < 0.5 ? p : 1.0 - p, t = sqrt(-2.0 * log(tail));
    double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                       (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    x = -x; /* the lower tail, where the distribution function keeps its relative precision */
    for (int i = 0; i < 3; i++) {
        double density = 0.39894228040143268 * exp(-0.5 * x * x);
        double u = (normal_cdf(x) - tail) / density;
        x -= u / (1.0 + 0.5 * x * u);
    }
    return p < 0.5 ? x : -x;
}

static int by_value(const void *a, const void *b)
{
    const ebm__ranked *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

void ebm__sort_values(size_t n, const double *x, ebm__ranked *sorted)
{
    for (size_t i = 0; i < n; i++)
        sorted[i] = (ebm__ranked){.value = x[i], .at = i};
    qsort(sorted, n, sizeof *sorted, by_value);
}

double ebm__sorted_quantile(const ebm__ranked *sorted, size_t n, double q)
{
    double rank = ceil(q * (double)n);
    size_t i = rank < 1.0 ? 0 : (size_t)rank - 1;
    return sorted[i < n ? i : n - 1].value;
}

void ebm__rank_normalise(size_t n, double *x, ebm__ranked *scratch)
{
    ebm__sort_values(n, x, scratch);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && scratch[end].value == scratch[first].value;)
            end++;
        double rank = 0.5 * (double)(first + 1 + end); /* mean of first+1 .. end */
        double score = ebm__normal_quantile((rank - 0.375) / ((double)n + 0.25));
        for (size_t i = first; i < end; i++)
            x[scratch[i].at] = score;
    }
}
