/* Statistics of scores, and where a score lies among them. Knows numbers. */
#include "ebm/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "energy/calibration_internal.h"

#define MIN_COUNT 100

void ebm_calibration_clear(ebm_calibration *c)
{
    ebm_free(c->mean); /* one block holds all three */
    memset(c, 0, sizeof *c);
}

ebm_status ebm__calibration_init(int32_t levels, ebm_calibration *out, ebm_error *err)
{
    const size_t t = (size_t)levels;
    *out = (ebm_calibration){.levels = levels};
    out->mean = ebm_alloc(2 * t + (t + 1) * EBM_QUANTILES, sizeof(double));
    if (!out->mean)
        return ebm_error_set(err, EBM_ERR_NOMEM, "calibration", "no memory");
    out->sd = out->mean + t;
    out->quantile = out->sd + t;
    return EBM_OK;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* @shape column [n], sorted here; quantile [EBM_QUANTILES] */
static void quantiles_of(double *column, size_t n, double *quantile)
{
    qsort(column, n, sizeof *column, compare);
    for (size_t q = 0; q < EBM_QUANTILES; q++) {
        double at = (double)q / (EBM_QUANTILES - 1) * (double)(n - 1);
        size_t low = (size_t)at;
        double rest = at - (double)low;
        quantile[q] = rest > 0 ? column[low] + rest * (column[low + 1] - column[low]) : column[low];
    }
}

static void moments_of(const double *column, size_t n, double *mean, double *sd)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += column[i];
    *mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (column[i] - *mean) * (column[i] - *mean);
    *sd = sqrt(squares / (double)(n - 1));
}

static ebm_status measure(const double *logp, double *column, ebm_calibration *c, ebm_error *err)
{
    const size_t n = (size_t)c->count, levels = (size_t)c->levels;
    for (size_t t = 0; t < levels; t++) {
        for (size_t i = 0; i < n; i++)
            column[i] = logp[i * levels + t];
        moments_of(column, n, &c->mean[t], &c->sd[t]);
        if (!(c->sd[t] > 0.0) || !isfinite(c->sd[t]))
            return ebm_error_set(err, EBM_ERR_RANGE, "calibration",
                                 "scores at level %zu have no spread or are not finite", t);
        quantiles_of(column, n, c->quantile + t * EBM_QUANTILES);
    }
    for (size_t i = 0; i < n; i++)
        column[i] = ebm_calibration_score(c, logp + i * levels);
    quantiles_of(column, n, c->quantile + levels * EBM_QUANTILES);
    return EBM_OK;
}

ebm_status ebm_calibration_of(const double *logp, int64_t count, int32_t levels,
                              ebm_calibration *out, ebm_error *err)
{
    *out = (ebm_calibration){0};
    if (count < MIN_COUNT)
        return ebm_error_set(err, EBM_ERR_RANGE, "calibration", "needs at least %d images",
                             MIN_COUNT);
    ebm_status st = ebm__calibration_init(levels, out, err);
    if (st != EBM_OK)
        return st;
    double *column = ebm_alloc((size_t)count, sizeof *column);
    out->count = count;
    st = column ? measure(logp, column, out, err)
                : ebm_error_set(err, EBM_ERR_NOMEM, "calibration", "no memory for %lld scores",
                                (long long)count);
    ebm_free(column);
    if (st != EBM_OK)
        ebm_calibration_clear(out);
    return st;
}

double ebm_calibration_score(const ebm_calibration *c, const double *logp)
{
    double sum = 0;
    for (int32_t t = 0; t < c->levels; t++)
        sum += (logp[t] - c->mean[t]) / c->sd[t];
    return sum / sqrt(c->levels);
}

double ebm_calibration_percentile(const ebm_calibration *c, int32_t row, double value)
{
    const double *q = c->quantile + (size_t)row * EBM_QUANTILES;
    size_t i = 0;
    if (!(value > q[0]))
        return 0.0;
    if (value >= q[EBM_QUANTILES - 1])
        return 100.0;
    while (q[i + 1] <= value)
        i++;
    return (double)i + (value - q[i]) / (q[i + 1] - q[i]);
}

ebm_band ebm_calibration_band(const ebm_calibration *c, int32_t level)
{
    const double *q = c->quantile + (size_t)level * EBM_QUANTILES;
    return (ebm_band){.low = q[1], .high = q[EBM_QUANTILES - 2]};
}
