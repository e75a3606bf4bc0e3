/* See spectral.h. */
#include "spectral.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"

#define LOWER_BOUND_EPS 1e-6

static void add_row(ebmt__spectral *s, const ebm_graph_info *g, int32_t tensor, bool lower_bound)
{
    const ebm_tensor_info *t = &g->tensors[tensor];
    ebmt__spectral_row *r = &s->row[s->n++];
    *r = (ebmt__spectral_row){.tensor = tensor,
                              .rows = (size_t)t->dim[0],
                              .cols = t->count / (size_t)t->dim[0],
                              .u_at = s->n_u,
                              .v_at = s->n_v,
                              .lower_bound = lower_bound};
    s->n_u += r->rows;
    s->n_v += r->cols;
}

ebm_status ebmt__spectral_init(const ebm_graph_info *g, ebmt__spectral *out, ebm_error *err)
{
    *out = (ebmt__spectral){0};
    out->row = calloc(2 * (size_t)g->n_nodes + 2, sizeof *out->row);
    if (!out->row)
        return ebm_error_set(err, EBM_ERR_NOMEM, "spectral", "no memory");
    add_row(out, g, g->temb0_weight, false);
    add_row(out, g, g->temb1_weight, false);
    for (int32_t i = 0; i < g->n_nodes; i++) {
        const ebm_node *n = &g->nodes[i];
        if (n->op != EBM_OP_CONV)
            continue;
        add_row(out, g, n->weight, ebmt__ends_branch(n));
        if (n->time_weight != EBM_NONE)
            add_row(out, g, n->time_weight, false);
    }
    out->v = ebm_alloc(out->n_v, sizeof *out->v);
    out->sigma = ebm_alloc((size_t)out->n, sizeof *out->sigma);
    if (out->v && out->sigma)
        return EBM_OK;
    ebmt__spectral_clear(out);
    return ebm_error_set(err, EBM_ERR_NOMEM, "spectral", "no memory");
}

void ebmt__spectral_clear(ebmt__spectral *s)
{
    free(s->row);
    ebm_free(s->v);
    ebm_free(s->sigma);
    *s = (ebmt__spectral){0};
}

static void normalise(float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    float inverse = (float)(1.0 / (sqrt(sum) + 1e-12));
    for (size_t i = 0; i < n; i++)
        x[i] *= inverse;
}

/* v = W^T u */
static void times_transposed(const ebmt__spectral_row *r, const float *w, const float *u, float *v)
{
    memset(v, 0, r->cols * sizeof *v);
    for (size_t o = 0; o < r->rows; o++)
        for (size_t i = 0; i < r->cols; i++)
            v[i] += u[o] * w[o * r->cols + i];
}

/* u = W v */
static void times(const ebmt__spectral_row *r, const float *w, const float *v, float *u)
{
    for (size_t o = 0; o < r->rows; o++) {
        double sum = 0.0;
        for (size_t i = 0; i < r->cols; i++)
            sum += (double)w[o * r->cols + i] * (double)v[i];
        u[o] = (float)sum;
    }
}

/* Returns s = u W v after the iterations. */
static double power_iterate(const ebmt__spectral_row *r, const float *w, int32_t iterations,
                            float *u, float *v)
{
    double norm = 0.0;
    for (int32_t k = 0; k < iterations; k++) {
        times_transposed(r, w, u, v);
        normalise(v, r->cols);
        times(r, w, v, u);
        norm = 0.0;
        for (size_t o = 0; o < r->rows; o++)
            norm += (double)u[o] * (double)u[o];
        normalise(u, r->rows);
    }
    return sqrt(norm); /* u = Wv/|Wv|, hence u W v = |Wv| */
}

/* What a tensor is multiplied by, given its norm. */
static double factor(const ebmt__spectral_row *r, double s)
{
    if (!r->lower_bound)
        return 1.0 / s;
    double bounded = s + LOWER_BOUND_EPS;
    return bounded < 1.0 ? 1.0 : 1.0 / bounded;
}

void ebmt__spectral_apply(ebmt__spectral *s, const ebm_graph_info *g, int32_t iterations,
                          const float *params, float *u, float *used)
{
    memcpy(used, params, g->n_params * sizeof *used);
    s->off = iterations == 0;
    for (int32_t k = 0; k < s->n && !s->off; k++) {
        const ebmt__spectral_row *r = &s->row[k];
        const ebm_tensor_info *t = &g->tensors[r->tensor];
        s->sigma[k] = power_iterate(r, params + t->offset, iterations, u + r->u_at, s->v + r->v_at);
        float scale = (float)factor(r, s->sigma[k]);
        for (size_t i = 0; i < t->count; i++)
            used[t->offset + i] *= scale;
    }
}

void ebmt__spectral_gradient(const ebmt__spectral *s, const ebm_graph_info *g, const float *params,
                             const float *u, float *grad)
{
    for (int32_t k = 0; k < s->n && !s->off; k++) {
        const ebmt__spectral_row *r = &s->row[k];
        const ebm_tensor_info *t = &g->tensors[r->tensor];
        if (r->lower_bound && s->sigma[k] + LOWER_BOUND_EPS < 1.0)
            continue;
        const float *w = params + t->offset, *left = u + r->u_at, *right = s->v + r->v_at;
        float *d = grad + t->offset;
        double scale = factor(r, s->sigma[k]), along = 0.0;
        for (size_t i = 0; i < t->count; i++)
            along += (double)d[i] * (double)w[i] * scale;
        for (size_t o = 0; o < r->rows; o++)
            for (size_t i = 0; i < r->cols; i++) {
                size_t at = o * r->cols + i;
                d[at] =
                    (float)(scale * ((double)d[at] - along * (double)left[o] * (double)right[i]));
            }
    }
}
