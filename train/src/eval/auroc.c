/* Ranks: the area under the ROC curve with DeLong's standard error, and quantiles. Knows numbers
 * only. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebmt/statistics.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double ebmt_quantile(double *values, int64_t n, double q)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    double at = q * (double)(n - 1);
    int64_t low = (int64_t)at;
    if (low >= n - 1)
        return values[n - 1];
    return values[low] + (at - (double)low) * (values[low + 1] - values[low]);
}

/* How many of the sorted values are under v, or not over it. */
static int64_t count_under(const double *sorted, int64_t n, double v, bool or_equal)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (sorted[mid] < v || (or_equal && sorted[mid] == v))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Mean and variance of the placements: for each of x, the share of `sorted` under it, ties half. */
static void placements(const double *x, int64_t n, const double *sorted, int64_t m, double *mean,
                       double *variance)
{
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double under = (double)count_under(sorted, m, x[i], false);
        double upto = (double)count_under(sorted, m, x[i], true);
        double v = 0.5 * (under + upto) / (double)m;
        sum += v;
        squares += (v - 0.5) * (v - 0.5);
    }
    *mean = sum / (double)n;
    double centre = *mean - 0.5;
    *variance = n > 1 ? (squares - (double)n * centre * centre) / (double)(n - 1) : NAN;
}

static bool any_nan(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            return true;
    return false;
}

ebm_status ebmt_auroc(const double *positive, int64_t n_pos, const double *negative, int64_t n_neg,
                      ebmt_number *out, ebm_error *err)
{
    double area, other, v_pos, v_neg;
    if (n_pos < 1 || n_neg < 1)
        return ebm_error_set(err, EBM_ERR_RANGE, "auroc", "%lld against %lld scores",
                             (long long)n_pos, (long long)n_neg);
    if (any_nan(positive, n_pos) || any_nan(negative, n_neg))
        return ebm_error_set(err, EBM_ERR_RANGE, "auroc", "a score is not a number");
    double *p = ebm_alloc((size_t)n_pos, sizeof *p), *q = ebm_alloc((size_t)n_neg, sizeof *q);
    if (!p || !q) {
        ebm_free(p);
        ebm_free(q);
        return ebm_error_set(err, EBM_ERR_NOMEM, "auroc", "no memory");
    }
    memcpy(p, positive, (size_t)n_pos * sizeof *p);
    memcpy(q, negative, (size_t)n_neg * sizeof *q);
    qsort(p, (size_t)n_pos, sizeof *p, by_value);
    qsort(q, (size_t)n_neg, sizeof *q, by_value);
    placements(p, n_pos, q, n_neg, &area, &v_pos);
    placements(q, n_neg, p, n_pos, &other, &v_neg);
    double variance = v_pos / (double)n_pos + v_neg / (double)n_neg;
    *out = (ebmt_number){area, isnan(variance) ? NAN : sqrt(variance), n_pos + n_neg};
    ebm_free(p);
    ebm_free(q);
    return EBM_OK;
}
