/* What the traces of several chains say together, and whether that is enough. Knows numbers. */
#include <math.h>

#include "ebm/memory.h"
#include "ebm/ops.h"

#define MIN_DRAWS 8
#define ROUNDS    20 /* looks between the warm-up and the end; in the warm-up, at the clock only */

typedef struct traces {
    const ebm_trace *at;
    size_t chains, first, draws, columns;
} traces;

static size_t shortest(const ebm_trace *t, size_t chains)
{
    size_t n = SIZE_MAX;
    for (size_t i = 0; i < chains; i++)
        n = t[i].count < n ? t[i].count : n;
    return n;
}

/* Traces of different chains lie apart in memory; one column of all is copied together.
 * @shape out [chains, draws] */
static void gather(const traces *t, size_t column, double *out)
{
    for (size_t c = 0; c < t->chains; c++)
        for (size_t i = 0; i < t->draws; i++)
            out[c * t->draws + i] = t->at[c].scalars[(t->first + i) * t->columns + column];
}

static void worsen(ebm_chains_report *r, const ebm_convergence *c)
{
    const double ess = fmin(c->ess_bulk, c->ess_tail);
    r->diverged |= c->diverged;
    /* a scalar that says nothing must not pass for one that has mixed */
    r->worst_rhat = isnan(c->rhat) ? (double)INFINITY : fmax(r->worst_rhat, c->rhat);
    r->least_ess = isnan(ess) ? 0.0 : fmin(r->least_ess, ess);
}

static double mean_of(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n > 0 ? sum / (double)n : (double)NAN;
}

static ebm_status diagnose(const traces *t, const ebm_band *band, double *column,
                           ebm_chains_report *out, ebm_error *err)
{
    const ebm_series s = {column, t->chains, t->draws, t->draws, 1};
    ebm_status st = EBM_OK;
    out->worst_rhat = 0.0;
    out->least_ess = (double)INFINITY;
    for (size_t k = 0; k < t->columns && st == EBM_OK; k++) {
        ebm_convergence c;
        if (k == 1)
            continue;
        gather(t, k, column);
        st = ebm_convergence_of(&s, &c, err);
        if (st != EBM_OK)
            break;
        worsen(out, &c);
        if (k > 0)
            continue;
        out->logp = c;
        if (band)
            st = ebm_drift_of(&s, band, &out->drift, err);
        out->banded = band != NULL;
        out->diverged |= band && out->drift.diverged;
    }
    return st;
}

ebm_status ebm_chains_report_of(const ebm_trace *at, size_t chains, int64_t settled,
                                const ebm_band *band, ebm_chains_report *out, ebm_error *err)
{
    const double nan = (double)NAN;
    traces t = {.at = at, .chains = chains, .columns = 2 + (size_t)at[0].n_directions};
    const size_t n = shortest(at, chains);
    t.first = (size_t)((settled + at[0].thin - 1) / at[0].thin);
    t.draws = n > t.first ? n - t.first : 0;
    *out = (ebm_chains_report){.chains = chains,
                               .draws = t.draws,
                               .logp = {nan, nan, nan, nan, nan, false, false},
                               .worst_rhat = nan,
                               .least_ess = nan,
                               .acceptance = nan};
    if (t.draws == 0)
        return EBM_OK;
    double *column = ebm_alloc(t.chains * t.draws, sizeof *column);
    if (!column)
        return ebm_error_set(err, EBM_ERR_NOMEM, "diagnostics", "no memory for traces");
    gather(&t, 1, column);
    out->acceptance = mean_of(column, t.chains * t.draws);
    const bool banded = band && band->low < band->high;
    ebm_status st =
        t.draws < MIN_DRAWS ? EBM_OK : diagnose(&t, banded ? band : NULL, column, out, err);
    ebm_free(column);
    return st;
}

/* The first behind `at` of n places that end equal parts of `span` steps; INT64_MAX: all are past.
 */
static int64_t place_behind(int64_t at, int64_t from, int64_t span, int64_t n)
{
    for (int64_t i = 1; i <= n; i++)
        if (from + i * span / n > at)
            return from + i * span / n;
    return INT64_MAX;
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t ebm_until_next_from(const ebm_op_params *p, int64_t from, int64_t total, int64_t at,
                            bool *snapshot)
{
    const int64_t first = from > p->warmup ? from : p->warmup, span = total - p->warmup;
    const int64_t mark = place_behind(at, first, total - first, p->keep);
    int64_t next = lesser(total, mark);
    if (p->until_ess > 0 || p->until_rhat > 0 || p->until_max_seconds > 0)
        next = lesser(next, place_behind(at, p->warmup, span, ROUNDS));
    if (p->until_max_seconds > 0)
        next = lesser(next, place_behind(at, 0, p->warmup, ROUNDS));
    *snapshot = mark == next;
    return next;
}

int64_t ebm_until_next(const ebm_op_params *p, int64_t total, int64_t at, bool *snapshot)
{
    return ebm_until_next_from(p, 0, total, at, snapshot);
}

bool ebm_until_met(const ebm_op_params *p, const ebm_chains_report *r, double seconds)
{
    if (p->until_max_seconds > 0 && seconds >= p->until_max_seconds)
        return true;
    if (p->until_ess <= 0 && p->until_rhat <= 0)
        return false;
    /* written so that NaN is not enough */
    return !(r->diverged) && (p->until_ess <= 0 || r->least_ess >= p->until_ess) &&
           (p->until_rhat <= 0 || r->worst_rhat <= p->until_rhat);
}
