/* The plain sampling chain: Langevin down the ladder from noise. It is a view on the general chain
 * of mcmc.c, for callers that need nothing else. */
#include "ebm/sampler.h"

#include <string.h>

#include "ebm/mcmc.h"

ebm_status ebm_begin_check(const ebm_levels *levels, ebm_begin begin, ebm_error *err)
{
    for (int32_t t = 0; t < levels->count && begin == EBM_BEGIN_PREDICTED; t++)
        if (levels->steps[t] == EBM_STEPS_NORMAL)
            return ebm_error_set(err, EBM_ERR_RANGE, "begin",
                                 "must be model or above: this model's levels take no steps");
    return EBM_OK;
}

static ebm_mcmc_plan plan_of(const ebm_langevin *how)
{
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    plan.steps_per_level = how->steps_per_level;
    plan.noise_scale = how->noise_scale;
    plan.begin = how->begin;
    return plan;
}

static ebm_mcmc view_of(const ebm_chain *chain)
{
    return (ebm_mcmc){.noise = {.seed = chain->seed, .index = chain->index},
                      .level = chain->level,
                      .step = chain->step,
                      .y = chain->y,
                      .anchor = chain->anchor};
}

void ebm_chain_start(ebm_chain *chain, const ebm_levels *levels, size_t dim, uint64_t seed,
                     uint32_t index)
{
    const ebm_noise noise = {.seed = seed, .index = index};
    chain->seed = seed;
    chain->index = index;
    chain->level = levels->count - 1;
    chain->step = 0;
    ebm_noise_normal(&noise, (ebm_draw){.purpose = EBM_PURPOSE_INITIAL}, 0, dim, chain->y);
    memcpy(chain->anchor, chain->y, dim * sizeof *chain->y);
}

int64_t ebm_chain_total_steps(const ebm_levels *levels, const ebm_langevin *how)
{
    const ebm_mcmc_plan plan = plan_of(how);
    return ebm_mcmc_total_steps(&plan, levels, levels->count - 1);
}

ebm_status ebm_chain_advance(ebm_chain *chain, const ebm_density *density, const ebm_levels *levels,
                             const ebm_langevin *how, int64_t max_steps, float *work,
                             ebm_error *err)
{
    const ebm_mcmc_plan plan = plan_of(how);
    const ebm_mcmc_setup setup = {.density = density, .levels = levels, .plan = &plan};
    ebm_mcmc view = view_of(chain);
    ebm_status st = ebm_mcmc_advance(&view, &setup, max_steps, NULL, work, err);
    chain->level = view.level;
    chain->step = (int32_t)view.step;
    return st;
}
