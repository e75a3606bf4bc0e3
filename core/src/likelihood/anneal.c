/* One annealed path, up or down: temperatures, moves, the log weight. */
#include <math.h>

#include "likelihood/tilt.h"

void ebm__anneal_init(ebm__anneal *a, const ebm_ais *how, const ebm_particle_task *task,
                      ebm_particle_state *state)
{
    const size_t dim = how->density->dim;
    float *work = task->work;
    *a = (ebm__anneal){.noise = {.seed = how->seed, .index = task->particle},
                       .purpose = task->start ? EBM_PURPOSE_ANNEAL_BACK : EBM_PURPOSE_ANNEAL,
                       .task = task,
                       .state = state};
    a->tilt = (ebm__tilt){.how = how,
                          .base_level = -1,
                          .sd = 1.0,
                          .scaled = work,
                          .now = {.grad_base = work + dim, .grad_level = work + 2 * dim},
                          .trial = {.grad_base = work + 3 * dim, .grad_level = work + 4 * dim}};
    a->hmc = (ebm__hmc){.leapfrog = how->leapfrog,
                        .y = task->y,
                        .grad = work + 5 * dim,
                        .y_new = work + 6 * dim,
                        .grad_new = work + 7 * dim,
                        .momentum = work + 8 * dim};
}

static double step_size(const ebm__tilt *t)
{
    double base = (t->keep_base ? 1.0 : 1.0 - t->beta) * ebm__tilt_base_curvature(t);
    double curvature = base + t->beta * ebm__tilt_level_curvature(t);
    return t->how->step_scale * ebm__hmc_guess(curvature, t->how->density->dim);
}

static void move(ebm__anneal *a)
{
    ebm_particle_state *s = a->state;
    const ebm_draw draw = {.purpose = a->purpose, .level = a->tilt.level, .step = ++s->moves};
    a->hmc.eps = step_size(&a->tilt);
    s->accept += ebm__hmc_move(&a->hmc, draw);
}

/* beta_j, such that the curvature on the path grows by a constant factor each time: a level may be
 * a thousand times narrower than its base. @eq (rho^(j/J) - 1)/(rho - 1), rho the ratio of
 * curvatures at the ends */
static double beta_at(const ebm__tilt *t, int32_t j)
{
    if (j == 0 || j == t->how->temperatures)
        return j == 0 ? 0.0 : 1.0;
    double share = (double)j / (double)t->how->temperatures;
    double base = ebm__tilt_base_curvature(t), level = ebm__tilt_level_curvature(t);
    double rho = (t->keep_base ? base + level : level) / base;
    if (fabs(rho - 1.0) < 1e-3)
        return share;
    return expm1(share * log(rho)) / (rho - 1.0);
}

/* Which beta the next moves are made at: the way back begins at the last one. */
static int32_t place(const ebm__anneal *a)
{
    const ebm_particle_state *s = a->state;
    if (a->task->start)
        return a->tilt.how->temperatures - s->temperature;
    return s->temperature + (s->move > 0 ? 1 : 0);
}

/* The struct's own parts are joined here, once it lies where it stays. */
void ebm__anneal_enter(ebm__anneal *a)
{
    a->hmc.target = ebm__tilt_target(&a->tilt);
    a->hmc.noise = &a->noise;
    a->tilt.beta = beta_at(&a->tilt, place(a));
    ebm__hmc_refresh(&a->hmc);
}

/* From one temperature to its neighbour. */
static void change(ebm__anneal *a, int32_t from, int32_t to)
{
    const double beta = beta_at(&a->tilt, to);
    a->state->weight += (beta - beta_at(&a->tilt, from)) * ebm__tilt_slope(&a->tilt);
    ebm__tilt_set(&a->tilt, beta, &a->hmc);
}

/* Forward a temperature is a change and its moves, back its moves and then the change. */
void ebm__anneal_run(ebm__anneal *a, int64_t *moves)
{
    const ebm_ais *how = a->tilt.how;
    const bool reverse = a->task->start != NULL;
    ebm_particle_state *s = a->state;
    for (; *moves > 0 && s->temperature < how->temperatures; --*moves) {
        const bool burning = reverse && s->moves < how->burn_in;
        if (!reverse && s->move == 0)
            change(a, s->temperature, s->temperature + 1);
        move(a);
        if (burning || ++s->move < how->moves)
            continue;
        if (reverse)
            change(a, place(a), place(a) - 1);
        s->move = 0;
        s->temperature++;
    }
}
