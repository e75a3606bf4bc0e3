/* Step sizes for annealing, found by chains that adapt, before any particle runs. */
#include <math.h>

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

bool ebm_tune_state_ok(const ebm_ais *how, int32_t steps, const ebm_tune_state *s)
{
    return s->level >= 0 && s->level <= how->levels->count && s->step >= 0 && s->step < steps &&
           isfinite(s->step_size) && s->step_size >= 0.0 && s->running >= 0.0 && s->running <= 1.0;
}

/* The chain of the present level, where the state says that it stands. */
static ebm_mcmc chain_of(const ebm_ais *how, const ebm_tune_task *task, const ebm_mcmc_setup *setup,
                         const ebm_tune_state *s)
{
    ebm_mcmc chain = {
        .noise = {.seed = how->seed}, .y = task->chain, .anchor = task->chain + how->density->dim};
    if (s->step == 0) {
        ebm_mcmc_start_image(&chain, setup, task->image, s->level);
        return chain;
    }
    chain.level = s->level;
    chain.step = chain.total = s->step;
    chain.step_size = s->step_size;
    chain.running = s->running;
    return chain;
}

/* Goes on with the present level; *steps is what is left of it. */
static ebm_status tune_level(const ebm_ais *how, const ebm_tune_task *task, int64_t *steps,
                             ebm_tune_state *s, ebm_error *err)
{
    const ebm_levels *levels = how->levels;
    const ebm_mcmc_plan plan = plan_of(how, task->tether, task->steps);
    const ebm_mcmc_setup setup = {.density = how->density, .levels = levels, .plan = &plan};
    const double r = task->tether ? levels->tether[s->level] : 0.0;
    ebm_mcmc chain = chain_of(how, task, &setup, s);
    ebm_status st = ebm_mcmc_advance(&chain, &setup, *steps, NULL, task->work, err);
    *steps -= chain.step - s->step;
    s->step = (int32_t)chain.step;
    s->step_size = chain.step_size;
    s->running = chain.running;
    if (st != EBM_OK || s->step < task->steps)
        return st;
    task->factors[s->level] =
        s->step_size / ebm__hmc_guess(ebm__level_curvature(levels, s->level, r), how->density->dim);
    *s = (ebm_tune_state){.level = s->level + 1};
    return EBM_OK;
}

ebm_status ebm_tune_advance(const ebm_ais *how, const ebm_tune_task *task, int64_t steps,
                            ebm_tune_state *state, ebm_error *err)
{
    ebm_status st = ebm_ais_check(how, err);
    if (st == EBM_OK && (task->steps < 1 || task->steps > 1000000))
        st = ebm_error_set(err, EBM_ERR_RANGE, "steps", "must be 1..1000000");
    while (st == EBM_OK && steps > 0 && state->level < how->levels->count)
        st = tune_level(how, task, &steps, state, err);
    return st;
}

ebm_status ebm_ais_tune(const ebm_ais *how, bool tether, const float *image, int32_t steps,
                        float *work, double *factors, ebm_error *err)
{
    const ebm_tune_task task = {.tether = tether,
                                .steps = steps,
                                .image = image,
                                .chain = work,
                                .work = work + 2 * how->density->dim,
                                .factors = factors};
    ebm_tune_state state = {0};
    return ebm_tune_advance(how, &task, INT64_MAX, &state, err);
}
