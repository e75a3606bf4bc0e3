/* The two terms of the objective, one sample at a time. */
#ifndef EBMT_OBJECTIVE_H
#define EBMT_OBJECTIVE_H

#include "ebm/levels.h"
#include "ebmt/grad.h"
#include "pairs.h"

/* Moves that were judged: the sum of their acceptance probabilities, and how many there were. */
typedef struct ebmt__moves {
    double accepted;
    int64_t n;
} ebmt__moves;

/* Runs the chain of a pair from x_next to y_minus: K_t Langevin steps with the exact noise.
 * Returns what a Metropolis test would have said of all but the last: it would cost another pass.
 * A normal transition has none. @shape work [4*D] */
ebmt__moves ebmt__negative(ebm_session *s, const ebm_levels *levels, uint64_t iteration_seed,
                           uint32_t slot, ebmt__pair *pair, float *work);

/* Adds weight * (net(y_minus) - net(y_plus)) and its gradient; y_minus is a constant.
 * @eq recovery likelihood, Gao et al. 2021, eq. of the learning gradient; reference code
 *     training_losses(). *gap receives net(y_plus) - net(y_minus). Returns the unweighted loss. */
double ebmt__recovery_term(ebm_session *s, const ebmt__pair *pair, double weight, ebmt_grads *grads,
                           double *gap);

/* Adds weight * |grad net(z)/2 - c (m - z)|^2 / (D c^2 (v + sigma^2)) and its gradient, with
 * m = scale abar clean, v = (scale sbar)^2, c = step2/(2v), z between y_plus and x_next.
 * Returns the unweighted loss. @shape work [3*D] */
double ebmt__matching_term(ebm_session *s, const ebm_levels *levels, const ebmt__pair *pair,
                           double weight, ebmt_grads *grads, float *work);

/* The paper's weight of a level: sigma_1/sigma_{t+1}. */
double ebmt__paper_weight(const ebm_levels *levels, int32_t t);

/* 1/(D c (v + sigma^2)): brings net differences of all levels to the size of matching losses. */
double ebmt__balanced_weight(const ebm_levels *levels, int32_t t, size_t dim);

#endif
