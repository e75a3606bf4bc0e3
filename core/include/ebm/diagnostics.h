/* What tracked scalars say about chains: have they mixed, how much are their draws worth, does the
 * log density wander off. Knows numbers only; has never heard of samplers or models. */
#ifndef EBM_DIAGNOSTICS_H
#define EBM_DIAGNOSTICS_H

#include <stdbool.h>
#include <stddef.h>

#include "ebm/status.h"

/* One scalar of several chains: value(c, i) = values[c*chain_stride + i*stride].
 * @range chains 1..1024, draws 8..2^24, chains*draws at most 2^26 */
typedef struct ebm_series {
    const double *values;
    size_t chains, draws;
    size_t chain_stride, stride;
} ebm_series;

/* @unit rhat 1 is perfect; ess in independent draws */
typedef struct ebm_convergence {
    double mean, sd;
    double rhat;     /* split, rank-normalised, the larger of bulk and folded */
    double ess_bulk; /* for the mean of ranks */
    double ess_tail; /* the smaller of the 5 % and 95 % quantiles' */
    bool mixed;      /* rhat <= 1.01 and both ess at least 100 a chain */
    bool diverged;   /* a value is not finite; the numbers above are then NaN */
} ebm_convergence;

/* Diagnoses burnt-in draws. Constant draws give rhat NaN and ess 0: they say nothing.
 * @eq  Vehtari, Gelman, Simpson, Carpenter, Buerkner, "Rank-normalization, folding, and
 *      localization: an improved R-hat", Bayesian Analysis 2021; docs/math/diagnostics.md
 * @thread any; allocates its scratch, about 60 bytes a draw
 * @err RANGE (sizes), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_convergence_of(const ebm_series *series, ebm_convergence *out,
                                                     ebm_error *err);

/* Where the log density of calibration data lies at the chain's level. @range low < high */
typedef struct ebm_band {
    double low, high;
} ebm_band;

typedef struct ebm_drift {
    double early, late; /* mean of the first and of the last quarter of the draws */
    double outside;     /* share of draws outside the band */
    bool left_band;     /* `late` lies outside the band */
    bool diverged;      /* a value is not finite, or further out than ten widths of the band */
} ebm_drift;

/* Compares traced log densities with a band. Allocates nothing. @err RANGE (sizes, band) */
EBM_API EBM_MUST_CHECK ebm_status ebm_drift_of(const ebm_series *logp, const ebm_band *band,
                                               ebm_drift *out, ebm_error *err);

#endif
