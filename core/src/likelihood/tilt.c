/* Densities between a base and a level of the model, evaluated once a point. */
#include "likelihood/tilt.h"

#include <math.h>

#include "sampler/level_target.h"
#include "sampler/reduce.h"

#define LOG_2PI 1.8378770664093453

static size_t dim_of(const ebm__tilt *t)
{
    return t->how->density->dim;
}

/* log N(u; mean, sd^2 I), normalised. */
static double gauss(const ebm__tilt *t, const float *u, float *grad)
{
    const size_t dim = dim_of(t);
    const double inverse = 1.0 / (t->sd * t->sd);
    double square = t->mean ? ebm__distance2(u, t->mean, dim) : ebm__dot(u, u, dim);
    for (size_t i = 0; i < dim; i++)
        grad[i] = (float)inverse * ((t->mean ? t->mean[i] : 0.0f) - u[i]);
    return -0.5 * (inverse * square + (double)dim * (LOG_2PI + 2.0 * log(t->sd)));
}

/* f_level(scale u) and its gradient in u. */
static double level_density(const ebm__tilt *t, int32_t level, float scale, const float *u,
                            float *grad)
{
    const ebm_density *d = t->how->density;
    const size_t dim = dim_of(t);
    const double step2 = t->how->levels->step2[level];
    const float factor = (float)((double)scale / step2);
    const float *at = u;
    float net = 0.0f;
    if (scale != 1.0f) {
        for (size_t i = 0; i < dim; i++)
            t->scaled[i] = scale * u[i];
        at = t->scaled;
    }
    d->gradient(d->self, at, level, &net, grad);
    for (size_t i = 0; i < dim; i++)
        grad[i] *= factor;
    return (double)net / step2;
}

static double weight_of_base(const ebm__tilt *t)
{
    return t->keep_base ? 1.0 : 1.0 - t->beta;
}

static double combine(const ebm__tilt *t, const ebm__tilt_point *p, float *grad)
{
    const double base = weight_of_base(t);
    const float b = (float)base, f = (float)t->beta;
    for (size_t i = 0; i < dim_of(t); i++)
        grad[i] = b * p->grad_base[i] + f * p->grad_level[i];
    return base * p->base + t->beta * p->level;
}

static double tilt_eval(void *self, const float *u, float *grad)
{
    ebm__tilt *t = self;
    const ebm_levels *l = t->how->levels;
    ebm__tilt_point *p = &t->trial;
    p->base = t->base_level < 0 ? gauss(t, u, p->grad_base)
                                : level_density(t, t->base_level, (float)l->scale[t->base_level], u,
                                                p->grad_base);
    p->level = level_density(t, t->level, 1.0f, u, p->grad_level);
    return combine(t, p, grad);
}

static void tilt_keep(void *self)
{
    ebm__tilt *t = self;
    ebm__tilt_point old = t->now;
    t->now = t->trial;
    t->trial = old;
}

ebm__target ebm__tilt_target(ebm__tilt *t)
{
    return (ebm__target){.dim = dim_of(t), .self = t, .eval = tilt_eval, .keep = tilt_keep};
}

double ebm__tilt_slope(const ebm__tilt *t)
{
    return t->keep_base ? t->now.level : t->now.level - t->now.base;
}

void ebm__tilt_set(ebm__tilt *t, double beta, ebm__hmc *h)
{
    t->beta = beta;
    h->logp = combine(t, &t->now, h->grad);
}

/* A tuned factor says how much wider the density is than its noise: the step that works is 1/sqrt
 * of the curvature met, so that is less by the factor's square. */
static double tuned2(const ebm__tilt *t, int32_t level)
{
    double f = t->how->tuned ? t->how->tuned[level] : 1.0;
    return f * f;
}

/* A level's own coordinate is y = A x; seen from x its noise is sbar wide. */
double ebm__tilt_base_curvature(const ebm__tilt *t)
{
    double s = t->base_level < 0 ? t->sd : t->how->levels->sbar[t->base_level];
    return 1.0 / (s * s) / (t->base_level < 0 ? 1.0 : tuned2(t, t->base_level));
}

/* Where the base stays, the factor was found for both together. */
double ebm__tilt_level_curvature(const ebm__tilt *t)
{
    double level = ebm__level_curvature(t->how->levels, t->level, 0.0);
    double base = t->keep_base ? ebm__tilt_base_curvature(t) : 0.0;
    return fmax((base + level) / tuned2(t, t->level) - base, 1e-6 * level);
}
