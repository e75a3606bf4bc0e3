/* The workers, see worker.h. */
#include "run/worker.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"

typedef struct worker {
    struct ebmd_workers *all;
    pthread_t thread;
    ebmd_workbench bench[EBMD_MODELS_MAX];
    ebmd_tools tools;
} worker;

struct ebmd_workers {
    ebmd_workers_options opt;
    unsigned n;     /* threads that run */
    unsigned ready; /* threads that have tried to set up */
    ebm_error error;
    pthread_mutex_t lock;
    pthread_cond_t more_ready;
    ebm_team *team; /* as many threads as workers; NULL if there is one worker */
    pthread_mutex_t team_lock;
    worker worker[EBMD_WORKERS_MAX];
};

/* The worker's bench for a model, made at its first use. Too many of them can only be there while
 * old models are still in use; then one has to make room. */
static ebm_status bench_for(worker *w, ebm_model *model, ebmd_workbench **out, ebm_error *err)
{
    ebmd_workbench *room = &w->bench[0];

    for (size_t i = 0; i < EBMD_MODELS_MAX; i++) {
        if (w->bench[i].model == model) {
            *out = &w->bench[i];
            return EBM_OK;
        }
        if (room->model && !w->bench[i].model)
            room = &w->bench[i];
    }
    *out = room;
    ebmd_workbench_clear(room);
    return ebmd_workbench_init(room, model, err);
}

/* Clears the benches of models that nobody will ask for again. */
static void tidy(worker *w)
{
    const ebmd_workers_options *opt = &w->all->opt;

    for (size_t i = 0; i < EBMD_MODELS_MAX; i++) {
        const ebm_model *model = w->bench[i].model;

        if (!ebmd_catalog_serves(opt->env->catalog, model) && !ebmd_sched_uses(opt->sched, model))
            ebmd_workbench_clear(&w->bench[i]);
    }
}

/* Makes the worker's tools those of the plan. */
static ebm_status take_tools(worker *w, const ebmd_plan *plan, ebm_error *err)
{
    ebmd_tools_order order = {.n = plan->n_models, .compose = plan->compose, .work = plan->work};
    ebm_status st = EBM_OK;

    for (int32_t i = 0; i < plan->n_models && st == EBM_OK; i++) {
        order.weight[i] = plan->weight[i];
        st = bench_for(w, plan->model[i], &order.bench[i], err);
    }
    /* one bench may have had to make room for another of them */
    for (int32_t i = 0; i < plan->n_models && st == EBM_OK; i++) {
        if (order.bench[i]->model != plan->model[i])
            st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "too many models at once");
    }
    return st == EBM_OK ? ebmd_tools_aim(&w->tools, &order, err) : st;
}

/* --- duties ------------------------------------------------------------------------------- */

static void report_part(const worker *w, const ebmd_task *task, const ebm_error *err)
{
    ebmd_field fields[] = {
        {.key = "job", .text = task->run->lease.id},
        {.key = "part", .number = task->part},
        {.key = "status", .text = ebm_status_name(err->status)},
        {.key = "text", .text = err->text},
    };

    ebmd_log_event(w->all->opt.env->log, EBMD_WARN, "part_failed", fields, 4);
}

/* A client is told only what it can act on; anything else that goes wrong here is our mistake. */
static ebma_problem_code problem_of(ebm_status st)
{
    switch (st) {
    case EBM_OK:
    case EBM_ERR_NOMEM:
    case EBM_ERR_DIVERGED:
        return ebma_problem_of(st);
    default:
        return EBMA_INTERNAL;
    }
}

static void return_team(worker *w)
{
    for (int32_t i = 0; i < w->tools.n; i++)
        ebm_session_leave_team(w->tools.bench[i]->session);
    pthread_mutex_unlock(&w->all->team_lock);
}

/* A single chain on an idle machine: the threads of the team do its passes together. The one worker
 * that has the team gives it back after its quantum, so that nobody waits for it. */
static bool borrow_team(worker *w, const ebmd_task *task)
{
    ebm_status st = EBM_OK;

    if (!task->alone || !w->all->team || pthread_mutex_trylock(&w->all->team_lock) != 0)
        return false;
    for (int32_t i = 0; i < w->tools.n && st == EBM_OK; i++)
        st = ebm_session_use_team(w->tools.bench[i]->session, w->all->team, NULL);
    if (st != EBM_OK) /* no memory for its scratch: the worker goes on alone */
        return_team(w);
    return st == EBM_OK;
}

static void step(worker *w, const ebmd_task *task)
{
    ebmd_quantum q = {.max_evals = 1};
    ebm_error err = {0};
    double start;
    double ms = 0.0;
    ebm_status st = take_tools(w, &task->run->plan, &err);

    if (st == EBM_OK) {
        q.max_evals = ebmd_tools_evals_in(&w->tools, ebmd_run_quantum_ms(task->run));
        bool together = borrow_team(w, task);
        start = ebmd_clock_ms();
        st = ebmd_run_step(task->run, task->part, &w->tools, &q, &err);
        ms = ebmd_clock_ms() - start;
        if (together)
            return_team(w);
        ebmd_tools_note(&w->tools, q.evals, ms);
        if (st == EBM_OK)
            ebmd_run_show(w->all->opt.env, task->run, task->part, &w->tools, q.finished);
    }
    if (st != EBM_OK)
        report_part(w, task, &err);
    ebmd_sched_stepped(w->all->opt.sched, task, &q, ms, problem_of(st));
}

/* A job that cannot be saved tries it again after every 1.5 s of work, maybe to its end: that is
 * said once, until it can. */
static bool is_told(const ebmd_task *task, ebm_status st)
{
    ebmd_run *run = task->run;
    const bool told = run->unsaved_told;

    run->unsaved_told = task->duty == EBMD_SAVE && (st == EBM_ERR_NOMEM || st == EBM_ERR_LIMIT);
    return told && run->unsaved_told;
}

/* An error of the disk means that earlier successes may be lost too: stop taking work. */
static void judge(const worker *w, const ebmd_task *task, ebm_status st, const ebm_error *err)
{
    const ebmd_workers_options *opt = &w->all->opt;
    ebmd_field fields[] = {
        {.key = "job", .text = task->run->lease.id},
        {.key = "status", .text = ebm_status_name(st)},
        {.key = "text", .text = err->text},
    };
    const bool told = is_told(task, st);

    if (st == EBM_OK)
        return;
    if (st == EBM_ERR_BAD_STATE) {
        ebmd_log_event(opt->env->log, EBMD_WARN, "lease_lost", fields, 1);
        return;
    }
    ebmd_metrics_count(opt->env->metrics, EBMD_COUNT_STORE_ERRORS, 1);
    if (!told)
        ebmd_log_event(opt->env->log, EBMD_ERROR, "store_failed", fields, 3);
    if (st != EBM_ERR_NOMEM && st != EBM_ERR_LIMIT)
        ebmd_state_set(opt->state, EBMD_BROKEN);
}

static void settle(worker *w, const ebmd_task *task)
{
    const ebmd_run_env *env = w->all->opt.env;
    ebm_error err = {0};
    ebm_status st = EBM_ERR_BAD_STATE;

    if (task->duty == EBMD_FINISH)
        st = ebmd_run_finish(env, task->run, &err);
    else if (task->duty != EBMD_DROP)
        st = ebmd_run_save(env, task->run, task->duty == EBMD_RELEASE, &err);
    judge(w, task, st, &err);
    ebmd_sched_settled(w->all->opt.sched, task, st);
}

/* --- threads ------------------------------------------------------------------------------ */

static ebm_status set_up(worker *w, ebm_error *err)
{
    ebmd_engine *engine = ebmd_catalog_take(w->all->opt.env->catalog);
    ebmd_workbench *bench;
    ebm_status st = bench_for(w, ebmd_engine_at(engine, 0), &bench, err);

    ebmd_engine_unref(engine);
    return st;
}

static void *worker_main(void *arg)
{
    worker *w = arg;
    ebmd_workers *all = w->all;
    ebm_error err = {0};
    ebmd_task task;
    uint64_t seen = 0;
    ebm_status st = set_up(w, &err);

    pthread_mutex_lock(&all->lock);
    all->ready++;
    if (st != EBM_OK && all->error.status == EBM_OK)
        all->error = err;
    pthread_cond_signal(&all->more_ready);
    pthread_mutex_unlock(&all->lock);
    while (ebmd_sched_next(all->opt.sched, &seen, &task)) {
        if (task.duty == EBMD_STEP)
            step(w, &task);
        else if (task.duty == EBMD_TIDY)
            tidy(w);
        else
            settle(w, &task);
    }
    for (size_t i = 0; i < EBMD_MODELS_MAX; i++)
        ebmd_workbench_clear(&w->bench[i]);
    ebmd_tools_clear(&w->tools);
    return NULL;
}

static ebmd_workers *workers_alloc(const ebmd_workers_options *opt)
{
    ebmd_workers *all = ebm_alloc(1, sizeof(*all));

    if (!all)
        return NULL;
    all->opt = *opt;
    if (pthread_mutex_init(&all->lock, NULL) != 0) {
        ebm_free(all);
        return NULL;
    }
    if (pthread_cond_init(&all->more_ready, NULL) != 0) {
        pthread_mutex_destroy(&all->lock);
        ebm_free(all);
        return NULL;
    }
    if (pthread_mutex_init(&all->team_lock, NULL) != 0) {
        pthread_cond_destroy(&all->more_ready);
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

ebm_status ebmd_workers_start(const ebmd_workers_options *opt, ebmd_workers **out, ebm_error *err)
{
    ebmd_workers *all = workers_alloc(opt);
    ebm_status st = EBM_OK;

    *out = NULL;
    if (!all)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the workers");
    if (opt->n > 1)
        st = ebm_team_create((int32_t)opt->n, &all->team, err);
    for (unsigned i = 0; i < opt->n && i < EBMD_WORKERS_MAX && st == EBM_OK; i++) {
        all->worker[i].all = all;
        if (pthread_create(&all->worker[i].thread, NULL, worker_main, &all->worker[i]) == 0)
            all->n++;
        else
            st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "cannot start a thread");
    }
    if (st == EBM_OK)
        st = wait_ready(all, err);
    if (st != EBM_OK) {
        ebmd_sched_close(opt->sched);
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
    ebm_team_free(w->team);
    pthread_mutex_destroy(&w->team_lock);
    pthread_cond_destroy(&w->more_ready);
    pthread_mutex_destroy(&w->lock);
    ebm_free(w);
}
