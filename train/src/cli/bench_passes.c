/* Times gradients, forward passes and whole images with all threads busy.
 * Inside the timed window: the passes of every image of a round, and handing the round to the
 * threads. Outside: opening the model, sessions, noise, a warm-up round. */
#include <stdio.h>

#include "cli/bench.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "ebmt/pool.h"

#define FLOATS_PER_IMAGE 5 /* input; gradient; for chains anchor, and twice for their work */

typedef enum pass { GRADIENT, FORWARD, CHAIN } pass;

typedef struct bench {
    const ebmt__bench_args *args;
    ebm_model *model;
    ebmt_pool *pool;
    int32_t workers, members; /* images at a time, and threads to each */
    ebm_session **sessions;   /* [workers] */
    ebm_team **teams;         /* [workers], NULL where a worker is alone */
    float *x, *grad, *chain;  /* [batch, C,H,W], the last [batch, 3, C,H,W] */
    size_t dim;
    const ebm_levels *levels;
    pass pass;
    ebm_status *chain_status; /* [workers] */
} bench;

static void run_chain(const bench *b, ebm_session *s, int32_t i, ebm_status *status)
{
    float *work = b->chain + (size_t)i * 3 * b->dim;
    ebm_chain chain = {.y = b->grad + (size_t)i * b->dim, .anchor = work + 2 * b->dim};
    const ebm_langevin how = {.noise_scale = 1.0};
    const ebm_density density = ebm_density_of_session(s);
    ebm_chain_start(&chain, b->levels, b->dim, 1, (uint32_t)i);
    ebm_status st = ebm_chain_advance(&chain, &density, b->levels, &how, INT64_MAX, work, NULL);
    if (st != EBM_OK)
        *status = st;
}

/* Share k of a round: images k, k+workers, ... Levels take turns, as they do in a batch of
 * chains. */
static void run_share(void *user, int32_t k, int32_t worker)
{
    const bench *b = user;
    ebm_session *s = b->sessions[worker];
    for (int32_t i = k; i < b->args->batch; i += b->workers) {
        const float *x = b->x + (size_t)i * b->dim;
        float *grad = b->grad + (size_t)i * b->dim;
        switch (b->pass) {
        case GRADIENT:
            (void)ebm_session_gradient(s, x, i % b->levels->count, grad);
            break;
        case FORWARD:
            *grad = ebm_session_net(s, x, i % b->levels->count);
            break;
        case CHAIN:
            run_chain(b, s, i, &b->chain_status[k]);
            break;
        }
    }
}

static void run_round(void *user)
{
    bench *b = user;
    ebmt_pool_run(b->pool, b->workers, run_share, b);
}

static ebm_status measure(bench *b, pass which, double seconds, ebmt__bench_figures *out,
                          ebm_error *err)
{
    b->pass = which;
    ebm_status st = ebmt__bench_repeat(seconds, b->args->batch, run_round, b, out, err);
    for (int32_t k = 0; st == EBM_OK && k < b->workers; k++)
        if (b->chain_status[k] != EBM_OK)
            st = ebm_error_set(err, b->chain_status[k], "chain", "a chain of the batch failed");
    return st;
}

/* A session, and its team if there are threads to spare. */
static ebm_status make_worker(bench *b, int32_t i, ebm_error *err)
{
    ebm_status st = ebm_session_create(b->model, NULL, &b->sessions[i], err);
    if (st != EBM_OK || b->members == 1)
        return st;
    st = ebm_team_create(b->members, &b->teams[i], err);
    return st == EBM_OK ? ebm_session_use_team(b->sessions[i], b->teams[i], err) : st;
}

static ebm_status make_workers(bench *b, ebm_error *err)
{
    const ebmt__bench_args *args = b->args;
    b->workers = args->threads < args->batch ? args->threads : args->batch;
    b->members = args->threads / b->workers;
    b->sessions = ebm_alloc((size_t)b->workers, sizeof *b->sessions);
    b->teams = ebm_alloc((size_t)b->workers, sizeof *b->teams);
    b->chain_status = ebm_alloc((size_t)b->workers, sizeof *b->chain_status); /* zero: EBM_OK */
    if (!b->sessions || !b->teams || !b->chain_status)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the sessions");
    ebm_status st = ebmt_pool_create(b->workers, &b->pool, err);
    for (int32_t i = 0; i < b->workers && st == EBM_OK; i++)
        st = make_worker(b, i, err);
    return st;
}

static ebm_status make_inputs(bench *b, ebm_error *err)
{
    const ebm_model_info *m = ebm_model_describe(b->model);
    const ebm_graph_info *g = m->graph;
    size_t n = 0, all = 0;
    b->levels = m->levels;
    b->dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
    if (!ebm_size_mul((size_t)b->args->batch, b->dim, &n) ||
        !ebm_size_mul(n, FLOATS_PER_IMAGE, &all))
        return ebm_error_set(err, EBM_ERR_LIMIT, "--batch", "too many images");
    b->x = ebm_alloc(all, sizeof *b->x);
    if (!b->x)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the images");
    b->grad = b->x + n;
    b->chain = b->grad + n;
    for (int32_t i = 0; i < b->args->batch; i++) {
        const ebm_stream stream = {.purpose = EBM_PURPOSE_TEST, .chain = (uint32_t)i};
        ebm_rng_normal(&stream, 0, b->dim, b->x + (size_t)i * b->dim);
    }
    return EBM_OK;
}

static ebm_status prepare(bench *b, ebm_error *err)
{
    ebm_status st = ebmt__bench_model(b->args, &b->model, err);
    if (st == EBM_OK)
        st = make_workers(b, err);
    if (st == EBM_OK)
        st = make_inputs(b, err);
    return st;
}

static void clear(bench *b)
{
    ebmt_pool_free(b->pool);
    for (int32_t i = 0; b->sessions && i < b->workers; i++)
        ebm_session_free(b->sessions[i]);
    for (int32_t i = 0; b->teams && i < b->workers; i++)
        ebm_team_free(b->teams[i]);
    ebm_free(b->teams);
    ebm_free(b->sessions);
    ebm_free(b->chain_status);
    ebm_free(b->x);
    ebm_model_unref(b->model);
}

/* --- printing ------------------------------------------------------------------------------- */

static void head_json(const bench *b)
{
    const ebm_model_info *m = ebm_model_describe(b->model);
    (void)printf("{\"model\":\"%s\",\"kernels\":\"%s\",\"kernel_class\":\"%s\",\"threads\":%d,"
                 "\"batch\":%d,\"parameters\":%zu,\"gradient_mflop\":%.6g,\"session_bytes\":%zu",
                 m->id, m->kernels->name, m->kernels->kernel_class, b->args->threads,
                 b->args->batch, m->n_params, ebmt__bench_flop(m->graph) * 1e-6,
                 ebm_session_bytes(b->model, NULL));
}

static void head_text(const bench *b)
{
    const ebm_model_info *m = ebm_model_describe(b->model);
    (void)printf("%s: %zu parameters, kernels %s (%s), %d threads, batch %d\n", m->id, m->n_params,
                 m->kernels->name, m->kernels->kernel_class, b->args->threads, b->args->batch);
    (void)printf("session   %zu bytes per thread, %.4g MFLOP of convolutions per gradient\n",
                 ebm_session_bytes(b->model, NULL), ebmt__bench_flop(m->graph) * 1e-6);
}

/* By the model's own settings; those of a random network are the paper's. */
static long long gradients_of_image(const bench *b)
{
    return (long long)ebm_chain_total_steps(b->levels, &(ebm_langevin){0});
}

static void print_gradient(const bench *b, const ebmt__bench_figures *g)
{
    long long steps = gradients_of_image(b);
    double images = 1000.0 / (g->median * (double)steps);
    if (b->args->json) {
        (void)printf(",\"gradient_ms_per_image\":%.6g,\"gradients_per_image\":%lld,"
                     "\"images_per_second\":%.6g,\"rounds\":%d,"
                     "\"gradient_ms_min\":%.6g,\"gradient_ms_max\":%.6g",
                     g->median, steps, images, g->rounds, g->min, g->max);
        return;
    }
    (void)printf("gradient  %.4f ms/image (min %.4f, max %.4f, %d rounds)\n", g->median, g->min,
                 g->max, g->rounds);
    (void)printf("sampling  %.4g images/s of %lld gradients each, by that\n", images, steps);
}

static void print_forward(const bench *b, const ebmt__bench_figures *f)
{
    if (b->args->json)
        (void)printf(",\"forward_ms_per_image\":%.6g,\"forward_rounds\":%d,"
                     "\"forward_ms_min\":%.6g,\"forward_ms_max\":%.6g",
                     f->median, f->rounds, f->min, f->max);
    else
        (void)printf("forward   %.4f ms/image (min %.4f, max %.4f, %d rounds)\n", f->median, f->min,
                     f->max, f->rounds);
}

static void print_sample(const bench *b, const ebmt__bench_figures *f)
{
    long long steps = gradients_of_image(b);
    if (b->args->json)
        (void)printf(",\"sample_ms_per_image\":%.6g,\"levels\":%d,\"steps\":%lld,\"rounds\":%d,"
                     "\"sample_ms_min\":%.6g,\"sample_ms_max\":%.6g",
                     f->median, b->levels->count, steps, f->rounds, f->min, f->max);
    else
        (void)printf("sampling  %.4f ms/image (min %.4f, max %.4f, %d rounds): %d levels, "
                     "%lld steps together\n",
                     f->median, f->min, f->max, f->rounds, b->levels->count, steps);
}

/* What has been measured of the passes that were asked for. */
typedef struct results {
    ebmt__bench_figures of[CHAIN + 1]; /* no rounds: not measured */
} results;

static void print(const bench *b, const results *r)
{
    if (b->args->json)
        head_json(b);
    else
        head_text(b);
    if (r->of[GRADIENT].rounds > 0)
        print_gradient(b, &r->of[GRADIENT]);
    if (r->of[FORWARD].rounds > 0)
        print_forward(b, &r->of[FORWARD]);
    if (r->of[CHAIN].rounds > 0)
        print_sample(b, &r->of[CHAIN]);
    if (b->args->json)
        (void)printf("}\n");
}

static ebm_status measure_asked(bench *b, results *r, ebm_error *err)
{
    double seconds = b->args->seconds;
    if (b->args->sample)
        return measure(b, CHAIN, seconds, &r->of[CHAIN], err);
    if (b->args->gradient)
        return measure(b, GRADIENT, seconds, &r->of[GRADIENT], err);
    ebm_status st = measure(b, GRADIENT, seconds * 2.0 / 3.0, &r->of[GRADIENT], err);
    if (st == EBM_OK)
        st = measure(b, FORWARD, seconds / 3.0, &r->of[FORWARD], err);
    return st;
}

ebm_status ebmt__bench_passes(const ebmt__bench_args *args, ebm_error *err)
{
    bench b = {.args = args};
    results r = {0};
    ebm_status st = prepare(&b, err);
    if (st == EBM_OK)
        st = measure_asked(&b, &r, err);
    if (st == EBM_OK)
        print(&b, &r);
    clear(&b);
    return st;
}
