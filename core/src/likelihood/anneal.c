/* One annealed path, up or down: temperatures, moves, the log weight. */
#include <math.h>

#include "likelihood/tilt.h"

void ebm__anneal_init(ebm__anneal *a, const ebm_ais *how, uint32_t particle, bool reverse,
                      float *work)
{
    const size_t dim = how->density->dim;
    *a = (ebm__anneal){.noise = {.seed = how->seed, .index = particle},
                       .purpose = reverse ? EBM_PURPOSE_ANNEAL_BACK : EBM_PURPOSE_ANNEAL};
    a->tilt = (ebm__tilt){.how = how,
                          .base_level = -1,
                          .sd = 1.0,
                          .scaled = work,
                          .now = {.grad_base = work + dim, .grad_level = work + 2 * dim},
                          .trial = {.grad_base = work + 3 * dim, .grad_level = work + 4 * dim}};
    a->hmc = (ebm__hmc){.leapfrog = how->leapfrog,
                        .y = work + 5 * dim,
                        .grad = work + 6 * dim,
                        .y_new = work + 7 * dim,
                        .grad_new = work + 8 * dim,
                        .momentum = work + 9 * dim};
}

/* The struct's own parts, once it lies where it stays. */
void ebm__anneal_begin(ebm__anneal *a, double beta)
{
    a->hmc.target = ebm__tilt_target(&a->tilt);
    a->hmc.noise = &a->noise;
    a->tilt.beta = beta;
    ebm__hmc_refresh(&a->hmc);
}

static double step_size(const ebm__tilt *t)
{
    double base = (t->keep_base ? 1.0 : 1.0 - t->beta) * ebm__tilt_base_curvature(t);
    double curvature = base + t->beta * ebm__tilt_level_curvature(t);
    return t->how->step_scale * ebm__hmc_guess(curvature, t->how->density->dim);
}

void ebm__anneal_move(ebm__anneal *a, int32_t n)
{
    const ebm__tilt *t = &a->tilt;
    a->hmc.eps = step_size(t);
    for (int32_t i = 0; i < n; i++, a->moves++) {
        const ebm_draw draw = {.purpose = a->purpose, .level = t->level, .step = ++a->step};
        a->accept += ebm__hmc_move(&a->hmc, draw);
    }
}

/* beta_j, such that the curvature on the path grows by a constant factor each time: a level may be
 * a thousand times narrower than its base. @eq (rho^(j/J) - 1)/(rho - 1), rho the ratio of
 * curvatures at the ends */
static double beta_at(const ebm__tilt *t, int32_t j)
{
    double share = (double)j / (double)t->how->temperatures;
    double base = ebm__tilt_base_curvature(t), level = ebm__tilt_level_curvature(t);
    double rho = (t->keep_base ? base + level : level) / base;
    if (fabs(rho - 1.0) < 1e-3)
        return share;
    return expm1(share * log(rho)) / (rho - 1.0);
}

double ebm__anneal_forward(ebm__anneal *a)
{
    const ebm_ais *how = a->tilt.how;
    double log_weight = 0.0, beta = 0.0;
    ebm__anneal_begin(a, 0.0);
    for (int32_t j = 1; j <= how->temperatures; j++) {
        double next = j == how->temperatures ? 1.0 : beta_at(&a->tilt, j);
        log_weight += (next - beta) * ebm__tilt_slope(&a->tilt);
        beta = next;
        ebm__tilt_set(&a->tilt, beta, &a->hmc);
        ebm__anneal_move(a, how->moves);
    }
    return log_weight;
}

double ebm__anneal_reverse(ebm__anneal *a)
{
    const ebm_ais *how = a->tilt.how;
    double log_weight = 0.0, beta = 1.0;
    ebm__anneal_begin(a, 1.0);
    for (int32_t j = how->temperatures - 1; j >= 0; j--) {
        double next = j == 0 ? 0.0 : beta_at(&a->tilt, j);
        ebm__anneal_move(a, how->moves);
        log_weight += (next - beta) * ebm__tilt_slope(&a->tilt);
        beta = next;
        ebm__tilt_set(&a->tilt, beta, &a->hmc);
    }
    return log_weight;
}

ebm_status ebm__anneal_finish(const ebm__anneal *a, double log_weight, ebm_particle *out,
                              ebm_error *err)
{
    *out = (ebm_particle){.log_weight = log_weight,
                          .acceptance = a->moves > 0 ? a->accept / (double)a->moves : 0.0};
    if (isfinite(log_weight))
        return EBM_OK;
    if (err)
        err->index = a->noise.index;
    return ebm_error_set(err, EBM_ERR_DIVERGED, "particle", "particle %u diverged",
                         (unsigned)a->noise.index);
}
