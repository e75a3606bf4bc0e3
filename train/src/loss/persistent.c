/* See persistent.h. */
#include "persistent.h"

#include <math.h>
#include <string.h>

#include "ebm/mcmc.h"

/* Acceptances at which MALA and HMC move fastest in high dimensions: Roberts and Rosenthal 1998;
 * Beskos et al. 2013. */
#define BEST_MALA 0.574
#define BEST_HMC  0.651

/* How much the logarithm of the step size follows the acceptance of one move, and at most. */
#define ADAPTATION 0.2
#define MOST       2.0

size_t ebmt__persistent_floats(size_t dim)
{
    return (dim + 2) / 2 * 2;
}

double ebmt__persistent_moves(ebm_session *s, const ebmt__visit_plan *visit, uint32_t chain,
                              const float *y_plus, float *record, float *work)
{
    const ebm_density density = ebm_density_of_session(s);
    const bool hmc = visit->leapfrog > 1;
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(hmc ? EBM_SAMPLER_HMC : EBM_SAMPLER_MALA);
    const ebm_mcmc_setup setup = {&density, visit->levels, &plan};
    float *step_size = record + density.dim;
    plan.ladder = plan.tether = false;
    plan.steps = visit->moves;
    plan.leapfrog = visit->leapfrog;
    if (*step_size == 0.0f)
        memcpy(record, y_plus, density.dim * sizeof *record);
    ebm_mcmc c = {.noise = {.seed = visit->iteration_seed, .index = chain},
                  .y = record,
                  .anchor = record,
                  .step_size = (double)*step_size};
    if (ebm_mcmc_advance(&c, &setup, visit->moves, NULL, work, NULL) != EBM_OK)
        return NAN;
    const double accepted = c.accept / (double)c.moves;
    const double excess = accepted - (hmc ? BEST_HMC : BEST_MALA);
    const double gain = fmin(ADAPTATION * (double)visit->moves, MOST);
    *step_size = (float)(c.step_size * exp(gain * excess));
    return accepted;
}
