/* The workers, see worker.h. */
#include "worker.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "clock.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"
#include "ebm/session.h"
#include "journal.h"

#define SLICE_STEPS 8 /* steps between two looks at the cancel flag */

/* Everything one thread needs for one model, planned once. */
typedef struct bench {
    ebm_session *session;
    size_t dim;
    float *y, *anchor; /* the chain's state */
    float *work;       /* [2*dim] gradient and noise */
    uint8_t *pixels;
} bench;

typedef struct worker {
    struct ebmd_workers *all;
    pthread_t thread;
    bench bench[EBMD_MODELS_MAX];
} worker;

struct ebmd_workers {
    const ebmd_app *app;
    unsigned n;     /* threads that run */
    unsigned ready; /* threads that have tried to set up */
    ebm_error error;
    pthread_mutex_t lock;
    pthread_cond_t more_ready;
    worker worker[EBMD_WORKERS_MAX];
};

static void bench_clear(bench *b)
{
    ebm_session_free(b->session);
    ebm_free(b->y);
    ebm_free(b->anchor);
    ebm_free(b->work);
    ebm_free(b->pixels);
    memset(b, 0, sizeof(*b));
}

static ebm_status bench_init(bench *b, ebm_model *model, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(model)->graph;
    ebm_status st = ebm_session_create(model, NULL, &b->session, err);

    if (st != EBM_OK)
        return st;
    b->dim = (size_t)g->channels * (size_t)g->height * (size_t)g->width;
    b->y = ebm_alloc(b->dim, sizeof(float));
    b->anchor = ebm_alloc(b->dim, sizeof(float));
    b->work = ebm_alloc(b->dim, 2 * sizeof(float));
    b->pixels = ebm_alloc(b->dim, 1);
    if (b->y && b->anchor && b->work && b->pixels)
        return EBM_OK;
    bench_clear(b);
    return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a worker");
}

/* The worker's bench for a model, made at its first use. */
static ebm_status bench_for(worker *w, ebm_model *model, size_t index, bench **out, ebm_error *err)
{
    ebm_status st = EBM_OK;

    *out = &w->bench[index];
    if (!(*out)->session)
        st = bench_init(*out, model, err);
    return st;
}

static ebm_status run_chain(bench *b, const ebmd_job *job, int32_t k, ebm_error *err)
{
    const ebm_levels *levels = ebm_model_describe(job->model)->levels;
    ebm_langevin how = {.steps_per_level = job->request.steps_per_level,
                        .noise_scale = job->request.noise_scale};
    ebm_density density = ebm_density_of_session(b->session);
    ebm_chain chain = {.y = b->y, .anchor = b->anchor};
    ebm_status st = EBM_OK;

    ebm_chain_start(&chain, levels, b->dim, job->request.seed,
                    job->request.first_index + (uint32_t)k);
    while (st == EBM_OK && chain.level >= 0) {
        if (atomic_load(&job->cancel))
            return ebm_error_set(err, EBM_ERR_CANCELLED, NULL, "nobody waits for this job");
        st = ebm_chain_advance(&chain, &density, levels, &how, SLICE_STEPS, b->work, err);
    }
    return st;
}

static ebm_status encode_image(bench *b, ebmd_job *job, int32_t k, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(job->model)->graph;
    ebm_image image = {g->width, g->height, g->channels, b->pixels};
    double logp = ebm_session_logp(b->session, b->y, b->work);
    double start = ebmd_clock_ms();
    unsigned char *png = NULL;
    size_t size;
    ebm_status st;

    if (!isfinite(logp))
        return ebm_error_set(err, EBM_ERR_DIVERGED, NULL, "the energy is not finite");
    ebm_image_from_tensor(b->y, g->channels, g->height, g->width, b->pixels);
    st = ebm_png_encode(&image, NULL, 0, &png, &size, err);
    if (st == EBM_OK)
        ebmd_job_put(job, k, png, size, logp, ebmd_clock_ms() - start);
    return st;
}

static ebm_status make_image(worker *w, ebmd_job *job, int32_t k, ebm_error *err)
{
    double start = ebmd_clock_ms();
    bench *b = NULL;
    ebm_status st = bench_for(w, job->model, job->model_index, &b, err);

    if (st == EBM_OK)
        st = run_chain(b, job, k, err);
    if (st == EBM_OK)
        st = encode_image(b, job, k, err);
    if (st == EBM_OK)
        ebmd_queue_note(w->all->app->queue, job->total_steps, ebmd_clock_ms() - start);
    return st;
}

static void report(const ebmd_app *app, const ebmd_job *job, int32_t k, const ebm_error *err)
{
    ebmd_field fields[] = {
        {.key = "job", .text = job->id},
        {.key = "index", .number = (double)job->request.first_index + k},
        {.key = "status", .text = ebm_status_name(err->status)},
        {.key = "text", .text = err->text},
    };

    if (err->status != EBM_ERR_CANCELLED)
        ebmd_log_event(app->log, EBMD_WARN, "image_failed", fields, 4);
}

/* A client is told only what it can act on; anything else that goes wrong here is our mistake. */
static ebma_problem_code problem_of(ebm_status st)
{
    switch (st) {
    case EBM_OK:
    case EBM_ERR_NOMEM:
    case EBM_ERR_IO:
    case EBM_ERR_DIVERGED:
    case EBM_ERR_CANCELLED:
        return ebma_problem_of(st);
    default:
        return EBMA_INTERNAL;
    }
}

/* Image 0 carries the duty to record the job: the record is on disk before image 0 counts as
 * over, so before the job can complete and its id can leave the process. */
static void do_task(worker *w, const ebmd_task *task)
{
    const ebmd_app *app = w->all->app;
    ebm_error err = {0};
    ebm_status st = EBM_OK;

    if (task->k == 0) {
        st = ebmd_journal_accept(app, task->job, &err);
        task->job->recorded = st == EBM_OK;
    }
    if (st == EBM_OK)
        st = make_image(w, task->job, task->k, &err);
    if (st != EBM_OK)
        report(app, task->job, task->k, &err);
    if (ebmd_job_count(task->job, problem_of(st)))
        ebmd_journal_finish(app, task->job, task->job->recorded);
    ebmd_job_unref(task->job);
}

static ebm_status warm_up(worker *w, ebm_error *err)
{
    ebm_model *model = ebmd_engine_at(w->all->app->engine, 0);
    bench *b = NULL;
    ebm_status st = bench_for(w, model, 0, &b, err);

    /* the first product of a thread makes the BLAS library map its buffer; that must not wait
     * for a moment when memory is short */
    if (st == EBM_OK)
        ebm_session_gradient(b->session, b->y, 0, b->work);
    return st;
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    ebmd_workers *all = w->all;
    ebm_error err = {0};
    ebmd_task task;
    ebm_status st = warm_up(w, &err);

    pthread_mutex_lock(&all->lock);
    all->ready++;
    if (st != EBM_OK && all->error.status == EBM_OK)
        all->error = err;
    pthread_cond_signal(&all->more_ready);
    pthread_mutex_unlock(&all->lock);
    while (ebmd_queue_pop(all->app->queue, &task))
        do_task(w, &task);
    for (size_t i = 0; i < EBMD_MODELS_MAX; i++)
        bench_clear(&w->bench[i]);
    return NULL;
}

static ebmd_workers *workers_alloc(const ebmd_app *app)
{
    ebmd_workers *all = ebm_alloc(1, sizeof(*all));

    if (!all)
        return NULL;
    all->app = app;
    if (pthread_mutex_init(&all->lock, NULL) != 0) {
        ebm_free(all);
        return NULL;
    }
    if (pthread_cond_init(&all->more_ready, NULL) != 0) {
        pthread_mutex_destroy(&all->lock);
        ebm_free(all);
        return NULL;
    }
    return all;
}

static ebm_status wait_ready(ebmd_workers *all, ebm_error *err)
{
    ebm_status st;

    pthread_mutex_lock(&all->lock);
    while (all->ready < all->n)
        pthread_cond_wait(&all->more_ready, &all->lock);
    st = all->error.status;
    if (st != EBM_OK)
        ebm_error_set(err, st, all->error.where, "%s", all->error.text);
    pthread_mutex_unlock(&all->lock);
    return st;
}

ebm_status ebmd_workers_start(const ebmd_app *app, ebmd_workers **out, ebm_error *err)
{
    ebmd_workers *all = workers_alloc(app);
    ebm_status st = EBM_OK;

    *out = NULL;
    if (!all)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the workers");
    for (unsigned i = 0; i < app->workers && i < EBMD_WORKERS_MAX && st == EBM_OK; i++) {
        all->worker[i].all = all;
        if (pthread_create(&all->worker[i].thread, NULL, worker_main, &all->worker[i]) == 0)
            all->n++;
        else
            st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "cannot start a thread");
    }
    if (st == EBM_OK)
        st = wait_ready(all, err);
    if (st != EBM_OK) {
        ebmd_queue_close(app->queue);
        ebmd_workers_join(all);
        return st;
    }
    *out = all;
    return EBM_OK;
}

void ebmd_workers_join(ebmd_workers *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->n; i++)
        pthread_join(w->worker[i].thread, NULL);
    pthread_cond_destroy(&w->more_ready);
    pthread_mutex_destroy(&w->lock);
    ebm_free(w);
}
