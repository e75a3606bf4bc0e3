/* What MALA and HMC sample at one level: net and tether together, in nats. */
#ifndef EBM__LEVEL_TARGET_H
#define EBM__LEVEL_TARGET_H

#include "ebm/levels.h"
#include "ebm/sampler.h"
#include "sampler/hmc.h"

/* @shape anchor, mask [dim]; mask may be NULL */
typedef struct ebm__level_target {
    const ebm_density *density;
    const ebm_levels *levels;
    int32_t level;
    double tether; /* r: 1 with, 0 without */
    const float *anchor, *mask;
} ebm__level_target;

/* @eq logp = net(y,t)/step2_t - r |y - anchor|^2/(2 sigma_{t+1}^2); the gradient is zero where
 *     the mask is 1. docs/math/recovery_likelihood.md
 * @own the result borrows t */
ebm__target ebm__level_target_of(ebm__level_target *t);

/* log density of the level from net and y. */
double ebm__level_logp(const ebm__level_target *t, float net, const float *y);

/* Largest curvature, that of directions in which the image is noise only.
 * @eq 1/(A_t^2 sbar_t^2) + r/sigma_{t+1}^2; docs/math/mcmc.md */
double ebm__level_curvature(const ebm_levels *levels, int32_t level, double tether);

#endif
