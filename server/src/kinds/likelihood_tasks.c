/* What a likelihood is estimated by, task after task, see likelihood_tasks.h. */
#include "kinds/likelihood_tasks.h"

#include <math.h>
#include <string.h>

#include "ebm/forward.h"
#include "ebm/memory.h"

size_t ebmd_likelihood_particles(const ebmd_op *op)
{
    return (size_t)op->call.params.particles;
}

ebmd_likelihood_arrays ebmd_likelihood_arrays_of(const ebmd_op *op, void *state)
{
    const size_t t = (size_t)op->levels->count, p = ebmd_likelihood_particles(op);
    double *at = (double *)(void *)((unsigned char *)state + sizeof(ebmd_likelihood_state));
    ebmd_likelihood_arrays a;

    a.tuned = at;
    a.log_z = a.tuned + 2 * t;
    a.log_g = a.log_z + p * t;
    a.particle = (ebm_particle *)(void *)(a.log_g + t);
    a.weight = a.particle + 3 * p;
    a.ladder = (double *)(void *)(a.weight + p);
    a.bound = (ebm_bound *)(void *)(a.ladder + op->request.n_images);
    a.y = (float *)(void *)(a.bound + op->request.n_images);
    a.sample = a.y + 2 * op->dim;
    return a;
}

size_t ebmd_likelihood_bytes(const ebmd_op *op)
{
    const size_t t = (size_t)op->levels->count, p = ebmd_likelihood_particles(op);

    return ((3 + p) * t) * sizeof(double) + 4 * p * sizeof(ebm_particle) +
           (size_t)op->request.n_images * (sizeof(double) + sizeof(ebm_bound)) +
           3 * op->dim * sizeof(float);
}

bool ebmd_likelihood_wants(const ebmd_op *op, ebm_method method)
{
    const ebm_method m = (ebm_method)op->call.params.method;

    return m == EBM_METHOD_BOTH || m == method;
}

/* Tasks in order: if there is tuning, a draw to begin at, and the two of tuning; particles:
 * forward, then reverse ones of the ladder, those of its top; pictures. */
static int64_t tune_tasks(const ebmd_op *op)
{
    return op->call.params.warmup > 0 ? 3 : 0;
}

/* Particles of the ladder, in one direction or in both. */
static int64_t ladder_tasks(const ebmd_op *op)
{
    return op->call.params.particles * (ebmd_likelihood_wants(op, EBM_METHOD_AIS) ? 2 : 1);
}

static int64_t top_tasks(const ebmd_op *op)
{
    return ebmd_likelihood_wants(op, EBM_METHOD_RECOVERY) ? op->call.params.particles : 0;
}

static int64_t particle_tasks(const ebmd_op *op)
{
    return ladder_tasks(op) + top_tasks(op);
}

int64_t ebmd_likelihood_tasks(const ebmd_op *op)
{
    return tune_tasks(op) + particle_tasks(op) + op->request.n_images;
}

/* --- cost ---------------------------------------------------------------------------------- */

/* Evaluations of a particle of one level. */
static double local_evals(const ebmd_op *op)
{
    const ebm_op_params *p = &op->call.params;

    return (double)p->leapfrog * ((double)p->temperatures * (double)p->moves + (double)p->warmup);
}

static double ladder_evals(const ebmd_op *op)
{
    return 2.0 * local_evals(op) * op->levels->count;
}

static double bound_evals(const ebmd_op *op)
{
    const ebm_op_params *p = &op->call.params;

    return ebmd_likelihood_wants(op, EBM_METHOD_RECOVERY)
               ? 2.0 * (double)p->paths * (double)p->particles * (op->levels->count - 1) *
                     local_evals(op)
               : 0.0;
}

static double tune_evals(const ebmd_op *op)
{
    return (double)op->call.params.leapfrog * (double)op->call.params.warmup * op->levels->count;
}

/* What it takes to draw what tuning and reverse particles begin at. */
static double draw_evals(const ebmd_op *op)
{
    const int64_t whole =
        (tune_tasks(op) > 0) + ladder_tasks(op) - (int64_t)op->call.params.particles;

    return (double)whole * (double)ebm_origin_steps(op->levels, 0) +
           (double)top_tasks(op) * (double)ebm_origin_steps(op->levels, op->levels->count - 1);
}

double ebmd_likelihood_work(const ebmd_op *op)
{
    const double tuning = tune_tasks(op) > 0 ? 2.0 * tune_evals(op) : 0.0;

    return tuning + draw_evals(op) + (double)ladder_tasks(op) * ladder_evals(op) +
           (double)top_tasks(op) * 2.0 * local_evals(op) +
           op->request.n_images * (1.0 + bound_evals(op));
}

/* --- tasks --------------------------------------------------------------------------------- */

typedef struct bench {
    const ebmd_op *op;
    const ebm_density *density;
    ebmd_likelihood_state *state;
    ebmd_likelihood_arrays a;
    float *work, *x, *start, *path;
} bench;

static bench bench_of(const ebmd_op *op, void *state, ebmd_tools *tools)
{
    bench b = {.op = op,
               .density = &tools->density,
               .state = state,
               .a = ebmd_likelihood_arrays_of(op, state),
               .work = tools->work};

    b.x = b.work + ebm_ais_work(op->dim);
    b.start = b.x + op->dim;
    b.path = b.start + op->dim;
    return b;
}

/* How a request ebmd_likelihood_wants it annealed, on no density yet. */
static ebm_ais plain_how(const ebmd_op *op)
{
    const ebm_op_params *p = &op->call.params;
    ebm_ais how = ebm_ais_default(NULL, op->levels, (uint64_t)p->seed);

    how.temperatures = (int32_t)p->temperatures;
    how.moves = (int32_t)p->moves;
    how.leapfrog = (int32_t)p->leapfrog;
    how.burn_in = (int32_t)p->warmup;
    how.step_scale = p->step_scale;
    return how;
}

static ebm_ais how_of(const bench *b, bool tether)
{
    ebm_ais how = plain_how(b->op);

    how.density = b->density;
    if (how.burn_in > 0)
        how.tuned = b->a.tuned + (tether ? b->op->levels->count : 0);
    return how;
}

static const float *picture(const bench *b, int64_t k)
{
    return b->op->images + (size_t)k * b->op->dim;
}

/* x_0 of a picture: what the densities of the lowest level are about. */
static void noised_picture(const bench *b, int64_t k, float *x)
{
    const ebm_noise noise = {.seed = (uint64_t)b->op->call.params.seed, .index = (uint32_t)k};

    ebm_forward_state(b->op->levels, &noise, b->op->dim, picture(b, k), 0, x);
}

/* --- draws of the model -------------------------------------------------------------------- */

/* Level and number of what the present task draws; false: it draws nothing. */
static bool origin_of(const ebmd_op *op, int64_t task, int32_t *level, uint32_t *number)
{
    const int64_t n = op->call.params.particles, tuning = tune_tasks(op), k = task - tuning;
    const bool top = k >= ladder_tasks(op);

    *level = top && k >= 0 ? op->levels->count - 1 : 0;
    *number = (uint32_t)(k < 0 ? 2 * n : top ? n + k - ladder_tasks(op) : k - n);
    return k < 0 ? task == 0 : k >= n && k < particle_tasks(op);
}

static bool drawing(const bench *b)
{
    const ebm_ais how = plain_how(b->op);
    int32_t level;
    uint32_t number;

    return origin_of(b->op, b->state->done, &level, &number) &&
           !ebm_origin_done(&how, level, &b->state->origin);
}

/* Goes on with a draw; the task is done with it only where tuning is to begin at it. */
static ebm_status draw(const bench *b, int64_t *steps, bool *done, ebm_error *err)
{
    const ebm_ais how = how_of(b, false);
    ebm_origin_state *s = &b->state->origin;
    ebm_origin_task task = {.chain = b->a.y, .work = b->work};
    const int64_t before = s->total;
    ebm_status st;

    (void)origin_of(b->op, b->state->done, &task.level, &task.particle);
    st = ebm_origin_advance(&how, &task, *steps, s, err);
    *steps -= s->total - before;
    if (st != EBM_OK || b->state->done > 0 || tune_tasks(b->op) == 0)
        return st;
    *done = ebm_origin_done(&how, task.level, s);
    for (size_t i = 0; i < b->op->dim && *done; i++)
        b->a.sample[i] = b->a.y[i] / (float)b->op->levels->scale[0];
    return EBM_OK;
}

/* --- tuning, particles, pictures ----------------------------------------------------------- */

/* Goes on with tuning; *moves is what there is time for, then what is left of it. */
static ebm_status tune(const bench *b, int64_t k, int64_t *moves, bool *done, ebm_error *err)
{
    const int32_t levels = b->op->levels->count;
    ebm_tune_state *s = &b->state->tune;
    const int64_t before = (int64_t)s->level * b->op->call.params.warmup + s->step;
    ebm_ais how = how_of(b, k == 1);
    const ebm_tune_task task = {.tether = k == 1,
                                .steps = (int32_t)b->op->call.params.warmup,
                                .image = b->a.sample,
                                .chain = b->a.y,
                                .work = b->work,
                                .factors = b->a.tuned + (k == 1 ? levels : 0)};
    ebm_status st;

    how.tuned = NULL;
    st = ebm_tune_advance(&how, &task, *moves, s, err);
    *moves -= (int64_t)s->level * task.steps + s->step - before;
    *done = s->level == levels;
    return st;
}

/* Tasks 0..particles-1 go down, the others go up from what they have drawn, which lies where they
 * move. */
static ebm_status particle(const bench *b, int64_t k, int64_t *moves, bool *done, ebm_error *err)
{
    const ebm_ais how = how_of(b, false);
    const int64_t n = b->op->call.params.particles;
    ebm_particle_state *s = &b->state->particle;
    const int64_t before = s->moves;
    ebm_particle_task task = {.t = -1,
                              .particle = (uint32_t)(k % n),
                              .y = b->a.y,
                              .work = b->work,
                              .log_z = k < n ? b->a.log_z + k * b->op->levels->count : NULL};
    ebm_status st;

    if (k >= n)
        task.start = memcpy(b->x, b->a.y, b->op->dim * sizeof(*b->x));
    if (k >= ladder_tasks(b->op) && s->moves == 0)
        *s = ebm_particle_of_top(&how);
    st = ebm_particle_advance(&how, &task, *moves, s, err);
    *moves -= s->moves - before;
    *done = ebm_particle_done(&how, &task, s);
    if (st == EBM_OK && *done)
        b->a.particle[k] = ebm_particle_of(s);
    return st;
}

/* log Z of the top level, from what the forward particles carried there. */
ebm_status ebmd_likelihood_top(const ebmd_op *op, const ebmd_likelihood_arrays *a, ebm_log_z *top,
                               ebm_error *err)
{
    const int32_t levels = op->levels->count;

    return ebm_log_z_of_level(a->particle, a->log_z, ebmd_likelihood_particles(op), levels,
                              levels - 1, top, err);
}

static ebm_bound_plan bound_plan(const ebmd_op *op, int64_t k)
{
    const ebm_op_params *p = &op->call.params;

    return (ebm_bound_plan){
        .paths = (int32_t)p->paths, .particles = (int32_t)p->particles, .index = (uint32_t)k};
}

/* Goes on with a picture's bound. */
static ebm_status bound(const bench *b, int64_t k, int64_t moves, bool *done, ebm_error *err)
{
    const ebm_ais how = how_of(b, true);
    ebm_bound_plan plan = bound_plan(b->op, k);
    ebm_bound_state *s = &b->state->bound;
    const ebm_bound_room room = {.work = b->work,
                                 .path = b->path,
                                 .start = b->start,
                                 .y = b->a.y,
                                 .log_g = b->a.log_g,
                                 .weight = b->a.weight};
    ebm_status st = ebmd_likelihood_top(b->op, &b->a, &plan.top, err);

    if (st == EBM_OK)
        st = ebm_log_z_of(b->a.particle + ladder_tasks(b->op), ebmd_likelihood_particles(b->op),
                          true, &plan.top_reverse, err);
    if (st == EBM_OK)
        st = ebm_bound_advance(&how, &plan, picture(b, k), &room, moves, s, err);
    *done = s->path == plan.paths;
    if (st == EBM_OK && *done)
        b->a.bound[k] = ebm_bound_of(&how, &plan, s);
    return st;
}

/* Of the bound all moves that there is time for count as used: a few too many at its end. */
static ebm_status look_at(const bench *b, int64_t k, int64_t *moves, bool *done, ebm_error *err)
{
    const ebm_ais how = how_of(b, false);
    const int64_t few = *moves;

    noised_picture(b, k, b->x);
    b->a.ladder[k] = ebm_ladder_logp(&how, b->x, 0.0, b->work);
    *done = true;
    *moves -= ebmd_likelihood_wants(b->op, EBM_METHOD_RECOVERY) ? few : 1;
    return ebmd_likelihood_wants(b->op, EBM_METHOD_RECOVERY) ? bound(b, k, few, done, err) : EBM_OK;
}

/* --- running ------------------------------------------------------------------------------- */

/* Evaluations of a step or move of the present task. A move of the ladder evaluates two levels. */
static int64_t cost_of(const bench *b)
{
    const int64_t tuning = tune_tasks(b->op), done = b->state->done;
    const bool ladder = done >= tuning && done < tuning + particle_tasks(b->op);

    return drawing(b) ? 1 : b->op->call.params.leapfrog * (ladder ? 2 : 1);
}

ebm_status ebmd_likelihood_task(const ebmd_op *op, void *state, ebmd_tools *tools,
                                int64_t max_evals, int64_t *evals, ebm_error *err)
{
    const bench here = bench_of(op, state, tools), *b = &here;
    const int64_t tuning = tune_tasks(op), particles = particle_tasks(op), cost = cost_of(b);
    ebmd_likelihood_state *s = b->state;
    const int64_t moves = max_evals > cost ? max_evals / cost : 1;
    int64_t left = moves;
    bool done = false;
    ebm_status st;

    if (drawing(b))
        st = draw(b, &left, &done, err);
    else if (s->done < tuning)
        st = tune(b, s->done - 1, &left, &done, err);
    else if (s->done < tuning + particles)
        st = particle(b, s->done - tuning, &left, &done, err);
    else
        st = look_at(b, s->done - tuning - particles, &left, &done, err);
    *evals = (moves - left) * cost;
    if (st == EBM_OK && done) {
        s->done++;
        s->tune = (ebm_tune_state){0};
        s->origin = (ebm_origin_state){0};
        s->particle = (ebm_particle_state){0};
        s->bound = (ebm_bound_state){0};
    }
    return st;
}

bool ebmd_likelihood_state_ok(const ebmd_op *op, const ebmd_likelihood_state *s)
{
    const ebm_ais how = plain_how(op);
    const ebm_bound_plan of = bound_plan(op, 0);
    int32_t level;
    uint32_t number;

    /* before anything is counted with them */
    if (s->done < 0 || s->done > ebmd_likelihood_tasks(op) || s->spent < 0 ||
        s->spent > INT64_MAX / 2)
        return false;
    (void)origin_of(op, s->done, &level, &number);
    return ebm_origin_state_ok(&how, level, &s->origin) &&
           ebm_particle_state_ok(&how, true, &s->particle) &&
           ebm_bound_state_ok(&how, &of, &s->bound) &&
           (how.burn_in == 0 || ebm_tune_state_ok(&how, how.burn_in, &s->tune));
}
