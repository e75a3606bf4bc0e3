/* Where every map of a session lies in its one workspace. Internal to core. */
#ifndef EBM_GRAPH_PLAN_H
#define EBM_GRAPH_PLAN_H

#include "ebm/graph.h"
#include "ebm/memory.h"

/* Offsets are in floats from the start of the workspace. */
typedef struct ebm__plan {
    size_t *value;                   /* per node: its value, kept until the backward pass */
    size_t *activated;               /* per node: act(value), if a convolution reads that */
    bool *has_value, *has_activated; /* somebody reads it */
    size_t *grad;                    /* per node: gradient in its value; slots are reused */
    size_t *tangent;                 /* per node, when asked for */
    bool second;                     /* gradients have room for a second one behind them */
    bool *grad_first; /* per node: its contribution to its input's gradient is the first */
    bool *key_first, *value_first; /* the same of the other inputs of attention */
    bool *residual_takes;  /* per node: the residual's gradient takes over this node's slot */
    size_t map;            /* an operand map of the largest size, for what lives within one node */
    size_t sums, dsums;    /* the head's spatial sums and their gradient */
    size_t zeros;          /* a bias of zeros for tangents */
    size_t attention;      /* planes of the largest attention */
    size_t scratch;        /* of the caller */
    size_t scratch_floats; /* of each member of a team: the largest that a node needs, at least one
                              float per channel */
    size_t total;
} ebm__plan;

ebm_status ebm__plan_make(const ebm_graph_info *g, const ebm_kernels *k, bool tangent,
                          ebm__plan *out, ebm_error *err);
void ebm__plan_clear(ebm__plan *plan); /* safe on a zeroed struct */

/* Whether the network bends between the kinks of its activations. */
static inline bool ebm__is_smooth(const ebm_graph_info *g)
{
    bool smooth =
        g->act == EBM_ACT_SILU || g->act_out == EBM_ACT_SILU || g->act_out == EBM_ACT_SQUARE;
    for (int32_t i = 0; i < g->n_nodes && !smooth; i++)
        smooth = g->nodes[i].op == EBM_OP_ATTENTION;
    return smooth;
}

static inline ebm_map_shape ebm__node_shape(const ebm_node *n)
{
    return (ebm_map_shape){.c = n->c, .h = n->h, .w = n->w};
}

/* Floats of a node's maps in the layout of a kernel set. */
static inline size_t ebm__value_floats(const ebm_kernels *k, const ebm_node *n)
{
    ebm_map_shape m = ebm__node_shape(n);
    return k->value_floats(&m);
}

static inline size_t ebm__operand_floats(const ebm_kernels *k, const ebm_node *n)
{
    ebm_map_shape m = ebm__node_shape(n);
    return k->operand_floats(&m);
}

/* From a node's gradient to its second one. */
static inline size_t ebm__second_step(const ebm_kernels *k, const ebm_node *n)
{
    size_t unit = EBM_ALIGN / sizeof(float);
    return (ebm__operand_floats(k, n) + unit - 1) / unit * unit;
}

#endif
