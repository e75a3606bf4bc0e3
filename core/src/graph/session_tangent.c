/* The derivative of a pass along a direction, and its gradient in the parameters: what matching
 * needs. See ebm/session.h. */
#include <assert.h>

#include "graph/session_internal.h"

/* act'(x) * tangent of a convolution's input: what the tangent pass multiplies. */
static const float *conv_tangent(ebm_session *s, const ebm_node *n)
{
    const ebm_gate gate = gate_of(s, n);
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    float *map = s->work + s->plan.map;
    s->k->act_tangent(&gate, &in, tangent_of(s, n->input), map, EBM_ALONE);
    return map;
}

/* --- tangent -------------------------------------------------------------------------------- */

static void tangent_node(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    if (n->op == EBM_OP_POOL) {
        ebm_map_shape in = ebm__node_shape(input_of(s, n));
        s->k->pool_forward(&in, tangent_of(s, n->input), tangent_of(s, i), inner_act(s), NULL,
                           EBM_ALONE);
        return;
    }
    if (n->op == EBM_OP_UP) {
        ebm_map_shape m = ebm__node_shape(n);
        const ebm_conv_result up = {.residual = tangent_of(s, n->residual), .y = tangent_of(s, i)};
        s->k->up_forward(&m, tangent_of(s, n->input), &up, EBM_ALONE);
        return;
    }
    if (n->op == EBM_OP_ATTENTION) {
        ebm__tangent_attention(s, i);
        return;
    }
    const ebm_conv_result out = {.bias = s->work + s->plan.zeros,
                                 .residual =
                                     n->residual == EBM_NONE ? NULL : tangent_of(s, n->residual),
                                 .y = tangent_of(s, i)};
    s->k->conv_forward(&n->conv, packed_of(s, i), conv_tangent(s, n), &out,
                       scratch_of(s, EBM_ALONE), EBM_ALONE);
}

float ebm_session_tangent(ebm_session *s, const float *v)
{
    int32_t head = s->g->n_nodes - 1, last = s->g->nodes[head].input;
    ebm_map_shape image = image_shape(s), in = ebm__node_shape(&s->g->nodes[last]);
    float *sums = s->work + s->plan.sums;
    assert(s->tangent);
    s->k->value_load(&image, v, tangent_of(s, 0));
    for (int32_t i = 1; i < head; i++)
        tangent_node(s, i);
    s->k->head_tangent(outer_act(s), &in, value_of(s, last), tangent_of(s, last), sums);
    return ebm__head_value(s, head, sums);
}

/* --- backward of a tangent ------------------------------------------------------------------- */

/* The tangent pass computed <v, grad net> from two things in every node: its value x and its
 * tangent v. grad_of() carries the derivative in the tangents, which is the ordinary gradient of
 * net; second_of() that in the values, which the curvature of activations and attention make.
 * @eq y = W a(x) + b, w = W (a'(x) v):
 *     d/dv = a' W^T d/dw,  d/dx = a' W^T d/dy + a'' v W^T d/dw,  dW = d/dw (x) a'v + d/dy (x) a */
static void second_head(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    float *map = s->work + s->plan.map;
    s->k->head_backward((ebm_activation){.kind = EBM_ACT_NONE}, &in, value_of(s, n->input),
                        s->work + s->plan.dsums, map, EBM_ALONE);
    s->k->curve_backward(outer_act(s), &in, value_of(s, n->input), tangent_of(s, n->input), map,
                         second_of(s, n->input), false);
}

/* What node i passes to its input, in both. */
static void second_input(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    const ebm_gate gate = gate_of(s, n);
    bool add = !s->plan.grad_first[i];
    float *map = s->work + s->plan.map, *scratch = scratch_of(s, EBM_ALONE);
    const ebm_conv_gradient plain = {.dx = map};
    const ebm_conv_gradient values = {
        .gate = gate, .dx = second_of(s, n->input), .accumulate = add};
    s->k->conv_backward_data(&n->conv, packed_of(s, i), second_of(s, i), &values, scratch,
                             EBM_ALONE);
    s->k->conv_backward_data(&n->conv, packed_of(s, i), grad_of(s, i), &plain, scratch, EBM_ALONE);
    if (n->activated && s->g->act == EBM_ACT_SILU) /* others do not bend, and keep no values */
        s->k->curve_backward(inner_act(s), &in, value_of(s, n->input), tangent_of(s, n->input), map,
                             second_of(s, n->input), true);
    s->k->gate_backward(&gate, &in, map, grad_of(s, n->input), add);
}

static void second_residual(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape m = ebm__node_shape(n);
    if (n->residual == EBM_NONE || s->plan.residual_takes[i])
        return;
    s->k->add(&m, grad_of(s, i), grad_of(s, n->residual), EBM_ALONE);
    s->k->add(&m, second_of(s, i), second_of(s, n->residual), EBM_ALONE);
}

static void second_conv(ebm_session *s, int32_t i, const backward_run *run)
{
    const ebm_node *n = &s->g->nodes[i];
    show(s, i, run, conv_tangent(s, n), grad_of(s, i), true);
    show(s, i, run, conv_input(s, n, EBM_ALONE), second_of(s, i), false);
    if (n->input != 0)
        second_input(s, i);
    second_residual(s, i);
}

static void second_resize(ebm_session *s, int32_t i)
{
    const ebm_node *n = &s->g->nodes[i];
    ebm_map_shape in = ebm__node_shape(input_of(s, n));
    const float *dy[2] = {grad_of(s, i), second_of(s, i)};
    float *dx[2] = {grad_of(s, n->input), second_of(s, n->input)}, *map = s->work + s->plan.map;
    for (int k = 0; k < 2; k++) {
        ebm__resize_gradient(s, n, dy[k], s->plan.grad_first[i] ? dx[k] : map, EBM_ALONE);
        if (!s->plan.grad_first[i])
            s->k->add(&in, map, dx[k], EBM_ALONE);
    }
    second_residual(s, i);
}

static void second_pass(ebm_session *s, const backward_run *run)
{
    int32_t head = s->g->n_nodes - 1;
    ebm__backward_head(s, head, run, EBM_ALONE);
    second_head(s, head);
    for (int32_t i = head - 1; i > 0; i--) {
        const ebm_node *n = &s->g->nodes[i];
        if (is_resize(n))
            second_resize(s, i);
        else if (n->op == EBM_OP_ATTENTION)
            ebm__second_attention(s, i);
        else
            second_conv(s, i, run);
    }
}

/* Piecewise linear activations have no curvature, and there is no attention: the second derivatives
 * are zero, and only the weights' tangents count. */
static void linear_pass(ebm_session *s, const backward_run *run)
{
    const backward_run quiet = {.seed = run->seed};
    int32_t head = s->g->n_nodes - 1;
    ebm__backward_head(s, head, run, EBM_ALONE);
    for (int32_t i = head - 1; i > 0; i--) {
        const ebm_node *n = &s->g->nodes[i];
        if (is_resize(n)) {
            ebm__backward_resize(s, i, EBM_ALONE);
            continue;
        }
        show(s, i, run, conv_tangent(s, n), grad_of(s, i), true);
        ebm__backward_conv(s, i, &quiet, false, EBM_ALONE);
    }
}

void ebm_session_backward_tangent(ebm_session *s, float seed, ebm_node_hook hook, void *user)
{
    const backward_run run = {.seed = seed, .hook = hook, .user = user};
    assert(s->tangent);
    if (ebm__is_smooth(s->g))
        second_pass(s, &run);
    else
        linear_pass(s, &run);
}
