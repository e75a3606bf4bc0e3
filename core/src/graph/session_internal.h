/* What a session is made of, and where its maps are: shared by the passes of the graph shelf. */
#ifndef EBM_SESSION_INTERNAL_H
#define EBM_SESSION_INTERNAL_H

#include "ebm/session.h"
#include "graph/plan.h"
#include "model/model_internal.h"

/* How a session finds out whether its team pays. */
typedef struct team_pace {
    uint32_t passes;
    double seconds[2]; /* of this period's trials: alone, as a team */
} team_pace;

struct ebm_session {
    ebm_model *model;
    const ebm_graph_info *g;
    const ebm_kernels *k;
    ebm__plan plan;
    const ebm__weights *weights; /* those of the current level */
    float *work;                 /* the workspace that the plan's offsets point into */
    ebm_team *team;              /* who does the passes, or NULL: the caller alone */
    team_pace pace;
    int32_t level;
    bool tangent;
};

/* Every step of a pass reads what the one before has written, whoever wrote it. */
static inline void meet(ebm_session *s, ebm_share share)
{
    if (share.count > 1)
        ebm_team_wait(s->team);
}

/* --- where things are ----------------------------------------------------------------------- */

static inline float *value_of(ebm_session *s, int32_t node)
{
    return s->plan.has_value[node] ? s->work + s->plan.value[node] : NULL;
}

static inline float *grad_of(ebm_session *s, int32_t node)
{
    return s->work + s->plan.grad[node];
}

/* Behind it, for the backward pass of a tangent: that in its value. */
static inline float *second_of(ebm_session *s, int32_t node)
{
    return grad_of(s, node) + ebm__second_step(s->k, &s->g->nodes[node]);
}

static inline float *tangent_of(ebm_session *s, int32_t node)
{
    return s->work + s->plan.tangent[node];
}

static inline const float *packed_of(const ebm_session *s, int32_t node)
{
    return s->weights->packed + s->weights->packed_at[node];
}

/* Row of the current level: bias of a convolution, vector v of the head. */
static inline const float *table_row(const ebm_session *s, int32_t node, int32_t channels)
{
    const ebm__weights *w = s->weights;
    return w->table + w->table_at[node] + (size_t)s->level * (size_t)channels;
}

static inline const ebm_node *input_of(const ebm_session *s, const ebm_node *n)
{
    return &s->g->nodes[n->input];
}

static inline float *activated_of(ebm_session *s, int32_t node)
{
    return s->plan.has_activated[node] ? s->work + s->plan.activated[node] : NULL;
}

static inline float *scratch_of(ebm_session *s, ebm_share share)
{
    return share.index == 0 ? s->work + s->plan.scratch : ebm_team_scratch(s->team, share.index);
}

static inline ebm_activation inner_act(const ebm_session *s)
{
    return (ebm_activation){.kind = s->g->act, .slope = s->g->slope};
}

static inline ebm_activation outer_act(const ebm_session *s)
{
    return (ebm_activation){.kind = s->g->act_out, .slope = s->g->slope};
}

static inline ebm_map_shape image_shape(const ebm_session *s)
{
    return (ebm_map_shape){.c = s->g->channels, .h = s->g->height, .w = s->g->width};
}

/* What a convolution multiplies: its input, through the activation if the node says so. A value
 * that is read as it is becomes an operand here, which costs nothing where the two are the same. */
static inline const float *conv_input(ebm_session *s, const ebm_node *n, ebm_share share)
{
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    float *map = s->work + s->plan.map;
    if (n->activated)
        return activated_of(s, n->input);
    if (s->k->value_is_operand(&in))
        return value_of(s, n->input);
    s->k->act_forward((ebm_activation){.kind = EBM_ACT_NONE}, &in, value_of(s, n->input), map,
                      share);
    meet(s, share);
    return map;
}

/* The factor that the activation before a convolution puts on what passes through. */
static inline ebm_gate gate_of(ebm_session *s, const ebm_node *n)
{
    return (ebm_gate){.act = n->activated ? inner_act(s) : (ebm_activation){.kind = EBM_ACT_NONE},
                      .x = value_of(s, n->input),
                      .activated = activated_of(s, n->input)};
}

static inline bool is_resize(const ebm_node *n)
{
    return n->op == EBM_OP_POOL || n->op == EBM_OP_UP;
}

/* Who watches a backward pass. */
typedef struct backward_run {
    float seed;
    ebm_node_hook hook;
    void *user;
} backward_run;

static inline void show(ebm_session *s, int32_t i, const backward_run *run, const float *x,
                        const float *dy, bool tangent)
{
    const ebm_node_view view = {.node = i,
                                .level = s->level,
                                .tangent = tangent,
                                .x = x,
                                .dy = dy,
                                .scratch = s->work + s->plan.scratch};
    if (run->hook)
        run->hook(run->user, &view);
}

/* --- passes that are made of parts of others ----------------------------------------------------
 */

/* net = sum_c v_c sums_c of the head, node i */
float ebm__head_value(const ebm_session *s, int32_t i, const float *sums);
void ebm__backward_head(ebm_session *s, int32_t i, const backward_run *run, ebm_share share);
void ebm__backward_conv(ebm_session *s, int32_t i, const backward_run *run, bool want_input,
                        ebm_share share);
/* A pool or its way back. */
void ebm__backward_resize(ebm_session *s, int32_t i, ebm_share share);
/* From the gradient dy of a resized map to that of its input, dx. */
void ebm__resize_gradient(ebm_session *s, const ebm_node *n, const float *dy, float *dx,
                          ebm_share share);

/* Attention (session_attention.c). */
void ebm__forward_attention(ebm_session *s, int32_t i, ebm_share share);
void ebm__tangent_attention(ebm_session *s, int32_t i);
void ebm__backward_attention(ebm_session *s, int32_t i, ebm_share share);
/* Of a tangent: gradients in the tangents and in the values of what node i reads. */
void ebm__second_attention(ebm_session *s, int32_t i);

#endif
