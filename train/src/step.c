/* One iteration of training. Chains run sample by sample on all workers; gradients are summed in
 * shards whose number is fixed by the configuration, and the shards are added in order: results
 * do not depend on the number of threads, nor on how many processes the shards are dealt out to. */
#include <math.h>
#include <string.h>

#include "loss/objective.h"
#include "optim/adam.h"
#include "trainer.h"
#include "visits.h"

/* Power iterations that bring the averaged vectors, already close, to the averaged weights. */
#define AVERAGE_ITERATIONS 20

/* Sample b goes into shard b mod shards, that one belongs to process shard mod size. */
static int32_t owner_of(const ebmt__trainer *tr, int32_t shard)
{
    return shard % ebmt_group_size(tr->group);
}

bool ebmt__trainer_owns(const ebmt__trainer *tr, int32_t b)
{
    return owner_of(tr, b % tr->config.shards) == ebmt_group_rank(tr->group);
}

/* Samples 0..n-1 of the batch have a likelihood term and hence a chain. */
static int32_t n_likelihood(const ebmt__trainer *tr)
{
    switch (tr->config.objective) {
    case EBMT_RECOVERY:
        return tr->config.batch;
    case EBMT_HYBRID:
        if (!ebmt__warm_start(&tr->config, tr->state.iteration))
            return (int32_t)lround(tr->config.rl_share * (double)tr->config.batch);
        break;
    case EBMT_MATCHING:
        break;
    }
    return 0;
}

/* Factor on net(y-) - net(y+) of one sample, before the mean over the batch. */
static double likelihood_weight(const ebmt__trainer *tr, int32_t t)
{
    const ebmt_config *c = &tr->config;
    if (c->objective == EBMT_RECOVERY)
        return ebmt__paper_weight(tr->levels, t);
    double weight = c->rl_weight * ebmt__balanced_weight(tr->levels, t, tr->dim);
    if (t == 0)
        weight *= c->rl_weight_low;
    if (t == tr->levels->count - 1)
        weight *= c->rl_weight_top;
    return weight;
}

static double rms_distance(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sqrt(sum / (double)n);
}

static void draw_pair(void *user, int32_t b, int32_t worker)
{
    ebmt__trainer *tr = user;
    const ebmt__draw draw = {.data = tr->data,
                             .levels = tr->levels,
                             .lowest = tr->config.lowest_level,
                             .highest = ebmt__highest_level(tr),
                             .seed = tr->iteration_seed,
                             .flip = tr->config.flip,
                             .shared = tr->config.shared_noise};
    ebm_error *err = &tr->data_error[worker];
    if (err->status == EBM_OK && b < tr->visits)
        (void)(ebmt__visit_draw(tr, b, worker, err) == EBM_OK);
    if (!ebmt__trainer_owns(tr, b))
        return;
    if (err->status == EBM_OK)
        (void)(ebmt__pair_make(&draw, tr->index[b], (uint32_t)b, tr->work[worker], &tr->pair[b],
                               err) == EBM_OK);
    tr->pair[b].mix *= tr->config.matching_reach;
    tr->outcome[b].level = tr->pair[b].level;
}

static ebm_status draw_pairs(ebmt__trainer *tr, ebm_error *err)
{
    const int32_t workers = ebmt_pool_threads(tr->pool);
    memset(tr->data_error, 0, (size_t)workers * sizeof *tr->data_error);
    ebmt_pool_run(tr->pool, tr->config.batch, draw_pair, tr);
    for (int32_t i = 0; i < workers; i++) {
        const ebm_error *e = &tr->data_error[i];
        if (e->status != EBM_OK)
            return ebm_error_set(err, e->status, e->where, "%s", e->text);
    }
    return EBM_OK;
}

static void run_chain(void *user, int32_t i, int32_t worker)
{
    ebmt__trainer *tr = user;
    int32_t b = tr->cost_order[i];
    tr->outcome[b].moves = ebmt__negative(tr->session[worker], tr->levels, tr->iteration_seed,
                                          (uint32_t)b, &tr->pair[b], tr->work[worker]);
    tr->outcome[b].displacement = rms_distance(tr->pair[b].y_minus, tr->pair[b].x_next, tr->dim);
}

/* The slots of this process are every n-th; ebmt_pool_run() asks for all. */
static void visit_chain(void *user, int32_t b, int32_t worker)
{
    ebmt__trainer *tr = user;
    if (ebmt__trainer_owns(tr, b))
        ebmt__visit_move(tr, b, worker);
}

static void sum_shard(void *user, int32_t i, int32_t worker)
{
    ebmt__trainer *tr = user;
    int32_t shard = ebmt_group_rank(tr->group) + i * ebmt_group_size(tr->group);
    ebmt_grads *grads = &tr->shard[shard];
    int32_t likelihood = n_likelihood(tr);
    double share = 1.0 / (double)tr->config.batch;
    ebmt_grads_zero(grads);
    for (int32_t b = shard; b < tr->config.batch; b += tr->config.shards) {
        ebmt__outcome *o = &tr->outcome[b];
        double weight = likelihood_weight(tr, tr->pair[b].level);
        if (b < likelihood)
            o->loss = weight * ebmt__recovery_term(tr->session[worker], &tr->pair[b],
                                                   weight * share, grads, &o->gap);
        if (b < tr->visits)
            ebmt__visit_term(tr, b, worker, grads);
        if (tr->config.objective != EBMT_RECOVERY)
            o->matching = ebmt__matching_term(tr->session[worker], tr->levels, &tr->pair[b], share,
                                              grads, tr->work[worker]);
    }
}

/* Lists the chains of this process, those with most steps first, so that no worker is left with a
 * long one at the end. Returns how many. */
static int32_t order_by_cost(ebmt__trainer *tr, int32_t likelihood)
{
    int32_t n = 0;
    for (int32_t b = 0; b < likelihood; b++) {
        if (!ebmt__trainer_owns(tr, b))
            continue;
        int32_t at = n++, steps = tr->levels->steps[tr->pair[b].level];
        for (; at > 0 && tr->levels->steps[tr->pair[tr->cost_order[at - 1]].level] < steps; at--)
            tr->cost_order[at] = tr->cost_order[at - 1];
        tr->cost_order[at] = b;
    }
    return n;
}

/* The costly part: chains and gradients of the shards of this process. */
static void sum_shards(ebmt__trainer *tr, int32_t likelihood)
{
    int32_t size = ebmt_group_size(tr->group), rank = ebmt_group_rank(tr->group);
    ebmt_pool_run(tr->pool, order_by_cost(tr, likelihood), run_chain, tr);
    ebmt_pool_run(tr->pool, tr->visits, visit_chain, tr);
    ebmt_pool_run(tr->pool, (tr->config.shards - rank + size - 1) / size, sum_shard, tr);
}

/* Everyone gets the statistics and the shards of all. */
static ebm_status exchange(ebmt__trainer *tr, ebm_error *err)
{
    uint64_t *words = (uint64_t *)(void *)tr->outcome;
    size_t n = (size_t)tr->config.batch * (sizeof *tr->outcome / sizeof *words);
    ebm_status st = ebmt_group_merge(tr->group, words, n, err);
    if (st == EBM_OK)
        st = ebmt__visits_exchange(tr, err);
    for (int32_t i = 0; i < tr->config.shards && st == EBM_OK; i++) {
        ebmt_grads *s = &tr->shard[i];
        int32_t owner = owner_of(tr, i);
        st = ebmt_group_share(tr->group, owner, s->effective,
                              tr->g->n_params * sizeof *s->effective, err);
        if (st == EBM_OK)
            st = ebmt_group_share(tr->group, owner, s->rows, s->n_rows * sizeof *s->rows, err);
    }
    return st;
}

static void collect(ebmt__trainer *tr, int32_t likelihood)
{
    ebmt__level_stats *s = &tr->stats;
    size_t levels = (size_t)tr->levels->count;
    memset(s->gap, 0, levels * sizeof *s->gap);
    memset(s->displacement, 0, levels * sizeof *s->displacement);
    memset(s->acceptance, 0, levels * sizeof *s->acceptance);
    memset(s->moves, 0, levels * sizeof *s->moves);
    memset(s->matching, 0, levels * sizeof *s->matching);
    memset(s->seen, 0, levels * sizeof *s->seen);
    memset(s->matched, 0, levels * sizeof *s->matched);
    tr->loss = tr->matching = 0.0;
    for (int32_t b = 0; b < tr->config.batch; b++) {
        const ebmt__outcome *o = &tr->outcome[b];
        size_t t = (size_t)o->level;
        s->matched[t] += tr->config.objective != EBMT_RECOVERY;
        s->matching[t] += o->matching;
        tr->matching += o->matching / (double)tr->config.batch;
        if (b >= likelihood)
            continue;
        s->seen[t]++;
        s->gap[t] += o->gap;
        s->displacement[t] += o->displacement;
        s->acceptance[t] += o->moves.accepted;
        s->moves[t] += o->moves.n;
        tr->loss += o->loss / (double)likelihood;
    }
    for (size_t t = 0; t < levels; t++) {
        double seen = s->seen[t] > 0 ? (double)s->seen[t] : 1.0;
        s->gap[t] /= seen;
        s->displacement[t] /= seen;
        s->acceptance[t] = s->moves[t] > 0 ? s->acceptance[t] / (double)s->moves[t] : NAN;
        s->matching[t] /= s->matched[t] > 0 ? (double)s->matched[t] : 1.0;
    }
}

static void collect_visits(ebmt__trainer *tr)
{
    const int32_t n = tr->visits;
    double gap = 0.0, acceptance = 0.0;
    for (int32_t b = 0; b < n; b++) {
        gap += tr->outcome[b].visit_gap;
        acceptance += tr->outcome[b].visit_acceptance;
    }
    tr->stats.persistent_gap = n > 0 ? gap / (double)n / tr->levels->step2[0] : 0.0;
    tr->stats.persistent_acceptance = n > 0 ? acceptance / (double)n : 0.0;
}

/* Adds the shards in order and goes through gains, time embedding and spectral norm. */
static ebm_status gradient_of_batch(ebmt__trainer *tr, ebm_error *err)
{
    for (int32_t i = 1; i < tr->config.shards; i++)
        ebmt_grads_add(&tr->shard[0], &tr->shard[i]);
    ebm_status st = ebmt_grads_finish(&tr->shard[0], tr->used, tr->grad, err);
    if (st != EBM_OK)
        return st;
    ebmt__spectral_gradient(&tr->spectral, tr->g, tr->state.params, tr->state.spectral_u, tr->grad);
    double sum = 0.0;
    for (size_t i = 0; i < tr->g->n_params; i++)
        sum += (double)tr->grad[i] * (double)tr->grad[i];
    tr->grad_norm = sqrt(sum);
    return EBM_OK;
}

/* Shortens a gradient that is far above its running norm. */
static void clip_gradient(ebmt__trainer *tr)
{
    double limit = tr->config.clip * tr->state.grad_norm_mean;
    double norm = tr->grad_norm;
    if (limit > 0.0 && norm > limit) {
        float scale = (float)(limit / norm);
        for (size_t i = 0; i < tr->g->n_params; i++)
            tr->grad[i] *= scale;
        norm = limit;
    }
    double mean = tr->state.grad_norm_mean;
    tr->state.grad_norm_mean = mean > 0.0 ? 0.99 * mean + 0.01 * norm : norm;
}

static ebm_status check_finite(const ebmt__trainer *tr, ebm_error *err)
{
    if (isfinite(tr->loss) && isfinite(tr->matching) && isfinite(tr->grad_norm) &&
        isfinite(tr->stats.persistent_gap) && isfinite(tr->stats.persistent_acceptance) &&
        fabs(tr->loss) < 1e6)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_DIVERGED, "loss",
                         "training diverged at iteration %lld: loss %g, matching %g, "
                         "gradient norm %g, gap of persistent chains %g, their acceptance %g",
                         (long long)tr->state.iteration, tr->loss, tr->matching, tr->grad_norm,
                         tr->stats.persistent_gap, tr->stats.persistent_acceptance);
}

static void update(ebmt__trainer *tr)
{
    clip_gradient(tr);
    tr->lr = ebmt__learning_rate(&tr->config, tr->state.iteration, tr->state.adam_step);
    ebmt__adam_step(&tr->config, tr->lr, tr->grad, &tr->state);
    ebmt__visits_keep(tr);
    tr->state.iteration++;
    ebmt__ema_step(&tr->config, &tr->state);
    if (tr->config.objective == EBMT_HYBRID && tr->state.iteration == tr->config.warm_start)
        ebmt__adam_reset(&tr->state);
}

ebm_status ebmt__trainer_step(ebmt__trainer *tr, ebm_error *err)
{
    int32_t likelihood = n_likelihood(tr);
    tr->visits = ebmt__visits_at(&tr->config, tr->state.iteration);
    tr->iteration_seed = ebmt__iteration_seed(tr->config.seed, tr->state.iteration);
    memset(tr->outcome, 0, (size_t)tr->config.batch * sizeof *tr->outcome);
    ebmt__spectral_apply(&tr->spectral, tr->g, tr->config.power_iterations, tr->state.params,
                         tr->state.spectral_u, tr->used);
    ebm_model_set_params(tr->model, tr->used);

    ebmt_order_batch(tr->order, tr->state.iteration, tr->config.batch, tr->index);
    ebm_status st = ebmt_group_agree(tr->group, draw_pairs(tr, err), NULL, err);
    if (st != EBM_OK)
        return st;
    sum_shards(tr, likelihood);
    st = exchange(tr, err);
    if (st != EBM_OK)
        return st;
    collect(tr, likelihood);
    collect_visits(tr);
    st = gradient_of_batch(tr, err);
    if (st == EBM_OK)
        st = check_finite(tr, err);
    if (st == EBM_OK)
        update(tr);
    return st;
}

void ebmt__trainer_average(ebmt__trainer *tr)
{
    /* `used` and `grad` are free between iterations */
    float *u = tr->grad;
    memcpy(u, tr->state.ema_spectral_u, tr->spectral_ema.n_u * sizeof *u);
    int32_t iterations = tr->config.power_iterations > 0 ? AVERAGE_ITERATIONS : 0;
    ebmt__spectral_apply(&tr->spectral_ema, tr->g, iterations, tr->state.ema, u, tr->used);
    ebm_model_set_params(tr->averaged, tr->used);
}
