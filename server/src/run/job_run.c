/* A job at work, see job_run.h. */
#include "run/job_run.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "run/job_checkpoint.h"

#define RUN_ARENA_LIMIT EBMD_PLAN_ARENA
#define FIRST_SAVE_MS   5.0 /* work of a job that was cut off before, until it is saved */

/* --- taking up ---------------------------------------------------------------------------- */

void ebmd_run_log(const ebmd_run_env *env, const ebmd_run *run, const char *event,
                  const ebm_error *err)
{
    ebmd_field fields[] = {{.key = "job", .text = run->lease.id},
                           {.key = "status", .text = ebm_status_name(err->status)},
                           {.key = "text", .text = err->text}};

    ebmd_log_event(env->log, EBMD_WARN, event, fields, 3);
}

static int64_t spent(const ebmd_run *run)
{
    int64_t sum = (int64_t)run->first_open * run->plan.part_work;

    for (int32_t k = run->first_open; k < run->plan.parts; k++)
        sum += run->part[k].spent;
    return sum;
}

/* What its parts have behind them and the job has not done: chains that go on bring it along. */
static void count_behind(ebmd_run *run)
{
    int64_t behind = spent(run) - run->grad_evals;

    run->plan.behind = behind > 0 ? behind : 0;
}

/* A checkpoint that cannot be used costs time, not the job. */
static ebm_status resume(const ebmd_run_env *env, ebmd_run *run, ebm_error *err)
{
    ebm_error cause = {0};
    char *bytes = NULL;
    size_t size = 0;
    ebm_status st = env->store->ops->blob(env->store, run->lease.id, EBMD_BLOB_CHECKPOINT, 0,
                                          &bytes, &size, &cause);

    if (st == EBM_OK)
        st = ebmd_job_checkpoint_unpack(bytes, size, run, &cause);
    if (st == EBM_OK)
        st = ebmd_run_load_results(env, run);
    if (st == EBM_ERR_FORMAT && cause.status == EBM_OK)
        ebm_error_set(&cause, st, run->lease.id, "a stored result has changed");
    ebm_free(bytes);
    if (st == EBM_ERR_FORMAT || st == EBM_ERR_NOT_FOUND) {
        ebmd_run_log(env, run, "checkpoint_dropped", &cause);
        ebmd_job_checkpoint_forget(run);
        run->done = 0;
        return EBM_OK;
    }
    if (st != EBM_OK)
        return ebm_error_set(err, st, run->lease.id, "%s", cause.text);
    count_behind(run);
    return EBM_OK;
}

static ebm_status parse(const ebmd_run_env *env, ebmd_run *run, ebm_error *err)
{
    const ebmd_kind *kind = ebmd_kind_find(run->lease.kind);
    ebma_problem problem = {.code = EBMA_OK};
    char *json = NULL;
    size_t size;
    ebm_status st;

    if (!kind) {
        run->error = EBMA_INTERNAL; /* of a later daemon's kind, say: no part is no success */
        return ebm_error_set(err, EBM_ERR_FORMAT, run->lease.id, "no such kind of job");
    }
    st = env->store->ops->blob(env->store, run->lease.id, EBMD_BLOB_REQUEST, 0, &json, &size, err);
    if (st == EBM_OK) {
        ebmd_engine *engine = ebmd_catalog_take(env->catalog);

        run->plan.kind = kind;
        st = kind->parse(engine, json, size, run->arena, &run->plan, &problem);
        for (int32_t i = 0; i < run->plan.n_models && st == EBM_OK; i++)
            ebm_model_ref(run->plan.model[i]);
        ebmd_engine_unref(engine);
    }
    ebm_free(json);
    if (st == EBM_OK)
        return st;
    /* a kind may refuse after it has filled in the plan: neither the models nor parts are here */
    run->plan.n_models = 0;
    run->plan.parts = 0;
    if (st == EBM_ERR_NOMEM || st == EBM_ERR_IO)
        return st;
    /* the client is told this code when the job fails */
    run->error = problem.code == EBMA_MODEL_NOT_FOUND || problem.code == EBMA_OTHER_MODEL
                     ? problem.code
                     : EBMA_INTERNAL;
    return ebm_error_set(err, EBM_ERR_FORMAT, run->lease.id, "the stored request: %s",
                         ebma_problem_describe(problem.code)->code);
}

static ebm_status make_parts(ebmd_run *run, ebm_error *err)
{
    const ebmd_kind *kind = run->plan.kind;

    run->begins_bare = kind->keepable && !kind->keepable(&run->plan, 0, NULL);
    run->part = ebm_alloc((size_t)run->plan.parts, sizeof(*run->part));
    return run->part ? EBM_OK
                     : ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a job");
}

ebm_status ebmd_run_create(const ebmd_run_env *env, const ebmd_lease *lease, ebmd_run **out,
                           ebm_error *err)
{
    ebmd_run *run = ebm_alloc(1, sizeof(*run));
    ebm_status st = EBM_ERR_NOMEM;

    *out = NULL;
    if (run)
        run->arena = ebm_arena_create(RUN_ARENA_LIMIT);
    if (!run || !run->arena) {
        ebm_error_set(err, st, lease->id, "no memory for a job");
        goto out;
    }
    run->lease = *lease;
    atomic_init(&run->stop, false);
    /* Attempts are counted from the last checkpoint. A job that was cut off may be what kills its
     * worker, or have stood by: it shows which by early checkpoints, the first one after one
     * quantum of 5 ms, then after twice as much each time. One that kills at some step gets there
     * in few restarts. */
    if (lease->cancel_requested)
        ebmd_run_stop(run);
    run->save_after_ms = lease->attempts > 1 ? 0.0 : EBMD_SAVE_MS;
    run->started_at = ebmd_clock_ms();
    st = parse(env, run, err);
    if (st == EBM_OK)
        st = make_parts(run, err);
    if (st == EBM_OK && lease->has_checkpoint)
        st = resume(env, run, err);
    /* a job that makes no sense is still ours to end */
    if (st == EBM_OK || st == EBM_ERR_FORMAT) {
        *out = run;
        run = NULL;
    }
out:
    ebmd_run_free(run);
    return st;
}

void ebmd_run_free(ebmd_run *run)
{
    if (!run)
        return;
    for (int32_t k = 0; run->part && k < run->plan.parts; k++) {
        ebm_free(run->part[k].state);
        ebmd_run_clear_result(&run->plan, &run->part[k].result);
    }
    ebm_free(run->part);
    for (int32_t i = 0; i < run->plan.n_models; i++)
        ebm_model_unref(run->plan.model[i]);
    ebm_arena_free(run->arena);
    ebm_free(run);
}

/* --- looking ------------------------------------------------------------------------------ */

size_t ebmd_run_bytes(const ebmd_run *run)
{
    return ebm_arena_used(run->arena) + (size_t)run->plan.parts * run->plan.state_size;
}

double ebmd_run_quantum_ms(const ebmd_run *run)
{
    return fmin(EBMD_QUANTUM_MS, fmax(FIRST_SAVE_MS, run->save_after_ms));
}

void ebmd_run_space_saves(ebmd_run *run)
{
    run->save_after_ms = fmin(EBMD_SAVE_MS, 2.0 * fmax(FIRST_SAVE_MS, run->save_after_ms));
}

/* Of the work that the plan had ahead of it: that which was stored with the job is another number
 * with a model of more levels in the place of the one it was asked of. */
static int64_t done_of(const ebmd_run *run)
{
    return spent(run) - run->plan.behind;
}

int64_t ebmd_run_work_left(const ebmd_run *run)
{
    return ebmd_plan_work(&run->plan) - done_of(run);
}

/* The mean over the chains on their way that show something. */
static ebmd_reading mean_reading(const ebmd_run *run)
{
    ebmd_reading mean = {0};
    int32_t weighed = 0, tested = 0;

    for (int32_t k = run->first_open; run->part && k < run->plan.parts; k++) {
        const ebmd_reading *r = &run->part[k].reading;

        if (r->has_logp)
            mean.logp += (r->logp - mean.logp) / ++weighed;
        if (r->has_accept)
            mean.accept_rate += (r->accept_rate - mean.accept_rate) / ++tested;
    }
    mean.has_logp = weighed > 0;
    mean.has_accept = tested > 0;
    return mean;
}

ebmd_progress ebmd_run_progress(const ebmd_run *run)
{
    const double all = (double)ebmd_plan_work(&run->plan);
    const ebmd_reading mean = mean_reading(run);

    return (ebmd_progress){.fraction = all > 0.0 ? (double)done_of(run) / all : 1.0,
                           .parts_done = run->done,
                           .level = run->sight.level,
                           .levels = run->sight.levels,
                           .step = run->sight.step,
                           .steps = run->sight.steps,
                           .has_logp = mean.has_logp,
                           .has_accept = mean.has_accept,
                           .logp = mean.logp,
                           .accept_rate = mean.accept_rate,
                           .told = run->told.number,
                           .chains = run->told.report};
}

/* Were the job stopped now, nothing of some part could be kept. */
static bool has_bare(const ebmd_run *run)
{
    for (int32_t k = run->first_open; run->begins_bare && k < run->plan.parts; k++) {
        if (!run->part[k].keepable)
            return true;
    }
    return false;
}

int32_t ebmd_run_next_part(const ebmd_run *run)
{
    const bool bare = has_bare(run);
    int32_t fresh = -1;

    for (int32_t k = run->first_open; k < run->plan.parts; k++) {
        const ebmd_part *p = &run->part[k];

        if (p->busy || (bare && p->keepable))
            continue;
        if (p->phase == EBMD_PART_BEGUN)
            return k;
        if (p->phase == EBMD_PART_NEW && fresh < 0)
            fresh = k;
    }
    return fresh;
}

void ebmd_run_stop(ebmd_run *run)
{
    if (atomic_load(&run->stop))
        return;
    run->asked_at = ebmd_clock_ms();
    atomic_store(&run->stop, true);
}

bool ebmd_run_is_over(ebmd_run *run, double now_ms)
{
    if (atomic_load(&run->stop) && run->error == EBMA_OK && run->done < run->plan.parts)
        run->error = EBMA_CANCELED;
    if (now_ms >= (double)run->lease.deadline_mono && run->error == EBMA_OK &&
        run->done < run->plan.parts)
        run->error = EBMA_DEADLINE;
    return run->error != EBMA_OK || run->done == run->plan.parts;
}

/* --- working ------------------------------------------------------------------------------ */

ebm_status ebmd_run_begin(const ebmd_run *run, int32_t part, ebm_error *err)
{
    ebmd_part *p = &run->part[part];

    p->state = ebm_alloc(run->plan.state_size, 1);
    if (!p->state)
        return ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a chain");
    run->plan.kind->start(&run->plan, part, p->state);
    p->phase = EBMD_PART_BEGUN;
    return EBM_OK;
}

ebm_status ebmd_run_collect(ebmd_run *run, int32_t part, ebmd_tools *tools, ebm_error *err)
{
    ebmd_part *p = &run->part[part];

    ebmd_run_clear_result(&run->plan, &p->result); /* of a time before that failed on its way */
    if (ebmd_run_make_result(&run->plan, &p->result) != EBM_OK)
        return ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a result");
    return run->plan.kind->collect(&run->plan, part, p->state, tools, &p->result, err);
}

ebm_status ebmd_run_step(ebmd_run *run, int32_t part, ebmd_tools *tools, ebmd_quantum *q,
                         ebm_error *err)
{
    const ebmd_kind *kind = run->plan.kind;
    ebmd_part *p = &run->part[part];
    ebm_status st = EBM_OK;

    if (p->phase == EBMD_PART_NEW)
        st = ebmd_run_begin(run, part, err);
    if (st == EBM_OK)
        st = kind->advance(&run->plan, part, p->state, tools, q, err);
    if (st == EBM_OK && q->finished)
        st = ebmd_run_collect(run, part, tools, err);
    return st;
}

void ebmd_run_take_stock(ebmd_run *run, int32_t part)
{
    const ebmd_kind *kind = run->plan.kind;
    ebmd_part *p = &run->part[part];

    p->spent = kind->spent(&run->plan, part, p->state);
    p->keepable = kind->keepable && kind->keepable(&run->plan, part, p->state);
}

void ebmd_run_note(ebmd_run *run, int32_t part, const ebmd_reading *reading)
{
    const ebmd_kind *kind = run->plan.kind;
    ebmd_part *p = &run->part[part];

    ebmd_run_take_stock(run, part);
    p->reading = *reading;
    if (kind->look)
        kind->look(&run->plan, part, p->state, &run->sight);
}
