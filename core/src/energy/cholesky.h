/* Cholesky's factors of symmetric matrices, packed. Knows matrices; has never heard of images. */
#ifndef EBM__CHOLESKY_H
#define EBM__CHOLESKY_H

#include <stdbool.h>
#include <stddef.h>

/* Numbers of a lower triangle, row behind row. */
static inline size_t ebm__triangle(size_t size)
{
    return size * (size + 1) / 2;
}

/* L of A = L L' in place of A. @shape a [ebm__triangle(size)]
 * @err false: not positive definite, or not finite; a is then undefined */
bool ebm__cholesky_factorise(double *a, size_t size);

/* Solves L y = x, then L' y = x; both make A y = x. @shape l [ebm__triangle(size)], x [size]: x in,
 * y out */
void ebm__cholesky_forward(const double *l, size_t size, double *x);
void ebm__cholesky_backward(const double *l, size_t size, double *x);

#endif
