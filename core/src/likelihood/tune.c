/* Step sizes for annealing, found by chains that adapt, before any particle runs. */
#include "ebm/likelihood.h"
#include "ebm/mcmc.h"
#include "sampler/level_target.h"

static ebm_mcmc_plan plan_of(const ebm_ais *how, bool tether, int32_t steps)
{
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_HMC);
    plan.ladder = false;
    plan.tether = tether;
    plan.leapfrog = how->leapfrog;
    plan.steps = steps;
    plan.burn_in = steps;
    return plan;
}

ebm_status ebm_ais_tune(const ebm_ais *how, bool tether, const float *image, int32_t steps,
                        float *work, double *factors, ebm_error *err)
{
    const size_t dim = how->density->dim;
    const ebm_mcmc_plan plan = plan_of(how, tether, steps);
    const ebm_mcmc_setup setup = {.density = how->density, .levels = how->levels, .plan = &plan};
    ebm_status st = ebm_ais_check(how, err);
    if (st == EBM_OK && (steps < 1 || steps > 1000000))
        st = ebm_error_set(err, EBM_ERR_RANGE, "steps", "must be 1..1000000");
    for (int32_t t = 0; t < how->levels->count && st == EBM_OK; t++) {
        double r = tether ? how->levels->tether[t] : 0.0;
        ebm_mcmc chain = {.noise = {.seed = how->seed}, .y = work, .anchor = work + dim};
        ebm_mcmc_start_image(&chain, &setup, image, t);
        st = ebm_mcmc_advance(&chain, &setup, steps, NULL, work + 2 * dim, err);
        factors[t] = chain.step_size / ebm__hmc_guess(ebm__level_curvature(how->levels, t, r), dim);
    }
    return st;
}
