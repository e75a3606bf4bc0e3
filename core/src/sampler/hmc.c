/* The Hamiltonian move: momentum, leapfrog, Metropolis test for one chain. */
#include "sampler/hmc.h"

#include <math.h>
#include <string.h>

#include "kernels/exp_inline.h"
#include "sampler/reduce.h"

double ebm__hmc_guess(double curvature, size_t dim)
{
    return 1.0 / (sqrt(sqrt((double)dim)) * sqrt(curvature));
}

void ebm__hmc_refresh(ebm__hmc *h)
{
    h->logp = h->target.eval(h->target.self, h->y, h->grad);
    if (h->target.keep)
        h->target.keep(h->target.self);
}

static void kick(size_t dim, double eps, const float *grad, float *momentum)
{
    float e = (float)eps;
    for (size_t i = 0; i < dim; i++)
        momentum[i] += e * grad[i];
}

static void drift(size_t dim, double eps, const float *momentum, float *y)
{
    float e = (float)eps;
    for (size_t i = 0; i < dim; i++)
        y[i] += e * momentum[i];
}

double ebm__hmc_leapfrog(ebm__hmc *h)
{
    const size_t dim = h->target.dim;
    double logp = 0.0;
    kick(dim, 0.5 * h->eps, h->grad_new, h->momentum);
    for (int32_t l = 0; l < h->leapfrog; l++) {
        drift(dim, h->eps, h->momentum, h->y_new);
        logp = h->target.eval(h->target.self, h->y_new, h->grad_new);
        kick(dim, l + 1 < h->leapfrog ? h->eps : 0.5 * h->eps, h->grad_new, h->momentum);
    }
    return logp;
}

static void draw_momentum(ebm__hmc *h, ebm_draw draw)
{
    ebm_noise_normal(h->noise, draw, 0, h->target.dim, h->momentum);
    for (size_t i = 0; h->mask && i < h->target.dim; i++)
        if (h->mask[i] == 1.0f)
            h->momentum[i] = 0.0f;
}

/* A uniform made of a normal, so that mixed noise keeps its marginal here too. It stands behind
 * the momentum in the same stream. */
static double accept_draw(const ebm__hmc *h, ebm_draw draw)
{
    float z;
    ebm_noise_normal(h->noise, draw, (uint32_t)((h->target.dim + 3) / 4 * 4), 1, &z);
    return 0.5 * erfc(-(double)z * 0.70710678118654752);
}

/* min(1, exp(gain)); what is not finite is never accepted. Our own exp: the same bits anywhere. */
static double acceptance(double gain)
{
    if (!(gain > -87.0))
        return 0.0;
    return gain >= 0.0 ? 1.0 : (double)ebm__exp((float)gain);
}

double ebm__hmc_move(ebm__hmc *h, ebm_draw draw)
{
    const size_t dim = h->target.dim, bytes = dim * sizeof(float);
    double before, after, logp, probability;
    draw_momentum(h, draw);
    before = 0.5 * ebm__dot(h->momentum, h->momentum, dim);
    memcpy(h->y_new, h->y, bytes);
    memcpy(h->grad_new, h->grad, bytes);
    logp = ebm__hmc_leapfrog(h);
    after = 0.5 * ebm__dot(h->momentum, h->momentum, dim);
    probability = isfinite(logp) ? acceptance((logp - after) - (h->logp - before)) : 0.0;
    if (accept_draw(h, draw) < probability) {
        memcpy(h->y, h->y_new, bytes);
        memcpy(h->grad, h->grad_new, bytes);
        h->logp = logp;
        if (h->target.keep)
            h->target.keep(h->target.self);
    }
    return probability;
}
