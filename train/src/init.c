/* See init.h. */
#include "init.h"

#include <math.h>
#include <string.h>

#include "ebm/rng.h"

/* Variance scaling of 1e-10 in the reference code, hence its root here. */
#define NEAR_ZERO 1e-5

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

static bool is_second_conv(const ebm_graph_info *g, int32_t tensor)
{
    for (int32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].weight == tensor)
            return g->nodes[i].gain != EBM_NONE;
    return false;
}

static void fill_gains(const ebm_graph_info *g, float *params)
{
    for (int32_t i = 0; i < g->n_nodes; i++)
        for (int32_t c = 0; g->nodes[i].gain != EBM_NONE && c < g->nodes[i].c; c++)
            params[g->tensors[g->nodes[i].gain].offset + (size_t)c] = 1.0f;
}

void ebmt__init_weights(const ebm_graph_info *g, const ebmt__spectral *spectral, uint64_t seed,
                        ebmt_state *state)
{
    const ebm_stream left = {.seed = seed, .purpose = EBM_PURPOSE_WEIGHTS, .level = 1};
    memset(state->params, 0, g->n_params * sizeof *state->params);
    fill_gains(g, state->params);
    for (int32_t k = 0; k < g->n_tensors; k++) {
        const ebm_tensor_info *t = &g->tensors[k];
        if (t->rank < 2)
            continue;
        double limit = glorot_limit(t) * (is_second_conv(g, k) ? NEAR_ZERO : 1.0);
        fill_uniform(t, limit, seed, (uint32_t)k, state->params);
    }
    ebm_rng_normal(&left, 0, spectral->n_u, state->spectral_u);
    memcpy(state->ema, state->params, g->n_params * sizeof *state->ema);
    memcpy(state->ema_spectral_u, state->spectral_u, spectral->n_u * sizeof *state->spectral_u);
}
