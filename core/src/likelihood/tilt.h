/* A density on the way from a base to a model level: what AIS moves on. */
#ifndef EBM__TILT_H
#define EBM__TILT_H

#include <stdbool.h>

#include "ebm/likelihood.h"
#include "sampler/hmc.h"

/* Log densities of base and level at one point, and their gradients. @shape [dim] */
typedef struct ebm__tilt_point {
    double base, level;
    float *grad_base, *grad_level;
} ebm__tilt_point;

/* The path. The base is N(mean, sd^2) or, where base_level >= 0, exp f of that level.
 * @eq keep_base: log pi = base + beta f_t(u); else (1-beta) base + beta f_t(u) */
typedef struct ebm__tilt {
    const ebm_ais *how;
    int32_t level, base_level; /* base_level -1: Gaussian */
    const float *mean;         /* NULL: zero */
    double sd;
    bool keep_base;
    double beta;
    float *scaled; /* [dim]: A u, for a base that is a level */
    ebm__tilt_point now, trial;
} ebm__tilt;

/* Points the target at the tilt's present beta. */
ebm__target ebm__tilt_target(ebm__tilt *t);

/* d log pi / d beta at the current point. @eq f (keep_base), else f - base */
double ebm__tilt_slope(const ebm__tilt *t);

/* Sets beta; gradient and logp of the current point are put together anew, not evaluated. */
void ebm__tilt_set(ebm__tilt *t, double beta, ebm__hmc *h);

/* Largest curvature of base and level, as the moves meet it; see docs/math/likelihood.md. */
double ebm__tilt_base_curvature(const ebm__tilt *t);
double ebm__tilt_level_curvature(const ebm__tilt *t);

/* One particle on its rung, made anew whenever it is gone on with: only task->y and *state last. */
typedef struct ebm__anneal {
    ebm__tilt tilt;
    ebm__hmc hmc;
    ebm_noise noise;
    ebm_purpose purpose;
    const ebm_particle_task *task;
    ebm_particle_state *state;
} ebm__anneal;

void ebm__anneal_init(ebm__anneal *a, const ebm_ais *how, const ebm_particle_task *task,
                      ebm_particle_state *state);
/* Evaluates the current point at the temperature that the state says. `a` stays where it is. */
void ebm__anneal_enter(ebm__anneal *a);
/* Temperatures and moves of the rung, until it is through or *moves are used up. */
void ebm__anneal_run(ebm__anneal *a, int64_t *moves);

#endif
