/* Ranks: the area under the ROC curve with standard errors of independent sets and of pairs, and
 * quantiles. Knows numbers only. */
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

/* Linear between sorted values. @range at 0..n-1 */
static double value_at(const double *sorted, int64_t n, double at)
{
    int64_t low = (int64_t)at;
    if (low >= n - 1)
        return sorted[n - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

double ebmt_quantile(double *values, int64_t n, double q)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return value_at(values, n, q * (double)(n - 1));
}

double ebmt_fresh_quantile(double *values, int64_t n, double q)
{
    const double rank = q * ((double)n + 1.0);
    qsort(values, (size_t)n, sizeof *values, by_value);
    return value_at(values, n, rank > 1.0 ? rank - 1.0 : 0.0);
}

ebmt_number ebmt_median(double *values, int64_t n)
{
    const double middle = ebmt_quantile(values, n, 0.5); /* sorts */
    const double half = 0.5 * (double)(n - 1), ranks = 0.5 * sqrt((double)n);
    if (n < 4)
        return (ebmt_number){middle, NAN, n};
    return (ebmt_number){
        middle, 0.5 * (value_at(values, n, half + ranks) - value_at(values, n, half - ranks)), n};
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

/* For each of x, how many of `sorted` are under it, ties half: twice that number, which is whole
 * and sums without rounding. @shape v [n] */
static void placements(const double *x, int64_t n, const double *sorted, int64_t m, double *v)
{
    for (int64_t i = 0; i < n; i++)
        v[i] = (double)(count_under(sorted, m, x[i], false) + count_under(sorted, m, x[i], true));
}

static double mean_of(const double *v, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += v[i];
    return sum / (double)n;
}

/* Of the mean of n independent values; NaN for one value. */
static double variance_of_mean(const double *v, int64_t n)
{
    const double mean = mean_of(v, n);
    double squares = 0.0;
    for (int64_t i = 0; i < n; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    return n > 1 ? squares / (double)(n - 1) / (double)n : NAN;
}

static bool any_nan(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            return true;
    return false;
}

/* Placements of both sides, doubled counts, and room to sort scores. */
typedef struct ranking {
    double *sorted, *positive, *negative; /* [larger side], [n_pos], [n_neg] */
} ranking;

static void ranking_clear(ranking *r)
{
    ebm_free(r->sorted);
    ebm_free(r->positive);
    ebm_free(r->negative);
}

static void sort_copy(const double *x, int64_t n, double *out)
{
    memcpy(out, x, (size_t)n * sizeof *out);
    qsort(out, (size_t)n, sizeof *out, by_value);
}

/* @own *out: ranking_clear(), on errors too */
static ebm_status rank(const double *positive, int64_t n_pos, const double *negative, int64_t n_neg,
                       ranking *out, ebm_error *err)
{
    *out = (ranking){NULL, NULL, NULL};
    if (n_pos < 1 || n_neg < 1)
        return ebm_error_set(err, EBM_ERR_RANGE, "auroc", "%lld against %lld scores",
                             (long long)n_pos, (long long)n_neg);
    if (any_nan(positive, n_pos) || any_nan(negative, n_neg))
        return ebm_error_set(err, EBM_ERR_RANGE, "auroc", "a score is not a number");
    out->sorted = ebm_alloc((size_t)(n_pos > n_neg ? n_pos : n_neg), sizeof(double));
    out->positive = ebm_alloc((size_t)n_pos, sizeof(double));
    out->negative = ebm_alloc((size_t)n_neg, sizeof(double));
    if (!out->sorted || !out->positive || !out->negative)
        return ebm_error_set(err, EBM_ERR_NOMEM, "auroc", "no memory");
    sort_copy(negative, n_neg, out->sorted);
    placements(positive, n_pos, out->sorted, n_neg, out->positive);
    sort_copy(positive, n_pos, out->sorted);
    placements(negative, n_neg, out->sorted, n_pos, out->negative);
    return EBM_OK;
}

ebm_status ebmt_auroc(const double *positive, int64_t n_pos, const double *negative, int64_t n_neg,
                      ebmt_number *out, ebm_error *err)
{
    ranking r;
    ebm_status st = rank(positive, n_pos, negative, n_neg, &r, err);
    if (st == EBM_OK) {
        const double of_pos = 2.0 * (double)n_neg, of_neg = 2.0 * (double)n_pos;
        double variance = variance_of_mean(r.positive, n_pos) / (of_pos * of_pos) +
                          variance_of_mean(r.negative, n_neg) / (of_neg * of_neg);
        *out = (ebmt_number){mean_of(r.positive, n_pos) / of_pos, sqrt(variance), n_pos + n_neg};
    }
    ranking_clear(&r);
    return st;
}

/* To first order the area is its mean plus the mean over pairs of what x_i and y_i each add. A
 * negative adds the share of positives above it: one less its placement, hence the minus. */
ebm_status ebmt_auroc_pairs(const double *positive, const double *negative, int64_t n,
                            ebmt_number *out, ebm_error *err)
{
    ranking r;
    ebm_status st = rank(positive, n, negative, n, &r, err);
    if (st == EBM_OK) {
        const double whole = 2.0 * (double)n, area = mean_of(r.positive, n) / whole;
        for (int64_t i = 0; i < n; i++)
            r.positive[i] -= r.negative[i];
        *out = (ebmt_number){area, sqrt(variance_of_mean(r.positive, n)) / whole, 2 * n};
    }
    ranking_clear(&r);
    return st;
}
