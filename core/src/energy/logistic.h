/* Logistic regression with a ridge. Knows matrices; has never heard of images. */
#ifndef EBM__LOGISTIC_H
#define EBM__LOGISTIC_H

#include <stddef.h>

#include "ebm/status.h"

/* Rows of two classes. @shape x [rows, columns], weight [rows]
 * @range weight: above 0 for the first class, below 0 for the second, 0 leaves the row out;
 *        ridge at least 0 */
typedef struct ebm__logistic {
    size_t rows, columns;
    const double *x, *weight;
    double ridge;
} ebm__logistic;

/* Finds the one minimum of
 *     sum_i |weight_i| log(1 + exp(-s_i (b.x_i + b_0))) + ridge/2 |b|^2,   s_i = sign(weight_i)
 * so that b.x + b_0 are the log odds of the first class; b_0 carries no ridge.
 * @shape b [columns + 1], b_0 last
 * @eq    Newton's method with step halving; Hastie, Tibshirani, Friedman 2009, 4.4.1 and 3.4.1
 * @err   RANGE (a class without rows, or no minimum: columns that depend on each other without a
 *        ridge, numbers that are not finite), NOMEM */
EBM_MUST_CHECK ebm_status ebm__logistic_fit(const ebm__logistic *problem, double *b,
                                            ebm_error *err);

#endif
