/* The last step of a chain that is asked for clean images: Tweedie's formula at level 0. Knows no
 * chains. */
#include "ebm/sampler.h"

void ebm_denoise_update(const ebm_levels *levels, size_t dim, const float *grad, float *y)
{
    double noise = levels->scale[0] * levels->sbar[0];
    float drift = (float)(noise * noise / levels->step2[0]);
    float grow = (float)(1.0 / levels->abar[0]);
    for (size_t i = 0; i < dim; i++)
        y[i] = grow * (y[i] + drift * grad[i]);
}
