/* The verdict on one scalar: split chains, normal scores, folding, tails. */
#include <math.h>
#include <string.h>

#include "diagnostics/diagnostics_internal.h"
#include "ebm/memory.h"

#define MAX_CHAINS 1024
#define MAX_DRAWS  ((size_t)1 << 24)
#define MAX_VALUES ((size_t)1 << 26)

ebm_status ebm__series_check(const ebm_series *s, ebm_error *err)
{
    size_t total;
    if (s->chains < 1 || s->chains > MAX_CHAINS)
        return ebm_error_set(err, EBM_ERR_RANGE, "chains", "must be 1..%d", MAX_CHAINS);
    if (s->draws < 8 || s->draws > MAX_DRAWS)
        return ebm_error_set(err, EBM_ERR_RANGE, "draws", "must be 8..%zu", MAX_DRAWS);
    if (!ebm_size_mul(s->chains, s->draws, &total) || total > MAX_VALUES)
        return ebm_error_set(err, EBM_ERR_RANGE, "draws", "more than %zu values", MAX_VALUES);
    return EBM_OK;
}

/* One block, cut into the arrays of the computation. */
typedef struct scratch {
    double *split, *x; /* [total]: split chains, and a transformed copy */
    ebm__ranked *sorted;
    ebm__ess_scratch ess;
    void *block;
} scratch;

static ebm_status open_scratch(size_t rows, size_t n, scratch *s, ebm_error *err)
{
    const size_t total = rows * n, length = ebm__fft_length(n); /* bounded by the series' check */
    size_t doubles = 2 * total + 2 * n + 2 * length;
    s->block = ebm_alloc(doubles * sizeof(double) + total * sizeof(ebm__ranked), 1);
    if (!s->block)
        return ebm_error_set(err, EBM_ERR_NOMEM, "draws", "no memory for diagnostics");
    s->split = s->block;
    s->x = s->split + total;
    s->ess.acov = s->x + total;
    s->ess.sum = s->ess.acov + n;
    s->ess.re = s->ess.sum + n;
    s->ess.im = s->ess.re + length;
    s->sorted = (ebm__ranked *)(void *)(s->ess.im + length);
    return EBM_OK;
}

/* Each chain becomes its first and its last half; of an odd number the middle draw is left out.
 * Returns false if a value is not finite. */
static bool split_chains(const ebm_series *s, size_t n, double *split)
{
    bool finite = true;
    for (size_t c = 0; c < s->chains; c++)
        for (size_t half = 0; half < 2; half++)
            for (size_t i = 0; i < n; i++) {
                size_t at = half ? s->draws - n + i : i;
                double v = s->values[c * s->chain_stride + at * s->stride];
                split[(2 * c + half) * n + i] = v;
                finite &= isfinite(v) != 0;
            }
    return finite;
}

static void moments(size_t n, const double *x, ebm_convergence *out)
{
    double m2 = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = x[i] - out->mean;
        out->mean += d / (double)(i + 1);
        m2 += d * (x[i] - out->mean);
    }
    out->sd = sqrt(m2 / (double)(n - 1));
}

/* Effective sample size of the indicator x <= q. */
static double quantile_ess(scratch *s, ebm__rows rows, double q)
{
    const size_t total = rows.rows * rows.n;
    double cut = ebm__sorted_quantile(s->sorted, total, q);
    for (size_t i = 0; i < total; i++)
        s->x[i] = s->split[i] <= cut;
    return ebm__ess(rows, s->ess);
}

/* Tails first: they need the values sorted as they are. */
static void diagnose(scratch *s, ebm__rows rows, ebm_convergence *out)
{
    const size_t total = rows.rows * rows.n;
    double median, folded;
    ebm__sort_values(total, s->split, s->sorted);
    median = 0.5 * (s->sorted[(total - 1) / 2].value + s->sorted[total / 2].value);
    out->ess_tail = fmin(quantile_ess(s, rows, 0.05), quantile_ess(s, rows, 0.95));
    for (size_t i = 0; i < total; i++)
        s->x[i] = fabs(s->split[i] - median);
    ebm__rank_normalise(total, s->x, s->sorted);
    folded = ebm__rhat(rows);
    memcpy(s->x, s->split, total * sizeof *s->x);
    ebm__rank_normalise(total, s->x, s->sorted);
    out->ess_bulk = ebm__ess(rows, s->ess);
    out->rhat = fmax(ebm__rhat(rows), folded);
}

static void set_diverged(ebm_convergence *out)
{
    const double nan = (double)NAN;
    *out = (ebm_convergence){
        .mean = nan, .sd = nan, .rhat = nan, .ess_bulk = nan, .ess_tail = nan, .diverged = true};
}

ebm_status ebm_convergence_of(const ebm_series *series, ebm_convergence *out, ebm_error *err)
{
    const size_t n = series->draws / 2;
    scratch s = {0};
    *out = (ebm_convergence){0};
    ebm_status st = ebm__series_check(series, err);
    if (st == EBM_OK)
        st = open_scratch(2 * series->chains, n, &s, err);
    if (st != EBM_OK)
        return st;
    const ebm__rows rows = {.rows = 2 * series->chains, .n = n, .x = s.x};
    if (split_chains(series, n, s.split)) {
        const double enough = 100.0 * (double)series->chains;
        moments(rows.rows * n, s.split, out);
        diagnose(&s, rows, out);
        out->mixed = out->rhat <= 1.01 && out->ess_bulk >= enough && out->ess_tail >= enough;
    } else {
        set_diverged(out);
    }
    ebm_free(s.block);
    return EBM_OK;
}
