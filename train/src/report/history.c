/* See history.h. */
#include "history.h"

#include <math.h>
#include <string.h>

#include "ebm/memory.h"

typedef struct series {
    double sum[EBMT_HISTORY_BINS], weight[EBMT_HISTORY_BINS];
} series;

struct ebmt__history {
    int32_t lowest, levels, rows;
    int64_t width, last; /* iterations of a bin; newest iteration */
    series *all;         /* numbers of the run, then [quantity][row] */
};

#define RUN_QUANTITIES ((int32_t)EBMT_LEVEL_GAP)

static size_t count_series(const ebmt__history *h)
{
    return (size_t)(RUN_QUANTITIES + (EBMT_QUANTITIES - RUN_QUANTITIES) * h->rows);
}

static series *find(const ebmt__history *h, ebmt__quantity what, int32_t row)
{
    int32_t q = (int32_t)what;
    return &h->all[q < RUN_QUANTITIES ? q : RUN_QUANTITIES + (q - RUN_QUANTITIES) * h->rows + row];
}

ebm_status ebmt__history_create(int32_t lowest, int32_t highest, ebmt__history **out,
                                ebm_error *err)
{
    const int32_t levels = highest - lowest + 1;
    ebmt__history *h = ebm_alloc(1, sizeof *h);
    *out = NULL;
    if (!h)
        return ebm_error_set(err, EBM_ERR_NOMEM, "history", "no memory");
    h->lowest = lowest;
    h->levels = levels;
    h->rows = levels < EBMT_HISTORY_LEVELS ? levels : EBMT_HISTORY_LEVELS;
    h->width = 1;
    h->all = ebm_alloc(count_series(h), sizeof *h->all);
    if (!h->all) {
        ebm_free(h);
        return ebm_error_set(err, EBM_ERR_NOMEM, "history", "no memory");
    }
    *out = h;
    return EBM_OK;
}

void ebmt__history_free(ebmt__history *h)
{
    if (h)
        ebm_free(h->all);
    ebm_free(h);
}

/* Pairs of bins become one, the second half is free again. */
static void merge_pairs(series *s)
{
    for (int32_t i = 0; i < EBMT_HISTORY_BINS / 2; i++) {
        s->sum[i] = s->sum[2 * i] + s->sum[2 * i + 1];
        s->weight[i] = s->weight[2 * i] + s->weight[2 * i + 1];
    }
    memset(s->sum + EBMT_HISTORY_BINS / 2, 0, sizeof s->sum / 2);
    memset(s->weight + EBMT_HISTORY_BINS / 2, 0, sizeof s->weight / 2);
}

static int32_t bin_of(ebmt__history *h, int64_t iteration)
{
    while ((iteration - 1) / h->width >= EBMT_HISTORY_BINS) {
        for (size_t i = 0; i < count_series(h); i++)
            merge_pairs(&h->all[i]);
        h->width *= 2;
    }
    return (int32_t)((iteration - 1) / h->width);
}

static void put(series *s, int32_t bin, double value, double weight)
{
    if (!isfinite(value) || !(weight > 0.0))
        return;
    s->sum[bin] += weight * value;
    s->weight[bin] += weight;
}

static void put_level(ebmt__history *h, const ebmt_report *r, int32_t row, int32_t bin)
{
    int32_t t = ebmt__history_level(h, row);
    double seen = (double)r->seen[t];
    put(find(h, EBMT_LEVEL_GAP, row), bin, r->gap[t], seen);
    put(find(h, EBMT_LEVEL_DISPLACEMENT, row), bin, r->displacement[t], seen);
    if (r->acceptance)
        put(find(h, EBMT_LEVEL_ACCEPTANCE, row), bin, r->acceptance[t], seen);
    /* a report does not say how many samples were matched; 0 stands for none */
    put(find(h, EBMT_LEVEL_MATCHING, row), bin, r->level_matching[t], r->level_matching[t] != 0.0);
    if (r->validation_gap && r->validation_error) {
        put(find(h, EBMT_LEVEL_VALIDATION, row), bin, r->validation_gap[t], 1.0);
        put(find(h, EBMT_LEVEL_VALIDATION_ERROR, row), bin, r->validation_error[t], 1.0);
    }
}

/* Whether some sample had a likelihood term: none has with matching alone, nor in a warm start. */
static bool has_chains(const ebmt_report *r)
{
    for (int32_t t = 0; t < r->levels; t++)
        if (r->seen[t] > 0)
            return true;
    return false;
}

void ebmt__history_add(ebmt__history *h, const ebmt_report *r)
{
    int32_t bin = bin_of(h, r->iteration);
    put(find(h, EBMT_LOSS, 0), bin, r->loss, has_chains(r));
    put(find(h, EBMT_MATCHING_LOSS, 0), bin, r->matching, r->matching != 0.0);
    put(find(h, EBMT_GRAD_NORM, 0), bin, r->grad_norm, 1.0);
    put(find(h, EBMT_LR, 0), bin, r->lr, 1.0);
    put(find(h, EBMT_PERSISTENT_GAP, 0), bin, r->persistent_gap, r->persistent);
    put(find(h, EBMT_PERSISTENT_ACCEPTANCE, 0), bin, r->persistent_acceptance, r->persistent);
    for (int32_t row = 0; row < h->rows; row++)
        put_level(h, r, row, bin);
    h->last = r->iteration > h->last ? r->iteration : h->last;
}

int32_t ebmt__history_rows(const ebmt__history *h)
{
    return h->rows;
}

int32_t ebmt__history_level(const ebmt__history *h, int32_t row)
{
    const int64_t above = h->rows > 1 ? (int64_t)row * (h->levels - 1) / (h->rows - 1) : 0;
    return h->lowest + (int32_t)above;
}

int64_t ebmt__history_last(const ebmt__history *h)
{
    return h->last;
}

bool ebmt__history_at(const ebmt__history *h, ebmt__quantity what, int32_t row, int32_t bin,
                      double *iteration, double *mean)
{
    const series *s = find(h, what, row);
    if (!(s->weight[bin] > 0.0))
        return false;
    *iteration = ((double)bin + 0.5) * (double)h->width + 0.5;
    *mean = s->sum[bin] / s->weight[bin];
    return true;
}
