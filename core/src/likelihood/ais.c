/* Particles of annealed importance sampling: local normalisers and the whole ladder. */
#include <math.h>
#include <string.h>

#include "likelihood/tilt.h"

ebm_ais ebm_ais_default(const ebm_density *density, const ebm_levels *levels, uint64_t seed)
{
    return (ebm_ais){.density = density,
                     .levels = levels,
                     .seed = seed,
                     .temperatures = 100,
                     .moves = 1,
                     .leapfrog = 2,
                     .step_scale = 1.0};
}

ebm_status ebm_ais_check(const ebm_ais *how, ebm_error *err)
{
    const struct {
        const char *name;
        double value, min, max;
    } rows[] = {
        {"temperatures", how->temperatures, 1, EBM_AIS_MAX_TEMPERATURES},
        {"moves", how->moves, 1, EBM_AIS_MAX_MOVES},
        {"leapfrog", how->leapfrog, 1, 64},
        {"burn_in", how->burn_in, 0, 1e6},
        {"step_scale", how->step_scale, 1e-6, 1e6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!(rows[i].value >= rows[i].min && rows[i].value <= rows[i].max))
            return ebm_error_set(err, EBM_ERR_RANGE, rows[i].name, "must be %.10g..%.10g",
                                 rows[i].min, rows[i].max);
    return EBM_OK;
}

size_t ebm_ais_work(size_t dim)
{
    return 10 * dim;
}

/* y = mean + sd N(0,I); its noise has step 0 of the level, the moves have 1 and on. */
static void draw_base(ebm__anneal *a)
{
    const ebm__tilt *t = &a->tilt;
    const size_t dim = t->how->density->dim;
    const ebm_draw draw = {.purpose = a->purpose, .level = t->level};
    ebm_noise_normal(&a->noise, draw, 0, dim, a->hmc.y);
    for (size_t i = 0; i < dim; i++)
        a->hmc.y[i] = (t->mean ? t->mean[i] : 0.0f) + (float)t->sd * a->hmc.y[i];
}

static double from_start(ebm__anneal *a, const float *start)
{
    const ebm_ais *how = a->tilt.how;
    memcpy(a->hmc.y, start, how->density->dim * sizeof *start);
    ebm__anneal_begin(a, 1.0);
    ebm__anneal_move(a, how->burn_in);
    return ebm__anneal_reverse(a);
}

ebm_status ebm_ais_recovery(const ebm_ais *how, int32_t t, const float *x, const float *start,
                            uint32_t particle, float *work, ebm_particle *out, ebm_error *err)
{
    ebm__anneal a;
    double log_weight;
    ebm__anneal_init(&a, how, particle, start != NULL, work);
    a.tilt.level = t;
    a.tilt.mean = x;
    a.tilt.sd = how->levels->sigma[t + 1];
    a.tilt.keep_base = true;
    if (start) {
        log_weight = from_start(&a, start);
    } else {
        draw_base(&a);
        log_weight = ebm__anneal_forward(&a);
    }
    return ebm__anneal_finish(&a, log_weight, out, err);
}

/* --- the ladder ----------------------------------------------------------------------------- */

/* The rung of transition t: in the coordinate u = x_{t+1} from level t+1, or from N(0,I), to f_t.
 */
static void set_rung(ebm__anneal *a, int32_t t)
{
    a->tilt.level = t;
    a->tilt.base_level = t + 1 < a->tilt.how->levels->count ? t + 1 : -1;
}

static void rescale(ebm__anneal *a, double factor)
{
    for (size_t i = 0; i < a->tilt.how->density->dim; i++)
        a->hmc.y[i] *= (float)factor;
}

/* @eq log Z_{x,t} = log Z_{y,t} - D log A_t between the rungs */
static double go_down(ebm__anneal *a, double *log_z)
{
    const ebm_levels *l = a->tilt.how->levels;
    double log_weight = 0.0, dim = (double)a->tilt.how->density->dim;
    set_rung(a, l->count - 1);
    draw_base(a);
    for (int32_t t = l->count - 1; t >= 0; t--) {
        set_rung(a, t);
        log_weight += ebm__anneal_forward(a);
        if (log_z)
            log_z[t] = log_weight;
        if (t > 0) {
            log_weight -= dim * log(l->scale[t]);
            rescale(a, 1.0 / l->scale[t]);
        }
    }
    return log_weight;
}

static double go_up(ebm__anneal *a, const float *start)
{
    const ebm_levels *l = a->tilt.how->levels;
    double log_weight, dim = (double)a->tilt.how->density->dim;
    set_rung(a, 0);
    log_weight = from_start(a, start);
    for (int32_t t = 1; t < l->count; t++) {
        log_weight += dim * log(l->scale[t]);
        rescale(a, l->scale[t]);
        set_rung(a, t);
        log_weight += ebm__anneal_reverse(a);
    }
    return log_weight;
}

ebm_status ebm_ais_ladder(const ebm_ais *how, const float *start, uint32_t particle, float *work,
                          double *log_z, ebm_particle *out, ebm_error *err)
{
    ebm__anneal a;
    ebm__anneal_init(&a, how, particle, start != NULL, work);
    double log_weight = start ? go_up(&a, start) : go_down(&a, log_z);
    return ebm__anneal_finish(&a, log_weight, out, err);
}
