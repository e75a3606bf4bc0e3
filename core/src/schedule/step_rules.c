/* How Langevin steps are sized, given the noise levels; and what ties a level to the one above. */
#include <math.h>
#include <stdbool.h>

#include "schedule/schedule_internal.h"

void ebm__levels_recovery(ebm_levels *levels)
{
    for (int32_t t = 0; t < levels->count; t++) {
        bool top = t == levels->count - 1;
        levels->tether[t] = top ? 0.0 : 1.0;
        levels->scale[t] = top ? 1.0 : levels->a[t + 1];
    }
}

void ebm_levels_use_normal(ebm_levels *levels)
{
    for (int32_t t = 0; t < levels->count; t++) {
        levels->step2[t] = levels->sigma[t + 1] * levels->sigma[t + 1];
        levels->steps[t] = EBM_STEPS_NORMAL;
        levels->tether[t] = 1.0;
        levels->scale[t] = levels->a[t + 1];
    }
    levels->noise_scale = 1.0;
}

static ebm_status check_steps(int32_t steps, ebm_error *err)
{
    if (steps < 1 || steps > EBM__MAX_STEPS)
        return ebm_error_set(err, EBM_ERR_RANGE, "langevin_steps", "must be 1..%d", EBM__MAX_STEPS);
    return EBM_OK;
}

ebm_status ebm_levels_match_paper(ebm_levels *levels, double b2, int32_t steps, ebm_error *err)
{
    if (!(b2 > 0.0 && b2 < 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "b_squared", "must lie between 0 and 1");
    ebm_status st = check_steps(steps, err);
    for (int32_t t = 0; st == EBM_OK && t < levels->count; t++) {
        double s = levels->sigma[t + 1];
        levels->step2[t] = levels->sbar[t] / levels->sbar[0] * b2 * s * s;
        levels->steps[t] = steps;
    }
    return st;
}

ebm_status ebm_levels_match_variance(ebm_levels *levels, double kappa, int32_t steps_low,
                                     int32_t steps, ebm_error *err)
{
    if (!(kappa >= 0.1 && kappa <= 64.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "kappa", "must be 0.1..64");
    ebm_status st = check_steps(steps, err);
    if (st == EBM_OK)
        st = check_steps(steps_low, err);
    if (st != EBM_OK)
        return st;
    for (int32_t t = 0; t < levels->count; t++) {
        double noise = levels->scale[t] * levels->sbar[t];
        levels->steps[t] = t == 0 ? steps_low : steps;
        levels->step2[t] = kappa / (double)levels->steps[t] * noise * noise;
    }
    return EBM_OK;
}

ebm_status ebm_levels_match_curvature(ebm_levels *levels, double share, int32_t steps,
                                      ebm_error *err)
{
    if (!(share >= 0.01 && share <= 2.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "curvature_share", "must be 0.01..2");
    ebm_status st = check_steps(steps, err);
    for (int32_t t = 0; st == EBM_OK && t < levels->count; t++) {
        double noise = levels->scale[t] * levels->sbar[t], s = levels->sigma[t + 1];
        double stiffest = 1.0 / (noise * noise) + levels->tether[t] / (s * s);
        levels->step2[t] = share / stiffest;
        levels->steps[t] = steps;
    }
    return st;
}
