/* Distances and tests between two sets of points, each number with its standard error; all sums in
 * double. May use OpenBLAS underneath; has never heard of images, classifiers or energy models. */
#ifndef EBMT_STATISTICS_H
#define EBMT_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/pool.h"

/* A measured number. */
typedef struct ebmt_number {
    double value;
    double se; /* standard error; NaN where none is known */
    int64_t n; /* points it rests on */
} ebmt_number;

/* Points in a space, as doubles or as bytes (exactly one of the two is set).
 * @shape values, bytes [n, dim] @own borrowed */
typedef struct ebmt_points {
    int64_t n;
    size_t dim;
    const double *values;
    const uint8_t *bytes;
} ebmt_points;

/* Frechet distance of the Gaussians that have the sets' means and covariances.
 * @eq    |m1-m2|^2 + tr(S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2)), Dowson, Landau 1982; Heusel et
 *        al. 2017. Covariances over n-1.
 * @note  *value falls with n even when the sets have one law: its bias goes like 1/n. *unbiased is
 *        free of that first order (jackknife on both sets), for comparing different n.
 * @note  standard errors: block jackknife, up to 20 interleaved blocks of each set (10 in more than
 *        256 dimensions), both added
 * @range values only (no bytes); n >= 4 for both; equal dim
 * @err   RANGE, SHAPE, NOMEM, DIVERGED (a value is not finite) */
EBM_API EBM_MUST_CHECK ebm_status ebmt_frechet(const ebmt_points *x, const ebmt_points *y,
                                               ebmt_number *value, ebmt_number *unbiased,
                                               ebm_error *err);

/* Kernel distance ("KID"): unbiased squared maximum mean discrepancy, mean over up to 10
 * interleaved blocks, whose spread gives the standard error. It may be negative.
 * @eq    k(x,y) = (x.y/dim + 1)^3; Binkowski et al. 2018
 * @range values only; n >= 4 for both; equal dim @err RANGE, SHAPE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_kernel_distance(const ebmt_points *x, const ebmt_points *y,
                                                       ebmt_number *out, ebm_error *err);

/* Precision: share of x inside the union of balls around y's points, each reaching to its k-th
 * neighbour in y. Recall: the same with x and y changed over. Kynkaanniemi et al. 2019.
 * @note  standard errors are binomial: that of the balls themselves is not in them
 * @range 1 <= k <= 8; n > k for both @err RANGE, SHAPE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_precision_recall(const ebmt_points *x, const ebmt_points *y,
                                                        int32_t k, ebmt_pool *pool,
                                                        ebmt_number *precision, ebmt_number *recall,
                                                        ebm_error *err);

/* For each point of x the nearest of y. Bytes give exact distances.
 * @shape distance, index [x->n]; Euclidean, in the units of the points
 * @err   SHAPE, RANGE (y empty), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_nearest(const ebmt_points *x, const ebmt_points *y,
                                               ebmt_pool *pool, double *distance, int64_t *index,
                                               ebm_error *err);
/* The same where x are points of y, evenly spread, and each looks for another one: point i of x is
 * point floor(i y->n / x->n) of y. Of two equal points each finds the other.
 * @range x->n 1..y->n, y at least two points @err as above */
EBM_API EBM_MUST_CHECK ebm_status ebmt_nearest_other(const ebmt_points *x, const ebmt_points *y,
                                                     ebmt_pool *pool, double *distance,
                                                     int64_t *index, ebm_error *err);

/* What class probabilities say about a set.
 * @eq    score = exp(mean KL(p(class|x) || p(class))), Salimans et al. 2016, mean and spread over
 *        up to 10 blocks; entropy of the shares, nats */
#define EBMT_CLASSES_MAX 1024
typedef struct ebmt_class_figures {
    int32_t classes;
    ebmt_number score;
    ebmt_number share[EBMT_CLASSES_MAX]; /* of points whose likeliest class this is */
    double entropy;                      /* of the shares; log(classes) when all are equal */
} ebmt_class_figures;

/* The entropy of the shares with its standard error. @unit nats
 * @eq se^2 = (sum p log^2 p - H^2) / n, by the delta method; 0 for equal shares: there the error is
 *     of second order. Basharin 1959 */
EBM_API ebmt_number ebmt_class_entropy(const ebmt_class_figures *figures);
/* @shape probs [n, classes], rows sum to 1 @range n >= 1; classes 1..EBMT_CLASSES_MAX @err RANGE */
EBM_API EBM_MUST_CHECK ebm_status ebmt_class_figures_measure(const double *probs, int64_t n,
                                                             int32_t classes,
                                                             ebmt_class_figures *out,
                                                             ebm_error *err);

/* Area under the ROC curve: the chance that a positive scores above a negative, ties half.
 * @note  standard error of independent scores: DeLong, DeLong, Clarke-Pearson 1988; NaN if a side
 *        has one score
 * @shape positive [n_pos], negative [n_neg]; both at least 1 @err RANGE (empty, NaN), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_auroc(const double *positive, int64_t n_pos,
                                             const double *negative, int64_t n_neg,
                                             ebmt_number *out, ebm_error *err);

/* The same area of n pairs: negative i was made from what positive i was made from, so that their
 * scores go together. Pairs are independent of each other.
 * @eq    v_i = share of negatives under positive i, u_i = share of positives under negative i, ties
 *        half: se^2 = Var(v_i - u_i) / n, the variance of clusters of one positive and one negative
 *        in Obuchowski 1997, whose placements are DeLong's; docs/evaluation.md
 * @note  standard error NaN for one pair
 * @shape positive [n], negative [n] @err as ebmt_auroc() */
EBM_API EBM_MUST_CHECK ebm_status ebmt_auroc_pairs(const double *positive, const double *negative,
                                                   int64_t n, ebmt_number *out, ebm_error *err);

/* Quantile q in [0,1] of values, linear between order statistics; sorts them in place.
 * @range n >= 1 */
EBM_API double ebmt_quantile(double *values, int64_t n, double q);
/* The value that a further one of the same law is under with a chance of q, on average over all
 * that the n values could have been: the one of rank q(n+1), linear between order statistics. Few
 * values have none such: then the smallest, or the largest. Sorts them in place.
 * @range n >= 1 */
EBM_API double ebmt_fresh_quantile(double *values, int64_t n, double q);
/* Median of n values, which are sorted by it.
 * @note  standard error: half of the way between the values sqrt(n)/2 ranks below and above, which
 *        hold the law's median between them with a chance of 68 %; David, Nagaraja 2003, section
 *        7.1. NaN for fewer than four values
 * @range n >= 1, no NaN */
EBM_API ebmt_number ebmt_median(double *values, int64_t n);

#endif
