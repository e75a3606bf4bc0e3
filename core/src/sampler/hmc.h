/* One Hamiltonian move with a Metropolis test, on any log density in nats. MALA is the move with
 * one leapfrog step. Knows vectors and noise; has never heard of levels' tables or chains. */
#ifndef EBM__HMC_H
#define EBM__HMC_H

#include <stdbool.h>

#include "ebm/forward.h"

/* A log density in nats. keep(): the point evaluated last has been accepted; may be NULL.
 * @shape y, grad [dim] */
typedef struct ebm__target {
    size_t dim;
    void *self;
    double (*eval)(void *self, const float *y, float *grad);
    void (*keep)(void *self);
} ebm__target;

/* Everything a move needs. @shape y, grad, y_new, grad_new, momentum, mask [dim] */
typedef struct ebm__hmc {
    ebm__target target;
    const ebm_noise *noise;
    const float *mask; /* values of 1 do not move; NULL: all move */
    double eps;
    int32_t leapfrog;
    double logp; /* at y; grad holds the gradient there */
    float *y, *grad, *y_new, *grad_new, *momentum;
} ebm__hmc;

/* Evaluates y as it stands. Needed before the first move and after y or the density changed. */
void ebm__hmc_refresh(ebm__hmc *h);

/* Proposes and accepts or rejects; returns the acceptance probability.
 * @eq H = -logp + |p|^2/2; leapfrog; accept with min(1, exp(H - H')). Duane et al. 1987;
 *     docs/math/mcmc.md */
double ebm__hmc_move(ebm__hmc *h, ebm_draw draw);

/* The leapfrog integrator alone: from (y, momentum) in y_new, grad_new, momentum; returns logp
 * at the end. @eq p += eps/2 grad; (y += eps p; p += eps grad) ...; p += eps/2 grad */
double ebm__hmc_leapfrog(ebm__hmc *h);

/* First guess of the step size. @eq D^(-1/4)/sqrt(Lmax); docs/math/mcmc.md */
double ebm__hmc_guess(double curvature, size_t dim);

#endif
