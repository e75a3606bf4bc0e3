/* Likelihoods of images: by the ladder's normaliser, and by the recovery bound. */
#include <math.h>

#include "ebm/forward.h"
#include "ebm/likelihood.h"

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

/* One forward path on its way through the estimators. */
typedef struct local {
    ebm_ais how; /* with a seed of the path's own, so that no two paths share noise */
    const ebm_bound_plan *plan;
    const ebm_bound_room *room;
    double acceptance; /* sum over normalisers */
} local;

/* log G_t(x_{t+1}). Reverse particles start at the path's own y_t = A_t x_t. */
static ebm_status local_normaliser(local *c, int32_t t, bool reverse, double *log_g, ebm_error *err)
{
    const size_t dim = c->how.density->dim;
    const float *state = c->room->path + (size_t)t * dim;
    const float scale = (float)c->how.levels->scale[t];
    ebm_log_z z;
    for (size_t i = 0; i < dim; i++)
        c->room->start[i] = scale * state[i];
    for (int32_t p = 0; p < c->plan->particles; p++) {
        ebm_status st = ebm_ais_recovery(&c->how, t, state + dim, reverse ? c->room->start : NULL,
                                         (uint32_t)p, c->room->work, &c->room->weight[p], err);
        if (st != EBM_OK)
            return st;
    }
    ebm_status st = ebm_log_z_of(c->room->weight, (size_t)c->plan->particles, reverse, &z, err);
    c->acceptance += z.acceptance;
    *log_g = z.value;
    return st;
}

static ebm_status one_path(local *c, double logp[2], ebm_error *err)
{
    const int32_t top = c->how.levels->count - 1;
    ebm_status st = EBM_OK;
    for (int k = 0; k < 2 && st == EBM_OK; k++) {
        double *log_g = c->room->log_g;
        for (int32_t t = 0; t < top && st == EBM_OK; t++)
            st = local_normaliser(c, t, k == 1, &log_g[t], err);
        logp[k] =
            ebm_recovery_logp(&c->how, c->room->path, log_g, c->plan->top.value, c->room->work);
    }
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

/* Mean over paths as they come, and the sum of squared deviations (Welford). */
static void add_path(ebm_bound *out, double m2[2], const double logp[2], int32_t path)
{
    double *mean[2] = {&out->forward, &out->reverse};
    for (int k = 0; k < 2; k++) {
        double d = logp[k] - *mean[k];
        *mean[k] += d / (double)(path + 1);
        m2[k] += d * (logp[k] - *mean[k]);
    }
}

ebm_status ebm_recovery_bound(const ebm_ais *how, const ebm_bound_plan *plan, const float *image,
                              const ebm_bound_room *room, ebm_bound *out, ebm_error *err)
{
    const int32_t top = how->levels->count - 1;
    const size_t dim = how->density->dim;
    local c = {.how = *how, .plan = plan, .room = room};
    double m2[2] = {0.0, 0.0}, n = (double)plan->paths;
    ebm_status st = ebm_ais_check(how, err);
    *out = (ebm_bound){0};
    if (st == EBM_OK)
        st = check_plan(plan, err);
    for (int32_t path = 0; path < plan->paths && st == EBM_OK; path++) {
        double logp[2];
        c.how.seed = how->seed + ((uint64_t)plan->index << 32 | (uint64_t)path);
        const ebm_noise noise = {.seed = c.how.seed};
        ebm_forward_path(how->levels, &noise, dim, image, top, room->path);
        st = one_path(&c, logp, err);
        add_path(out, m2, logp, path);
    }
    out->std_error =
        sqrt(fmax(m2[0], m2[1]) / (n * (n - 1.0)) + plan->top.std_error * plan->top.std_error);
    out->acceptance = c.acceptance / (n * 2.0 * fmax(1.0, (double)top));
    return st;
}
