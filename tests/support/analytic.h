/* Densities with known answers, as samplers see them: Gaussian data of any small covariance, and
 * Gaussian mixtures, carried through all noise levels in closed form. */
#ifndef ANALYTIC_H
#define ANALYTIC_H

#include "ebm/sampler.h"

#define ANALYTIC_MAX 4

/* Data N(mean, cov) in `n` dimensions, `copies` times side by side (independent).
 * @eq y = A_t x_t ~ N(A abar mean, A^2 (abar^2 cov + sbar^2 I)); net = step2 times the quadratic,
 *     without its normaliser */
typedef struct analytic_gauss {
    const ebm_levels *levels;
    size_t n, copies;
    double mean[ANALYTIC_MAX], cov[ANALYTIC_MAX][ANALYTIC_MAX];
    long calls;
    double inverse[8][ANALYTIC_MAX][ANALYTIC_MAX]; /* of each level's y, once needed */
    int known[8];
} analytic_gauss;

ebm_density analytic_gauss_density(analytic_gauss *g);

/* log of the integral of exp(net/step2) at level t. */
double analytic_gauss_logz(const analytic_gauss *g, int32_t t);
/* log density of x_0. @shape x [n*copies] */
double analytic_gauss_logp0(const analytic_gauss *g, const float *x);

/* One-dimensional data: `k` components N(mean_i, var) of equal weight; net is normalised. */
typedef struct analytic_mixture {
    const ebm_levels *levels;
    size_t k;
    double mean[ANALYTIC_MAX], var;
} analytic_mixture;

ebm_density analytic_mixture_density(analytic_mixture *m);

/* The paper's six levels. */
ebm_levels analytic_levels(void);

#endif
