/* Where a chain begins at a level below the top. Knows one transition; never which chain it belongs
 * to. */
#include "ebm/sampler.h"

#include <math.h>

void ebm_predict_update(const ebm_levels *levels, int32_t level, size_t dim, const float *anchor,
                        const float *grad, const float *noise, float *y)
{
    const int32_t above = level + 1;
    const double v = levels->sbar[level] * levels->sbar[level];
    const double v_above = levels->sbar[above] * levels->sbar[above];
    const double s2 = levels->sigma[above] * levels->sigma[above];
    /* the clean image is (x + sway grad)/abar, x being the anchor */
    const double sway = v_above * levels->scale[above] / levels->step2[above];
    const double share = s2 * levels->abar[level] / (v_above * levels->abar[above]);
    const double scale = levels->scale[level];
    const float keep = (float)(scale * (share + levels->a[above] * v / v_above));
    const float drift = (float)(scale * share * sway);
    const float spread = (float)(scale * sqrt(s2 * v / v_above));
    for (size_t i = 0; i < dim; i++)
        y[i] = keep * anchor[i] + drift * grad[i] + spread * noise[i];
}
