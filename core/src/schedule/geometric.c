/* Noise levels whose noise-to-signal ratios form a geometric series, so that every transition is
 * about as stiff as every other. Knows nothing of samplers. */
#include <math.h>

#include "schedule/schedule_internal.h"

#define RATIO_LEAST    1e-4
#define RATIO_MOST     1e4
#define RATIO_TOP      10.0 /* a chain starts from white noise: x_T must be nearly that */
#define CURVATURE_STEP 0.5

ebm_schedule_geometric ebm_schedule_geometric_default(void)
{
    return (ebm_schedule_geometric){
        .count = 10, .ratio_min = 0.01, .ratio_max = 100.0, .steps = 30};
}

static ebm_status check_geometric(const ebm_schedule_geometric *s, ebm_error *err)
{
    if (s->count < 2 || s->count > EBM_MAX_LEVELS)
        return ebm_error_set(err, EBM_ERR_RANGE, "levels", "the schedule needs 2..%d levels",
                             EBM_MAX_LEVELS);
    if (!(s->ratio_min >= RATIO_LEAST && s->ratio_min <= 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "ratio_min", "must be %g..1", RATIO_LEAST);
    if (!(s->ratio_max >= RATIO_TOP && s->ratio_max <= RATIO_MOST))
        return ebm_error_set(err, EBM_ERR_RANGE, "ratio_max", "must be %g..%g", RATIO_TOP,
                             RATIO_MOST);
    return EBM_OK;
}

/* From sbar/abar = ratio and abar^2 + sbar^2 = 1; a_i = abar_i/abar_{i-1}. sigma_i^2 = 1 - a_i^2 =
 * (ratio_i^2 - ratio_{i-1}^2)/(1 + ratio_i^2), which loses no digits when levels lie close. */
static void fill_noise(const ebm_schedule_geometric *s, ebm_levels *out)
{
    double growth = log(s->ratio_max / s->ratio_min) / (double)s->count, before = 0.0;
    for (int32_t i = 0; i <= s->count; i++) {
        double ratio = s->ratio_min * exp(growth * (double)i);
        double now = ratio * ratio;
        out->abar[i] = 1.0 / sqrt(1.0 + now);
        out->sbar[i] = ratio / sqrt(1.0 + now);
        out->a[i] = sqrt((1.0 + before) / (1.0 + now));
        out->sigma[i] = sqrt((now - before) / (1.0 + now));
        before = now;
    }
}

ebm_status ebm_levels_geometric(const ebm_schedule_geometric *schedule, ebm_levels *out,
                                ebm_error *err)
{
    *out = (ebm_levels){0};
    ebm_status st = check_geometric(schedule, err);
    if (st == EBM_OK)
        st = ebm_levels_init(schedule->count, out, err);
    if (st != EBM_OK)
        return st;
    fill_noise(schedule, out);
    ebm__levels_recovery(out);
    out->noise_scale = 1.0;
    st = ebm_levels_match_curvature(out, CURVATURE_STEP, schedule->steps, err);
    if (st != EBM_OK)
        ebm_levels_clear(out);
    return st;
}
