/* The normal approximation of a recovery conditional: one draw in place of a chain. Knows one
 * transition; never which chain it belongs to. */
#include "ebm/sampler.h"
#include "sampler/langevin_move.h"

ebm__langevin_coef ebm__normal_coef_of(const ebm_levels *levels, int32_t level, double noise_scale)
{
    double s = levels->sigma[level + 1];
    return (ebm__langevin_coef){.drift = (float)(s * s / levels->step2[level]),
                                .spread = (float)(s * noise_scale)};
}

void ebm_normal_update(const ebm_levels *levels, int32_t level, double noise_scale, size_t dim,
                       const float *grad, const float *noise, float *y)
{
    ebm__langevin_move(ebm__normal_coef_of(levels, level, noise_scale), dim, y, grad, noise, NULL,
                       y);
}
