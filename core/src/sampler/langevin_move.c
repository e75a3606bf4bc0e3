/* One Langevin update in net units: log p is net/step2 plus the tether, so the drift
 * (step2/2) grad log p is half the raw gradient, and nothing is divided by step2 = 2e-5 only to
 * be multiplied by it again. */
#include "sampler/langevin_move.h"

#include <math.h>

#include "ebm/sampler.h"

ebm__langevin_coef ebm__langevin_coef_of(const ebm_levels *levels, int32_t level, double tether,
                                         double noise_scale)
{
    double s = levels->sigma[level + 1], length = levels->stride * levels->step2[level];
    return (ebm__langevin_coef){.drift = (float)(0.5 * levels->stride),
                                .pull = (float)(0.5 * length * tether / (s * s)),
                                .spread = (float)(sqrt(length) * noise_scale)};
}

void ebm__langevin_move(ebm__langevin_coef c, size_t dim, const float *anchor, const float *grad,
                        const float *noise, const float *mask, float *y)
{
    if (!mask) {
        for (size_t i = 0; i < dim; i++)
            y[i] += c.drift * grad[i] - c.pull * (y[i] - anchor[i]) + c.spread * noise[i];
        return;
    }
    for (size_t i = 0; i < dim; i++)
        y[i] += (1.0f - mask[i]) *
                (c.drift * grad[i] - c.pull * (y[i] - anchor[i]) + c.spread * noise[i]);
}

void ebm_langevin_update(const ebm_levels *levels, int32_t level, double noise_scale, size_t dim,
                         const float *anchor, const float *grad, const float *noise, float *y)
{
    const ebm__langevin_coef c =
        ebm__langevin_coef_of(levels, level, levels->tether[level], noise_scale);
    ebm__langevin_move(c, dim, anchor, grad, noise, NULL, y);
}
