/* See objective.h. */
#include "objective.h"

#include <math.h>
#include <string.h>

#include "acceptance.h"
#include "ebm/rng.h"
#include "ebm/sampler.h"

static size_t dim_of(const ebm_session *s)
{
    const ebm_graph_info *g = ebm_model_describe(ebm_session_model(s))->graph;
    return (size_t)g->channels * (size_t)g->height * (size_t)g->width;
}

/* Steps after the first know where the one before them began, so that it can be judged at no
 * further pass. @shape work [4*D] */
static ebmt__moves langevin_steps(ebm_session *s, const ebm_levels *levels, ebm_stream *stream,
                                  ebmt__pair *pair, float *work)
{
    size_t n = dim_of(s);
    float *noise = work, *before = work + n, *grad[2] = {work + 2 * n, work + 3 * n};
    ebmt__stand stand[2] = {{before, grad[0], 0.0}, {pair->y_minus, grad[1], 0.0}};
    ebmt__moves moves = {0};
    for (int32_t k = 0; k < levels->steps[pair->level]; k++) {
        float *here = grad[k % 2];
        stream->step = (uint32_t)k;
        stand[0].grad = grad[(k + 1) % 2];
        stand[0].net = stand[1].net;
        stand[1].grad = here;
        stand[1].net = (double)ebm_session_gradient(s, pair->y_minus, pair->level, here);
        if (k > 0) {
            moves.accepted +=
                ebmt__acceptance(levels, pair->level, n, pair->x_next, &stand[0], &stand[1]);
            moves.n++;
        }
        memcpy(before, pair->y_minus, n * sizeof *before);
        ebm_rng_normal(stream, 0, n, noise);
        ebm_langevin_update(levels, pair->level, 1.0, n, pair->x_next, here, noise, pair->y_minus);
    }
    return moves;
}

ebmt__moves ebmt__negative(ebm_session *s, const ebm_levels *levels, uint64_t iteration_seed,
                           uint32_t slot, ebmt__pair *pair, float *work)
{
    size_t n = dim_of(s);
    float *grad = work, *noise = work + n;
    ebm_stream stream = {.seed = iteration_seed,
                         .purpose = EBM_PURPOSE_LANGEVIN,
                         .chain = slot,
                         .level = (uint32_t)pair->level};
    memcpy(pair->y_minus, pair->x_next, n * sizeof *pair->y_minus);
    if (levels->steps[pair->level] == EBM_STEPS_NORMAL) {
        ebm_session_gradient(s, pair->y_minus, pair->level, grad);
        ebm_rng_normal(&stream, 0, n, noise);
        ebm_normal_update(levels, pair->level, 1.0, n, grad, noise, pair->y_minus);
    }
    return langevin_steps(s, levels, &stream, pair, work);
}

double ebmt__recovery_term(ebm_session *s, const ebmt__pair *pair, double weight, ebmt_grads *grads,
                           double *gap)
{
    double minus = (double)ebm_session_net(s, pair->y_minus, pair->level);
    ebmt_grads_backward(grads, s, (float)weight);
    double plus = (double)ebm_session_net(s, pair->y_plus, pair->level);
    ebmt_grads_backward(grads, s, (float)-weight);
    *gap = plus - minus;
    return minus - plus;
}

/* c_t, and v_t + sigma_{t+1}^2: the variance of what x_{t+1} adds to the mean image. A normal
 * transition looks at x_{t+1} itself, so its c_t has that variance in place of v_t. */
static double drift_share(const ebm_levels *l, int32_t t, double *variance)
{
    double noise = l->scale[t] * l->sbar[t], sigma = l->sigma[t + 1];
    *variance = noise * noise + sigma * sigma;
    if (l->steps[t] == EBM_STEPS_NORMAL)
        return l->step2[t] / (2.0 * *variance);
    return l->step2[t] / (2.0 * noise * noise);
}

/* How far from y to x_{t+1} matching looks: anywhere between with a chain, which passes there; at
 * the top, where chains start from noise and no tether holds them, only at y; at x_{t+1} for a
 * normal transition, the only place where its gradient is ever taken. */
static float mix_of(const ebm_levels *l, const ebmt__pair *pair)
{
    if (l->steps[pair->level] == EBM_STEPS_NORMAL)
        return 1.0f;
    return l->tether[pair->level] != 0.0 ? (float)pair->mix : 0.0f;
}

double ebmt__matching_term(ebm_session *s, const ebm_levels *levels, const ebmt__pair *pair,
                           double weight, ebmt_grads *grads, float *work)
{
    size_t n = dim_of(s);
    int32_t t = pair->level;
    float *z = work, *grad = work + n, *miss = work + 2 * n;
    double variance, c = drift_share(levels, t, &variance);
    double norm = (double)n * c * c * variance, sum = 0.0;
    float q = mix_of(levels, pair);
    float mean = (float)(levels->scale[t] * levels->abar[t]);
    for (size_t i = 0; i < n; i++)
        z[i] = (1.0f - q) * pair->y_plus[i] + q * pair->x_next[i];
    ebm_session_gradient(s, z, t, grad);
    for (size_t i = 0; i < n; i++) {
        double r = 0.5 * (double)grad[i] - c * (double)(mean * pair->clean[i] - z[i]);
        sum += r * r;
        miss[i] = (float)(weight * r / norm); /* d loss / d grad_i: 2 r/norm times 1/2 */
    }
    ebm_session_tangent(s, miss);
    ebmt_grads_backward_tangent(grads, s, 1.0f); /* of <miss, grad net(z)> */
    return sum / norm;
}

double ebmt__paper_weight(const ebm_levels *levels, int32_t t)
{
    return levels->sigma[1] / levels->sigma[t + 1];
}

double ebmt__balanced_weight(const ebm_levels *levels, int32_t t, size_t dim)
{
    double variance, c = drift_share(levels, t, &variance);
    return 1.0 / ((double)dim * c * variance);
}
