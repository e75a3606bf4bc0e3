/* Statistics of scores, and where a score lies among them. Knows numbers. */
#include "ebm/calibration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "energy/calibration_internal.h"
#include "energy/cholesky.h"

/* How far a feature counts, in standard deviations: foreign images lie hundreds off, and what the
 * regression has learned near the data says nothing there. The distance does; it stays finite. */
#define REACH     6.0
#define FAR_REACH 1e6

void ebm_calibration_clear(ebm_calibration *c)
{
    ebm_free(c->mean); /* one block holds all tables */
    memset(c, 0, sizeof *c);
}

int32_t ebm__bands(int32_t levels)
{
    return levels < EBM_BANDS_MAX ? levels : EBM_BANDS_MAX;
}

/* Doubles of all tables, which lie behind each other. */
static size_t table_size(const ebm_calibration *c)
{
    const size_t p = EBM_FEATURES * (size_t)c->bands;
    return 2 * p + ebm__triangle(p) + EBM__COLUMNS(c->bands) + 1 +
           ((size_t)c->levels + 1) * EBM_QUANTILES + 2 * (size_t)c->levels;
}

static void place_tables(ebm_calibration *c, double *block)
{
    const size_t p = EBM_FEATURES * (size_t)c->bands;
    c->mean = block;
    c->sd = c->mean + p;
    c->factor = c->sd + p;
    c->weight = c->factor + ebm__triangle(p);
    c->quantile = c->weight + EBM__COLUMNS(c->bands) + 1;
    c->single = c->quantile + ((size_t)c->levels + 1) * EBM_QUANTILES;
}

ebm_status ebm__calibration_init(int32_t levels, ebm_calibration *out, ebm_error *err)
{
    *out = (ebm_calibration){.levels = levels, .bands = ebm__bands(levels)};
    double *block = ebm_alloc(table_size(out), sizeof *block);
    if (!block)
        return ebm_error_set(err, EBM_ERR_NOMEM, "calibration", "no memory");
    place_tables(out, block);
    return EBM_OK;
}

bool ebm_calibration_copy(const ebm_calibration *c, ebm_arena *arena, ebm_calibration *out)
{
    const size_t size = table_size(c);
    double *block = ebm_arena_alloc(arena, size, sizeof *block);
    *out = (ebm_calibration){0};
    if (!block)
        return false;
    memcpy(block, c->mean, size * sizeof *block);
    *out = *c;
    place_tables(out, block);
    return true;
}

/* --- the score ----------------------------------------------------------------------------- */

void ebm__features_pool(const double *features, int32_t levels, double *pooled)
{
    const int32_t bands = ebm__bands(levels);
    for (int32_t f = 0; f < EBM_FEATURES; f++)
        for (int32_t b = 0; b < bands; b++) {
            const int32_t first = b * levels / bands, end = (b + 1) * levels / bands;
            double sum = 0;
            for (int32_t t = first; t < end; t++)
                sum += features[f * levels + t];
            pooled[f * bands + b] = sum / (end - first);
        }
}

static double clip(double value, double reach)
{
    return value > reach ? reach : value < -reach ? -reach : value;
}

void ebm__features_standardise(const ebm_calibration *c, double *u)
{
    for (int32_t i = 0; i < EBM_FEATURES * c->bands; i++)
        u[i] = clip((u[i] - c->mean[i]) / c->sd[i], FAR_REACH);
}

void ebm__features_clip(const ebm_calibration *c, const double *u, double *x)
{
    const int32_t p = EBM_FEATURES * c->bands;
    for (int32_t i = 0; i < p; i++) {
        x[i] = clip(u[i], REACH);
        x[p + i] = x[i] * x[i];
    }
}

/* u' (L L')^-1 u is the square of L^-1 u. */
double ebm__distance(const ebm_calibration *c, const double *u)
{
    const size_t p = EBM_FEATURES * (size_t)c->bands;
    double y[EBM_FEATURES * EBM_BANDS_MAX], sum = 0;
    memcpy(y, u, p * sizeof *y);
    ebm__cholesky_forward(c->factor, p, y);
    for (size_t i = 0; i < p; i++)
        sum += y[i] * y[i];
    return sum / (double)p;
}

double ebm__log_odds(const ebm_calibration *c, const double *x)
{
    const size_t columns = EBM__COLUMNS(c->bands);
    double sum = c->weight[columns];
    for (size_t i = 0; i < columns; i++)
        sum += c->weight[i] * x[i];
    return sum;
}

double ebm_calibration_score(const ebm_calibration *c, const double *features)
{
    double u[EBM_FEATURES * EBM_BANDS_MAX], x[EBM__COLUMNS(EBM_BANDS_MAX)];
    ebm__features_pool(features, c->levels, u);
    ebm__features_standardise(c, u);
    ebm__features_clip(c, u, x);
    x[EBM__COLUMNS(c->bands) - 1] = ebm__distance(c, u);
    return ebm__log_odds(c, x);
}

/* --- percentiles --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool ebm__quantiles(double *column, size_t n, double *quantile)
{
    qsort(column, n, sizeof *column, compare);
    for (size_t q = 0; q < EBM_QUANTILES; q++) {
        double at = (double)q / (EBM_QUANTILES - 1) * (double)(n - 1);
        size_t low = (size_t)at;
        double rest = at - (double)low;
        quantile[q] = rest > 0 ? column[low] + rest * (column[low + 1] - column[low]) : column[low];
    }
    return quantile[1] < quantile[EBM_QUANTILES - 2];
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
    if (c->has_single)
        return (ebm_band){.low = c->single[2 * level], .high = c->single[2 * level + 1]};
    if (c->draws == 1)
        return (ebm_band){.low = q[1], .high = q[EBM_QUANTILES - 2]};
    return (ebm_band){0, 0};
}
