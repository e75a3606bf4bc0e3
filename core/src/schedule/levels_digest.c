/* Noise levels and sampling settings as one digest. Knows tables; not which files it is kept in. */
#include <string.h>

#include "ebm/io.h"
#include "ebm/levels.h"
#include "ebm/memory.h"

#define SETTINGS 6
#define TABLES   8

/* Files hold digests: the order of the values must stay. */
ebm_status ebm_levels_digest(const ebm_levels *l, char hex[65], ebm_error *err)
{
    const size_t t = (size_t)l->count, room = SETTINGS + TABLES * (t + 1);
    const double *const whole[] = {l->a, l->sigma, l->abar, l->sbar};
    const double *const transitions[] = {l->step2, l->tether, l->scale};
    double *all = ebm_alloc(room, sizeof *all), *at = all;
    if (!all)
        return ebm_error_set(err, EBM_ERR_NOMEM, "levels", "no memory for a digest");
    const double settings[SETTINGS] = {l->count,  l->noise_scale,  l->denoise,
                                       l->stride, l->paired_noise, l->predict};
    memcpy(at, settings, sizeof settings);
    at += SETTINGS;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++, at += t + 1)
        memcpy(at, whole[i], (t + 1) * sizeof *at);
    for (size_t i = 0; i < sizeof transitions / sizeof transitions[0]; i++, at += t)
        memcpy(at, transitions[i], t * sizeof *at);
    for (size_t i = 0; i < t; i++)
        *at++ = l->steps[i];
    ebm_sha256_hex(all, (size_t)(at - all) * sizeof *all, hex);
    ebm_free(all);
    return EBM_OK;
}
