/* Sessions: one workspace, and the forward, backward and tangent passes over a graph in it.
 * One image at a time, node by node; a pass allocates nothing. */
#include "ebm/session.h"

#include <assert.h>
#include <stdlib.h>

#include "ebm/memory.h"
#include "graph/plan.h"
#include "model/model_internal.h"

struct ebm_session {
    ebm_model *model;
    const ebm_graph_info *g;
    const ebm_kernels *k;
    ebm__plan plan;
    float *work; /* the workspace that the plan's offsets point into */
    int32_t level;
    bool tangent;
};

static ebm_session_options options_or_default(const ebm_session_options *opt)
{
    return opt ? *opt : (ebm_session_options){0};
}

size_t ebm_session_bytes(const ebm_model *m, const ebm_session_options *opt)
{
    ebm__plan plan;
    size_t n = (size_t)m->info.graph->n_nodes;
    ebm_status st = ebm__plan_make(m->info.graph, m->info.kernels, options_or_default(opt).tangent,
                                   &plan, NULL);
    if (st != EBM_OK)
        return 0;
    size_t tables = n * (3 * sizeof(size_t) + 2 * sizeof(bool));
    size_t bytes = sizeof(ebm_session) + tables + plan.total * sizeof(float);
    ebm__plan_clear(&plan);
    return bytes;
}

ebm_status ebm_session_create(ebm_model *m, const ebm_session_options *opt, ebm_session **out,
                              ebm_error *err)
{
    ebm_status st;
    *out = NULL;
    ebm_session *s = calloc(1, sizeof *s);
    if (!s)
        return ebm_error_set(err, EBM_ERR_NOMEM, "session", "no memory");
    s->model = ebm_model_ref(m);
    s->g = m->info.graph;
    s->k = m->info.kernels;
    s->tangent = options_or_default(opt).tangent;
    st = ebm__plan_make(s->g, s->k, s->tangent, &s->plan, err);
    if (st == EBM_OK) {
        s->work = ebm_alloc(s->plan.total, sizeof *s->work);
        if (!s->work)
            st = ebm_error_set(err, EBM_ERR_NOMEM, "session", "no memory for the workspace");
    }
    if (st == EBM_OK)
        *out = s;
    else
        ebm_session_free(s);
    return st;
}

void ebm_session_free(ebm_session *s)
{
    if (!s)
        return;
    ebm__plan_clear(&s->plan);
    ebm_free(s->work);
    ebm_model_unref(s->model);
    free(s);
}

ebm_model *ebm_session_model(const ebm_session *s)
{
    return s->model;
}

/* --- where things are ----------------------------------------------------------------------- */

static float *value_of(ebm_session *s, int32_t node)
{
    return s->work + s->plan.value[node];
}

static float *grad_of(ebm_session *s, int32_t node)
{
    return s->work + s->plan.grad[node];
}

static float *tangent_of(ebm_session *s, int32_t node)
{
    return s->work + s->plan.tangent[node];
}

static const float *packed_of(const ebm_session *s, int32_t node)
{
    return s->model->weights.packed + s->model->weights.packed_at[node];
}

/* Row of the current level: bias of a convolution, vector v of the head. */
static const float *table_row(const ebm_session *s, int32_t node, int32_t channels)
{
    const ebm__weights *w = &s->model->weights;
    return w->table + w->table_at[node] + (size_t)s->level * (size_t)channels;
}

static const ebm_node *input_of(const ebm_session *s, const ebm_node *n)
{
    return &s->g->nodes[n->input];
}

static size_t floats_of(const ebm_session *s, const ebm_node *n)
{
    return ebm__node_floats(s->k, n);
}

/* --- forward -------------------------------------------------------------------------------- */

/* What a convolution reads: its input's value, through the activation if the node says so. */
static const float *conv_input(ebm_session *s, const ebm_node *n)
{
    if (!n->activated)
        return value_of(s, n->input);
    float *map = s->work + s->plan.map[0];
    s->k->act_forward(s->g->act, s->g->slope, floats_of(s, input_of(s, n)), value_of(s, n->input),
                      map);
    return map;
}

static void forward_node(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i], *in = input_of(s, n);
    if (n->op == EBM_OP_POOL)
        s->k->pool_forward(in->c, in->h, in->w, value_of(s, n->input), value_of(s, i));
    else if (n->op == EBM_OP_CONV)
        s->k->conv_forward(&n->conv, packed_of(s, i), table_row(s, i, n->c), conv_input(s, n),
                           n->residual == EBM_NONE ? NULL : value_of(s, n->residual),
                           value_of(s, i), s->work + s->plan.scratch);
}

/* net = sum_c v_c sums_c, in double: the terms nearly cancel in trained networks. */
static float head_value(const ebm_session *s, int32_t i, const float *sums)
{
    int32_t channels = input_of(s, &s->g->nodes[i])->c;
    const float *v = table_row(s, i, channels);
    double net = 0.0;
    for (int32_t c = 0; c < channels; c++)
        net += (double)v[c] * (double)sums[c];
    return (float)net;
}

float ebm_session_net(ebm_session *s, const float *x, int32_t level)
{
    int32_t head = s->g->n_nodes - 1;
    const ebm_node *in = input_of(s, &s->g->nodes[head]);
    float *sums = s->work + s->plan.sums;
    assert(level >= 0 && level < s->model->levels.count);
    s->level = level;
    s->k->map_load(s->g->channels, s->g->height, s->g->width, x, value_of(s, 0));
    for (int32_t i = 1; i < head; i++)
        forward_node(s, i);
    s->k->head_sum(s->g->act_out, s->g->slope, in->c, in->h, in->w,
                   value_of(s, s->g->nodes[head].input), sums);
    return head_value(s, head, sums);
}

double ebm_session_logp(ebm_session *s, const float *x, float *work)
{
    const ebm_levels *levels = &s->model->levels;
    size_t n = (size_t)s->g->channels * (size_t)s->g->height * (size_t)s->g->width;
    for (size_t i = 0; i < n; i++)
        work[i] = (float)((double)x[i] * levels->scale[0]);
    return (double)ebm_session_net(s, work, 0) / levels->step2[0];
}

/* --- backward ------------------------------------------------------------------------------- */

/* Which inputs the hook is shown: the values, or their tangents. */
typedef struct backward_run {
    float seed;
    bool tangent;
    ebm_node_hook hook;
    void *user;
} backward_run;

/* act'(x) * tangent of a convolution's input: what the tangent pass reads there. */
static const float *conv_tangent(ebm_session *s, const ebm_node *n)
{
    if (!n->activated)
        return tangent_of(s, n->input);
    float *map = s->work + s->plan.map[0];
    s->k->act_backward(s->g->act, s->g->slope, floats_of(s, input_of(s, n)), value_of(s, n->input),
                       tangent_of(s, n->input), map, false);
    return map;
}

static void show_node(ebm_session *s, int32_t i, const backward_run *run, const float *dy)
{
    const ebm_node *n = &s->g->nodes[i];
    if (!run->hook || n->op == EBM_OP_POOL)
        return;
    ebm_node_view view = {
        .node = i, .level = s->level, .dy = dy, .scratch = s->work + s->plan.scratch};
    if (n->op == EBM_OP_HEAD)
        view.x = s->work + s->plan.sums;
    else
        view.x = run->tangent ? conv_tangent(s, n) : conv_input(s, n);
    run->hook(run->user, &view);
}

static void backward_head(ebm_session *s, int32_t i, const backward_run *run)
{
    const ebm_node *n = &s->g->nodes[i], *in = input_of(s, n);
    const float *v = table_row(s, i, in->c);
    float *dsums = s->work + s->plan.dsums;
    show_node(s, i, run, &run->seed);
    for (int32_t c = 0; c < in->c; c++)
        dsums[c] = run->seed * v[c];
    s->k->head_backward(s->g->act_out, s->g->slope, in->c, in->h, in->w, value_of(s, n->input),
                        dsums, grad_of(s, n->input));
}

/* Adds what node i passes to its input: dx arrives in `map`, or in place when it is the first. */
static void pass_to_input(ebm_session *s, int32_t i, ebm_act act, const float *dx)
{
    const ebm_node *n = &s->g->nodes[i];
    s->k->act_backward(act, s->g->slope, floats_of(s, input_of(s, n)), value_of(s, n->input), dx,
                       grad_of(s, n->input), !s->plan.grad_first[i]);
}

static void backward_conv(ebm_session *s, int32_t i, const backward_run *run, bool want_input)
{
    const ebm_node *n = &s->g->nodes[i];
    const float *dy = grad_of(s, i);
    show_node(s, i, run, dy);
    if (n->input != 0 || want_input) {
        ebm_act act = n->activated ? s->g->act : EBM_ACT_NONE;
        bool in_place = s->plan.grad_first[i];
        float *dx = in_place ? grad_of(s, n->input) : s->work + s->plan.map[1];
        s->k->conv_backward_data(&n->conv, packed_of(s, i), dy, dx, s->work + s->plan.scratch);
        if (!in_place || act != EBM_ACT_NONE)
            pass_to_input(s, i, act, dx);
    }
    if (n->residual != EBM_NONE && !s->plan.residual_takes[i])
        s->k->act_backward(EBM_ACT_NONE, 0.0f, floats_of(s, n), dy, dy, grad_of(s, n->residual),
                           true);
}

static void backward_pool(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i], *in = input_of(s, n);
    bool in_place = s->plan.grad_first[i];
    float *dx = in_place ? grad_of(s, n->input) : s->work + s->plan.map[1];
    s->k->pool_backward(in->c, in->h, in->w, grad_of(s, i), dx);
    if (!in_place)
        pass_to_input(s, i, EBM_ACT_NONE, dx);
}

static void backward_pass(ebm_session *s, const backward_run *run, float *grad)
{
    int32_t head = s->g->n_nodes - 1;
    backward_head(s, head, run);
    for (int32_t i = head - 1; i > 0; i--) {
        if (s->g->nodes[i].op == EBM_OP_POOL)
            backward_pool(s, i);
        else
            backward_conv(s, i, run, grad != NULL);
    }
    if (grad)
        s->k->map_store(s->g->channels, s->g->height, s->g->width, grad_of(s, 0), grad);
}

void ebm_session_backward(ebm_session *s, float seed, float *grad, ebm_node_hook hook, void *user)
{
    backward_run run = {.seed = seed, .hook = hook, .user = user};
    backward_pass(s, &run, grad);
}

float ebm_session_gradient(ebm_session *s, const float *x, int32_t level, float *grad)
{
    float net = ebm_session_net(s, x, level);
    ebm_session_backward(s, 1.0f, grad, NULL, NULL);
    return net;
}

/* --- tangent -------------------------------------------------------------------------------- */

static void tangent_node(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i], *in = input_of(s, n);
    if (n->op == EBM_OP_POOL)
        s->k->pool_forward(in->c, in->h, in->w, tangent_of(s, n->input), tangent_of(s, i));
    else
        s->k->conv_forward(&n->conv, packed_of(s, i), s->work + s->plan.zeros, conv_tangent(s, n),
                           n->residual == EBM_NONE ? NULL : tangent_of(s, n->residual),
                           tangent_of(s, i), s->work + s->plan.scratch);
}

float ebm_session_tangent(ebm_session *s, const float *v)
{
    int32_t head = s->g->n_nodes - 1, last = s->g->nodes[head].input;
    const ebm_node *in = &s->g->nodes[last];
    float *map = s->work + s->plan.map[0], *sums = s->work + s->plan.sums;
    assert(s->tangent);
    s->k->map_load(s->g->channels, s->g->height, s->g->width, v, tangent_of(s, 0));
    for (int32_t i = 1; i < head; i++)
        tangent_node(s, i);
    s->k->act_backward(s->g->act_out, s->g->slope, floats_of(s, in), value_of(s, last),
                       tangent_of(s, last), map, false);
    s->k->head_sum(EBM_ACT_NONE, 0.0f, in->c, in->h, in->w, map, sums);
    return head_value(s, head, sums);
}

void ebm_session_backward_tangent(ebm_session *s, float seed, ebm_node_hook hook, void *user)
{
    backward_run run = {.seed = seed, .tangent = true, .hook = hook, .user = user};
    assert(s->tangent);
    backward_pass(s, &run, NULL);
}
