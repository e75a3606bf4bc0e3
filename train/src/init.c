/* See init.h. */
#include "init.h"

#include <math.h>
#include <string.h>

#include "ebm/rng.h"

/* From random vectors to those of the largest singular value, which is apart from the next. */
#define POWER_ITERATIONS 100

/* Variance scaling of 1e-10 in the reference code, hence its root here. */
#define NEAR_ZERO 1e-5

/* Of blocks in a network that ends in squares: they have a part in it from the beginning. With
 * hardly any, as above, SiLU sees small numbers, bends little, and is slow to learn curvature. */
#define SQUARES_GAIN 0.3f

/* Bound of the first layer's weights and biases for points: SiLU bends within 1/8 of the plane. */
#define RIDGE 8.0

static double glorot_limit(const ebm_tensor_info *t)
{
    size_t taps = t->rank == 4 ? (size_t)t->dim[2] * (size_t)t->dim[3] : 1;
    return sqrt(6.0 / (double)(taps * ((size_t)t->dim[0] + (size_t)t->dim[1])));
}

static void fill_uniform(const ebm_tensor_info *t, double limit, uint64_t seed, uint32_t chain,
                         float *params)
{
    const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_WEIGHTS, .chain = chain};
    for (size_t i = 0; i < t->count; i++)
        params[t->offset + i] =
            (float)(limit * (2.0 * ebm_rng_uniform(&stream, (uint32_t)i) - 1.0));
}

/* The layer with this weight, or NULL. */
static const ebm_node *layer_of(const ebm_graph_info *g, int32_t tensor)
{
    for (int32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].weight == tensor)
            return &g->nodes[i];
    return NULL;
}

/* Points of the plane come without neighbours, so what a network can tell apart at first is what
 * its first layer can: ridges of all directions and places, as steep as the finer part of [-1,1].
 */
static void fill_ridges(const ebm_graph_info *g, uint64_t seed, float *params)
{
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        if (n->op != EBM_OP_CONV || n->input != 0)
            continue;
        fill_uniform(&g->tensors[n->weight], RIDGE, seed, (uint32_t)n->weight, params);
        fill_uniform(&g->tensors[n->bias], RIDGE, seed, (uint32_t)n->bias, params);
    }
}

static bool is_plane(const ebm_graph_info *g)
{
    return g->channels == 2 && g->height == 1;
}

static bool ends_in_squares(const ebm_graph_info *g)
{
    return g->act_out == EBM_ACT_SQUARE;
}

static void fill_constant(const ebm_graph_info *g, int32_t tensor, float value, float *params)
{
    const ebm_tensor_info *t = &g->tensors[tensor];
    for (size_t i = 0; i < t->count; i++)
        params[t->offset + i] = value;
}

static void fill_gains(const ebm_graph_info *g, float *params)
{
    for (int32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].gain != EBM_NONE)
            fill_constant(g, g->nodes[i].gain, ends_in_squares(g) ? SQUARES_GAIN : 1.0f, params);
}

/* Half the range in which a weight starts, all values in it being as likely. */
static double start_limit(const ebm_graph_info *g, int32_t tensor)
{
    const ebm_tensor_info *t = &g->tensors[tensor];
    const ebm_node *layer = layer_of(g, tensor);
    bool ends_branch = layer && ebmt__ends_branch(layer);
    if (!ends_in_squares(g))
        return glorot_limit(t) * (ends_branch ? NEAR_ZERO : 1.0);
    double part = ends_branch && layer->gain == EBM_NONE ? (double)SQUARES_GAIN : 1.0;
    return part * sqrt(3.0 * (double)t->dim[0] / (double)t->count); /* variance 1/(fan in) */
}

void ebmt__init_weights(const ebm_graph_info *g, const ebmt__spectral *spectral, uint64_t seed,
                        ebmt_state *state)
{
    const ebm_stream left = {.seed = seed, .purpose = EBM_PURPOSE_WEIGHTS, .level = 1};
    memset(state->params, 0, g->n_params * sizeof *state->params);
    fill_gains(g, state->params);
    for (int32_t k = 0; k < g->n_tensors; k++) {
        const ebm_tensor_info *t = &g->tensors[k];
        if (t->rank < 2 || (is_plane(g) && k == g->nodes[g->n_nodes - 1].time_weight))
            continue;
        fill_uniform(t, start_limit(g, k), seed, (uint32_t)k, state->params);
    }
    if (is_plane(g))
        fill_ridges(g, seed, state->params);
    ebm_rng_normal(&left, 0, spectral->n_u, state->spectral_u);
    memcpy(state->ema, state->params, g->n_params * sizeof *state->ema);
    memcpy(state->ema_spectral_u, state->spectral_u, spectral->n_u * sizeof *state->spectral_u);
}

static ebm_status check_same_network(const ebm_graph_info *from, const ebm_graph_info *g,
                                     ebm_error *err)
{
    for (int32_t i = 0; i < g->n_tensors; i++) {
        const ebm_tensor_info *a = &from->tensors[i], *b = &g->tensors[i];
        if (i >= from->n_tensors || strcmp(a->name, b->name) != 0 || a->rank != b->rank ||
            memcmp(a->dim, b->dim, sizeof a->dim) != 0)
            return ebm_error_set(err, EBM_ERR_SHAPE, b->name,
                                 "the model to start from is another network");
    }
    if (from->n_tensors != g->n_tensors || from->act != g->act)
        return ebm_error_set(err, EBM_ERR_SHAPE, "init-from",
                             "the model to start from is another network");
    return EBM_OK;
}

ebm_status ebmt__init_from(const ebm_model *from, const ebm_graph_info *g, ebmt__spectral *spectral,
                           float *used, ebmt_state *state, ebm_error *err)
{
    ebm_status st = check_same_network(ebm_model_describe(from)->graph, g, err);
    if (st != EBM_OK)
        return st;
    if (ebm_model_describe(from)->n_experts > 1)
        return ebm_error_set(
            err, EBM_ERR_ARG, "init-from",
            "the model to start from is joined of several; start from one of them");
    memcpy(state->params, ebm_model_params(from, 0), g->n_params * sizeof *state->params);
    memcpy(state->ema, state->params, g->n_params * sizeof *state->ema);
    ebmt__spectral_apply(spectral, g, POWER_ITERATIONS, state->params, state->spectral_u, used);
    memcpy(state->ema_spectral_u, state->spectral_u, spectral->n_u * sizeof *state->spectral_u);
    return EBM_OK;
}
