/* Accumulates what the backward pass shows of every node. See ebmt/grad.h. */
#include "ebmt/grad.h"

#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"

static size_t row_channels(const ebm_graph_info *g, const ebm_node *n)
{
    if (n->op == EBM_OP_CONV)
        return (size_t)n->c;
    return n->op == EBM_OP_HEAD ? (size_t)g->nodes[n->input].c : 0;
}

ebm_status ebmt_grads_init(const ebm_graph_info *g, int32_t levels, ebmt_grads *out, ebm_error *err)
{
    *out = (ebmt_grads){.g = g, .levels = levels};
    out->row_at = calloc((size_t)g->n_nodes, sizeof *out->row_at);
    if (!out->row_at)
        return ebm_error_set(err, EBM_ERR_NOMEM, "gradients", "no memory");
    for (int32_t i = 0; i < g->n_nodes; i++) {
        out->row_at[i] = out->n_rows;
        out->n_rows += (size_t)levels * row_channels(g, &g->nodes[i]);
    }
    out->effective = ebm_alloc(g->n_params, sizeof *out->effective);
    out->rows = ebm_alloc(out->n_rows, sizeof *out->rows);
    if (out->effective && out->rows)
        return EBM_OK;
    ebmt_grads_clear(out);
    return ebm_error_set(err, EBM_ERR_NOMEM, "gradients", "no memory for gradients");
}

void ebmt_grads_zero(ebmt_grads *grads)
{
    memset(grads->effective, 0, grads->g->n_params * sizeof *grads->effective);
    memset(grads->rows, 0, grads->n_rows * sizeof *grads->rows);
}

void ebmt_grads_add(ebmt_grads *to, const ebmt_grads *from)
{
    for (size_t i = 0; i < to->g->n_params; i++)
        to->effective[i] += from->effective[i];
    for (size_t i = 0; i < to->n_rows; i++)
        to->rows[i] += from->rows[i];
}

void ebmt_grads_clear(ebmt_grads *grads)
{
    free(grads->row_at);
    ebm_free(grads->effective);
    ebm_free(grads->rows);
    *grads = (ebmt_grads){0};
}

/* What the hook needs beside the accumulator. */
typedef struct pass {
    ebmt_grads *grads;
    const ebm_kernels *k;
} pass;

static void add_pixel_sums(const ebm_kernels *k, const ebm_node *n, const float *dy, float *sums,
                           float *row)
{
    const ebm_map_shape m = {.c = n->c, .h = n->h, .w = n->w};
    k->operand_sum(&m, dy, sums);
    for (int32_t c = 0; c < n->c; c++)
        row[c] += sums[c];
}

static void see_node(void *user, const ebm_node_view *view)
{
    const pass *p = user;
    ebmt_grads *grads = p->grads;
    const ebm_node *n = &grads->g->nodes[view->node];
    size_t channels = row_channels(grads->g, n);
    float *row = grads->rows + grads->row_at[view->node] + (size_t)view->level * channels;
    if (n->op == EBM_OP_HEAD) {
        for (size_t c = 0; c < channels; c++)
            row[c] += view->dy[0] * view->x[c];
        return;
    }
    p->k->conv_backward_weights(&n->conv, view->x, view->dy,
                                grads->effective + grads->g->tensors[n->weight].offset,
                                view->scratch);
    if (!view->tangent)
        add_pixel_sums(p->k, n, view->dy, view->scratch, row);
}

void ebmt_grads_backward(ebmt_grads *grads, ebm_session *s, float seed)
{
    pass p = {.grads = grads, .k = ebm_model_describe(ebm_session_model(s))->kernels};
    ebm_session_backward(s, seed, NULL, see_node, &p);
}

void ebmt_grads_backward_tangent(ebmt_grads *grads, ebm_session *s, float seed)
{
    pass p = {.grads = grads, .k = ebm_model_describe(ebm_session_model(s))->kernels};
    ebm_session_backward_tangent(s, seed, see_node, &p);
}

ebm_status ebmt_parameter_gradient(ebm_session *s, const float *x, int32_t level, float weight,
                                   float *grad, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(ebm_session_model(s));
    ebmt_grads grads = {0};
    size_t n = info->graph->n_params;
    float *one = ebm_alloc(n, sizeof *one);
    ebm_status st = one ? ebmt_grads_init(info->graph, info->levels->count, &grads, err)
                        : ebm_error_set(err, EBM_ERR_NOMEM, "gradients", "no memory");
    if (st != EBM_OK)
        goto out;
    ebm_session_net(s, x, level);
    ebmt_grads_backward(&grads, s, weight);
    st = ebmt_grads_finish(&grads, ebm_model_params(ebm_session_model(s), level), one, err);
    for (size_t i = 0; st == EBM_OK && i < n; i++)
        grad[i] += one[i];
out:
    ebmt_grads_clear(&grads);
    ebm_free(one);
    return st;
}
