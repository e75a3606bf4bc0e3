/* See pairs.h. */
#include "pairs.h"

#include "ebm/rng.h"

uint64_t ebmt__iteration_seed(uint64_t seed, int64_t iteration)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    /* the last word keeps these counters apart from those of the streams, whose purpose is small */
    const uint32_t counter[4] = {(uint32_t)iteration, (uint32_t)((uint64_t)iteration >> 32), 0,
                                 0xFFFFFFFFu};
    uint32_t word[4];
    ebm_philox4x32(counter, key, word);
    return (uint64_t)word[0] | (uint64_t)word[1] << 32;
}

static void draw_noise(uint64_t seed, uint32_t slot, uint32_t which, size_t n, float *out)
{
    const ebm_stream stream = {
        .seed = seed, .purpose = EBM_PURPOSE_DATA, .chain = slot, .level = which};
    ebm_rng_normal(&stream, 0, n, out);
}

ebm_status ebmt__pair_make(const ebmt__draw *draw, int64_t index, uint32_t slot, float *work,
                           ebmt__pair *pair, ebm_error *err)
{
    const ebmt_dataset *data = draw->data;
    const ebm_levels *levels = draw->levels;
    const ebm_stream choice = {.seed = draw->seed, .purpose = EBM_PURPOSE_LEVEL, .chain = slot};
    const ebm_stream augment = {.seed = draw->seed, .purpose = EBM_PURPOSE_AUGMENT, .chain = slot};
    size_t n = (size_t)data->channels * (size_t)data->height * (size_t)data->width;
    const double drawn = (double)(draw->highest - draw->lowest + 1);
    int32_t t = draw->lowest + (int32_t)(ebm_rng_uniform(&choice, 0) * drawn);
    float abar = (float)levels->abar[t], sbar = (float)levels->sbar[t];
    float a = (float)levels->a[t + 1], sigma = (float)levels->sigma[t + 1];
    float scale = (float)levels->scale[t];
    float abar_next = (float)levels->abar[t + 1], sbar_next = (float)levels->sbar[t + 1];

    pair->level = t;
    pair->mix = ebm_rng_uniform(&choice, 1);
    ebm_status st = ebmt_dataset_get(data, index, draw->flip && ebm_rng_uniform(&augment, 0) < 0.5,
                                     pair->clean, err);
    if (st != EBM_OK)
        return st;
    draw_noise(draw->seed, slot, 0, n, pair->y_plus);
    if (!draw->shared)
        draw_noise(draw->seed, slot, 1, n, work);
    for (size_t i = 0; i < n; i++) {
        float e = pair->y_plus[i], x = abar * pair->clean[i] + sbar * e;
        pair->x_next[i] =
            draw->shared ? abar_next * pair->clean[i] + sbar_next * e : a * x + sigma * work[i];
        pair->y_plus[i] = scale * x;
    }
    return EBM_OK;
}
