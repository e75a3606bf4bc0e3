/* Langevin dynamics within a level, and the way down the levels (progressive sampling).
 *
 * The update is done in net units: log p is net/step2 plus the tether, so the drift
 * (step2/2) grad log p is half the raw gradient, and nothing is divided by step2 = 2e-5 only to
 * be multiplied by it again. */
#include "ebm/sampler.h"

#include <math.h>
#include <string.h>

#include "ebm/rng.h"

void ebm_chain_start(ebm_chain *chain, const ebm_levels *levels, size_t dim, uint64_t seed,
                     uint32_t index)
{
    const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_INITIAL, .chain = index};
    chain->seed = seed;
    chain->index = index;
    chain->level = levels->count - 1;
    chain->step = 0;
    ebm_rng_normal(&stream, 0, dim, chain->y);
    memcpy(chain->anchor, chain->y, dim * sizeof *chain->y);
}

void ebm_langevin_update(const ebm_levels *levels, int32_t level, double noise_scale, size_t dim,
                         const float *anchor, const float *grad, const float *noise, float *y)
{
    double s = levels->sigma[level + 1];
    float pull = (float)(0.5 * levels->step2[level] * levels->tether[level] / (s * s));
    float spread = (float)(sqrt(levels->step2[level]) * noise_scale);
    for (size_t i = 0; i < dim; i++)
        y[i] += 0.5f * grad[i] - pull * (y[i] - anchor[i]) + spread * noise[i];
}

static int32_t steps_at(const ebm_levels *levels, const ebm_langevin *how, int32_t level)
{
    return how->steps_per_level > 0 ? how->steps_per_level : levels->steps[level];
}

int64_t ebm_chain_total_steps(const ebm_levels *levels, const ebm_langevin *how)
{
    int64_t total = 0;
    for (int32_t t = 0; t < levels->count; t++)
        total += steps_at(levels, how, t);
    return total;
}

/* Divides by the level's scale and makes the result the next level's starting point. */
static void finish_level(ebm_chain *chain, const ebm_levels *levels, size_t dim)
{
    float scale = (float)levels->scale[chain->level];
    for (size_t i = 0; i < dim; i++)
        chain->y[i] /= scale;
    memcpy(chain->anchor, chain->y, dim * sizeof *chain->y);
    chain->level--;
    chain->step = 0;
}

static void one_step(ebm_chain *chain, const ebm_density *density, const ebm_levels *levels,
                     const ebm_langevin *how, float *work)
{
    float *grad = work, *noise = work + density->dim;
    const ebm_stream stream = {.seed = chain->seed,
                               .purpose = EBM_PURPOSE_LANGEVIN,
                               .chain = chain->index,
                               .level = (uint32_t)chain->level,
                               .step = (uint32_t)chain->step};
    density->gradient(density->self, chain->y, chain->level, NULL, grad);
    ebm_rng_normal(&stream, 0, density->dim, noise);
    ebm_langevin_update(levels, chain->level, how->noise_scale, density->dim, chain->anchor, grad,
                        noise, chain->y);
    chain->step++;
}

static bool all_finite(const float *x, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++)
        finite &= isfinite(x[i]) != 0;
    return finite;
}

ebm_status ebm_chain_advance(ebm_chain *chain, const ebm_density *density, const ebm_levels *levels,
                             const ebm_langevin *how, int64_t max_steps, float *work,
                             ebm_error *err)
{
    for (int64_t done = 0; done < max_steps && chain->level >= 0; done++) {
        one_step(chain, density, levels, how, work);
        if (chain->step >= steps_at(levels, how, chain->level))
            finish_level(chain, levels, density->dim);
    }
    if (all_finite(chain->y, density->dim))
        return EBM_OK;
    ebm_error_set(err, EBM_ERR_DIVERGED, "chain", "chain %u diverged", (unsigned)chain->index);
    if (err)
        err->index = chain->index;
    return EBM_ERR_DIVERGED;
}
