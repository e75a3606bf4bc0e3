/* Noise levels and sampling settings as digests. Knows tables; not which files they are kept in. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/levels.h"
#include "ebm/memory.h"

#define SETTINGS 6
#define TABLES   8

/* Files hold digests: the order of the values must stay. */
static double *put_tables(const ebm_levels *l, double *at)
{
    const size_t t = (size_t)l->count;
    const double *const whole[] = {l->a, l->sigma, l->abar, l->sbar};
    const double *const transitions[] = {l->step2, l->tether, l->scale};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++, at += t + 1)
        memcpy(at, whole[i], (t + 1) * sizeof *at);
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++, at += t)
        memcpy(at, transitions[i], t * sizeof *at);
    return at;
}

static ebm_status make_room(const ebm_levels *l, double **all, ebm_error *err)
{
    *all = ebm_alloc(SETTINGS + TABLES * ((size_t)l->count + 1), sizeof **all);
    return *all ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "levels", "no memory for a digest");
}

static void finish(double *all, const double *end, char hex[65])
{
    ebm_sha256_hex(all, (size_t)(end - all) * sizeof *all, hex);
    ebm_free(all);
}

ebm_status ebm_levels_digest(const ebm_levels *l, char hex[65], ebm_error *err)
{
    const double settings[SETTINGS] = {l->count,  l->noise_scale,  l->denoise,
                                       l->stride, l->paired_noise, l->predict};
    double *all, *at;
    ebm_status st = make_room(l, &all, err);
    if (st != EBM_OK)
        return st;
    memcpy(all, settings, sizeof settings);
    at = put_tables(l, all + SETTINGS);
    for (int32_t i = 0; i < l->count; i++)
        *at++ = l->steps[i];
    finish(all, at, hex);
    return EBM_OK;
}

ebm_status ebm_levels_density_digest(const ebm_levels *l, char hex[65], ebm_error *err)
{
    double *all;
    ebm_status st = make_room(l, &all, err);
    if (st != EBM_OK)
        return st;
    all[0] = l->count;
    finish(all, put_tables(l, all + 1), hex);
    return EBM_OK;
}
