/* `ebm bench`: how long one gradient takes on this machine with all threads busy.
 * Inside the timed window: forward and input gradient of every image of a round, and handing the
 * round to the threads. Outside: opening the model, sessions, noise, a warm-up round. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/open_any.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebm/session.h"
#include "ebmt/pool.h"

#define MAX_ROUNDS          100000
#define GRADIENTS_PER_IMAGE 180 /* six levels of thirty steps: the paper's sampler */

typedef struct bench_args {
    const char *model, *kernels;
    int32_t batch, threads;
    double seconds;
    bool json;
} bench_args;

static const ebmt_option rows[] = {
    {"--model", EBMT_OPT_STRING, offsetof(bench_args, model), 0, 0, NULL, "DIR",
     "model directory, or a directory with reference numbers", true},
    {"--batch", EBMT_OPT_INT, offsetof(bench_args, batch), 1, 65536, NULL, "images",
     "images of one round, shared out evenly; at least one per thread", false},
    {"--threads", EBMT_OPT_INT, offsetof(bench_args, threads), 1, 256, NULL, "threads", "threads",
     false},
    {"--seconds", EBMT_OPT_REAL, offsetof(bench_args, seconds), 0.01, 3600, NULL, "seconds",
     "time to measure for, gradients and forward passes together", false},
    {"--kernels", EBMT_OPT_STRING, offsetof(bench_args, kernels), 0, 0, NULL, "SET",
     "kernel set; the best of this CPU if absent", false},
    {"--json", EBMT_OPT_FLAG, offsetof(bench_args, json), 0, 0, NULL, "",
     "print one JSON object on one line", false},
};

static const ebmt_command command = {
    .name = "bench",
    .summary = "Measures forward and input-gradient passes with all threads busy.",
    .options = rows,
    .n_options = sizeof rows / sizeof rows[0],
};

typedef struct bench {
    const bench_args *args;
    ebm_model *model;
    ebmt_pool *pool;
    ebm_session **sessions; /* [threads] */
    float *x, *grad;        /* [batch, C,H,W] each */
    size_t dim;
    int32_t levels;
    bool gradient;
    double *round_ms; /* [MAX_ROUNDS], per image */
} bench;

/* What was measured of one kind of pass, in milliseconds per image. */
typedef struct figures {
    double median, min, max;
    int32_t rounds;
} figures;

/* Share k of a round: images k, k+threads, ... Levels take turns, as they do in a batch of
 * chains. */
static void run_share(void *user, int32_t k, int32_t worker)
{
    const bench *b = user;
    ebm_session *s = b->sessions[worker];
    for (int32_t i = k; i < b->args->batch; i += b->args->threads) {
        const float *x = b->x + (size_t)i * b->dim;
        if (b->gradient)
            (void)ebm_session_gradient(s, x, i % b->levels, b->grad + (size_t)i * b->dim);
        else
            b->grad[(size_t)i * b->dim] = ebm_session_net(s, x, i % b->levels);
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static figures measure(bench *b, bool gradient, double seconds)
{
    figures f = {0};
    b->gradient = gradient;
    ebmt_pool_run(b->pool, b->args->threads, run_share, b); /* warm-up: caches, BLAS buffers */
    double begin = ebmt__cli_now(), now = begin;
    do {
        double start = now;
        ebmt_pool_run(b->pool, b->args->threads, run_share, b);
        now = ebmt__cli_now();
        b->round_ms[f.rounds++] = (now - start) * 1e3 / b->args->batch;
    } while (now - begin < seconds && f.rounds < MAX_ROUNDS);
    qsort(b->round_ms, (size_t)f.rounds, sizeof *b->round_ms, by_value);
    f.min = b->round_ms[0];
    f.max = b->round_ms[f.rounds - 1];
    f.median = 0.5 * (b->round_ms[(f.rounds - 1) / 2] + b->round_ms[f.rounds / 2]);
    return f;
}

static ebm_status make_sessions(bench *b, ebm_error *err)
{
    b->sessions = ebm_alloc((size_t)b->args->threads, sizeof *b->sessions);
    if (!b->sessions)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the sessions");
    for (int32_t i = 0; i < b->args->threads; i++) {
        ebm_status st = ebm_session_create(b->model, NULL, &b->sessions[i], err);
        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

static ebm_status make_inputs(bench *b, ebm_error *err)
{
    const ebm_model_info *m = ebm_model_describe(b->model);
    const ebm_graph_info *g = m->graph;
    size_t n = 0;
    b->levels = m->levels->count;
    b->dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
    if (!ebm_size_mul((size_t)b->args->batch, b->dim, &n))
        return ebm_error_set(err, EBM_ERR_LIMIT, "--batch", "too many images");
    b->x = ebm_alloc(n, sizeof *b->x);
    b->grad = ebm_alloc(n, sizeof *b->grad);
    b->round_ms = ebm_alloc(MAX_ROUNDS, sizeof *b->round_ms);
    if (!b->x || !b->grad || !b->round_ms)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the images");
    for (int32_t i = 0; i < b->args->batch; i++) {
        const ebm_stream stream = {.purpose = EBM_PURPOSE_TEST, .chain = (uint32_t)i};
        ebm_rng_normal(&stream, 0, b->dim, b->x + (size_t)i * b->dim);
    }
    return EBM_OK;
}

static ebm_status prepare(bench *b, ebm_error *err)
{
    const ebm_kernels *kernels = NULL;
    ebm_status st = ebmt__cli_kernels(b->args->kernels, &kernels, err);
    if (st == EBM_OK)
        st = ebmt__open_any(b->args->model, kernels, &b->model, err);
    if (st == EBM_OK)
        st = ebmt_pool_create(b->args->threads, &b->pool, err);
    if (st == EBM_OK)
        st = make_sessions(b, err);
    if (st == EBM_OK)
        st = make_inputs(b, err);
    return st;
}

static void clear(bench *b)
{
    ebmt_pool_free(b->pool);
    for (int32_t i = 0; b->sessions && i < b->args->threads; i++)
        ebm_session_free(b->sessions[i]);
    ebm_free(b->sessions);
    ebm_free(b->x);
    ebm_free(b->grad);
    ebm_free(b->round_ms);
    ebm_model_unref(b->model);
}

static void print_json(const bench *b, const figures *g, const figures *f)
{
    const ebm_model_info *m = ebm_model_describe(b->model);
    (void)printf("{\"model\":\"%s\",\"kernels\":\"%s\",\"kernel_class\":\"%s\",\"threads\":%d,"
                 "\"batch\":%d,\"parameters\":%zu,",
                 m->id, m->kernels->name, m->kernels->kernel_class, b->args->threads,
                 b->args->batch, m->graph->n_params);
    (void)printf("\"gradient_ms_per_image\":%.6g,\"forward_ms_per_image\":%.6g,"
                 "\"images_per_second_T6_K30\":%.6g,",
                 g->median, f->median, 1000.0 / (g->median * GRADIENTS_PER_IMAGE));
    (void)printf("\"rounds\":%d,\"gradient_ms_min\":%.6g,\"gradient_ms_max\":%.6g,"
                 "\"forward_rounds\":%d,\"forward_ms_min\":%.6g,\"forward_ms_max\":%.6g}\n",
                 g->rounds, g->min, g->max, f->rounds, f->min, f->max);
}

static void print_text(const bench *b, const figures *g, const figures *f)
{
    const ebm_model_info *m = ebm_model_describe(b->model);
    (void)printf("%s: %zu parameters, kernels %s (%s), %d threads, batch %d\n", m->id,
                 m->graph->n_params, m->kernels->name, m->kernels->kernel_class, b->args->threads,
                 b->args->batch);
    (void)printf("gradient  %.4f ms/image (min %.4f, max %.4f, %d rounds)\n", g->median, g->min,
                 g->max, g->rounds);
    (void)printf("forward   %.4f ms/image (min %.4f, max %.4f, %d rounds)\n", f->median, f->min,
                 f->max, f->rounds);
    (void)printf("sampling  %.4g images/s at 6 levels of 30 steps\n",
                 1000.0 / (g->median * GRADIENTS_PER_IMAGE));
}

int ebmt__cmd_bench(int argc, char **argv)
{
    bench_args args = {.batch = 16, .threads = ebmt__cli_processors(), .seconds = 3.0};
    bench b = {.args = &args};
    ebmt_parsed parsed;
    ebm_error err = {0};
    int code;
    if (args.threads > args.batch)
        args.threads = args.batch;
    if (!ebmt__cli_parse(&command, argc, argv, &args, &parsed, &code))
        return code;
    if (args.batch < args.threads) {
        (void)ebm_error_set(&err, EBM_ERR_ARG, "--batch", "%d images cannot keep %d threads busy",
                            args.batch, args.threads);
        return ebmt__cli_usage(command.name, &err);
    }
    if (prepare(&b, &err) == EBM_OK) {
        figures g = measure(&b, true, args.seconds * 2.0 / 3.0);
        figures f = measure(&b, false, args.seconds / 3.0);
        if (args.json)
            print_json(&b, &g, &f);
        else
            print_text(&b, &g, &f);
    }
    clear(&b);
    return err.status == EBM_OK ? EBMT_EXIT_OK : ebmt__cli_fail(command.name, &err);
}
