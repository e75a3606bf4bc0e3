/* Level tables: allocation, checks, the paper's schedule, and variance-matched steps. */
#include "ebm/levels.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS 10000

ebm_status ebm_levels_init(int32_t count, ebm_levels *out, ebm_error *err)
{
    *out = (ebm_levels){0};
    if (count < 1 || count > EBM_MAX_LEVELS)
        return ebm_error_set(err, EBM_ERR_RANGE, "levels", "number of levels must be 1..%d",
                             EBM_MAX_LEVELS);
    size_t t = (size_t)count;
    out->count = count;
    out->noise_scale = 1.0;
    out->a = calloc(t + 1, sizeof(double));
    out->sigma = calloc(t + 1, sizeof(double));
    out->abar = calloc(t + 1, sizeof(double));
    out->sbar = calloc(t + 1, sizeof(double));
    out->step2 = calloc(t, sizeof(double));
    out->tether = calloc(t, sizeof(double));
    out->scale = calloc(t, sizeof(double));
    out->steps = calloc(t, sizeof(int32_t));
    if (out->a && out->sigma && out->abar && out->sbar && out->step2 && out->tether && out->scale &&
        out->steps)
        return EBM_OK;
    ebm_levels_clear(out);
    return ebm_error_set(err, EBM_ERR_NOMEM, "levels", "no memory for level tables");
}

void ebm_levels_clear(ebm_levels *levels)
{
    free(levels->a);
    free(levels->sigma);
    free(levels->abar);
    free(levels->sbar);
    free(levels->step2);
    free(levels->tether);
    free(levels->scale);
    free(levels->steps);
    *levels = (ebm_levels){0};
}

ebm_status ebm_levels_copy(const ebm_levels *from, ebm_levels *out, ebm_error *err)
{
    ebm_status st = ebm_levels_init(from->count, out, err);
    if (st != EBM_OK)
        return st;
    size_t t = (size_t)from->count;
    memcpy(out->a, from->a, (t + 1) * sizeof(double));
    memcpy(out->sigma, from->sigma, (t + 1) * sizeof(double));
    memcpy(out->abar, from->abar, (t + 1) * sizeof(double));
    memcpy(out->sbar, from->sbar, (t + 1) * sizeof(double));
    memcpy(out->step2, from->step2, t * sizeof(double));
    memcpy(out->tether, from->tether, t * sizeof(double));
    memcpy(out->scale, from->scale, t * sizeof(double));
    memcpy(out->steps, from->steps, t * sizeof(int32_t));
    out->noise_scale = from->noise_scale;
    return EBM_OK;
}

/* --- the paper's schedule ------------------------------------------------------------------- */

ebm_schedule_t6 ebm_schedule_t6_default(void)
{
    return (ebm_schedule_t6){
        .count = 6, .beta_first = 1e-4, .beta_last = 0.02, .base = 1000, .b2 = 2e-4, .steps = 30};
}

static ebm_status check_schedule(const ebm_schedule_t6 *s, ebm_error *err)
{
    if (s->count < 2 || s->count > 501)
        return ebm_error_set(err, EBM_ERR_RANGE, "levels", "the schedule needs 2..501 levels");
    if (s->base < 2 * (s->count - 1) || s->base > 1000000)
        return ebm_error_set(err, EBM_ERR_RANGE, "schedule_base",
                             "must be at least 2*(levels-1), at most 1000000");
    if (!(s->beta_first > 0.0 && s->beta_first <= s->beta_last && s->beta_last < 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "beta", "needs 0 < beta_start <= beta_end < 1");
    if (!(s->b2 > 0.0 && s->b2 < 1.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "b_squared", "must lie between 0 and 1");
    if (s->steps < 1 || s->steps > MAX_STEPS)
        return ebm_error_set(err, EBM_ERR_RANGE, "langevin_steps", "must be 1..%d", MAX_STEPS);
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
    ebm_status st = check_schedule(schedule, err);
    if (st == EBM_OK)
        st = ebm_levels_init(schedule->count, out, err);
    if (st != EBM_OK)
        return st;
    fill_noise(schedule, out);
    for (int32_t t = 0; t < out->count; t++) {
        bool top = t == out->count - 1;
        double s = out->sigma[t + 1];
        out->step2[t] = out->sbar[t] / out->sbar[0] * schedule->b2 * s * s;
        out->steps[t] = schedule->steps;
        out->tether[t] = top ? 0.0 : 1.0;
        out->scale[t] = top ? 1.0 : out->a[t + 1];
    }
    out->noise_scale = 0.99; /* the paper's factor at test time */
    return EBM_OK;
}

ebm_status ebm_levels_match_variance(ebm_levels *levels, double kappa, int32_t steps_low,
                                     int32_t steps, ebm_error *err)
{
    if (!(kappa >= 0.1 && kappa <= 64.0))
        return ebm_error_set(err, EBM_ERR_RANGE, "kappa", "must be 0.1..64");
    if (steps < 1 || steps > MAX_STEPS || steps_low < 1 || steps_low > MAX_STEPS)
        return ebm_error_set(err, EBM_ERR_RANGE, "langevin_steps", "must be 1..%d", MAX_STEPS);
    for (int32_t t = 0; t < levels->count; t++) {
        double noise = levels->scale[t] * levels->sbar[t];
        levels->steps[t] = t == 0 ? steps_low : steps;
        levels->step2[t] = kappa / (double)levels->steps[t] * noise * noise;
    }
    return EBM_OK;
}

/* --- checks of tables from outside ---------------------------------------------------------- */

static ebm_status bad_entry(ebm_error *err, const char *table, int32_t i, const char *rule)
{
    char where[48];
    snprintf(where, sizeof where, "/levels/%s/%d", table, (int)i);
    return ebm_error_set(err, EBM_ERR_RANGE, where, "%s", rule);
}

/* Comparisons are written so that NaN fails them. */
static ebm_status check_noise(const ebm_levels *l, int32_t i, ebm_error *err)
{
    double a = l->a[i], s = l->sigma[i];
    if (!(a > 0.0 && a <= 1.0))
        return bad_entry(err, "a", i, "must lie in (0,1]");
    if (!(s > 0.0 && s <= 1.0 && fabs(a * a + s * s - 1.0) <= 1e-6))
        return bad_entry(err, "sigma", i, "must be sqrt(1-a^2)");
    return EBM_OK;
}

static ebm_status check_transition(const ebm_levels *l, int32_t t, ebm_error *err)
{
    if (!(l->step2[t] > 0.0 && l->step2[t] <= 1e6))
        return bad_entry(err, "step2", t, "must be positive");
    if (l->steps[t] < 1 || l->steps[t] > MAX_STEPS)
        return bad_entry(err, "steps", t, "must be 1..10000");
    if (l->tether[t] != 0.0 && l->tether[t] != 1.0)
        return bad_entry(err, "tether", t, "must be 0 or 1");
    if (!(l->scale[t] > 0.0 && l->scale[t] <= 1.0))
        return bad_entry(err, "scale", t, "must lie in (0,1]");
    return EBM_OK;
}

ebm_status ebm_levels_check(const ebm_levels *levels, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int32_t i = 0; i <= levels->count && st == EBM_OK; i++)
        st = check_noise(levels, i, err);
    for (int32_t t = 0; t < levels->count && st == EBM_OK; t++)
        st = check_transition(levels, t, err);
    if (st == EBM_OK && !(levels->noise_scale >= 0.0 && levels->noise_scale <= 2.0))
        st = ebm_error_set(err, EBM_ERR_RANGE, "/sampling/noise_scale", "must be 0..2");
    return st;
}
