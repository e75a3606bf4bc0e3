/* What a Metropolis test would say of the moves of a chain that makes none. Knows densities at two
 * places; has never heard of networks or losses. */
#ifndef EBMT_ACCEPTANCE_H
#define EBMT_ACCEPTANCE_H

#include <stddef.h>

#include "ebm/levels.h"

/* Where a chain stands. @shape y, grad [dim] @unit net and its gradient: net units */
typedef struct ebmt__stand {
    const float *y, *grad;
    double net;
} ebmt__stand;

/* Probability that the Langevin move from one place to the next would be accepted, with the exact
 * noise, by a chain that is tied to the anchor. Near 1: the step is small for this density; near 0:
 * the chain goes where the density would not.
 * @shape anchor [dim] @range 0..1
 * @eq min(1, pi(b) q(a|b) / (pi(a) q(b|a))), log pi(y) = net(y)/step2 - tether |y - anchor|^2 /
 *     (2 sigma_{t+1}^2), q(.|y) = N(y + h/2 grad log pi(y), h), h = stride step2; Roberts and
 *     Tweedie 1996, section 1.4 */
double ebmt__acceptance(const ebm_levels *levels, int32_t level, size_t dim, const float *anchor,
                        const ebmt__stand *from, const ebmt__stand *to);

#endif
