/* Turns accumulated sums into gradients: through the gain to weights and biases, and through the
 * level tables back into the time embedding's dense layers. */
#include "ebmt/grad.h"

#include <string.h>

#include "ebm/memory.h"

/* The time embedding of one level, with what its backward pass needs.
 * @shape sincos [time_dim]; the others [time_hidden] */
typedef struct time_pass {
    float *sincos, *hidden, *hidden_act, *temb, *temb_act, *d_temb_act, *d_temb, *d_hidden;
} time_pass;

typedef struct finisher {
    const ebmt_grads *sums;
    const ebm_graph_info *g;
    const ebm_kernels *plain; /* for activations */
    const float *params;
    float *grad;
    time_pass time;
} finisher;

static const float *param_of(const finisher *f, int32_t tensor)
{
    return f->params + f->g->tensors[tensor].offset;
}

static float *grad_of(const finisher *f, int32_t tensor)
{
    return f->grad + f->g->tensors[tensor].offset;
}

/* y = W*x + b */
static void dense_forward(const finisher *f, int32_t weight, int32_t bias, const float *x, float *y)
{
    const ebm_tensor_info *t = &f->g->tensors[weight];
    const float *w = param_of(f, weight), *b = param_of(f, bias);
    for (int32_t o = 0; o < t->dim[0]; o++, w += t->dim[1]) {
        double sum = (double)b[o];
        for (int32_t i = 0; i < t->dim[1]; i++)
            sum += (double)w[i] * (double)x[i];
        y[o] = (float)sum;
    }
}

/* dW += dy (x) x, db += dy, dx += W^T*dy (dx may be NULL) */
static void dense_backward(const finisher *f, int32_t weight, int32_t bias, const float *x,
                           const float *dy, float *dx)
{
    const ebm_tensor_info *t = &f->g->tensors[weight];
    const float *w = param_of(f, weight);
    float *dw = grad_of(f, weight), *db = grad_of(f, bias);
    for (int32_t o = 0; o < t->dim[0]; o++, w += t->dim[1], dw += t->dim[1]) {
        db[o] += dy[o];
        for (int32_t i = 0; i < t->dim[1]; i++)
            dw[i] += dy[o] * x[i];
        for (int32_t i = 0; dx && i < t->dim[1]; i++)
            dx[i] += dy[o] * w[i];
    }
}

/* Weight, gain and bias of one convolution. @eq y = g*(W*x + b): dW = g*G, db = g*G_b,
 * dg = <G,W> + G_b*b per channel, with G the gradient in g*W and G_b the one in g*b */
static void finish_conv(const finisher *f, int32_t node)
{
    const ebm_node *n = &f->g->nodes[node];
    size_t channels = (size_t)n->c, per_channel = f->g->tensors[n->weight].count / channels;
    const float *w = param_of(f, n->weight), *b = param_of(f, n->bias);
    const float *eff = f->sums->effective + f->g->tensors[n->weight].offset;
    float *dw = grad_of(f, n->weight), *db = grad_of(f, n->bias);
    for (size_t c = 0; c < channels; c++) {
        float g_bias = 0.0f, gain = n->gain == EBM_NONE ? 1.0f : param_of(f, n->gain)[c];
        double along = 0.0;
        for (int32_t t = 0; t < f->sums->levels; t++)
            g_bias += f->sums->rows[f->sums->row_at[node] + (size_t)t * channels + c];
        for (size_t i = c * per_channel; i < (c + 1) * per_channel; i++) {
            along += (double)eff[i] * (double)w[i];
            dw[i] = gain * eff[i];
        }
        db[c] = gain * g_bias;
        if (n->gain != EBM_NONE)
            grad_of(f, n->gain)[c] = (float)(along + (double)g_bias * (double)b[c]);
    }
}

static void time_forward(finisher *f, int32_t t)
{
    const ebm_graph_info *g = f->g;
    const ebm_activation act = {.kind = g->act, .slope = g->slope};
    const ebm_map_shape m = {.c = g->time_hidden, .h = 1, .w = 1};
    ebm_time_embedding(t, g->time_dim, f->time.sincos);
    dense_forward(f, g->temb0_weight, g->temb0_bias, f->time.sincos, f->time.hidden);
    f->plain->act_forward(act, &m, f->time.hidden, f->time.hidden_act, EBM_ALONE);
    dense_forward(f, g->temb1_weight, g->temb1_bias, f->time.hidden_act, f->time.temb);
    f->plain->act_forward(act, &m, f->time.temb, f->time.temb_act, EBM_ALONE);
}

/* Level t: from the rows of all nodes back to temb1 and temb0. */
static void finish_level(finisher *f, int32_t t)
{
    const ebm_graph_info *g = f->g;
    size_t n = (size_t)g->time_hidden;
    const ebm_activation act = {.kind = g->act, .slope = g->slope};
    const ebm_map_shape m = {.c = g->time_hidden, .h = 1, .w = 1};
    time_forward(f, t);
    memset(f->time.d_temb_act, 0, n * sizeof(float));
    memset(f->time.d_hidden, 0, n * sizeof(float));
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *node = &g->nodes[i];
        if (node->time_weight == EBM_NONE)
            continue;
        size_t channels = (size_t)g->tensors[node->time_weight].dim[0];
        const float *row = f->sums->rows + f->sums->row_at[i] + (size_t)t * channels;
        dense_backward(f, node->time_weight, node->time_bias, f->time.temb_act, row,
                       f->time.d_temb_act);
    }
    const ebm_gate temb = {.act = act, .x = f->time.temb, .activated = f->time.temb_act};
    const ebm_gate hidden = {.act = act, .x = f->time.hidden, .activated = f->time.hidden_act};
    f->plain->act_tangent(&temb, &m, f->time.d_temb_act, f->time.d_temb, EBM_ALONE);
    dense_backward(f, g->temb1_weight, g->temb1_bias, f->time.hidden_act, f->time.d_temb,
                   f->time.d_hidden);
    f->plain->act_tangent(&hidden, &m, f->time.d_hidden, f->time.d_hidden, EBM_ALONE);
    dense_backward(f, g->temb0_weight, g->temb0_bias, f->time.sincos, f->time.d_hidden, NULL);
}

ebm_status ebmt_grads_finish(const ebmt_grads *grads, const float *params, float *grad,
                             ebm_error *err)
{
    finisher f = {.sums = grads, .g = grads->g, .params = params, .grad = grad};
    size_t hidden = (size_t)grads->g->time_hidden;
    ebm_status st = ebm_kernels_select("ref", &f.plain, err);
    if (st != EBM_OK)
        return st;
    float *work = ebm_alloc(7 * hidden + (size_t)grads->g->time_dim, sizeof *work);
    if (!work)
        return ebm_error_set(err, EBM_ERR_NOMEM, "gradients", "no memory");
    float **parts[] = {&f.time.hidden,     &f.time.hidden_act, &f.time.temb,    &f.time.temb_act,
                       &f.time.d_temb_act, &f.time.d_temb,     &f.time.d_hidden};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        *parts[i] = work + i * hidden;
    f.time.sincos = work + 7 * hidden;

    memset(grad, 0, grads->g->n_params * sizeof *grad);
    for (int32_t i = 0; i < grads->g->n_nodes; i++)
        if (grads->g->nodes[i].op == EBM_OP_CONV)
            finish_conv(&f, i);
    for (int32_t t = 0; t < grads->levels; t++)
        finish_level(&f, t);
    ebm_free(work);
    return EBM_OK;
}
