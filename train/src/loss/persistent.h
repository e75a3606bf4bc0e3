/* Persistent chains: moves of one chain at the lowest level, between two updates of the weights.
 * Knows one session and one chain; has never heard of batches or of who keeps the chains. */
#ifndef EBMT_PERSISTENT_H
#define EBMT_PERSISTENT_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/levels.h"
#include "ebm/session.h"

/* Floats in which a chain is kept: its state y, then its step size; an even number, so that they
 * can be handed on as words of 64 bits. All 0: it has not begun yet. */
size_t ebmt__persistent_floats(size_t dim);

/* What the visits of one iteration have in common. */
typedef struct ebmt__visit_plan {
    const ebm_levels *levels;
    uint64_t iteration_seed;
    int32_t moves;    /* at least 1 */
    int32_t leapfrog; /* steps of a move; 1 is MALA */
} ebmt__visit_plan;

/* Makes `moves` MALA or HMC moves of chain `chain` on the density that the weights have now,
 * without tether. A chain that has not begun begins at y_plus. The step size adapts between visits,
 * for ever: the density does not stay either.
 * @shape y_plus [dim], record [ebmt__persistent_floats(dim)], work [4*dim]
 * @eq    pi(y) = exp(net(y, 0)/step2_0); docs/math/persistent_chains.md
 * Returns the mean acceptance probability, near 0.57 (MALA) or 0.65 once the step size is found;
 * NaN if the state or its log density is no number. */
double ebmt__persistent_moves(ebm_session *s, const ebmt__visit_plan *visit, uint32_t chain,
                              const float *y_plus, float *record, float *work);

#endif
