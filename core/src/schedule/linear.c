/* Every beta of a linear schedule a level of its own: the noise of DDPM, and of the paper's setting
 * with 1000 levels. Knows nothing of samplers. */
#include <math.h>

#include "schedule/schedule_internal.h"

ebm_schedule_linear ebm_schedule_linear_default(void)
{
    return (ebm_schedule_linear){.count = 999, .beta_first = 1e-4, .beta_last = 0.02};
}

static ebm_status check_linear(const ebm_schedule_linear *s, ebm_error *err)
{
    if (s->count < 2 || s->count > EBM_MAX_LEVELS)
        return ebm_error_set(err, EBM_ERR_RANGE, "levels", "the schedule needs 2..%d levels",
                             EBM_MAX_LEVELS);
    if (!(s->beta_first > 0.0 && s->beta_first <= s->beta_last && s->beta_last < 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "beta", "needs 0 < beta_start <= beta_end < 1");
    return EBM_OK;
}

ebm_status ebm_levels_linear(const ebm_schedule_linear *schedule, ebm_levels *out, ebm_error *err)
{
    double abar = 1.0;
    *out = (ebm_levels){0};
    ebm_status st = check_linear(schedule, err);
    if (st == EBM_OK)
        st = ebm_levels_init(schedule->count, out, err);
    if (st != EBM_OK)
        return st;
    for (int32_t i = 0; i <= schedule->count; i++) {
        double share = (double)i / (double)schedule->count;
        double beta = schedule->beta_first + (schedule->beta_last - schedule->beta_first) * share;
        double a = sqrt(1.0 - beta);
        abar *= a;
        out->a[i] = a;
        out->sigma[i] = sqrt(beta);
        out->abar[i] = abar;
        out->sbar[i] = sqrt(1.0 - abar * abar);
    }
    ebm_levels_use_normal(out);
    return EBM_OK;
}
