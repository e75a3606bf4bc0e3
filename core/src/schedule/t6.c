/* The paper's noise levels: groups of a linear beta schedule. Knows nothing of samplers. */
#include <math.h>

#include "schedule/schedule_internal.h"

ebm_schedule_t6 ebm_schedule_t6_default(void)
{
    return (ebm_schedule_t6){
        .count = 6, .beta_first = 1e-4, .beta_last = 0.02, .base = 1000, .b2 = 2e-4, .steps = 30};
}

static ebm_status check_t6(const ebm_schedule_t6 *s, ebm_error *err)
{
    if (s->count < 2 || s->count > 501)
        return ebm_error_set(err, EBM_ERR_RANGE, "levels", "the schedule needs 2..501 levels");
    /* two betas in two levels would leave none for the last group: no noise and a step of 0 */
    if (s->base < 2 * (s->count - 1) || s->base < 3 || s->base > 1000000)
        return ebm_error_set(err, EBM_ERR_RANGE, "schedule_base",
                             "must be at least 2*(levels-1) and 3, at most 1000000");
    if (!(s->beta_first > 0.0 && s->beta_first <= s->beta_last && s->beta_last < 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "beta", "needs 0 < beta_start <= beta_end < 1");
    return EBM_OK;
}

static double beta_at(const ebm_schedule_t6 *s, int32_t j)
{
    return s->beta_first + (s->beta_last - s->beta_first) * (double)j / (double)(s->base - 1);
}

/* a_i merges the betas after the previous picked index, up to and including the i-th one:
 * 0, q, 2q, ..., (T-1)q, base-1 with q = base/(2(T-1)). */
static void fill_noise(const ebm_schedule_t6 *s, ebm_levels *out)
{
    int32_t stride = s->base / (2 * (s->count - 1)), done = 0;
    double abar = 1.0;
    for (int32_t i = 0; i <= s->count; i++) {
        int32_t end = i < s->count ? i * stride : s->base - 1;
        double a = 1.0;
        for (; done <= end; done++)
            a *= sqrt(1.0 - beta_at(s, done));
        abar *= a;
        out->a[i] = a;
        out->sigma[i] = sqrt(1.0 - a * a);
        out->abar[i] = abar;
        out->sbar[i] = sqrt(1.0 - abar * abar);
    }
}

ebm_status ebm_levels_t6(const ebm_schedule_t6 *schedule, ebm_levels *out, ebm_error *err)
{
    *out = (ebm_levels){0};
    ebm_status st = check_t6(schedule, err);
    if (st == EBM_OK)
        st = ebm_levels_init(schedule->count, out, err);
    if (st != EBM_OK)
        return st;
    fill_noise(schedule, out);
    ebm__levels_recovery(out);
    out->noise_scale = 0.99; /* the paper's factor at test time */
    st = ebm_levels_match_paper(out, schedule->b2, schedule->steps, err);
    if (st != EBM_OK)
        ebm_levels_clear(out);
    return st;
}
