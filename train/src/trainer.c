/* Makes and frees trainers. */
#include "trainer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebmm/models.h"
#include "init.h"
#include "loss/persistent.h"
#include "visits.h"
#include "watch.h"

static ebm_status no_memory(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_NOMEM, "train", "no memory");
}

/* What a model is made of beside its network. */
typedef struct model_parts {
    const char *id;
    ebm_levels levels;
    const ebm_kernels *kernels;
} model_parts;

static ebm_status make_model(const ebm_network_config *network, const model_parts *parts,
                             ebm_model **out, ebm_error *err)
{
    ebm_graph *graph = NULL;
    ebm_status st = ebmm_graph_build(network, &graph, err);
    if (st == EBM_OK)
        st = ebm_model_create(parts->id, network, graph, &parts->levels, parts->kernels, out, err);
    return st;
}

/* Training may take independent points side by side; the model is that of one. */
static ebm_network_config network_of_result(const ebmt_config *config)
{
    ebm_network_config n = config->network;
    if (strcmp(n.architecture, "mlp2d") == 0)
        n.width = 1;
    return n;
}

/* The averaged model takes more steps than training could afford, of the same size. */
static ebm_status make_models(ebmt__trainer *tr, const ebm_kernels *kernels, const char *id,
                              ebm_error *err)
{
    const ebm_network_config result = network_of_result(&tr->config);
    model_parts parts = {.id = id, .kernels = kernels};
    ebm_status st = ebmt_config_levels(&tr->config, &parts.levels, err);
    if (st == EBM_OK)
        st = make_model(&tr->config.network, &parts, &tr->model, err);
    for (int32_t t = 0; t < parts.levels.count; t++)
        parts.levels.steps[t] *= tr->config.sampling_factor;
    parts.levels.stride = tr->config.stride;
    parts.levels.paired_noise = tr->config.paired_noise;
    parts.levels.predict = tr->config.predict;
    if (st == EBM_OK)
        st = ebm_levels_check(&parts.levels, err);
    if (st == EBM_OK)
        st = make_model(&result, &parts, &tr->averaged, err);
    ebm_levels_clear(&parts.levels);
    if (st != EBM_OK)
        return st;
    tr->g = ebm_model_describe(tr->model)->graph;
    tr->levels = ebm_model_describe(tr->model)->levels;
    tr->dim = (size_t)tr->g->channels * (size_t)tr->g->height * (size_t)tr->g->width;
    return EBM_OK;
}

static ebm_status check_data(const ebmt__trainer *tr, ebm_error *err)
{
    const ebm_network_config *n = &tr->config.network;
    const ebmt_dataset *d = tr->data;
    if (d->width != n->width || d->height != n->height || d->channels != n->channels)
        return ebm_error_set(err, EBM_ERR_SHAPE, "data",
                             "images are %dx%dx%d, the network wants %dx%dx%d", (int)d->width,
                             (int)d->height, (int)d->channels, (int)n->width, (int)n->height,
                             (int)n->channels);
    if (tr->config.shards < ebmt_group_size(tr->group))
        return ebm_error_set(err, EBM_ERR_RANGE, "shards", "%d shards are too few for %d processes",
                             (int)tr->config.shards, (int)ebmt_group_size(tr->group));
    if ((int64_t)tr->config.batch > d->count)
        return ebm_error_set(err, EBM_ERR_RANGE, "batch", "the data set has only %lld images",
                             (long long)d->count);
    return EBM_OK;
}

static ebm_status make_shards(ebmt__trainer *tr, ebm_error *err)
{
    tr->shard = calloc((size_t)tr->config.shards, sizeof *tr->shard);
    if (!tr->shard)
        return no_memory(err);
    ebm_status st = EBM_OK;
    for (int32_t i = 0; i < tr->config.shards && st == EBM_OK; i++)
        st = ebmt_grads_init(tr->g, tr->levels->count, &tr->shard[i], err);
    return st;
}

static ebm_status make_workers(ebmt__trainer *tr, ebm_error *err)
{
    const ebm_session_options opt = {.tangent = tr->config.objective != EBMT_RECOVERY};
    size_t n = (size_t)ebmt_pool_threads(tr->pool);
    tr->session = calloc(n, sizeof *tr->session);
    tr->work = calloc(n, sizeof *tr->work);
    tr->data_error = calloc(n, sizeof *tr->data_error);
    if (!tr->session || !tr->work || !tr->data_error)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        tr->work[i] = ebm_alloc(4 * tr->dim, sizeof *tr->work[i]);
        if (!tr->work[i])
            return no_memory(err);
        ebm_status st = ebm_session_create(tr->model, &opt, &tr->session[i], err);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

static ebm_status make_batch(ebmt__trainer *tr, ebm_error *err)
{
    size_t batch = (size_t)tr->config.batch, levels = (size_t)tr->levels->count;
    tr->pair = calloc(batch, sizeof *tr->pair);
    tr->outcome = calloc(batch, sizeof *tr->outcome);
    tr->index = calloc(batch, sizeof *tr->index);
    tr->cost_order = calloc(batch, sizeof *tr->cost_order);
    tr->pair_floats = ebm_alloc(4 * batch, tr->dim * sizeof(float));
    tr->stats.gap = calloc(levels, sizeof(double));
    tr->stats.displacement = calloc(levels, sizeof(double));
    tr->stats.acceptance = calloc(levels, sizeof(double));
    tr->stats.matching = calloc(levels, sizeof(double));
    tr->stats.moves = calloc(levels, sizeof(int64_t));
    tr->stats.seen = calloc(levels, sizeof(int64_t));
    tr->stats.matched = calloc(levels, sizeof(int64_t));
    tr->used = ebm_alloc(tr->g->n_params, sizeof *tr->used);
    tr->grad = ebm_alloc(tr->g->n_params, sizeof *tr->grad);
    if (!tr->pair || !tr->outcome || !tr->index || !tr->cost_order || !tr->pair_floats ||
        !tr->stats.gap || !tr->stats.displacement || !tr->stats.acceptance || !tr->stats.matching ||
        !tr->stats.moves || !tr->stats.seen || !tr->stats.matched || !tr->used || !tr->grad)
        return no_memory(err);
    for (size_t b = 0; b < batch; b++) {
        float *at = tr->pair_floats + 4 * b * tr->dim;
        tr->pair[b] = (ebmt__pair){.clean = at,
                                   .y_plus = at + tr->dim,
                                   .x_next = at + 2 * tr->dim,
                                   .y_minus = at + 3 * tr->dim};
    }
    return EBM_OK;
}

static ebm_status make_state(ebmt__trainer *tr, ebm_error *err)
{
    ebm_status st = ebmt__spectral_init(tr->g, &tr->spectral, err);
    if (st == EBM_OK)
        st = ebmt__spectral_init(tr->g, &tr->spectral_ema, err);
    const ebmt_state_sizes sizes = {.params = tr->g->n_params,
                                    .spectral = tr->spectral.n_u,
                                    .watch = ebmt__watch_floats(tr->levels->count),
                                    .chains = (size_t)tr->config.persistent_chains *
                                              ebmt__persistent_floats(tr->dim)};
    if (st == EBM_OK)
        st = ebmt_state_init(&sizes, &tr->state, err);
    if (st == EBM_OK)
        ebmt__init_weights(tr->g, &tr->spectral, tr->config.seed, &tr->state);
    return st;
}

ebm_status ebmt__trainer_create(const ebmt_run_options *opt, const char *id, ebmt__trainer **out,
                                ebm_error *err)
{
    *out = NULL;
    ebm_status st = ebmt_config_check(&opt->config, err);
    if (st != EBM_OK)
        return st;
    ebmt__trainer *tr = calloc(1, sizeof *tr);
    if (!tr)
        return no_memory(err);
    tr->config = opt->config;
    (void)snprintf(tr->config.kernel_class, sizeof tr->config.kernel_class, "%s",
                   opt->kernels->kernel_class);
    tr->data = opt->data;
    tr->group = opt->group;
    st = check_data(tr, err);
    if (st == EBM_OK)
        st = make_models(tr, opt->kernels, id, err);
    if (st == EBM_OK)
        st = make_state(tr, err);
    if (st == EBM_OK)
        st = ebmt_order_create(opt->data->count, opt->config.seed, &tr->order, err);
    if (st == EBM_OK)
        st = ebmt_pool_create(opt->threads, &tr->pool, err);
    if (st == EBM_OK)
        st = make_shards(tr, err);
    if (st == EBM_OK)
        st = make_workers(tr, err);
    if (st == EBM_OK)
        st = make_batch(tr, err);
    if (st == EBM_OK)
        st = ebmt__visits_create(tr, err);
    if (st == EBM_OK && opt->init)
        st = ebmt__init_from(opt->init, tr->g, &tr->spectral, tr->used, &tr->state, err);
    if (st == EBM_OK)
        *out = tr;
    else
        ebmt__trainer_free(tr);
    return st;
}

void ebmt__trainer_free(ebmt__trainer *tr)
{
    if (!tr)
        return;
    for (int32_t i = 0; tr->shard && i < tr->config.shards; i++)
        ebmt_grads_clear(&tr->shard[i]);
    for (int32_t i = 0; tr->pool && i < ebmt_pool_threads(tr->pool); i++) {
        if (tr->session)
            ebm_session_free(tr->session[i]);
        if (tr->work)
            ebm_free(tr->work[i]);
    }
    free(tr->shard);
    free(tr->session);
    free(tr->work);
    free(tr->data_error);
    free(tr->pair);
    free(tr->outcome);
    free(tr->index);
    free(tr->cost_order);
    ebm_free(tr->pair_floats);
    ebmt__visits_free(tr);
    free(tr->stats.gap);
    free(tr->stats.displacement);
    free(tr->stats.acceptance);
    free(tr->stats.moves);
    free(tr->stats.matching);
    free(tr->stats.seen);
    free(tr->stats.matched);
    ebm_free(tr->used);
    ebm_free(tr->grad);
    ebmt__spectral_clear(&tr->spectral);
    ebmt__spectral_clear(&tr->spectral_ema);
    ebmt_state_clear(&tr->state);
    ebmt_order_free(tr->order);
    ebmt_pool_free(tr->pool);
    ebm_model_unref(tr->model);
    ebm_model_unref(tr->averaged);
    free(tr);
}
