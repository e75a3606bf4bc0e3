/* See adam.h. */
#include "adam.h"

#include <math.h>
#include <string.h>

void ebmt__adam_step(const ebmt_config *c, double lr, const float *grad, ebmt_state *state)
{
    state->adam_step++;
    double t = (double)state->adam_step;
    float b1 = (float)c->beta1, b2 = (float)c->beta2;
    float unbias1 = (float)(1.0 / (1.0 - pow(c->beta1, t)));
    float unbias2 = (float)(1.0 / (1.0 - pow(c->beta2, t)));
    float rate = (float)lr, eps = (float)c->adam_eps;
    for (size_t i = 0; i < state->size.params; i++) {
        float m = state->adam_m[i] = b1 * state->adam_m[i] + (1.0f - b1) * grad[i];
        float v = state->adam_v[i] = b2 * state->adam_v[i] + (1.0f - b2) * grad[i] * grad[i];
        state->params[i] -= rate * (m * unbias1) / (sqrtf(v * unbias2) + eps);
    }
}

void ebmt__adam_reset(ebmt_state *state)
{
    memset(state->adam_m, 0, state->size.params * sizeof *state->adam_m);
    memset(state->adam_v, 0, state->size.params * sizeof *state->adam_v);
    state->adam_step = 0;
    state->grad_norm_mean = 0.0;
}

static void average(float keep, size_t n, const float *now, float *mean)
{
    for (size_t i = 0; i < n; i++)
        mean[i] = keep * mean[i] + (1.0f - keep) * now[i];
}

void ebmt__ema_step(const ebmt_config *c, ebmt_state *state)
{
    double keep = c->ema, n = (double)state->iteration;
    double ramp = (1.0 + n) / (10.0 + n);
    if (c->ema_ramp && ramp < keep)
        keep = ramp;
    average((float)keep, state->size.params, state->params, state->ema);
    average((float)keep, state->size.spectral, state->spectral_u, state->ema_spectral_u);
}

bool ebmt__warm_start(const ebmt_config *c, int64_t iteration)
{
    return c->objective == EBMT_HYBRID && iteration < c->warm_start;
}

/* How much of the fall is done after a part `done` of it. */
static double fallen(ebmt_decay shape, double done)
{
    static const double pi = 3.14159265358979323846;
    return shape == EBMT_DECAY_COSINE ? 0.5 * (1.0 - cos(pi * done)) : done;
}

double ebmt__learning_rate(const ebmt_config *c, int64_t iteration, int64_t adam_step)
{
    double lr = ebmt__warm_start(c, iteration) ? c->lr_warm_start : c->lr;
    double begin = c->lr_decay_from * (double)c->iterations;
    double rest = (double)c->iterations - begin;
    if (adam_step < c->lr_warmup)
        lr *= (double)(adam_step + 1) / (double)c->lr_warmup;
    if (rest > 0.0 && (double)iteration > begin)
        lr *= 1.0 + (c->lr_final - 1.0) * fallen(c->lr_decay, ((double)iteration - begin) / rest);
    return lr;
}
