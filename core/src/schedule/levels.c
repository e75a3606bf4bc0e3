/* Level tables: allocation, copies, and the check of tables from outside. Knows no schedule. */
#include "ebm/levels.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule_internal.h"

ebm_status ebm_levels_init(int32_t count, ebm_levels *out, ebm_error *err)
{
    *out = (ebm_levels){0};
    if (count < 1 || count > EBM_MAX_LEVELS)
        return ebm_error_set(err, EBM_ERR_RANGE, "levels", "number of levels must be 1..%d",
                             EBM_MAX_LEVELS);
    size_t t = (size_t)count;
    out->count = count;
    out->noise_scale = 1.0;
    out->stride = 1.0;
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
    out->denoise = from->denoise;
    out->stride = from->stride;
    out->paired_noise = from->paired_noise;
    out->predict = from->predict;
    return EBM_OK;
}

/* --- checks of tables from outside ---------------------------------------------------------- */

static ebm_status bad_entry(ebm_error *err, const char *table, int32_t i, const char *rule)
{
    char where[48];
    snprintf(where, sizeof where, "/levels/%s/%d", table, (int)i);
    return ebm_error_set(err, EBM_ERR_RANGE, where, "%s", rule);
}

/* Its square divides: the pull to the level above and the curvature that steps are sized by. That
 * of beta 1e-9, the least of any schedule, is 30 times as large. */
#define SIGMA_LEAST 1e-6

/* Compares squares relative to their size: beside 1 any small sigma is as good as any other. An a
 * near 1 has lost the digits of 1-a^2 below 1e-16. */
static bool belong_together(double a, double sigma)
{
    const double square = sigma * sigma;
    return fabs(square - (1.0 - a) * (1.0 + a)) <= 1e-6 * fmax(square, 1e-6);
}

/* Comparisons are written so that NaN fails them. With a of 1 a level would have no noise, and
 * sbar, by which others divide, could be 0; below 1 it is at least 1e-8 in doubles. */
static ebm_status check_noise(const ebm_levels *l, int32_t i, ebm_error *err)
{
    double a = l->a[i], s = l->sigma[i];
    if (!(a > 0.0 && a < 1.0))
        return bad_entry(err, "a", i, "must lie between 0 and 1");
    if (!(s >= SIGMA_LEAST && s <= 1.0))
        return bad_entry(err, "sigma", i, "must be 1e-6..1");
    if (!belong_together(a, s))
        return bad_entry(err, "sigma", i, "must be sqrt(1-a^2)");
    return EBM_OK;
}

static ebm_status check_transition(const ebm_levels *l, int32_t t, ebm_error *err)
{
    if (!(l->step2[t] >= 1e-12 && l->step2[t] <= 1e6))
        return bad_entry(err, "step2", t, "must be 1e-12..1e6");
    if (l->steps[t] < EBM_STEPS_NORMAL || l->steps[t] > EBM__MAX_STEPS)
        return bad_entry(err, "steps", t, "must be 0..10000");
    if (l->tether[t] != 0.0 && l->tether[t] != 1.0)
        return bad_entry(err, "tether", t, "must be 0 or 1");
    if (l->steps[t] == EBM_STEPS_NORMAL && l->tether[t] == 0.0)
        return bad_entry(err, "steps", t, "must be 1..10000 without a tether");
    if (!(l->scale[t] >= 1e-6 && l->scale[t] <= 1.0)) /* its square divides, too */
        return bad_entry(err, "scale", t, "must be 1e-6..1");
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
    if (st == EBM_OK && !(levels->stride >= 0.01 && levels->stride <= 16.0))
        st = ebm_error_set(err, EBM_ERR_RANGE, "/sampling/stride", "must be 0.01..16");
    if (st == EBM_OK && levels->denoise && levels->steps[0] == EBM_STEPS_NORMAL)
        st = ebm_error_set(err, EBM_ERR_RANGE, "/sampling/denoise",
                           "needs Langevin steps at level 0");
    for (int32_t t = 0; t < levels->count && st == EBM_OK && levels->predict; t++)
        if (levels->steps[t] == EBM_STEPS_NORMAL)
            st = ebm_error_set(err, EBM_ERR_RANGE, "/sampling/predict",
                               "needs Langevin steps at all levels");
    return st;
}
