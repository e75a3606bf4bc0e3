/* Where every map of a session lies in its one workspace. Internal to core. */
#ifndef EBM_GRAPH_PLAN_H
#define EBM_GRAPH_PLAN_H

#include "ebm/graph.h"

/* Offsets are in floats from the start of the workspace. */
typedef struct ebm__plan {
    size_t *value;        /* per node: its value, kept until the backward pass */
    size_t *grad;         /* per node: gradient in its value; slots are reused */
    size_t *tangent;      /* per node, when asked for */
    bool *grad_first;     /* per node: its contribution to its input's gradient is the first */
    bool *residual_takes; /* per node: the residual's gradient takes over this node's slot */
    size_t map[2];        /* two maps of the largest size, for what lives within one node */
    size_t sums, dsums;   /* the head's spatial sums and their gradient */
    size_t zeros;         /* a bias of zeros for tangents */
    size_t scratch;       /* the largest scratch that a convolution needs, at least one float per
                             channel */
    size_t total;
} ebm__plan;

ebm_status ebm__plan_make(const ebm_graph_info *g, const ebm_kernels *k, bool tangent,
                          ebm__plan *out, ebm_error *err);
void ebm__plan_clear(ebm__plan *plan); /* safe on a zeroed struct */

/* Floats of a node's map in the layout of a kernel set. */
static inline size_t ebm__node_floats(const ebm_kernels *k, const ebm_node *n)
{
    return k->map_floats(n->c, n->h, n->w);
}

#endif
