/* Operations as chains: which plan, which start, for each item. Knows parameters and samplers;
 * not who advances the chains. */
#include <string.h>

#include "ebm/ops.h"
#include "ops/ops_internal.h"

static ebm_op_kind kind_of(const ebm_call *op)
{
    return op->operation->kind;
}

/* --- effective parameters --------------------------------------------------------------------- */

static ebm_status check_level(const char *name, int64_t level, const ebm_levels *levels,
                              ebm_error *err)
{
    if (level < levels->count)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_RANGE, name, "must be 0..%d for this model",
                         (int)levels->count - 1);
}

static int64_t level_of(const ebm_call *op, const ebm_levels *levels)
{
    const ebm_op_params *p = &op->params;
    if (p->level >= 0)
        return p->level;
    if (kind_of(op) == EBM_OP_INTERPOLATE)
        return p->image ? levels->count / 2 : -1;
    return p->ladder ? levels->count - 1 : 0;
}

/* The number of steps where all levels take the same one and a caller could name it, else 0: the
 * model's own. */
static int64_t common_steps(const ebm_levels *levels)
{
    for (int32_t t = 1; t < levels->count; t++)
        if (levels->steps[t] != levels->steps[0])
            return 0;
    return levels->steps[0] <= EBM_STEPS_PER_LEVEL_MAX ? levels->steps[0] : 0;
}

/* Chains of mcmc have no such parameter: theirs is the model's way. */
static ebm_status resolve_begin(ebm_call *op, const ebm_levels *levels, ebm_error *err)
{
    ebm_op_params *p = &op->params;
    if (kind_of(op) == EBM_OP_MCMC)
        return EBM_OK;
    if (p->begin == EBM_BEGIN_MODEL)
        p->begin = levels->predict ? EBM_BEGIN_PREDICTED : EBM_BEGIN_ABOVE;
    return ebm_begin_check(levels, (ebm_begin)p->begin, err);
}

/* Only the model tells how long a chain down the ladder is: `steps` at each level, or one Langevin
 * step at a level that is drawn at once. */
static ebm_status check_length(const ebm_call *op, const ebm_levels *levels, ebm_error *err)
{
    const ebm_op_params *p = &op->params;
    if (kind_of(op) != EBM_OP_MCMC)
        return EBM_OK;
    const ebm_mcmc_plan plan = ebm_call_plan(op);
    const int64_t total = ebm_mcmc_total_steps(&plan, levels, (int32_t)p->level);
    if (p->warmup >= total)
        return ebm_error_set(err, EBM_ERR_RANGE, "warmup",
                             "must be less than the %lld steps of a chain of this model",
                             (long long)total);
    if (p->keep > total - p->warmup)
        return ebm_error_set(err, EBM_ERR_RANGE, "keep",
                             "must be at most the %lld steps of a chain behind its warm-up",
                             (long long)(total - p->warmup));
    return ebm__trace_rows_check(p, total, err);
}

ebm_status ebm_call_resolve(ebm_call *op, const ebm_levels *levels, ebm_error *err)
{
    ebm_op_params *p = &op->params;
    ebm_status st = ebm_op_params_check(op->operation, p, err);
    if (st != EBM_OK)
        return st;
    if (p->noise_scale <= 0.0)
        p->noise_scale = levels->noise_scale;
    if (kind_of(op) != EBM_OP_MCMC && p->steps_per_level == 0)
        p->steps_per_level = common_steps(levels);
    if (kind_of(op) == EBM_OP_SAMPLE && p->image && p->start_level < 0)
        p->start_level = levels->count - 1;
    if (kind_of(op) == EBM_OP_MCMC || kind_of(op) == EBM_OP_INTERPOLATE)
        p->level = level_of(op, levels);
    st = resolve_begin(op, levels, err);
    if (st == EBM_OK)
        st = check_level("start_level", p->start_level, levels, err);
    if (st == EBM_OK)
        st = check_level("level", p->level, levels, err);
    return st == EBM_OK ? check_length(op, levels, err) : st;
}

int32_t ebm_call_items(const ebm_call *op)
{
    if (kind_of(op) == EBM_OP_MCMC)
        return (int32_t)op->params.chains;
    return (int32_t)(kind_of(op) == EBM_OP_INTERPOLATE ? op->params.frames : op->params.n);
}

/* --- plans --------------------------------------------------------------------------------- */

static ebm_mcmc_plan plan_of_chains(const ebm_op_params *p)
{
    ebm_mcmc_plan plan = ebm_mcmc_plan_default((ebm_sampler_kind)p->sampler);
    plan.ladder = p->ladder;
    plan.leapfrog = (int32_t)p->leapfrog;
    plan.steps_per_level = p->ladder ? (int32_t)p->steps : 0;
    plan.steps = p->steps;
    plan.burn_in = p->warmup;
    plan.step_scale = p->step_scale;
    plan.noise_scale = p->noise_scale;
    return plan;
}

ebm_mcmc_plan ebm_call_plan(const ebm_call *op)
{
    const ebm_op_params *p = &op->params;
    if (kind_of(op) == EBM_OP_MCMC)
        return plan_of_chains(p);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    plan.steps_per_level = (int32_t)p->steps_per_level;
    plan.noise_scale = p->noise_scale;
    plan.begin = (ebm_begin)p->begin;
    if (kind_of(op) == EBM_OP_INPAINT) {
        plan.repeats = (int32_t)p->repeats;
        plan.polish = (int32_t)p->polish;
        /* a third of the polish finds its step size */
        plan.burn_in = p->polish / 3;
    }
    return plan;
}

int32_t ebm_call_first_level(const ebm_call *op, const ebm_levels *levels)
{
    const ebm_op_params *p = &op->params;
    if (kind_of(op) == EBM_OP_SAMPLE && op->image)
        return (int32_t)p->start_level;
    if (kind_of(op) == EBM_OP_MCMC || (kind_of(op) == EBM_OP_INTERPOLATE && op->image))
        return (int32_t)p->level;
    return levels->count - 1;
}

/* A seed of its own: the chain's Langevin steps are counted from 0 again, and with the noise that
 * has made its start they would repeat it. */
ebm_call ebm_call_sampling(const ebm_call *op)
{
    ebm_call sampling = {.operation = ebm_operation_of(EBM_OP_SAMPLE)};
    ebm_op_params_default(sampling.operation, &sampling.params);
    sampling.params.n = op->params.chains;
    sampling.params.seed = (int64_t)ebm_rng_seed((uint64_t)op->params.seed, EBM_SEED_SAMPLES, 0, 0);
    sampling.params.first_index = op->params.first_index;
    sampling.params.noise_scale = op->params.noise_scale;
    return sampling;
}

/* --- starts -------------------------------------------------------------------------------- */

/* Item k's draws. Frames of an interpolation share one index and differ in what they mix. */
ebm_noise ebm_call_noise(const ebm_call *op, int32_t k)
{
    const ebm_op_params *p = &op->params;
    const uint32_t first = (uint32_t)p->first_index;
    if (kind_of(op) != EBM_OP_INTERPOLATE)
        return (ebm_noise){.seed = (uint64_t)p->seed, .index = first + (uint32_t)k};
    return (ebm_noise){.seed = (uint64_t)p->seed,
                       .index = first,
                       .seed_b = (uint64_t)p->seed_b,
                       .index_b = first,
                       .lambda = (double)k / (double)(p->frames - 1)};
}

ebm_status ebm_call_start(const ebm_call *op, const ebm_mcmc_setup *setup, int32_t k,
                          const float *from, float *path, ebm_mcmc *chain, ebm_error *err)
{
    const int32_t level = ebm_call_first_level(op, setup->levels);
    chain->noise = ebm_call_noise(op, k);
    if (kind_of(op) == EBM_OP_INPAINT) {
        ebm_status st =
            ebm_mcmc_know(chain, setup, op->image, op->known, op->params.mask_soft, path, err);
        if (st != EBM_OK)
            return st;
        ebm_mcmc_start_noise(chain, setup, level);
    } else if (kind_of(op) == EBM_OP_INTERPOLATE && op->image) {
        ebm_mcmc_start_between(chain, setup, op->image, op->image_b, level);
    } else if (from) {
        ebm_mcmc_start_sample(chain, setup, from, level);
    } else if (op->image) {
        ebm_mcmc_start_image(chain, setup, op->image, level);
    } else {
        ebm_mcmc_start_noise(chain, setup, level);
    }
    return EBM_OK;
}

void ebm_call_image(const ebm_levels *levels, size_t dim, const ebm_mcmc *chain, float *x)
{
    const float scale = chain->level < 0 ? 1.0f : (float)levels->scale[chain->level];
    for (size_t i = 0; i < dim; i++)
        x[i] = chain->y[i] / scale;
}

double ebm_call_logp(const ebm_density *density, const ebm_levels *levels, const ebm_mcmc *chain,
                     float *work)
{
    const int32_t t = chain->level < 0 ? 0 : chain->level;
    const double scale = chain->level < 0 ? levels->scale[0] : 1.0;
    float net = 0.0f;
    for (size_t i = 0; i < density->dim; i++)
        work[i] = (float)((double)chain->y[i] * scale);
    density->gradient(density->self, work, t, &net, work + density->dim);
    return (double)net / levels->step2[t];
}
