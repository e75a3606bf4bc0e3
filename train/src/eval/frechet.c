/* The Frechet distance with its jackknife: sums are kept per block, so leaving one out is a
 * subtraction. Knows points only. */
#include <cblas.h>
#include <math.h>
#include <stdbool.h>

#include "ebm/memory.h"
#include "ebmt/statistics.h"
#include "eval/symmetric.h"

#define MAX_BLOCKS 20

/* First and second sums of a set about a common origin, per block and together.
 * @shape sum [blocks+1, d]; square [blocks+1, d, d] (upper triangle); the last is the total */
typedef struct block_sums {
    int32_t dim, blocks;
    int64_t n;
    double *sum, *square;
} block_sums;

static int64_t block_size(const block_sums *s, int32_t block)
{
    return (s->n - block + s->blocks - 1) / s->blocks;
}

/* Block b holds points b, b+blocks, ...: the rows of one matrix with a longer stride. */
static void add_block(const ebmt_points *x, const double *centred, int32_t b, block_sums *s)
{
    const size_t d = x->dim;
    const int rows = (int)block_size(s, b), stride = s->blocks * s->dim;
    double *sum = s->sum + (size_t)b * d, *square = s->square + (size_t)b * d * d;
    double *all = s->sum + (size_t)s->blocks * d, *all2 = s->square + (size_t)s->blocks * d * d;
    for (int64_t i = b; i < x->n; i += s->blocks)
        for (size_t j = 0; j < d; j++)
            sum[j] += centred[(size_t)i * d + j];
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, s->dim, rows, 1.0, centred + (size_t)b * d,
                stride, 0.0, square, s->dim);
    for (size_t j = 0; j < d; j++)
        all[j] += sum[j];
    for (size_t j = 0; j < d * d; j++)
        all2[j] += square[j];
}

static ebm_status sums_init(const ebmt_points *x, const double *origin, block_sums *s,
                            ebm_error *err)
{
    const size_t d = x->dim;
    *s = (block_sums){.dim = (int32_t)d, .n = x->n};
    s->blocks = x->n / 2 < MAX_BLOCKS ? (int32_t)(x->n / 2) : MAX_BLOCKS;
    size_t slots = (size_t)s->blocks + 1;
    double *centred = ebm_alloc((size_t)x->n, d * sizeof *centred);
    s->sum = ebm_alloc(slots, d * sizeof *s->sum);
    s->square = ebm_alloc(slots, d * d * sizeof *s->square);
    if (!centred || !s->sum || !s->square) {
        ebm_free(centred);
        return ebm_error_set(err, EBM_ERR_NOMEM, "frechet", "no memory for %lld points",
                             (long long)x->n);
    }
    for (size_t i = 0; i < (size_t)x->n * d; i++)
        centred[i] = x->values[i] - origin[i % d];
    for (int32_t b = 0; b < s->blocks; b++)
        add_block(x, centred, b, s);
    ebm_free(centred);
    return EBM_OK;
}

static void sums_clear(block_sums *s)
{
    ebm_free(s->sum);
    ebm_free(s->square);
}

/* Mean and covariance without block `left_out`, or of all for -1.
 * @shape mean [d]; cov [d,d], both triangles */
static void moments(const block_sums *s, int32_t left_out, double *mean, double *cov)
{
    const size_t d = (size_t)s->dim, total = (size_t)s->blocks;
    const double n = (double)(left_out < 0 ? s->n : s->n - block_size(s, left_out));
    for (size_t i = 0; i < d; i++) {
        double sum = s->sum[total * d + i];
        mean[i] = (left_out < 0 ? sum : sum - s->sum[(size_t)left_out * d + i]) / n;
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = i; j < d; j++) {
            double sum = s->square[(total * d + i) * d + j];
            if (left_out >= 0)
                sum -= s->square[((size_t)left_out * d + i) * d + j];
            cov[i * d + j] = cov[j * d + i] = (sum - n * mean[i] * mean[j]) / (n - 1.0);
        }
}

/* @shape work [2*(d + d*d)] */
static ebm_status distance(const block_sums *x, int32_t x_out, const block_sums *y, int32_t y_out,
                           double *work, double *value, ebm_error *err)
{
    const size_t d = (size_t)x->dim;
    double *m1 = work, *m2 = m1 + d, *s1 = m2 + d, *s2 = s1 + d * d, cross = 0.0, sum = 0.0;
    moments(x, x_out, m1, s1);
    moments(y, y_out, m2, s2);
    for (size_t i = 0; i < d; i++)
        sum += (m1[i] - m2[i]) * (m1[i] - m2[i]) + s1[i * d + i] + s2[i * d + i];
    ebm_status st = ebmt__symmetric_sqrt(x->dim, s1, err);
    if (st == EBM_OK)
        st = ebmt__trace_sqrt_product(x->dim, s1, s2, &cross, err);
    *value = sum - 2.0 * cross;
    return st;
}

/* What leaving out blocks of one set says. */
typedef struct jackknife {
    double variance, bias;
} jackknife;

static ebm_status leave_out(const block_sums *x, const block_sums *y, bool of_x, double full,
                            double *work, jackknife *out, ebm_error *err)
{
    const int32_t g = of_x ? x->blocks : y->blocks;
    double v[MAX_BLOCKS], mean = 0.0, spread = 0.0;
    for (int32_t b = 0; b < g; b++) {
        ebm_status st = distance(x, of_x ? b : -1, y, of_x ? -1 : b, work, &v[b], err);
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

static ebm_status measure(const block_sums *x, const block_sums *y, ebmt_number *value,
                          ebmt_number *unbiased, ebm_error *err)
{
    const size_t d = (size_t)x->dim;
    double full = 0.0, *work = ebm_alloc(2 * (d + d * d), sizeof *work);
    jackknife jx = {0}, jy = {0};
    if (!work)
        return ebm_error_set(err, EBM_ERR_NOMEM, "frechet", "no memory for %zu dimensions", d);
    ebm_status st = distance(x, -1, y, -1, work, &full, err);
    if (st == EBM_OK)
        st = leave_out(x, y, true, full, work, &jx, err);
    if (st == EBM_OK)
        st = leave_out(x, y, false, full, work, &jy, err);
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
    block_sums sx = {0}, sy = {0};
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
