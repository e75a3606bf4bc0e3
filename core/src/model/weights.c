/* See weights.h. */
#include "model/weights.h"

#include <math.h>
#include <stdlib.h>

#include "ebm/memory.h"
#include "kernels/kernel_sets.h"

void ebm__dense(const float *w, const float *b, const float *x, int32_t n_in, int32_t n_out,
                float *y)
{
    for (int32_t o = 0; o < n_out; o++, w += n_in) {
        double sum = (double)b[o];
        for (int32_t i = 0; i < n_in; i++)
            sum += (double)w[i] * (double)x[i];
        y[o] = (float)sum;
    }
}

/* Channels of a node's level table; 0 if it has none. */
static int32_t table_channels(const ebm_graph_info *g, const ebm_node *n)
{
    if (n->op == EBM_OP_CONV)
        return n->c;
    return n->op == EBM_OP_HEAD ? g->nodes[n->input].c : 0;
}

/* Keeps every node's block at a multiple of the alignment. */
static size_t rounded(size_t floats)
{
    size_t unit = EBM_ALIGN / sizeof(float);
    return (floats + unit - 1) / unit * unit;
}

ebm_status ebm__weights_init(const ebm_graph_info *g, const ebm_kernels *k, int32_t levels,
                             ebm__weights *out, ebm_error *err)
{
    size_t packed = 0, table = 0, n = (size_t)g->n_nodes;
    *out = (ebm__weights){.levels = levels};
    out->packed_at = calloc(n, sizeof *out->packed_at);
    out->table_at = calloc(n, sizeof *out->table_at);
    if (!out->packed_at || !out->table_at)
        goto no_memory;
    for (size_t i = 0; i < n; i++) {
        const ebm_node *node = &g->nodes[i];
        out->packed_at[i] = packed;
        out->table_at[i] = table;
        if (node->op == EBM_OP_CONV)
            packed += rounded(k->conv_packed_floats(&node->conv));
        table += (size_t)levels * (size_t)table_channels(g, node);
    }
    out->packed = ebm_alloc(packed, sizeof *out->packed);
    out->table = ebm_alloc(table, sizeof *out->table);
    out->time_work =
        ebm_alloc(2 * (size_t)g->time_hidden + (size_t)g->time_dim, sizeof *out->time_work);
    if (out->packed && out->table && out->time_work)
        return EBM_OK;
no_memory:
    ebm__weights_clear(out);
    return ebm_error_set(err, EBM_ERR_NOMEM, "weights", "no memory for prepared weights");
}

static const float *tensor(const ebm_graph_info *g, const float *params, int32_t index)
{
    return params + g->tensors[index].offset;
}

/* act(temb(t)), which every timed dense layer reads. @shape result [time_hidden], in work */
static const float *activated_time(const ebm_graph_info *g, const float *params, int32_t t,
                                   float *work)
{
    float *sincos = work, *hidden = work + g->time_dim, *temb = hidden + g->time_hidden;
    const ebm_activation act = {.kind = g->act, .slope = g->slope};
    const ebm_map_shape m = {.c = g->time_hidden, .h = 1, .w = 1};
    ebm_time_embedding(t, g->time_dim, sincos);
    ebm__dense(tensor(g, params, g->temb0_weight), tensor(g, params, g->temb0_bias), sincos,
               g->time_dim, g->time_hidden, hidden);
    ebm__dense_act_forward(act, &m, hidden, hidden, EBM_ALONE);
    ebm__dense(tensor(g, params, g->temb1_weight), tensor(g, params, g->temb1_bias), hidden,
               g->time_hidden, g->time_hidden, temb);
    ebm__dense_act_forward(act, &m, temb, temb, EBM_ALONE);
    return temb;
}

/* What a head of squares multiplies a channel's sum with. The square root of the step is as the
 * noise of the level: it halves, between network and energy, the range over the levels of how steep
 * a network has to be. @eq docs/math/energy_network.md */
static float squares_weight(const ebm_levels *levels, int32_t t, int32_t channels)
{
    return (float)(-sqrt(levels->step2[t]) / (double)channels);
}

/* Row t of a node's table. */
static void fill_row(const ebm_graph_info *g, const ebm_node *n, const float *params,
                     const float *time, int32_t channels, float *row)
{
    for (int32_t c = 0; c < channels; c++)
        row[c] = 0.0f;
    if (n->time_weight != EBM_NONE)
        ebm__dense(tensor(g, params, n->time_weight), tensor(g, params, n->time_bias), time,
                   g->time_hidden, channels, row);
    if (n->op != EBM_OP_CONV)
        return;
    const float *bias = tensor(g, params, n->bias);
    const float *gain = n->gain == EBM_NONE ? NULL : tensor(g, params, n->gain);
    for (int32_t c = 0; c < channels; c++)
        row[c] += gain ? gain[c] * bias[c] : bias[c];
}

static void fill_table(ebm__weights *w, const ebm_graph_info *g, const ebm_levels *levels,
                       const float *params, int32_t t)
{
    const float *time = activated_time(g, params, t, w->time_work);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        int32_t channels = table_channels(g, n);
        float *row = w->table + w->table_at[i] + (size_t)t * (size_t)channels;
        if (channels > 0)
            fill_row(g, n, params, time, channels, row);
        for (int32_t c = 0; n->op == EBM_OP_HEAD && n->time_weight == EBM_NONE && c < channels; c++)
            row[c] = squares_weight(levels, t, channels);
    }
}

void ebm__weights_prepare(ebm__weights *w, const ebm_graph_info *g, const ebm_kernels *k,
                          const ebm_levels *levels, const float *params)
{
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        if (n->op == EBM_OP_CONV)
            k->conv_pack(&n->conv, tensor(g, params, n->weight),
                         n->gain == EBM_NONE ? NULL : tensor(g, params, n->gain),
                         w->packed + w->packed_at[i]);
    }
    for (int32_t t = 0; t < w->levels; t++)
        fill_table(w, g, levels, params, t);
}

void ebm__weights_clear(ebm__weights *w)
{
    free(w->packed_at);
    free(w->table_at);
    ebm_free(w->packed);
    ebm_free(w->table);
    ebm_free(w->time_work);
    *w = (ebm__weights){0};
}
