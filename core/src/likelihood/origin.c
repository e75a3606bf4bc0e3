/* Where reverse particles begin: states that the model draws itself, by the way down from white
 * noise that sampling takes. Knows chains and levels; not what is annealed from there. */
#include <string.h>

#include "ebm/likelihood.h"
#include "ebm/mcmc.h"

/* The model's own steps with the whole noise: what is wanted is a draw of the density, no handsome
 * image. */
static ebm_mcmc_plan plan_of(void)
{
    return ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
}

/* The same tables, but a draw of level 0 keeps its noise. */
static ebm_levels noisy(const ebm_levels *levels)
{
    ebm_levels l = *levels;
    l.denoise = false;
    return l;
}

/* Steps down to and through transition t. */
static int64_t steps_through(const ebm_levels *levels, int32_t t)
{
    const ebm_mcmc_plan plan = plan_of();
    const ebm_levels l = noisy(levels);
    return ebm_mcmc_total_steps(&plan, &l, l.count - 1) - ebm_mcmc_total_steps(&plan, &l, t - 1);
}

int64_t ebm_origin_steps(const ebm_levels *levels, int32_t level)
{
    return steps_through(levels, level);
}

bool ebm_origin_done(const ebm_ais *how, int32_t level, const ebm_origin_state *s)
{
    return s->total == steps_through(how->levels, level);
}

bool ebm_origin_state_ok(const ebm_ais *how, int32_t level, const ebm_origin_state *s)
{
    const ebm_levels *l = how->levels;
    if (s->total == 0)
        return s->level == 0 && s->step == 0;
    if (s->level < level - 1 || s->level >= l->count || s->step < 0)
        return false;
    const int64_t above = s->level + 1 < l->count ? steps_through(l, s->level + 1) : 0;
    const int64_t here = s->level < level ? 0 : steps_through(l, s->level) - above;
    /* the step is bounded first: with any other the sum could overflow */
    return (here > 0 ? s->step < here : s->step == 0) && s->total == above + s->step;
}

ebm_status ebm_origin_advance(const ebm_ais *how, const ebm_origin_task *task, int64_t steps,
                              ebm_origin_state *s, ebm_error *err)
{
    const size_t dim = how->density->dim;
    const ebm_mcmc_plan plan = plan_of();
    const ebm_levels levels = noisy(how->levels);
    const ebm_mcmc_setup setup = {.density = how->density, .levels = &levels, .plan = &plan};
    const int64_t left = steps_through(&levels, task->level) - s->total;
    ebm_mcmc chain = {
        .noise = {.seed = ebm_rng_seed(how->seed, EBM_SEED_ORIGIN, 0, 0), .index = task->particle},
        .level = s->level,
        .step = s->step,
        .total = s->total,
        .y = task->chain,
        .anchor = task->chain + dim};
    if (left <= 0 || steps <= 0)
        return EBM_OK;
    if (s->total == 0)
        ebm_mcmc_start_noise(&chain, &setup, levels.count - 1);
    ebm_status st =
        ebm_mcmc_advance(&chain, &setup, steps < left ? steps : left, NULL, task->work, err);
    *s = (ebm_origin_state){.level = chain.level, .step = chain.step, .total = chain.total};
    for (size_t i = 0; i < dim && ebm_origin_done(how, task->level, s); i++)
        chain.y[i] *= (float)levels.scale[task->level];
    return st;
}

ebm_status ebm_ais_origin(const ebm_ais *how, int32_t level, uint32_t particle, float *work,
                          float *start, ebm_error *err)
{
    const size_t dim = how->density->dim;
    const ebm_origin_task task = {
        .level = level, .particle = particle, .chain = work, .work = work + 2 * dim};
    ebm_origin_state state = {0};
    ebm_status st = ebm_origin_advance(how, &task, INT64_MAX, &state, err);
    memcpy(start, task.chain, dim * sizeof *start);
    return st;
}
