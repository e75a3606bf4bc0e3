/* Sessions: one workspace, and the forward, backward and tangent passes over a graph in it.
 * One image at a time, node by node; a pass allocates nothing. */
#include "ebm/session.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "ebm/memory.h"
#include "graph/session_internal.h"

size_t ebm_session_bytes(const ebm_model *m, const ebm_session_options *opt)
{
    ebm__plan plan;
    size_t n = (size_t)m->info.graph->n_nodes;
    ebm_status st =
        ebm__plan_make(m->info.graph, m->info.kernels, opt && opt->tangent, &plan, NULL);
    if (st != EBM_OK)
        return 0;
    size_t tables = n * (4 * sizeof(size_t) + 6 * sizeof(bool));
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
    s->tangent = opt && opt->tangent;
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

/* What is known of a team's pace stays true when it comes and goes. */
ebm_status ebm_session_use_team(ebm_session *s, ebm_team *team, ebm_error *err)
{
    ebm_status st = ebm_team_reserve(team, s->plan.scratch_floats, err);
    if (st == EBM_OK)
        s->team = team;
    return st;
}

void ebm_session_leave_team(ebm_session *s)
{
    s->team = NULL;
}

/* --- forward -------------------------------------------------------------------------------- */

static void forward_up(ebm_session *s, int32_t i, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    const ebm_map_shape m = ebm__node_shape(n);
    const ebm_conv_result out = {.residual = value_of(s, n->residual),
                                 .y = value_of(s, i),
                                 .act = inner_act(s),
                                 .activated = activated_of(s, i)};
    s->k->up_forward(&m, value_of(s, n->input), &out, share);
}

static void forward_node(ebm_session *s, int32_t i, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    if (n->op == EBM_OP_POOL) {
        ebm_map_shape in = ebm__node_shape(input_of(s, n));
        s->k->pool_forward(&in, value_of(s, n->input), value_of(s, i), inner_act(s),
                           activated_of(s, i), share);
        return;
    }
    if (n->op == EBM_OP_UP) {
        forward_up(s, i, share);
        return;
    }
    if (n->op == EBM_OP_ATTENTION) {
        ebm__forward_attention(s, i, share);
        return;
    }
    const ebm_conv_result out = {.bias = table_row(s, i, n->c),
                                 .residual =
                                     n->residual == EBM_NONE ? NULL : value_of(s, n->residual),
                                 .y = value_of(s, i),
                                 .act = inner_act(s),
                                 .activated = activated_of(s, i)};
    s->k->conv_forward(&n->conv, packed_of(s, i), conv_input(s, n, share), &out,
                       scratch_of(s, share), share);
}

/* The image is one member's: it is small. */
static void forward_input(ebm_session *s, const float *x)
{
    ebm_map_shape m = image_shape(s);
    s->k->value_load(&m, x, value_of(s, 0));
    if (s->plan.has_activated[0])
        s->k->act_forward(inner_act(s), &m, value_of(s, 0), activated_of(s, 0), EBM_ALONE);
}

/* Leaves the head's sums in the workspace. */
static void forward_pass(ebm_session *s, const float *x, ebm_share share)
{
    int32_t head = s->g->n_nodes - 1;
    ebm_map_shape last = ebm__node_shape(input_of(s, &s->g->nodes[head]));
    if (share.index == 0)
        forward_input(s, x);
    meet(s, share);
    for (int32_t i = 1; i < head; i++) {
        forward_node(s, i, share);
        meet(s, share);
    }
    s->k->head_sum(outer_act(s), &last, value_of(s, s->g->nodes[head].input),
                   s->work + s->plan.sums, share);
    meet(s, share);
}

/* net = sum_c v_c sums_c, in double: the terms nearly cancel in trained networks. */
float ebm__head_value(const ebm_session *s, int32_t i, const float *sums)
{
    int32_t channels = input_of(s, &s->g->nodes[i])->c;
    const float *v = table_row(s, i, channels);
    double net = 0.0;
    for (int32_t c = 0; c < channels; c++)
        net += (double)v[c] * (double)sums[c];
    return (float)net;
}

static void set_level(ebm_session *s, int32_t level)
{
    assert(level >= 0 && level < s->model->levels.count);
    s->level = level;
    s->weights = &ebm__expert_at(s->model, level)->weights;
}

float ebm_session_net(ebm_session *s, const float *x, int32_t level)
{
    set_level(s, level);
    forward_pass(s, x, EBM_ALONE);
    return ebm__head_value(s, s->g->n_nodes - 1, s->work + s->plan.sums);
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

void ebm__backward_head(ebm_session *s, int32_t i, const backward_run *run, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    const float *v = table_row(s, i, in.c);
    float *dsums = s->work + s->plan.dsums;
    show(s, i, run, s->work + s->plan.sums, &run->seed, false);
    if (share.index == 0)
        for (int32_t c = 0; c < in.c; c++)
            dsums[c] = run->seed * v[c];
    meet(s, share);
    s->k->head_backward(outer_act(s), &in, value_of(s, n->input), dsums, grad_of(s, n->input),
                        share);
}

/* What node i adds to the gradient of its residual, unless that has taken over the very map. */
static void backward_residual(ebm_session *s, int32_t i, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape m = ebm__node_shape(n);
    if (n->residual == EBM_NONE || s->plan.residual_takes[i])
        return;
    meet(s, share); /* the residual may be the input that was just written */
    s->k->add(&m, grad_of(s, i), grad_of(s, n->residual), share);
}

void ebm__backward_conv(ebm_session *s, int32_t i, const backward_run *run, bool want_input,
                        ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    const float *dy = grad_of(s, i);
    if (run->hook)
        show(s, i, run, conv_input(s, n, EBM_ALONE), dy, false);
    if (n->input != 0 || want_input) {
        const ebm_conv_gradient out = {.gate = gate_of(s, n),
                                       .dx = grad_of(s, n->input),
                                       .accumulate = !s->plan.grad_first[i]};
        s->k->conv_backward_data(&n->conv, packed_of(s, i), dy, &out, scratch_of(s, share), share);
    }
    backward_residual(s, i, share);
}

void ebm__resize_gradient(ebm_session *s, const ebm_node *n, const float *dy, float *dx,
                          ebm_share share)
{
    ebm_map_shape in = ebm__node_shape(input_of(s, n)), out = ebm__node_shape(n);
    if (n->op == EBM_OP_POOL)
        s->k->pool_backward(&in, dy, dx, share);
    else
        s->k->up_backward(&out, dy, dx, share);
}

void ebm__backward_resize(ebm_session *s, int32_t i, ebm_share share)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    bool in_place = s->plan.grad_first[i];
    float *dx = in_place ? grad_of(s, n->input) : s->work + s->plan.map;
    ebm__resize_gradient(s, n, grad_of(s, i), dx, share);
    if (!in_place) {
        meet(s, share);
        s->k->add(&in, dx, grad_of(s, n->input), share);
    }
    backward_residual(s, i, share);
}

/* Hooks see a pass that the caller does alone. */
static void backward_pass(ebm_session *s, const backward_run *run, float *grad, ebm_share share)
{
    int32_t head = s->g->n_nodes - 1;
    ebm_map_shape image = image_shape(s);
    assert(!run->hook || share.count == 1);
    ebm__backward_head(s, head, run, share);
    meet(s, share);
    for (int32_t i = head - 1; i > 0; i--) {
        const ebm_node *n = &s->g->nodes[i];
        if (is_resize(n))
            ebm__backward_resize(s, i, share);
        else if (n->op == EBM_OP_ATTENTION)
            ebm__backward_attention(s, i, share);
        else
            ebm__backward_conv(s, i, run, grad != NULL, share);
        meet(s, share);
    }
    if (grad && share.index == 0)
        s->k->operand_store(&image, grad_of(s, 0), grad);
}

void ebm_session_backward(ebm_session *s, float seed, float *grad, ebm_node_hook hook, void *user)
{
    backward_run run = {.seed = seed, .hook = hook, .user = user};
    backward_pass(s, &run, grad, EBM_ALONE);
}

/* Both passes, as a team does them. */
typedef struct gradient_job {
    ebm_session *s;
    const float *x;
    float *grad;
} gradient_job;

static void gradient_part(void *user, ebm_share share)
{
    const gradient_job *job = user;
    const backward_run run = {.seed = 1.0f};
    forward_pass(job->s, job->x, share);
    backward_pass(job->s, &run, job->grad, share);
}

/* --- alone or as a team ---------------------------------------------------------------------- */

/* On an idle machine a team is faster, on a busy one its members wait for each other's turn on a
 * core. The bits are the same, so both are tried now and then and the faster one is used. */
#define TRIAL_PASSES  4   /* of either kind, in a period */
#define PERIOD_PASSES 256 /* begins with the trials */

static double seconds_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Which kind the next pass is. */
static bool team_is_due(team_pace *pace)
{
    uint32_t turn = pace->passes++ % PERIOD_PASSES;
    if (turn == 0)
        pace->seconds[0] = pace->seconds[1] = 0.0;
    if (turn < 2 * TRIAL_PASSES)
        return turn < TRIAL_PASSES;
    return pace->seconds[1] < pace->seconds[0];
}

static void run_gradient(ebm_session *s, gradient_job *job)
{
    bool trial = s->pace.passes % PERIOD_PASSES < 2 * TRIAL_PASSES;
    bool together = team_is_due(&s->pace);
    double start = trial ? seconds_now() : 0.0;
    if (together)
        ebm_team_run(s->team, gradient_part, job);
    else
        gradient_part(job, EBM_ALONE);
    if (trial)
        s->pace.seconds[together] += seconds_now() - start;
}

float ebm_session_gradient(ebm_session *s, const float *x, int32_t level, float *grad)
{
    gradient_job job = {.s = s, .x = x, .grad = grad};
    set_level(s, level);
    if (s->team && ebm_team_count(s->team) > 1)
        run_gradient(s, &job);
    else
        gradient_part(&job, EBM_ALONE);
    return ebm__head_value(s, s->g->n_nodes - 1, s->work + s->plan.sums);
}
