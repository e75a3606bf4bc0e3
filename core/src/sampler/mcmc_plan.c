/* Plans of chains: defaults, bounds, lengths. */
#include <stdio.h>

#include "ebm/mcmc.h"
#include "sampler/mcmc_internal.h"

ebm_mcmc_plan ebm_mcmc_plan_default(ebm_sampler_kind sampler)
{
    return (ebm_mcmc_plan){.sampler = sampler,
                           .ladder = true,
                           .leapfrog = 2,
                           .repeats = 1,
                           .steps = 1,
                           .step_scale = 1.0,
                           .noise_scale = 1.0};
}

/* Written so that NaN fails it. */
static ebm_status check_range(const char *name, double value, double min, double max,
                              ebm_error *err)
{
    if (value >= min && value <= max)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_RANGE, name, "must be %.10g..%.10g", min, max);
}

ebm_status ebm_mcmc_plan_check(const ebm_mcmc_plan *plan, ebm_error *err)
{
    const struct {
        const char *name;
        double value, min, max;
    } rows[] = {
        {"sampler", (double)plan->sampler, EBM_SAMPLER_LANGEVIN, EBM_SAMPLER_HMC},
        {"begin", (double)plan->begin, EBM_BEGIN_MODEL, EBM_BEGIN_PREDICTED},
        {"leapfrog", plan->leapfrog, 1, EBM_MCMC_MAX_LEAPFROG},
        {"steps_per_level", plan->steps_per_level, 0, 1e6},
        {"repeats", plan->repeats, 1, EBM_MCMC_MAX_REPEATS},
        {"polish", plan->polish, 0, 1e6},
        {"steps", (double)plan->steps, 1, EBM_MCMC_MAX_STEPS},
        {"burn_in", (double)plan->burn_in, 0, EBM_MCMC_MAX_STEPS},
        {"step_scale", plan->step_scale, 1e-6, 1e6},
        {"noise_scale", plan->noise_scale, 0, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_status st = check_range(rows[i].name, rows[i].value, rows[i].min, rows[i].max, err);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

bool ebm__mcmc_predicts(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level)
{
    bool wanted =
        plan->begin == EBM_BEGIN_MODEL ? levels->predict : plan->begin == EBM_BEGIN_PREDICTED;
    return wanted && level + 1 < levels->count && levels->steps[level] != EBM_STEPS_NORMAL;
}

int64_t ebm__mcmc_pass_steps(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level)
{
    bool normal = levels->steps[level] == EBM_STEPS_NORMAL;
    if (normal && (plan->sampler == EBM_SAMPLER_LANGEVIN || plan->steps_per_level == 0))
        return 1;
    return (plan->steps_per_level > 0 ? plan->steps_per_level : levels->steps[level]) +
           ebm__mcmc_predicts(plan, levels, level);
}

int64_t ebm_mcmc_total_steps(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level)
{
    int64_t total = plan->polish;
    if (!plan->ladder)
        return plan->steps;
    total += levels->denoise;
    for (int32_t t = 0; t <= level; t++)
        total += ebm__mcmc_pass_steps(plan, levels, t) * plan->repeats;
    return total;
}

/* The row of a predicted beginning is that of the level above. */
int64_t ebm_mcmc_settled(const ebm_mcmc_plan *plan, const ebm_levels *levels, int32_t level)
{
    const int64_t predicted = plan->ladder && ebm__mcmc_predicts(plan, levels, 0);
    int64_t above = 0;
    for (int32_t t = 1; t <= level && plan->ladder; t++)
        above += ebm__mcmc_pass_steps(plan, levels, t) * plan->repeats;
    return above + (plan->burn_in > predicted ? plan->burn_in : predicted);
}

bool ebm_mcmc_done(const ebm_mcmc *chain, const ebm_mcmc_plan *plan)
{
    return chain->level < 0 || (!plan->ladder && chain->step >= plan->steps);
}
