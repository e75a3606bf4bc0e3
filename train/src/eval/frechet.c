/* The Frechet distance with its jackknife: leaving a block out is a subtraction of its sums.
 * Knows points only. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebmt/statistics.h"
#include "eval/symmetric.h"

/* A decomposition in 2048 dimensions takes seconds: there the jackknife makes do with fewer. */
#define MAX_BLOCKS  20
#define WIDE_BLOCKS 10
#define WIDE        256

/* A set about a common origin, with its sums. Block b holds points b, b+blocks, ...
 * @shape centred [n,d]; sum [d]; square [d,d] (upper triangle) */
typedef struct point_sums {
    int32_t dim, blocks;
    int64_t n;
    double *centred, *sum, *square;
} point_sums;

static int64_t block_size(const point_sums *s, int32_t block)
{
    return (s->n - block + s->blocks - 1) / s->blocks;
}

/* Sums over `rows` points, each `step` points after the one before.
 * @shape sum [d]; square [d,d], upper triangle */
static void add_up(const point_sums *s, int64_t first, int64_t rows, int32_t step, double *sum,
                   double *square)
{
    const size_t d = (size_t)s->dim;
    const double *x = s->centred + (size_t)first * d;
    memset(sum, 0, d * sizeof *sum);
    for (size_t i = 0; i < (size_t)rows; i++)
        for (size_t j = 0; j < d; j++)
            sum[j] += x[i * (size_t)step * d + j];
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, s->dim, (int)rows, 1.0, x, step * s->dim,
                0.0, square, s->dim);
}

static ebm_status sums_init(const ebmt_points *x, const double *origin, point_sums *s,
                            ebm_error *err)
{
    const size_t d = x->dim;
    const int32_t most = d > WIDE ? WIDE_BLOCKS : MAX_BLOCKS;
    *s = (point_sums){.dim = (int32_t)d, .n = x->n};
    s->blocks = x->n / 2 < most ? (int32_t)(x->n / 2) : most;
    s->centred = ebm_alloc((size_t)x->n, d * sizeof *s->centred);
    s->sum = ebm_alloc(d, sizeof *s->sum);
    s->square = ebm_alloc(d, d * sizeof *s->square);
    if (!s->centred || !s->sum || !s->square)
        return ebm_error_set(err, EBM_ERR_NOMEM, "frechet", "no memory for %lld points",
                             (long long)x->n);
    for (size_t i = 0; i < (size_t)x->n * d; i++)
        s->centred[i] = x->values[i] - origin[i % d];
    add_up(s, 0, s->n, 1, s->sum, s->square);
    return EBM_OK;
}

static void sums_clear(point_sums *s)
{
    ebm_free(s->centred);
    ebm_free(s->sum);
    ebm_free(s->square);
}

/* Mean and covariance without block `left_out`, or of all for -1.
 * @shape mean [d]; cov [d,d], both triangles */
static void moments(const point_sums *s, int32_t left_out, double *mean, double *cov)
{
    const size_t d = (size_t)s->dim;
    const double n = (double)(left_out < 0 ? s->n : s->n - block_size(s, left_out));
    if (left_out < 0) {
        memset(mean, 0, d * sizeof *mean);
        memset(cov, 0, d * d * sizeof *cov);
    } else {
        add_up(s, left_out, block_size(s, left_out), s->blocks, mean, cov);
    }
    for (size_t i = 0; i < d; i++)
        mean[i] = (s->sum[i] - mean[i]) / n;
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) {
            const double sum = s->square[i * d + j] - cov[i * d + j];
            cov[i * d + j] = cov[j * d + i] = (sum - n * mean[i] * mean[j]) / (n - 1.0);
        }
}

/* One of the two sets as a whole. @shape mean [d]; root [d,d], of the covariance */
typedef struct fixed_set {
    double *mean, *root, trace;
} fixed_set;

static ebm_status fix(const point_sums *s, fixed_set *out, ebm_error *err)
{
    const size_t d = (size_t)s->dim;
    out->mean = ebm_alloc(d, sizeof *out->mean);
    out->root = ebm_alloc(d, d * sizeof *out->root);
    if (!out->mean || !out->root)
        return ebm_error_set(err, EBM_ERR_NOMEM, "frechet", "no memory for %zu dimensions", d);
    moments(s, -1, out->mean, out->root);
    for (size_t i = 0; i < d; i++)
        out->trace += out->root[i * d + i];
    return ebmt__symmetric_sqrt(s->dim, out->root, err);
}

static void fixed_clear(fixed_set *f)
{
    ebm_free(f->mean);
    ebm_free(f->root);
}

/* Distance of a set without a block from a whole one, whose root serves for all blocks.
 * @shape work [d + d*d] */
static ebm_status distance(const point_sums *x, int32_t left_out, const fixed_set *other,
                           double *work, double *value, ebm_error *err)
{
    const size_t d = (size_t)x->dim;
    double *mean = work, *cov = work + d, cross = 0.0, sum = other->trace;
    moments(x, left_out, mean, cov);
    for (size_t i = 0; i < d; i++)
        sum += (mean[i] - other->mean[i]) * (mean[i] - other->mean[i]) + cov[i * d + i];
    ebm_status st = ebmt__trace_sqrt_product(x->dim, other->root, cov, &cross, err);
    *value = sum - 2.0 * cross;
    return st;
}

/* What leaving out blocks of one set says. */
typedef struct jackknife {
    double variance, bias;
} jackknife;

static ebm_status leave_out(const point_sums *x, const fixed_set *other, double full, double *work,
                            jackknife *out, ebm_error *err)
{
    const int32_t g = x->blocks;
    double v[MAX_BLOCKS], mean = 0.0, spread = 0.0;
    for (int32_t b = 0; b < g; b++) {
        ebm_status st = distance(x, b, other, work, &v[b], err);
        if (st != EBM_OK)
            return st;
        mean += v[b] / g;
    }
    for (int32_t b = 0; b < g; b++)
        spread += (v[b] - mean) * (v[b] - mean);
    out->variance = spread * (g - 1) / g;
    out->bias = (g - 1) * (mean - full);
    return EBM_OK;
}

static ebm_status measure(const point_sums *x, const point_sums *y, ebmt_number *value,
                          ebmt_number *unbiased, ebm_error *err)
{
    const size_t d = (size_t)x->dim;
    double full = 0.0, *work = ebm_alloc(d + d * d, sizeof *work);
    fixed_set fx = {0}, fy = {0};
    jackknife jx = {0}, jy = {0};
    ebm_status st = EBM_OK;
    if (!work)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "frechet", "no memory for %zu dimensions", d);
    if (st == EBM_OK)
        st = fix(x, &fx, err);
    if (st == EBM_OK)
        st = fix(y, &fy, err);
    if (st == EBM_OK)
        st = distance(x, -1, &fy, work, &full, err);
    if (st == EBM_OK)
        st = leave_out(x, &fy, full, work, &jx, err);
    if (st == EBM_OK)
        st = leave_out(y, &fx, full, work, &jy, err);
    fixed_clear(&fx);
    fixed_clear(&fy);
    ebm_free(work);
    *value = (ebmt_number){full, sqrt(jx.variance + jy.variance), x->n};
    *unbiased = (ebmt_number){full - jx.bias - jy.bias, value->se, x->n};
    return st;
}

static ebm_status check(const ebmt_points *x, const ebmt_points *y, ebm_error *err)
{
    if (x->n < 4 || y->n < 4 || x->n > INT32_MAX || y->n > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "frechet", "%lld and %lld points, at least 4",
                             (long long)x->n, (long long)y->n);
    if (x->dim != y->dim || x->dim < 1 || x->dim > 4096 || !x->values || !y->values)
        return ebm_error_set(err, EBM_ERR_SHAPE, "frechet", "%zu and %zu dimensions", x->dim,
                             y->dim);
    return EBM_OK;
}

ebm_status ebmt_frechet(const ebmt_points *x, const ebmt_points *y, ebmt_number *value,
                        ebmt_number *unbiased, ebm_error *err)
{
    point_sums sx = {0}, sy = {0};
    ebm_status st = check(x, y, err);
    if (st != EBM_OK)
        return st;
    /* any origin will do; one inside the data keeps the subtraction of squares harmless */
    st = sums_init(x, y->values, &sx, err);
    if (st == EBM_OK)
        st = sums_init(y, y->values, &sy, err);
    if (st == EBM_OK)
        st = measure(&sx, &sy, value, unbiased, err);
    sums_clear(&sx);
    sums_clear(&sy);
    return st;
}
