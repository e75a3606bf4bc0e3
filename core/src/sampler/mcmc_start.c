/* Where chains start, and what they know: noise, images, states, known pixels. */
#include <math.h>
#include <string.h>

#include "sampler/mcmc_internal.h"

ebm_status ebm_mcmc_know(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *image,
                         const float *mask, bool soft, float *path, ebm_error *err)
{
    const size_t dim = setup->density->dim;
    for (size_t i = 0; i < dim; i++) {
        bool hard = mask[i] == 0.0f || mask[i] == 1.0f;
        const char *wrong = !isfinite(image[i])                                    ? "image"
                            : !hard && !(soft && mask[i] > 0.0f && mask[i] < 1.0f) ? "mask"
                                                                                   : NULL;
        if (wrong) {
            if (err)
                err->index = (int64_t)i;
            return ebm_error_set(err, EBM_ERR_RANGE, wrong, "value %zu is not allowed", i);
        }
    }
    ebm_forward_path(setup->levels, &chain->noise, dim, image, setup->levels->count, path);
    chain->image = image;
    chain->mask = mask;
    chain->path = path;
    return EBM_OK;
}

void ebm__mcmc_overlay(ebm_mcmc *chain, const ebm_mcmc_setup *setup)
{
    const size_t dim = setup->density->dim;
    const float *m = chain->mask, scale = (float)setup->levels->scale[chain->level];
    if (!chain->path)
        return;
    const float *known = chain->path + (size_t)chain->level * dim, *next = known + dim;
    for (size_t i = 0; i < dim; i++) {
        chain->y[i] = m[i] * (scale * known[i]) + (1.0f - m[i]) * chain->y[i];
        chain->anchor[i] = m[i] * next[i] + (1.0f - m[i]) * chain->anchor[i];
    }
}

void ebm__mcmc_restore(ebm_mcmc *chain, size_t dim)
{
    const float *m = chain->mask;
    if (!chain->path)
        return;
    for (size_t i = 0; i < dim; i++)
        chain->y[i] =
            m[i] == 1.0f ? chain->image[i] : m[i] * chain->image[i] + (1.0f - m[i]) * chain->y[i];
}

void ebm__mcmc_enter(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t level)
{
    chain->level = level;
    chain->step = 0;
    chain->step_size = 0.0;
    chain->running = 0.0;
    ebm__mcmc_overlay(chain, setup);
}

static void begin(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t level)
{
    chain->total = 0;
    chain->moves = 0;
    chain->accept = 0.0;
    ebm__mcmc_enter(chain, setup, level);
}

void ebm_mcmc_start_noise(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t level)
{
    const size_t dim = setup->density->dim;
    const ebm_draw draw = {.purpose = EBM_PURPOSE_INITIAL};
    ebm_noise_normal(&chain->noise, draw, 0, dim, chain->y);
    memcpy(chain->anchor, chain->y, dim * sizeof *chain->y);
    begin(chain, setup, level);
}

/* From x_t in y to the start of transition t: x_{t+1} as anchor, and as y too on a ladder. */
static void start_from_state(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t level)
{
    const size_t dim = setup->density->dim;
    const ebm_draw draw = {.purpose = EBM_PURPOSE_FORWARD, .level = level + 1};
    float scale = (float)setup->levels->scale[level];
    ebm_forward_step(setup->levels, &chain->noise, draw, dim, chain->y, chain->anchor);
    if (setup->plan->ladder)
        memcpy(chain->y, chain->anchor, dim * sizeof *chain->y);
    for (size_t i = 0; !setup->plan->ladder && i < dim; i++)
        chain->y[i] *= scale;
    begin(chain, setup, level);
}

void ebm_mcmc_start_image(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *image,
                          int32_t level)
{
    ebm_forward_state(setup->levels, &chain->noise, setup->density->dim, image, level, chain->y);
    start_from_state(chain, setup, level);
}

void ebm_mcmc_start_sample(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *sample,
                           int32_t level)
{
    const size_t dim = setup->density->dim;
    if (setup->levels->denoise) {
        ebm_mcmc_start_image(chain, setup, sample, level);
        return;
    }
    memmove(chain->y, sample, dim * sizeof *sample);
    ebm_forward_on(setup->levels, &chain->noise, dim, level, chain->y);
    start_from_state(chain, setup, level);
}

void ebm_mcmc_start_between(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *a,
                            const float *b, int32_t level)
{
    const size_t dim = setup->density->dim;
    ebm_noise first = chain->noise, second = chain->noise;
    first.lambda = 0.0;
    second.lambda = 1.0;
    ebm_forward_state(setup->levels, &first, dim, a, level, chain->y);
    ebm_forward_state(setup->levels, &second, dim, b, level, chain->anchor);
    if (chain->noise.lambda >= 1.0)
        memcpy(chain->y, chain->anchor, dim * sizeof *chain->y);
    else if (chain->noise.lambda > 0.0)
        ebm_slerp(chain->y, chain->anchor, chain->noise.lambda, dim, chain->y);
    start_from_state(chain, setup, level);
}

void ebm_mcmc_start_state(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *y,
                          const float *anchor, int32_t level)
{
    const size_t bytes = setup->density->dim * sizeof *y;
    memmove(chain->anchor, anchor, bytes);
    memmove(chain->y, y, bytes);
    begin(chain, setup, level);
}
