/* Products and mixtures of densities. Knows that parts have units of their own, not what they are.
 */
#include "ebm/compose.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static size_t dim_of(const ebm_composition *c)
{
    return c->parts[0].density.dim;
}

/* logp_i in nats; the part's raw gradient goes to its row of scratch, and factor turns it into the
 * gradient of logp_i. */
static double evaluate(const ebm_composition *c, size_t i, const float *y, int32_t level,
                       double *factor)
{
    const ebm_compose_part *p = &c->parts[i];
    float net = 0.0f;
    *factor = 1.0 / p->levels->step2[level];
    p->density.gradient(p->density.self, y, level, &net, c->scratch + i * dim_of(c));
    return *factor * (double)net;
}

/* grad = sum_i coef_i grad_i */
static void add_gradients(const ebm_composition *c, const double *coef, float *grad)
{
    const size_t dim = dim_of(c);
    memset(grad, 0, dim * sizeof *grad);
    for (size_t i = 0; i < c->n_parts; i++) {
        const float *row = c->scratch + i * dim;
        const float f = (float)coef[i];
        for (size_t k = 0; k < dim; k++)
            grad[k] += f * row[k];
    }
}

static void product_gradient(void *self, const float *y, int32_t level, float *net, float *grad)
{
    const ebm_composition *c = self;
    const double step2 = c->levels->step2[level];
    double coef[EBM_COMPOSE_MAX_PARTS], logp = 0.0;
    for (size_t i = 0; i < c->n_parts; i++) {
        logp += c->parts[i].weight * evaluate(c, i, y, level, &coef[i]);
        coef[i] *= step2 * c->parts[i].weight;
    }
    add_gradients(c, coef, grad);
    if (net)
        *net = (float)(step2 * logp);
}

/* The gradient of log sum exp is the mean of the parts' gradients under their responsibilities. */
static void mixture_gradient(void *self, const float *y, int32_t level, float *net, float *grad)
{
    const ebm_composition *c = self;
    const double step2 = c->levels->step2[level];
    double coef[EBM_COMPOSE_MAX_PARTS], part[EBM_COMPOSE_MAX_PARTS];
    double top = -(double)INFINITY, sum = 0.0;
    for (size_t i = 0; i < c->n_parts; i++) {
        const ebm_compose_part *p = &c->parts[i];
        part[i] = evaluate(c, i, y, level, &coef[i]) + log(p->weight);
        part[i] -= p->log_z ? p->log_z[level] : 0.0;
        top = fmax(top, part[i]);
    }
    for (size_t i = 0; i < c->n_parts; i++) {
        part[i] = exp(part[i] - top);
        sum += part[i];
    }
    for (size_t i = 0; i < c->n_parts; i++)
        coef[i] *= step2 * part[i] / sum;
    add_gradients(c, coef, grad);
    if (net)
        *net = (float)(step2 * (top + log(sum)));
}

static ebm_status wrong(ebm_error *err, ebm_status status, size_t part, const char *field,
                        const char *rule)
{
    if (err)
        err->index = (int64_t)part;
    return ebm_error_set(err, status, field, "part %zu: %s", part, rule);
}

/* The same noise at every level, to the rounding of tables written as text. */
static bool same_noise(const ebm_levels *a, const ebm_levels *b)
{
    bool same = a->count == b->count;
    for (int32_t i = 0; same && i <= a->count; i++)
        same = fabs(a->sigma[i] - b->sigma[i]) <= 1e-9 && fabs(a->sbar[i] - b->sbar[i]) <= 1e-9;
    for (int32_t t = 0; same && t < a->count; t++)
        same = fabs(a->scale[t] - b->scale[t]) <= 1e-9;
    return same;
}

static ebm_status check_part(const ebm_composition *c, size_t i, ebm_error *err)
{
    const ebm_compose_part *p = &c->parts[i];
    const bool mixture = c->kind == EBM_COMPOSE_MIXTURE;
    if (p->density.dim != dim_of(c))
        return wrong(err, EBM_ERR_SHAPE, i, "dim", "differs from that of part 0");
    if (!same_noise(p->levels, c->levels))
        return wrong(err, EBM_ERR_SHAPE, i, "levels", "other noise levels");
    if (!(fabs(p->weight) <= 1e3) || (mixture && !(p->weight > 0.0)))
        return wrong(err, EBM_ERR_RANGE, i, "weight",
                     mixture ? "must be above 0, at most 1000" : "must be -1000..1000");
    for (int32_t t = 0; mixture && p->log_z && t < c->levels->count; t++)
        if (!isfinite(p->log_z[t]))
            return wrong(err, EBM_ERR_RANGE, i, "log_z", "must be finite");
    return EBM_OK;
}

ebm_status ebm_compose(ebm_composition *whole, ebm_density *out, ebm_error *err)
{
    ebm_status st = EBM_OK;
    if (whole->n_parts < 1 || whole->n_parts > EBM_COMPOSE_MAX_PARTS)
        return ebm_error_set(err, EBM_ERR_RANGE, "parts", "must be 1..%d", EBM_COMPOSE_MAX_PARTS);
    for (size_t i = 0; i < whole->n_parts && st == EBM_OK; i++)
        st = check_part(whole, i, err);
    if (st != EBM_OK)
        return st;
    *out = (ebm_density){.dim = dim_of(whole),
                         .self = whole,
                         .gradient = whole->kind == EBM_COMPOSE_PRODUCT ? product_gradient
                                                                        : mixture_gradient};
    return EBM_OK;
}
