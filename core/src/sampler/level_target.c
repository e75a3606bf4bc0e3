/* The density of one level in nats, as MALA and HMC see it. */
#include "sampler/level_target.h"

#include "sampler/reduce.h"

static double pull_of(const ebm__level_target *t)
{
    double s = t->levels->sigma[t->level + 1];
    return t->tether / (s * s);
}

double ebm__level_logp(const ebm__level_target *t, float net, const float *y)
{
    double logp = (double)net / t->levels->step2[t->level];
    if (t->tether > 0.0)
        logp -= 0.5 * pull_of(t) * ebm__distance2(y, t->anchor, t->density->dim);
    return logp;
}

static double level_eval(void *self, const float *y, float *grad)
{
    const ebm__level_target *t = self;
    const size_t dim = t->density->dim;
    float net = 0.0f, scale = (float)(1.0 / t->levels->step2[t->level]), pull = (float)pull_of(t);
    t->density->gradient(t->density->self, y, t->level, &net, grad);
    for (size_t i = 0; i < dim; i++)
        grad[i] = scale * grad[i] - pull * (y[i] - t->anchor[i]);
    for (size_t i = 0; t->mask && i < dim; i++)
        if (t->mask[i] == 1.0f)
            grad[i] = 0.0f;
    return ebm__level_logp(t, net, y);
}

ebm__target ebm__level_target_of(ebm__level_target *t)
{
    return (ebm__target){.dim = t->density->dim, .self = t, .eval = level_eval};
}

double ebm__level_curvature(const ebm_levels *levels, int32_t level, double tether)
{
    double noise = levels->scale[level] * levels->sbar[level], s = levels->sigma[level + 1];
    return 1.0 / (noise * noise) + tether / (s * s);
}
