/* Stability of long chains: chains that go on from the model's own samples at the lowest level,
 * looked at after 0, 100, 1,000, ... steps. Has never heard of files. */
#include "eval/long_chains.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ebm/forward.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "eval/image_sets.h"
#include "eval/long_checkpoint.h"

/* An own seed: Langevin noise is counted from step 0 again where the ladder has used it. */
#define LONG_SEED 0xd1b54a32d192ed03u

/* Moves of all chains between two looks at the clock. */
#define SLICE_MOVES 5000

/* The band is the middle 99 % of test images. */
#define BAND_TAIL 0.005

/* Scratch of one thread. @shape anchor (of no effect without tether), x, grad [dim], work [4 dim]
 */
typedef struct long_worker {
    float *anchor, *x, *grad, *work;
    uint8_t *hwc;
    ebm_error error; /* the first one it met */
} long_worker;

typedef struct long_job {
    const ebmt__long_ground *ground;
    const ebmt_long_options *opt;
    ebm_mcmc_plan plan;
    size_t dim;
    char levels_digest[65];
    int64_t reached; /* moves of every chain that has not diverged */
    int64_t target;  /* the same at the end of this slice of work */
    long_worker *workers;
    ebmt__long_chain *chains;
    float *states;        /* [chains, dim] */
    double *scores;       /* [max(chains, test images)] */
    ebmt_dataset images;  /* what the chains show */
    ebmt_embedding test;  /* in the ruler's features */
    double accept, moves; /* up to the mark before, over all chains */
    time_t saved;         /* when the last checkpoint was */
} long_job;

/* --- one state ----------------------------------------------------------------------------- */

/* @return log density of y at level 0 in nats; worker->grad is left there */
static double logp_of(const long_job *job, int32_t worker, const float *y)
{
    const ebm_density *d = &job->ground->density[worker];
    float net = 0.0f;
    d->gradient(d->self, y, 0, &net, job->workers[worker].grad);
    return (double)net / job->ground->levels->step2[0];
}

/* Notes where chain k stands: its log density and the image that a sampler would return there. */
static void look(long_job *job, int32_t k, int32_t worker)
{
    ebmt__long_chain *c = &job->chains[k];
    const long_worker *w = &job->workers[worker];
    const ebm_levels *l = job->ground->levels;
    const float scale = (float)l->scale[0];
    c->logp = logp_of(job, worker, c->mcmc.y);
    memcpy(w->x, c->mcmc.y, job->dim * sizeof *w->x);
    if (l->denoise)
        ebm_denoise_update(l, job->dim, w->grad, w->x);
    for (size_t i = 0; i < job->dim; i++)
        w->x[i] /= scale;
    ebm_image_from_tensor(w->x, job->images.channels, job->images.height, job->images.width,
                          w->hwc);
    ebmt__image_from_hwc(w->hwc, &job->images, k);
}

/* --- tasks --------------------------------------------------------------------------------- */

static void band_task(void *user, int32_t i, int32_t worker)
{
    long_job *job = user;
    long_worker *w = &job->workers[worker];
    const ebm_levels *l = job->ground->levels;
    const ebm_noise noise = {.seed = job->opt->draw.seed + LONG_SEED, .index = (uint32_t)i};
    if (w->error.status != EBM_OK ||
        ebmt_dataset_get(job->opt->test, i, false, w->x, &w->error) != EBM_OK)
        return;
    ebm_forward_state(l, &noise, job->dim, w->x, 0, w->x);
    for (size_t j = 0; j < job->dim; j++)
        w->x[j] *= (float)l->scale[0];
    job->scores[i] = logp_of(job, worker, w->x);
    if (!isfinite(job->scores[i]))
        (void)ebm_error_set(&w->error, EBM_ERR_DIVERGED, "long chains",
                            "test image %d has the log density %g", i, job->scores[i]);
}

/* Sampling as ebmt_draw_images() does it, up to the last state of level 0. */
static void draw_task(void *user, int32_t k, int32_t worker)
{
    long_job *job = user;
    long_worker *w = &job->workers[worker];
    ebmt__long_chain *c = &job->chains[k];
    const ebm_levels *l = job->ground->levels;
    const ebmt_draw *how = &job->opt->draw;
    const ebm_langevin langevin = {how->steps_per_level,
                                   how->noise_scale > 0.0 ? how->noise_scale : l->noise_scale,
                                   how->begin};
    const ebm_mcmc_setup setup = {&job->ground->density[worker], l, &job->plan};
    ebm_chain chain = {.y = c->mcmc.y, .anchor = w->grad};
    if (w->error.status != EBM_OK)
        return;
    ebm_chain_start(&chain, l, job->dim, how->seed, (uint32_t)(how->first_index + k));
    w->error.status =
        ebm_chain_advance(&chain, &job->ground->density[worker], l, &langevin,
                          ebm_chain_total_steps(l, &langevin) - l->denoise, w->work, &w->error);
    for (size_t i = 0; i < job->dim && !l->denoise; i++)
        c->mcmc.y[i] *= (float)l->scale[0];
    c->mcmc.anchor = w->anchor;
    ebm_mcmc_start_state(&c->mcmc, &setup, c->mcmc.y, w->anchor, 0);
}

static void advance_task(void *user, int32_t k, int32_t worker)
{
    long_job *job = user;
    long_worker *w = &job->workers[worker];
    ebmt__long_chain *c = &job->chains[k];
    const ebm_mcmc_setup setup = {&job->ground->density[worker], job->ground->levels, &job->plan};
    ebm_error lost = {0};
    if (c->diverged)
        return;
    c->mcmc.anchor = w->anchor;
    c->diverged = ebm_mcmc_advance(&c->mcmc, &setup, job->target - c->mcmc.total, NULL, w->work,
                                   &lost) != EBM_OK;
    if (c->diverged) {
        c->logp = NAN;
        memset(c->mcmc.y, 0, job->dim * sizeof *c->mcmc.y);
    }
}

static void look_task(void *user, int32_t k, int32_t worker)
{
    long_job *job = user;
    if (!job->chains[k].diverged)
        look(job, k, worker);
}

static ebm_status run_tasks(long_job *job, int64_t n,
                            void (*task)(void *user, int32_t i, int32_t worker), ebm_error *err)
{
    ebmt_pool_run(job->opt->pool, (int32_t)n, task, job);
    for (int32_t i = 0; i < ebmt_pool_threads(job->opt->pool); i++) {
        const ebm_error *e = &job->workers[i].error;
        if (e->status != EBM_OK)
            return ebm_error_set(err, e->status, e->where, "%s", e->text);
    }
    return EBM_OK;
}

/* --- marks --------------------------------------------------------------------------------- */

static ebm_status measure_band(long_job *job, ebmt_long_report *out, ebm_error *err)
{
    const int64_t n = job->opt->test->count;
    ebm_status st = run_tasks(job, n, band_task, err);
    if (st != EBM_OK)
        return st;
    out->band.low = ebmt_fresh_quantile(job->scores, n, BAND_TAIL);
    out->band.high = ebmt_fresh_quantile(job->scores, n, 1.0 - BAND_TAIL);
    return EBM_OK;
}

/* Chains that diverged are outside of every band, and of every mean. */
static void measure_density(const long_job *job, const ebm_band *band, ebmt_long_mark *m)
{
    const int64_t n = job->opt->draw.n;
    /* the band's edges are estimates, too */
    const double edges =
        sqrt(2.0 * BAND_TAIL * (1.0 - 2.0 * BAND_TAIL) / (double)job->opt->test->count);
    int64_t finite = 0, inside = 0;
    double mean = 0.0, m2 = 0.0;
    for (int64_t k = 0; k < n; k++) {
        const double v = job->chains[k].logp, d = v - mean;
        if (!isfinite(v))
            continue;
        mean += d / (double)++finite;
        m2 += d * (v - mean);
        inside += v >= band->low && v <= band->high;
    }
    const double share = (double)inside / (double)n;
    m->diverged = n - finite;
    m->log_density_sd = finite > 1 ? sqrt(m2 / (double)(finite - 1)) : NAN;
    m->log_density =
        (ebmt_number){finite > 0 ? mean : NAN, m->log_density_sd / sqrt((double)finite), finite};
    m->inside = (ebmt_number){share, hypot(sqrt(share * (1.0 - share) / (double)n), edges), n};
}

static void measure_acceptance(long_job *job, ebmt_long_mark *m)
{
    double accept = 0.0, moves = 0.0;
    for (int64_t k = 0; k < job->opt->draw.n; k++) {
        accept += job->chains[k].mcmc.accept;
        moves += (double)job->chains[k].mcmc.moves;
    }
    m->acceptance = moves > job->moves ? (accept - job->accept) / (moves - job->moves) : NAN;
    job->accept = accept;
    job->moves = moves;
}

static ebm_status measure_distance(const long_job *job, ebmt_long_mark *m, ebm_error *err)
{
    const ebmt_ruler *r = job->opt->ruler;
    ebmt_embedding e;
    m->frechet = m->frechet_unbiased = (ebmt_number){NAN, NAN, job->opt->draw.n};
    if (!r)
        return EBM_OK;
    ebm_status st = r->embed(r->self, &job->images, job->opt->pool, &e, err);
    if (st == EBM_OK) {
        const ebmt_points x = {.n = e.n, .dim = (size_t)e.dim, .values = e.features};
        const ebmt_points y = {
            .n = job->test.n, .dim = (size_t)job->test.dim, .values = job->test.features};
        st = ebmt_frechet(&x, &y, &m->frechet, &m->frechet_unbiased, err);
    }
    ebmt_embedding_clear(&e);
    return st;
}

static ebm_status add_mark(long_job *job, ebmt_long_report *out, ebm_error *err)
{
    ebmt_long_mark *m = &out->mark[out->n_marks];
    m->steps = job->reached - job->plan.burn_in;
    measure_density(job, &out->band, m);
    measure_acceptance(job, m);
    ebm_status st = measure_distance(job, m, err);
    if (st == EBM_OK && job->opt->on_images)
        st = job->opt->on_images(job->opt->user, m->steps, &job->images, err);
    if (st != EBM_OK)
        return st;
    out->n_marks++;
    if (job->opt->on_mark)
        job->opt->on_mark(job->opt->user, out);
    return EBM_OK;
}

/* --- checkpoints --------------------------------------------------------------------------- */

/* All that decides a run. @shape hex [65] */
static void make_key(const long_job *job, char *hex)
{
    const ebmt_long_options *o = job->opt;
    const ebm_mcmc_plan *p = &job->plan;
    char text[1024], test[65];
    ebm_sha256_hex(o->test->pixels, (size_t)o->test->count * job->dim, test);
    int n = snprintf(
        text, sizeof text,
        "%.64s %s %.64s %s %.300s %llu %d %lld %d %.17g %d %d %lld %lld %d %.17g %.17g",
        job->ground->sha256, job->levels_digest, job->ground->kernel_class, test, o->ruler_id,
        (unsigned long long)o->draw.seed, o->draw.first_index, (long long)o->draw.n,
        o->draw.steps_per_level, o->draw.noise_scale, (int)o->draw.begin, (int)p->sampler,
        (long long)p->steps, (long long)p->burn_in, p->leapfrog, p->step_scale, p->noise_scale);
    ebm_sha256_hex(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1, hex);
}

static ebmt__long_state state_of(const long_job *job, ebmt_long_report *report)
{
    ebmt__long_state s = {.path = job->opt->checkpoint,
                          .model_sha256 = job->ground->sha256,
                          .levels = job->ground->levels,
                          .plan = &job->plan,
                          .dim = job->dim,
                          .n = job->opt->draw.n,
                          .chains = job->chains,
                          .images = job->images.pixels,
                          .anchor = job->workers[0].anchor,
                          .report = report,
                          .accept = job->accept,
                          .moves = job->moves,
                          .reached = job->reached};
    make_key(job, s.key);
    return s;
}

static ebm_status save(const long_job *job, ebmt_long_report *out, ebm_error *err)
{
    if (!job->opt->checkpoint)
        return EBM_OK;
    const ebmt__long_state s = state_of(job, out);
    return ebmt__long_save(&s, err);
}

/* The marks of before are told again, one by one. */
static void tell_again(const long_job *job, ebmt_long_report *out)
{
    const int32_t n = out->n_marks;
    for (out->n_marks = 1; job->opt->on_mark; out->n_marks++) {
        job->opt->on_mark(job->opt->user, out);
        if (out->n_marks == n)
            break;
    }
    out->n_marks = n;
}

static ebm_status resume(long_job *job, ebmt_long_report *out, bool *resumed, ebm_error *err)
{
    ebm_error inner = {0};
    if (!job->opt->checkpoint)
        return EBM_OK;
    ebmt__long_state s = state_of(job, out);
    ebm_status st = ebmt__long_load(&s, &inner);
    if (st == EBM_ERR_NOT_FOUND)
        return EBM_OK;
    if (st != EBM_OK)
        return ebm_error_set(err, st, job->opt->checkpoint, "%s", inner.text);
    job->accept = s.accept;
    job->moves = s.moves;
    job->reached = s.reached;
    *resumed = true;
    tell_again(job, out);
    return EBM_OK;
}

/* --- the run ------------------------------------------------------------------------------- */

/* The mark after `steps`: 0, 100, 1,000, ..., and the end of the run. */
static int64_t next_mark(int64_t steps, int64_t last)
{
    int64_t next = steps < 100 ? 100 : steps * 10;
    if (steps < 0)
        next = 0;
    return next < last ? next : last;
}

static time_t seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool save_is_due(const long_job *job)
{
    return seconds_now() - job->saved >= job->opt->checkpoint_seconds;
}

/* Up to a mark, in slices, with checkpoints between. */
static ebm_status advance_to(long_job *job, int64_t end, ebmt_long_report *out, ebm_error *err)
{
    const int64_t n = job->opt->draw.n, slice = 1 + SLICE_MOVES / n;
    ebm_status st = EBM_OK;
    while (st == EBM_OK && job->reached < end) {
        job->target = job->reached + slice < end ? job->reached + slice : end;
        st = run_tasks(job, n, advance_task, err);
        job->reached = job->target;
        if (st != EBM_OK || job->reached >= end || !save_is_due(job))
            continue;
        st = save(job, out, err);
        job->saved = seconds_now();
    }
    return st;
}

static ebm_status reach_mark(long_job *job, int64_t moves, ebmt_long_report *out, ebm_error *err)
{
    ebm_status st = advance_to(job, moves, out, err);
    if (st == EBM_OK)
        st = run_tasks(job, job->opt->draw.n, look_task, err);
    if (st == EBM_OK)
        st = add_mark(job, out, err);
    return st == EBM_OK ? save(job, out, err) : st;
}

/* Draws the samples and looks at them. */
static ebm_status start(long_job *job, ebmt_long_report *out, ebm_error *err)
{
    ebm_status st = measure_band(job, out, err);
    if (st == EBM_OK)
        st = run_tasks(job, job->opt->draw.n, draw_task, err);
    return st == EBM_OK ? reach_mark(job, 0, out, err) : st;
}

/* From the samples, or from where a checkpoint says. */
static ebm_status run_marks(long_job *job, ebmt_long_report *out, ebm_error *err)
{
    const int64_t burn_in = job->plan.burn_in, last = job->opt->plan.steps;
    bool resumed = false;
    ebm_status st = resume(job, out, &resumed, err);
    if (st == EBM_OK && !resumed)
        st = start(job, out, err);
    while (st == EBM_OK && out->mark[out->n_marks - 1].steps < last)
        st =
            reach_mark(job, burn_in + next_mark(out->mark[out->n_marks - 1].steps, last), out, err);
    return st;
}

/* --- all of it ----------------------------------------------------------------------------- */

static ebm_status init_workers(long_job *job, ebm_error *err)
{
    const int32_t n = ebmt_pool_threads(job->opt->pool);
    job->workers = ebm_alloc((size_t)n, sizeof *job->workers);
    for (int32_t i = 0; i < n && job->workers; i++) {
        long_worker *w = &job->workers[i];
        w->anchor = ebm_alloc(7 * job->dim, sizeof *w->anchor);
        w->hwc = ebm_alloc(job->dim, 1);
        if (!w->anchor || !w->hwc)
            return ebm_error_set(err, EBM_ERR_NOMEM, "long chains", "no memory for a thread");
        w->x = w->anchor + job->dim;
        w->grad = w->x + job->dim;
        w->work = w->grad + job->dim;
    }
    return job->workers ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "long chains", "no memory");
}

static ebm_status init_job(long_job *job, ebm_error *err)
{
    const ebmt_draw *draw = &job->opt->draw;
    const int64_t test = job->opt->test->count, most = draw->n > test ? draw->n : test;
    const ebmt_ruler *r = job->opt->ruler;
    size_t floats;
    if (ebm_size_mul((size_t)draw->n, job->dim, &floats))
        job->states = ebm_alloc(floats, sizeof *job->states);
    job->chains = ebm_alloc((size_t)draw->n, sizeof *job->chains);
    job->scores = ebm_alloc((size_t)most, sizeof *job->scores);
    if (!job->states || !job->chains || !job->scores)
        return ebm_error_set(err, EBM_ERR_NOMEM, "long chains", "no memory for %lld chains",
                             (long long)draw->n);
    for (int64_t k = 0; k < draw->n; k++)
        job->chains[k].mcmc = (ebm_mcmc){
            .noise = {.seed = draw->seed + LONG_SEED, .index = (uint32_t)(draw->first_index + k)},
            .y = job->states + (size_t)k * job->dim};
    ebm_status st = ebm_levels_digest(job->ground->levels, job->levels_digest, err);
    if (st == EBM_OK)
        st = ebmt__images_init(job->ground->like, draw->n, &job->images, err);
    if (st == EBM_OK)
        st = init_workers(job, err);
    if (st == EBM_OK && r)
        st = r->embed(r->self, job->opt->test, job->opt->pool, &job->test, err);
    return st;
}

static void clear_job(long_job *job)
{
    for (int32_t i = 0; job->workers && i < ebmt_pool_threads(job->opt->pool); i++) {
        ebm_free(job->workers[i].anchor);
        ebm_free(job->workers[i].hwc);
    }
    ebm_free(job->workers);
    ebm_free(job->states);
    ebm_free(job->chains);
    ebm_free(job->scores);
    ebmt_dataset_clear(&job->images);
    ebmt_embedding_clear(&job->test);
}

static ebm_status check(const ebmt__long_ground *g, const ebmt_long_options *opt, ebm_error *err)
{
    const ebmt_dataset *a = g->like, *b = opt->test;
    if (a->channels != b->channels || a->height != b->height || a->width != b->width)
        return ebm_error_set(err, EBM_ERR_SHAPE, "long chains",
                             "the model draws %dx%dx%d, these are %dx%dx%d", a->width, a->height,
                             a->channels, b->width, b->height, b->channels);
    if (opt->draw.n < 8 || opt->draw.n > EBMT_LONG_MAX_CHAINS)
        return ebm_error_set(err, EBM_ERR_RANGE, "chains", "%lld, allowed 8..%d",
                             (long long)opt->draw.n, EBMT_LONG_MAX_CHAINS);
    if (opt->draw.first_index < 0 || opt->draw.first_index > INT32_MAX - opt->draw.n)
        return ebm_error_set(err, EBM_ERR_RANGE, "first_index", "%d", opt->draw.first_index);
    if (b->count < 8 || b->count > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "images", "%lld: at least 8", (long long)b->count);
    if (opt->plan.steps < 1 || opt->plan.steps > EBMT_LONG_MAX_STEPS || opt->plan.burn_in < 0 ||
        opt->plan.burn_in > EBMT_LONG_MAX_STEPS)
        return ebm_error_set(err, EBM_ERR_RANGE, "steps", "%lld after %lld, each at most %d",
                             (long long)opt->plan.steps, (long long)opt->plan.burn_in,
                             EBMT_LONG_MAX_STEPS);
    return EBM_OK;
}

/* At one level, marginal density; Langevin steps have no size to adapt. */
static ebm_mcmc_plan plan_of(const ebmt_long_options *opt)
{
    ebm_mcmc_plan plan = opt->plan;
    plan.ladder = plan.tether = false;
    if (plan.sampler == EBM_SAMPLER_LANGEVIN)
        plan.burn_in = 0;
    plan.steps += plan.burn_in;
    return plan;
}

ebm_status ebmt__long_chains_run(const ebmt__long_ground *ground, const ebmt_long_options *opt,
                                 ebmt_long_report *out, ebm_error *err)
{
    long_job job = {.ground = ground, .opt = opt, .dim = ebmt__image_bytes(ground->like)};
    memset(out, 0, sizeof *out);
    ebm_status st = check(ground, opt, err);
    if (st != EBM_OK)
        return st;
    job.plan = plan_of(opt);
    st = ebm_mcmc_plan_check(&job.plan, err);
    if (st != EBM_OK)
        return st;
    out->sampler = job.plan.sampler;
    out->leapfrog = job.plan.sampler == EBM_SAMPLER_HMC ? job.plan.leapfrog : 1;
    out->chains = opt->draw.n;
    out->burn_in = job.plan.burn_in;
    out->ruler = opt->ruler ? opt->ruler->name : NULL;
    out->band_images = opt->test->count;
    st = init_job(&job, err);
    if (st == EBM_OK)
        st = run_marks(&job, out, err);
    clear_job(&job);
    return st;
}
