/* Eigenvalues of symmetric matrices, through LAPACK. Knows matrices only. */
#ifndef EBMT_SYMMETRIC_H
#define EBMT_SYMMETRIC_H

#include <stdint.h>

#include "ebm/status.h"

/* Decomposes a symmetric matrix in place: a becomes the eigenvectors, one per row.
 * @shape a [dim,dim]; values [dim], ascending @err DIVERGED (not finite), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__symmetric_eigen(int32_t dim, double *a, double *values,
                                                ebm_error *err);

/* Replaces a positive semidefinite matrix by its square root; eigenvalues that rounding has made
 * negative count as zero. @shape a [dim,dim] @err as above */
EBM_MUST_CHECK ebm_status ebmt__symmetric_sqrt(int32_t dim, double *a, ebm_error *err);

/* tr((A B A)^(1/2)) for symmetric A and B, the product positive semidefinite.
 * @shape a, b [dim,dim] @err as above */
EBM_MUST_CHECK ebm_status ebmt__trace_sqrt_product(int32_t dim, const double *a, const double *b,
                                                   double *trace, ebm_error *err);

#endif
