/* The arithmetic of one Langevin update, shared by all chains. */
#ifndef EBM__LANGEVIN_MOVE_H
#define EBM__LANGEVIN_MOVE_H

#include <stddef.h>

#include "ebm/levels.h"

typedef struct ebm__langevin_coef {
    float drift;  /* q/2, q the stride; sigma_{t+1}^2/step2 for a normal transition */
    float pull;   /* (q step2/2) r / sigma_{t+1}^2 */
    float spread; /* sqrt(q step2) tau */
} ebm__langevin_coef;

ebm__langevin_coef ebm__langevin_coef_of(const ebm_levels *levels, int32_t level, double tether,
                                         double noise_scale);

/* The same move as a draw from the normal approximation, for y = anchor. */
ebm__langevin_coef ebm__normal_coef_of(const ebm_levels *levels, int32_t level, double noise_scale);

/* @eq y += (1 - mask) (drift grad - pull (y - anchor) + spread noise)
 * @shape all [dim]; mask may be NULL: nothing is known */
void ebm__langevin_move(ebm__langevin_coef c, size_t dim, const float *anchor, const float *grad,
                        const float *noise, const float *mask, float *y);

#endif
