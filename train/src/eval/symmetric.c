/* See symmetric.h. */
#include "eval/symmetric.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ebm/memory.h"

/* OpenBLAS holds LAPACK, but Debian's package has no C header for it: netlib's dsyevd, by the
 * Fortran conventions of gfortran on Linux. */
void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *lda,
             double *w, double *work, const int *lwork, int *iwork, const int *liwork, int *info);

static bool all_finite(const double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(a[i]))
            return false;
    return true;
}

/* @param job "V": eigenvectors too, "N": values alone, in less time */
static ebm_status decompose(const char *job, int32_t dim, double *a, double *values, ebm_error *err)
{
    const size_t d = (size_t)dim;
    /* the least sizes that dsyevd's manual allows; without vectors it is content with less */
    const size_t n_work = 1 + 6 * d + (*job == 'V' ? 2 * d * d : 0), n_iwork = 3 + 5 * d;
    const int n = dim, lwork = (int)n_work, liwork = (int)n_iwork;
    int info = 0;
    if (!all_finite(a, d * d))
        return ebm_error_set(err, EBM_ERR_DIVERGED, "matrix", "holds a value that is not finite");
    double *work = ebm_alloc(n_work, sizeof *work);
    int *iwork = ebm_alloc(n_iwork, sizeof *iwork);
    ebm_status st = EBM_OK;
    if (!work || !iwork)
        st = ebm_error_set(err, EBM_ERR_NOMEM, "matrix", "no memory for %d x %d", dim, dim);
    else
        dsyevd_(job, "U", &n, a, &n, values, work, &lwork, iwork, &liwork, &info);
    if (st == EBM_OK && info != 0)
        st = ebm_error_set(err, EBM_ERR_DIVERGED, "matrix", "eigenvalues did not converge");
    ebm_free(work);
    ebm_free(iwork);
    return st;
}

ebm_status ebmt__symmetric_eigen(int32_t dim, double *a, double *values, ebm_error *err)
{
    return decompose("V", dim, a, values, err);
}

static double sqrt_or_zero(double value)
{
    return value > 0.0 ? sqrt(value) : 0.0;
}

/* a = sum over i of sqrt(l_i) v_i v_i^T. @shape v [dim,dim], one vector per row, is overwritten */
static void compose_sqrt(int32_t dim, const double *l, double *v, double *a)
{
    const size_t d = (size_t)dim;
    for (size_t i = 0; i < d; i++) {
        double scale = sqrt(sqrt_or_zero(l[i]));
        for (size_t j = 0; j < d; j++)
            v[i * d + j] *= scale;
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, dim, dim, dim, 1.0, v, dim, v, dim, 0.0, a,
                dim);
}

ebm_status ebmt__symmetric_sqrt(int32_t dim, double *a, ebm_error *err)
{
    const size_t d = (size_t)dim;
    double *v = ebm_alloc(d * d + d, sizeof *v);
    if (!v)
        return ebm_error_set(err, EBM_ERR_NOMEM, "matrix", "no memory for %d x %d", dim, dim);
    memcpy(v, a, d * d * sizeof *v);
    ebm_status st = ebmt__symmetric_eigen(dim, v, v + d * d, err);
    if (st == EBM_OK)
        compose_sqrt(dim, v + d * d, v, a);
    ebm_free(v);
    return st;
}

ebm_status ebmt__trace_sqrt_product(int32_t dim, const double *a, const double *b, double *trace,
                                    ebm_error *err)
{
    const size_t d = (size_t)dim;
    double *ab = ebm_alloc(2 * d * d + d, sizeof *ab);
    if (!ab)
        return ebm_error_set(err, EBM_ERR_NOMEM, "matrix", "no memory for %d x %d", dim, dim);
    double *aba = ab + d * d, *values = aba + d * d;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, dim, dim, dim, 1.0, a, dim, b, dim, 0.0,
                ab, dim);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, dim, dim, dim, 1.0, ab, dim, a, dim, 0.0,
                aba, dim);
    ebm_status st = decompose("N", dim, aba, values, err);
    *trace = 0.0;
    for (size_t i = 0; i < d && st == EBM_OK; i++)
        *trace += sqrt_or_zero(values[i]);
    ebm_free(ab);
    return st;
}
