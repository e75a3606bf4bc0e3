/* See visits.h. The chains of the state stay as they are until the iteration counts. */
#include "visits.h"

#include <stdlib.h>
#include <string.h>

#include "ebm/forward.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "loss/objective.h"
#include "loss/persistent.h"
#include "optim/adam.h"

static int32_t most_visits(const ebmt_config *config)
{
    const int32_t most = config->persistent_visits > 0 ? config->persistent_visits : config->batch;
    return config->persistent_chains < most ? config->persistent_chains : most;
}

int32_t ebmt__visits_at(const ebmt_config *config, int64_t iteration)
{
    return ebmt__warm_start(config, iteration) ? 0 : most_visits(config);
}

/* The chain that slot b visits in this iteration. */
static int32_t chain_of(const ebmt__trainer *tr, int32_t b)
{
    const int64_t before = tr->state.iteration * most_visits(&tr->config);
    return (int32_t)((before + b) % tr->config.persistent_chains);
}

static float *kept(const ebmt__trainer *tr, int32_t b)
{
    return tr->state.chains + (size_t)chain_of(tr, b) * ebmt__persistent_floats(tr->dim);
}

ebm_status ebmt__visits_create(ebmt__trainer *tr, ebm_error *err)
{
    const size_t n = (size_t)most_visits(&tr->config);
    const size_t record = ebmt__persistent_floats(tr->dim);
    if (n == 0)
        return EBM_OK;
    tr->visit = calloc(n, sizeof *tr->visit);
    tr->visit_floats = ebm_alloc(n, (record + tr->dim) * sizeof(float));
    if (!tr->visit || !tr->visit_floats)
        return ebm_error_set(err, EBM_ERR_NOMEM, "train", "no memory for persistent chains");
    for (size_t b = 0; b < n; b++)
        tr->visit[b] = (ebmt__pair){.y_minus = tr->visit_floats + b * record,
                                    .y_plus = tr->visit_floats + n * record + b * tr->dim};
    return EBM_OK;
}

void ebmt__visits_free(ebmt__trainer *tr)
{
    free(tr->visit);
    ebm_free(tr->visit_floats);
}

/* Each chain has an image of its own, at which it began. While it has not left it far behind, what
 * other images would add to the difference of the two cancels. */
static int64_t image_of(const ebmt__trainer *tr, int32_t chain)
{
    return (int64_t)chain * tr->data->count / tr->config.persistent_chains;
}

/* Whether it is that image's mirror: where data are mirrored, half of the chains' images are. */
static bool mirrored(const ebmt__trainer *tr, int32_t chain)
{
    const ebm_stream augment = {
        .seed = tr->config.seed, .purpose = EBM_PURPOSE_AUGMENT, .chain = (uint32_t)chain};
    return tr->config.flip && ebm_rng_uniform(&augment, 0) < 0.5;
}

ebm_status ebmt__visit_draw(ebmt__trainer *tr, int32_t b, int32_t worker, ebm_error *err)
{
    const ebmt__pair *v = &tr->visit[b];
    const size_t bytes = ebmt__persistent_floats(tr->dim) * sizeof *v->y_minus;
    const ebm_noise noise = {.seed = tr->iteration_seed, .index = (uint32_t)b};
    const float scale = (float)tr->levels->scale[0];
    if (!ebmt__trainer_owns(tr, b)) {
        memset(v->y_minus, 0, bytes);
        return EBM_OK;
    }
    const int32_t chain = chain_of(tr, b);
    float *clean = tr->work[worker];
    memcpy(v->y_minus, kept(tr, b), bytes);
    ebm_status st =
        ebmt_dataset_get(tr->data, image_of(tr, chain), mirrored(tr, chain), clean, err);
    if (st != EBM_OK)
        return st;
    ebm_forward_state(tr->levels, &noise, tr->dim, clean, 0, v->y_plus);
    for (size_t i = 0; i < tr->dim; i++)
        v->y_plus[i] *= scale;
    return EBM_OK;
}

void ebmt__visit_move(ebmt__trainer *tr, int32_t b, int32_t worker)
{
    const ebmt__pair *v = &tr->visit[b];
    const ebmt__visit_plan plan = {tr->levels, tr->iteration_seed, tr->config.persistent_moves,
                                   tr->config.persistent_leapfrog};
    tr->outcome[b].visit_acceptance =
        ebmt__persistent_moves(tr->session[worker], &plan, (uint32_t)chain_of(tr, b), v->y_plus,
                               v->y_minus, tr->work[worker]);
}

void ebmt__visit_term(ebmt__trainer *tr, int32_t b, int32_t worker, ebmt_grads *grads)
{
    const double weight =
        tr->config.persistent_weight * ebmt__balanced_weight(tr->levels, 0, tr->dim);
    ebmt__recovery_term(tr->session[worker], &tr->visit[b], weight / (double)tr->visits, grads,
                        &tr->outcome[b].visit_gap);
}

ebm_status ebmt__visits_exchange(ebmt__trainer *tr, ebm_error *err)
{
    const size_t floats = (size_t)tr->visits * ebmt__persistent_floats(tr->dim);
    return ebmt_group_merge(tr->group, (uint64_t *)(void *)tr->visit_floats,
                            floats * sizeof(float) / sizeof(uint64_t), err);
}

void ebmt__visits_keep(ebmt__trainer *tr)
{
    const size_t bytes = ebmt__persistent_floats(tr->dim) * sizeof(float);
    for (int32_t b = 0; b < tr->visits; b++)
        memcpy(kept(tr, b), tr->visit[b].y_minus, bytes);
}
