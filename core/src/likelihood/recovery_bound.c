/* Likelihoods of images: by the ladder's normaliser, and by the recovery bound. */
#include <math.h>

#include "ebm/forward.h"
#include "ebm/likelihood.h"
#include "likelihood/student.h"

/* f_t(A_t x). @shape work [2 dim] */
static double f_at(const ebm_ais *how, int32_t t, const float *x, float *work)
{
    const size_t dim = how->density->dim;
    float net = 0.0f, scale = (float)how->levels->scale[t];
    for (size_t i = 0; i < dim; i++)
        work[i] = scale * x[i];
    how->density->gradient(how->density->self, work, t, &net, work + dim);
    return (double)net / how->levels->step2[t];
}

static double log_scale(const ebm_ais *how, int32_t t)
{
    return (double)how->density->dim * log(how->levels->scale[t]);
}

double ebm_ladder_logp(const ebm_ais *how, const float *x0, double log_z, float *work)
{
    return f_at(how, 0, x0, work) - log_z + log_scale(how, 0);
}

double ebm_recovery_logp(const ebm_ais *how, const float *path, const double *log_g,
                         double log_z_top, float *work)
{
    const size_t dim = how->density->dim;
    const int32_t top = how->levels->count - 1;
    double sum = f_at(how, top, path + (size_t)top * dim, work) + log_scale(how, top) - log_z_top;
    for (int32_t t = 0; t < top; t++)
        sum += f_at(how, t, path + (size_t)t * dim, work) + log_scale(how, t) - log_g[t];
    return sum;
}

/* --- the bound ------------------------------------------------------------------------------ */

/* What the present particle needs: its path has noise of its own, so that no two share any. */
typedef struct local {
    ebm_ais how;
    const ebm_bound_plan *plan;
    const ebm_bound_room *room;
} local;

static int32_t top_of(const ebm_ais *how)
{
    return how->levels->count - 1;
}

static void enter_path(local *c, const ebm_ais *how, const float *image, int32_t path)
{
    c->how.seed = ebm_rng_seed(how->seed, EBM_SEED_PATH, c->plan->index, (uint32_t)path);
    const ebm_noise noise = {.seed = c->how.seed};
    ebm_forward_path(how->levels, &noise, how->density->dim, image, top_of(how), c->room->path);
}

/* Goes on with a particle of log G_t(x_{t+1}). Reverse ones start at the path's own y_t = A_t x_t.
 * *moves: how many are left. *done: its weight is there. */
static ebm_status one_particle(local *c, ebm_bound_state *s, int64_t *moves, bool *done,
                               ebm_error *err)
{
    const size_t dim = c->how.density->dim;
    const float *state = c->room->path + (size_t)s->level * dim;
    const float scale = (float)c->how.levels->scale[s->level];
    const int64_t before = s->present.moves;
    const ebm_particle_task task = {.t = s->level,
                                    .particle = (uint32_t)s->particle,
                                    .x = state + dim,
                                    .start = s->reverse ? c->room->start : NULL,
                                    .y = c->room->y,
                                    .work = c->room->work};
    for (size_t i = 0; i < dim; i++)
        c->room->start[i] = scale * state[i];
    ebm_status st = ebm_particle_advance(&c->how, &task, *moves, &s->present, err);
    *moves -= s->present.moves - before;
    *done = st == EBM_OK && ebm_particle_done(&c->how, &task, &s->present);
    return st;
}

/* Mean over paths as they come, and the sum of squared deviations (Welford). */
static void add_path(ebm_bound_state *s)
{
    for (int k = 0; k < 2; k++) {
        double d = s->logp[k] - s->mean[k];
        s->mean[k] += d / (double)(s->path + 1);
        s->m2[k] += d * (s->logp[k] - s->mean[k]);
    }
    s->path++;
    s->reverse = 0;
}

/* All levels of a direction have their normaliser. */
static void end_direction(local *c, ebm_bound_state *s)
{
    const ebm_log_z *top = s->reverse ? &c->plan->top_reverse : &c->plan->top;
    s->logp[s->reverse] =
        ebm_recovery_logp(&c->how, c->room->path, c->room->log_g, top->value, c->room->work);
    s->level = 0;
    if (s->reverse)
        add_path(s);
    else
        s->reverse = 1;
}

static ebm_status end_level(local *c, ebm_bound_state *s, ebm_error *err)
{
    ebm_log_z z;
    ebm_status st =
        ebm_log_z_of(c->room->weight, (size_t)c->plan->particles, s->reverse != 0, &z, err);
    if (st != EBM_OK)
        return st;
    s->acceptance += z.acceptance;
    c->room->log_g[s->level] = z.value;
    s->particle = 0;
    s->level++;
    return EBM_OK;
}

static ebm_status end_particle(local *c, ebm_bound_state *s, ebm_error *err)
{
    c->room->weight[s->particle] = ebm_particle_of(&s->present);
    s->present = (ebm_particle_state){0};
    s->particle++;
    return s->particle == c->plan->particles ? end_level(c, s, err) : EBM_OK;
}

/* With a single level there are no particles: then a path counts as a move. */
static ebm_status step(local *c, ebm_bound_state *s, int64_t *moves, ebm_error *err)
{
    bool done = false;
    ebm_status st = EBM_OK;
    if (s->level < top_of(&c->how))
        st = one_particle(c, s, moves, &done, err);
    else
        --*moves;
    if (done)
        st = end_particle(c, s, err);
    if (st == EBM_OK && s->level == top_of(&c->how))
        end_direction(c, s);
    return st;
}

static ebm_status check_plan(const ebm_bound_plan *plan, ebm_error *err)
{
    if (plan->paths < 2 || plan->paths > 100000)
        return ebm_error_set(err, EBM_ERR_RANGE, "paths", "must be 2..100000");
    if (plan->particles < 2 || plan->particles > 1000000)
        return ebm_error_set(err, EBM_ERR_RANGE, "particles", "must be 2..1000000");
    return EBM_OK;
}

bool ebm_bound_state_ok(const ebm_ais *how, const ebm_bound_plan *plan, const ebm_bound_state *s)
{
    return s->path >= 0 && s->path <= plan->paths && (s->reverse == 0 || s->reverse == 1) &&
           s->level >= 0 && s->level < how->levels->count && s->particle >= 0 &&
           s->particle < plan->particles && ebm_particle_state_ok(how, false, &s->present);
}

ebm_status ebm_bound_advance(const ebm_ais *how, const ebm_bound_plan *plan, const float *image,
                             const ebm_bound_room *room, int64_t moves, ebm_bound_state *state,
                             ebm_error *err)
{
    local c = {.how = *how, .plan = plan, .room = room};
    int32_t entered = -1;
    ebm_status st = ebm_ais_check(how, err);
    if (st == EBM_OK)
        st = check_plan(plan, err);
    while (moves > 0 && state->path < plan->paths && st == EBM_OK) {
        if (entered != state->path)
            enter_path(&c, how, image, state->path);
        entered = state->path;
        st = step(&c, state, &moves, err);
    }
    return st;
}

ebm_bound ebm_bound_of(const ebm_ais *how, const ebm_bound_plan *plan, const ebm_bound_state *state)
{
    const double n = (double)plan->paths, levels = fmax(1.0, (double)top_of(how));
    const double top = fmax(plan->top.std_error, plan->top_reverse.std_error);
    ebm_bound b = {.forward = state->mean[0],
                   .reverse = state->mean[1],
                   .std_error =
                       sqrt(fmax(state->m2[0], state->m2[1]) / (n * (n - 1.0)) + top * top),
                   .acceptance = state->acceptance / (n * 2.0 * levels)};
    const double reach = ebm__student((size_t)plan->paths - 1) * b.std_error;
    b.low = fmin(b.forward, b.reverse) - reach;
    b.high = fmax(b.forward, b.reverse) + reach;
    return b;
}

ebm_status ebm_recovery_bound(const ebm_ais *how, const ebm_bound_plan *plan, const float *image,
                              const ebm_bound_room *room, ebm_bound *out, ebm_error *err)
{
    ebm_bound_room all = *room;
    ebm_bound_state state = {0};
    all.y = room->work + 9 * how->density->dim; /* which particles leave alone */
    ebm_status st = ebm_bound_advance(how, plan, image, &all, INT64_MAX, &state, err);
    *out = ebm_bound_of(how, plan, &state);
    return st;
}
