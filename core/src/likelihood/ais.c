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

/* --- one particle --------------------------------------------------------------------------- */

static int32_t rungs(const ebm_ais *how, bool ladder)
{
    return ladder ? how->levels->count : 1;
}

bool ebm_particle_done(const ebm_ais *how, const ebm_particle_task *task,
                       const ebm_particle_state *state)
{
    return state->rung >= rungs(how, task->t < 0);
}

ebm_particle ebm_particle_of(const ebm_particle_state *state)
{
    return (ebm_particle){.log_weight = state->log_weight,
                          .acceptance =
                              state->moves > 0 ? state->accept / (double)state->moves : 0.0};
}

bool ebm_particle_state_ok(const ebm_ais *how, bool ladder, const ebm_particle_state *s)
{
    const int64_t all =
        how->burn_in + (int64_t)rungs(how, ladder) * how->temperatures * (int64_t)how->moves;
    return s->rung >= 0 && s->rung < rungs(how, ladder) && s->temperature >= 0 &&
           s->temperature < how->temperatures && s->move >= 0 && s->move < how->moves &&
           s->moves >= 0 && s->moves <= all;
}

/* The rung of transition t: in the coordinate u = x_{t+1} from level t+1, or from N(0,I), to f_t;
 * or from N(x, sigma^2 I) to that times exp f_t. */
static void set_rung(ebm__anneal *a)
{
    const ebm_levels *l = a->tilt.how->levels;
    const int32_t rung = a->state->rung;
    ebm__tilt *t = &a->tilt;
    if (a->task->t >= 0) {
        t->level = a->task->t;
        t->mean = a->task->x;
        t->sd = l->sigma[t->level + 1];
        t->keep_base = true;
        return;
    }
    t->level = a->task->start ? rung : l->count - 1 - rung;
    t->base_level = t->level + 1 < l->count ? t->level + 1 : -1;
}

/* Forward y = mean + sd N(0,I); its noise has step 0 of the level, the moves have 1 and on. */
static void place_at_start(ebm__anneal *a)
{
    const ebm__tilt *t = &a->tilt;
    const size_t dim = t->how->density->dim;
    const ebm_draw draw = {.purpose = a->purpose, .level = t->level};
    float *y = a->task->y;
    if (a->task->start) {
        memcpy(y, a->task->start, dim * sizeof *y);
        return;
    }
    ebm_noise_normal(&a->noise, draw, 0, dim, y);
    for (size_t i = 0; i < dim; i++)
        y[i] = (t->mean ? t->mean[i] : 0.0f) + (float)t->sd * y[i];
}

static void rescale(ebm__anneal *a, double factor)
{
    for (size_t i = 0; i < a->tilt.how->density->dim; i++)
        a->task->y[i] *= (float)factor;
}

/* @eq log Z_{x,t} = log Z_{y,t} - D log A_t between the rungs */
static void leave_rung(ebm__anneal *a)
{
    const ebm_levels *l = a->tilt.how->levels;
    const double dim = (double)a->tilt.how->density->dim;
    const int32_t t = a->tilt.level;
    ebm_particle_state *s = a->state;
    s->log_weight += s->weight;
    s->weight = 0.0;
    s->temperature = 0;
    s->rung++;
    if (a->task->log_z)
        a->task->log_z[t] = s->log_weight;
    if (s->rung >= rungs(a->tilt.how, a->task->t < 0))
        return;
    if (a->task->start) {
        s->log_weight += dim * log(l->scale[t + 1]);
        rescale(a, l->scale[t + 1]);
    } else {
        s->log_weight -= dim * log(l->scale[t]);
        rescale(a, 1.0 / l->scale[t]);
    }
}

ebm_status ebm_particle_advance(const ebm_ais *how, const ebm_particle_task *task, int64_t moves,
                                ebm_particle_state *state, ebm_error *err)
{
    ebm__anneal a;
    ebm__anneal_init(&a, how, task, state);
    while (moves > 0 && !ebm_particle_done(how, task, state)) {
        set_rung(&a);
        if (state->moves == 0)
            place_at_start(&a);
        ebm__anneal_enter(&a);
        ebm__anneal_run(&a, &moves);
        if (state->temperature == how->temperatures)
            leave_rung(&a);
    }
    if (isfinite(state->log_weight))
        return EBM_OK;
    if (err)
        err->index = task->particle;
    return ebm_error_set(err, EBM_ERR_DIVERGED, "particle", "particle %u diverged",
                         (unsigned)task->particle);
}

/* --- whole particles ------------------------------------------------------------------------ */

static ebm_status run_whole(const ebm_ais *how, ebm_particle_task *task, ebm_particle_state state,
                            ebm_particle *out, ebm_error *err)
{
    task->y = task->work + 9 * how->density->dim;
    ebm_status st = ebm_particle_advance(how, task, INT64_MAX, &state, err);
    *out = ebm_particle_of(&state);
    return st;
}

ebm_status ebm_ais_recovery(const ebm_ais *how, int32_t t, const float *x, const float *start,
                            uint32_t particle, float *work, ebm_particle *out, ebm_error *err)
{
    ebm_particle_task task = {.t = t, .particle = particle, .x = x, .start = start, .work = work};
    return run_whole(how, &task, (ebm_particle_state){0}, out, err);
}

ebm_status ebm_ais_ladder(const ebm_ais *how, const float *start, uint32_t particle, float *work,
                          double *log_z, ebm_particle *out, ebm_error *err)
{
    ebm_particle_task task = {.t = -1, .particle = particle, .start = start, .work = work};
    task.log_z = start ? NULL : log_z;
    return run_whole(how, &task, (ebm_particle_state){0}, out, err);
}

ebm_particle_state ebm_particle_of_top(const ebm_ais *how)
{
    return (ebm_particle_state){.rung = how->levels->count - 1};
}

ebm_status ebm_ais_top(const ebm_ais *how, const float *start, uint32_t particle, float *work,
                       ebm_particle *out, ebm_error *err)
{
    ebm_particle_task task = {.t = -1, .particle = particle, .start = start, .work = work};
    return run_whole(how, &task, ebm_particle_of_top(how), out, err);
}
