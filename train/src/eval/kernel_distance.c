/* The unbiased kernel distance, block by block. Knows points only. */
#include <cblas.h>
#include <math.h>
#include <stdbool.h>

#include "ebm/memory.h"
#include "ebmt/statistics.h"

#define MAX_BLOCKS 10
#define PANEL      256 /* rows of the kernel matrix at a time */

/* Points b, b+blocks, ... of a set: rows of one matrix with a longer stride. */
typedef struct block {
    const double *first;
    int rows, stride, dim;
} block;

static block block_of(const ebmt_points *x, int32_t blocks, int32_t b)
{
    /* all blocks equally long, so that each gives an estimate of the same law */
    return (block){x->values + (size_t)b * x->dim, (int)(x->n / blocks), blocks * (int)x->dim,
                   (int)x->dim};
}

/* Adds k(x_i, y_j) of rows first .. first+rows-1 to a sum. @shape work [rows * y rows] */
static double add_panel(double sum, const block *x, int first, int rows, const block *y,
                        bool skip_diagonal, double *work)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, y->rows, x->dim, 1.0 / x->dim,
                x->first + (size_t)first * (size_t)x->stride, x->stride, y->first, y->stride, 0.0,
                work, y->rows);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < y->rows; j++) {
            double base = work[(size_t)i * (size_t)y->rows + (size_t)j] + 1.0;
            if (!skip_diagonal || first + i != j)
                sum += base * base * base;
        }
    return sum;
}

/* Sum of k(x_i, y_j) over all pairs, or over i != j. @shape work [PANEL * y rows] */
static double kernel_sum(const block *x, const block *y, bool skip_diagonal, double *work)
{
    double sum = 0.0;
    for (int i = 0; i < x->rows; i += PANEL)
        sum =
            add_panel(sum, x, i, x->rows - i < PANEL ? x->rows - i : PANEL, y, skip_diagonal, work);
    return sum;
}

static double estimate(const block *x, const block *y, double *work)
{
    double a = x->rows, b = y->rows;
    return kernel_sum(x, x, true, work) / (a * (a - 1.0)) +
           kernel_sum(y, y, true, work) / (b * (b - 1.0)) -
           2.0 * kernel_sum(x, y, false, work) / (a * b);
}

ebm_status ebmt_kernel_distance(const ebmt_points *x, const ebmt_points *y, ebmt_number *out,
                                ebm_error *err)
{
    int64_t fewest = x->n < y->n ? x->n : y->n, most = x->n > y->n ? x->n : y->n;
    if (fewest < 4 || most > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "kernel distance", "%lld points, at least 4",
                             (long long)fewest);
    if (x->dim != y->dim || x->dim < 1 || x->dim > 65536 || !x->values || !y->values)
        return ebm_error_set(err, EBM_ERR_SHAPE, "kernel distance", "%zu and %zu dimensions",
                             x->dim, y->dim);
    int32_t blocks = fewest / 2 < MAX_BLOCKS ? (int32_t)(fewest / 2) : MAX_BLOCKS;
    const size_t side = (size_t)(most / blocks), rows = side < PANEL ? side : PANEL;
    double *work = ebm_alloc(side, rows * sizeof *work), sum = 0.0, squares = 0.0;
    if (!work)
        return ebm_error_set(err, EBM_ERR_NOMEM, "kernel distance", "no memory");
    for (int32_t b = 0; b < blocks; b++) {
        block bx = block_of(x, blocks, b), by = block_of(y, blocks, b);
        double value = estimate(&bx, &by, work);
        sum += value;
        squares += value * value;
    }
    ebm_free(work);
    double mean = sum / blocks, variance = (squares - sum * mean) / (blocks - 1);
    *out = (ebmt_number){mean, sqrt(variance > 0.0 ? variance / blocks : 0.0), x->n};
    return EBM_OK;
}
