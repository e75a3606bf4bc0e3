/* Statistics of scored images, and the regression that tells them from spoiled copies. Knows
 * numbers. */
#include <math.h>
#include <string.h>

#include "ebm/calibration.h"
#include "ebm/memory.h"
#include "energy/calibration_internal.h"
#include "energy/cholesky.h"
#include "energy/logistic.h"

#define RIDGE            1e-3
#define COVARIANCE_RIDGE 0.01 /* where images don't differ, a new one may still a little */
#define DISTANCE_GAIN    1.5  /* the copies at hand teach too little of what lies far off */
#define FOLDS            4
#define ALL              (-1) /* no fold is left out, no kind */

/* Rows: images, then copies. The factor and the weights of c are those of the latest fit.
 * @shape u [rows, p], x [rows, columns], sign, column [rows] */
typedef struct fitting {
    const ebm_scored *set;
    ebm_calibration *c;
    size_t rows, p, columns;
    double *u, *x, *sign, *column;
} fitting;

ebm_spoil_kind ebm_scored_kind(int64_t copy)
{
    return (ebm_spoil_kind)(copy % EBM_SPOIL_KINDS);
}

/* Quarters in blocks of 4 images, which have copies of all kinds between them. */
static int fold_of(size_t image)
{
    return (int)(image / (EBM_SPOIL_KINDS / EBM_SCORED_COPIES) % FOLDS);
}

static bool in_fold(const fitting *f, size_t row, int fold)
{
    const size_t n = (size_t)f->set->count;
    return fold_of(row < n ? row : (row - n) / EBM_SCORED_COPIES) == fold;
}

/* --- rows ---------------------------------------------------------------------------------- */

static void moments_of(fitting *f, size_t feature)
{
    const size_t n = (size_t)f->set->count;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        sum += f->u[i * f->p + feature];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double off = f->u[i * f->p + feature] - mean;
        squares += off * off;
    }
    f->c->mean[feature] = mean;
    f->c->sd[feature] = sqrt(squares / (double)(n - 1));
}

static ebm_status fill_rows(fitting *f, ebm_error *err)
{
    const ebm_scored *s = f->set;
    const size_t n = (size_t)s->count, numbers = EBM_FEATURES * (size_t)s->levels;
    for (size_t i = 0; i < f->rows; i++) {
        const double *features = i < n ? s->own + i * numbers : s->spoiled + (i - n) * numbers;
        if (!ebm_score_is_finite(features, s->levels))
            return ebm_error_set(err, EBM_ERR_RANGE, "calibration",
                                 "the score of image %zu is not finite",
                                 i < n ? i : (i - n) / EBM_SCORED_COPIES);
        ebm__features_pool(features, s->levels, f->u + i * f->p);
    }
    for (size_t i = 0; i < f->p; i++) {
        moments_of(f, i);
        if (!(f->c->sd[i] > 0.0) || !isfinite(f->c->sd[i]))
            return ebm_error_set(err, EBM_ERR_RANGE, "calibration",
                                 "scores at level %zu have no spread or are not finite",
                                 i % (size_t)f->c->bands);
    }
    for (size_t i = 0; i < f->rows; i++) {
        ebm__features_standardise(f->c, f->u + i * f->p);
        ebm__features_clip(f->c, f->u + i * f->p, f->x + i * f->columns);
    }
    return EBM_OK;
}

static void clear(fitting *f)
{
    ebm_free(f->u);
    ebm_free(f->x);
    ebm_free(f->sign);
    ebm_free(f->column);
}

/* @own ebm_calibration_clear(c), clear(f), also after an error */
static ebm_status begin(const ebm_scored *set, ebm_calibration *c, fitting *f, ebm_error *err)
{
    *f = (fitting){.set = set, .c = c};
    *c = (ebm_calibration){0};
    if (set->count < EBM_CALIBRATION_MIN)
        return ebm_error_set(err, EBM_ERR_RANGE, "calibration", "needs at least %d images",
                             EBM_CALIBRATION_MIN);
    ebm_status st = ebm__calibration_init(set->levels, c, err);
    if (st != EBM_OK)
        return st;
    c->count = set->count;
    f->rows = (1 + EBM_SCORED_COPIES) * (size_t)set->count;
    f->p = EBM_FEATURES * (size_t)c->bands;
    f->columns = EBM__COLUMNS(c->bands);
    f->u = ebm_alloc(f->rows, f->p * sizeof *f->u);
    f->x = ebm_alloc(f->rows, f->columns * sizeof *f->x);
    f->sign = ebm_alloc(f->rows, sizeof *f->sign);
    f->column = ebm_alloc(f->rows, sizeof *f->column);
    if (!f->u || !f->x || !f->sign || !f->column)
        return ebm_error_set(err, EBM_ERR_NOMEM, "calibration", "no memory for %lld images",
                             (long long)set->count);
    return fill_rows(f, err);
}

/* --- distances ----------------------------------------------------------------------------- */

/* Where a row has its distance. */
static double *distance_of(fitting *f, size_t row)
{
    return &f->x[(row + 1) * f->columns - 1];
}

/* Covariance, around 0, of the images without one fold, with its ridge. Returns how many those are.
 * @shape a [triangle of p] */
static size_t covariance_of(const fitting *f, int fold, double *a)
{
    size_t n = 0;
    memset(a, 0, ebm__triangle(f->p) * sizeof *a);
    for (size_t image = 0; image < (size_t)f->set->count; image++) {
        const double *u = f->u + image * f->p;
        if (in_fold(f, image, fold))
            continue;
        n++;
        for (size_t i = 0; i < f->p; i++)
            for (size_t j = 0; j <= i; j++)
                a[ebm__triangle(i) + j] += u[i] * u[j];
    }
    for (size_t i = 0; i < ebm__triangle(f->p); i++)
        a[i] /= (double)n;
    for (size_t i = 0; i < f->p; i++)
        a[ebm__triangle(i) + i] += COVARIANCE_RIDGE;
    return n;
}

/* Measures all rows by the images without one fold. An image that is among those lies nearer than a
 * new one would, and copies would be told from it by that alone: its own share leaves the
 * covariance A, for u'(A - u u'/n)^-1 u = q/(1 - q/n) with q = u'A^-1 u (Sherman and Morrison
 * 1950). */
static ebm_status fill_distances(fitting *f, int fold, ebm_error *err)
{
    const double n = (double)covariance_of(f, fold, f->c->factor), p = (double)f->p;
    if (!ebm__cholesky_factorise(f->c->factor, f->p))
        return ebm_error_set(err, EBM_ERR_RANGE, "calibration", "scores have no covariance");
    for (size_t row = 0; row < f->rows; row++) {
        const double d = ebm__distance(f->c, f->u + row * f->p);
        const bool counted = row < (size_t)f->set->count && !in_fold(f, row, fold);
        *distance_of(f, row) = counted ? d / (1 - d * p / n) : d;
    }
    return EBM_OK;
}

/* --- the regression ------------------------------------------------------------------------ */

/* 0 for an image, 1 + kind for a copy. */
static int class_of(const fitting *f, size_t row)
{
    const size_t n = (size_t)f->set->count;
    return row < n ? 0 : 1 + (int)ebm_scored_kind((int64_t)(row - n));
}

/* Images weigh a half, and each kind of copies alike, without one fold and one kind. */
static void weigh(fitting *f, int fold, int kind)
{
    const int kinds = kind == ALL ? EBM_SPOIL_KINDS : EBM_SPOIL_KINDS - 1;
    size_t size[1 + EBM_SPOIL_KINDS] = {0};
    for (size_t row = 0; row < f->rows; row++)
        size[class_of(f, row)] += !in_fold(f, row, fold);
    for (size_t row = 0; row < f->rows; row++) {
        const int class = class_of(f, row);
        if (in_fold(f, row, fold) || (kind != ALL && class == 1 + kind))
            f->sign[row] = 0;
        else
            f->sign[row] = class == 0 ? 0.5 / (double)size[0] : -0.5 / kinds / (double)size[class];
    }
}

/* Copies nearer to the middle than the images would have all that is farther off be the more usual:
 * then nothing is told from the distance. Of a column of zeros the ridge makes the weight 0. */
static ebm_status fit(fitting *f, int fold, int kind, ebm_error *err)
{
    const ebm__logistic problem = {f->rows, f->columns, f->x, f->sign, RIDGE};
    weigh(f, fold, kind);
    ebm_status st = fill_distances(f, fold, err);
    if (st == EBM_OK)
        st = ebm__logistic_fit(&problem, f->c->weight, err);
    double *distance = &f->c->weight[f->columns - 1];
    if (st != EBM_OK)
        return st;
    if (*distance <= 0) {
        *distance *= DISTANCE_GAIN;
        return EBM_OK;
    }
    for (size_t row = 0; row < f->rows; row++)
        *distance_of(f, row) = 0;
    return ebm__logistic_fit(&problem, f->c->weight, err);
}

/* Scores all rows by what was found without their fold, and without a kind. @shape score [rows] */
static ebm_status score_folds(fitting *f, int kind, double *score, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int fold = 0; fold < FOLDS && st == EBM_OK; fold++) {
        st = fit(f, fold, kind, err);
        for (size_t row = 0; row < f->rows && st == EBM_OK; row++)
            if (in_fold(f, row, fold))
                score[row] = ebm__log_odds(f->c, f->x + row * f->columns);
    }
    return st;
}

/* --- statistics ---------------------------------------------------------------------------- */

static ebm_status measure(fitting *f, ebm_error *err)
{
    const size_t n = (size_t)f->set->count, levels = (size_t)f->set->levels;
    ebm_status st = score_folds(f, ALL, f->column, err);
    if (st == EBM_OK)
        st = fit(f, ALL, ALL, err); /* behind the folds': it is what stays */
    for (size_t row = levels + 1; row-- > 0 && st == EBM_OK;) { /* the score's row is filled */
        for (size_t i = 0; i < n && row < levels; i++)
            f->column[i] = f->set->own[(i * EBM_FEATURES + EBM_FEATURE_LOGP) * levels + row];
        if (!ebm__quantiles(f->column, n, f->c->quantile + row * EBM_QUANTILES))
            st =
                ebm_error_set(err, EBM_ERR_RANGE, "calibration", "most images have the same score");
    }
    return st;
}

ebm_status ebm_calibration_of(const ebm_scored *set, ebm_calibration *out, ebm_error *err)
{
    fitting f;
    ebm_status st = begin(set, out, &f, err);
    if (st == EBM_OK)
        st = measure(&f, err);
    clear(&f);
    if (st != EBM_OK)
        ebm_calibration_clear(out);
    return st;
}

ebm_status ebm_calibration_take_band(ebm_calibration *c, const double *single, ebm_error *err)
{
    const size_t draws = (size_t)c->draws, levels = (size_t)c->levels;
    const size_t n = (size_t)c->count * draws;
    double quantile[EBM_QUANTILES], *column = ebm_alloc(n, sizeof *column);
    bool spread = column != NULL;
    for (size_t t = 0; t < levels && spread; t++) {
        for (size_t i = 0; i < n; i++)
            column[i] = single[(i / draws * levels + t) * draws + i % draws];
        spread = ebm__quantiles(column, n, quantile);
        c->single[2 * t] = quantile[1];
        c->single[2 * t + 1] = quantile[EBM_QUANTILES - 2];
    }
    c->has_single = spread;
    const bool memory = column != NULL;
    ebm_free(column);
    if (!memory)
        return ebm_error_set(err, EBM_ERR_NOMEM, "calibration", "no memory for its band");
    return spread ? EBM_OK
                  : ebm_error_set(err, EBM_ERR_RANGE, "calibration",
                                  "most draws have the same log density");
}

ebm_status ebm_calibration_trial(const ebm_scored *set, ebm_spoil_kind kind, double *own,
                                 double *spoiled, ebm_error *err)
{
    const size_t n = (size_t)set->count;
    ebm_calibration c;
    fitting f;
    ebm_status st = begin(set, &c, &f, err);
    if (st == EBM_OK)
        st = score_folds(&f, (int)kind, f.column, err);
    if (st == EBM_OK) {
        memcpy(own, f.column, n * sizeof *own);
        for (size_t copy = 0; copy < EBM_SCORED_COPIES * n; copy++)
            if (ebm_scored_kind((int64_t)copy) == kind)
                spoiled[copy] = f.column[n + copy];
    }
    clear(&f);
    ebm_calibration_clear(&c);
    return st;
}
