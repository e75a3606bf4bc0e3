/* A job at work, see job_run.h. */
#include "job_run.h"

#include <math.h>
#include <string.h>

#include "clock.h"
#include "ebm/memory.h"
#include "job_checkpoint.h"

#define RUN_ARENA_LIMIT EBMD_PLAN_ARENA
#define FIRST_SAVE_MS   5.0 /* work of a job that was cut off before, until it is saved */

/* --- taking up ---------------------------------------------------------------------------- */

static void note(const ebmd_run_env *env, const ebmd_run *run, const char *event,
                 const ebm_error *err)
{
    ebmd_field fields[] = {{.key = "job", .text = run->lease.id},
                           {.key = "status", .text = ebm_status_name(err->status)},
                           {.key = "text", .text = err->text}};

    ebmd_log_event(env->log, EBMD_WARN, event, fields, 3);
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
        note(env, run, "checkpoint_dropped", &cause);
        ebmd_job_checkpoint_forget(run);
        run->done = 0;
        return EBM_OK;
    }
    return st == EBM_OK ? EBM_OK : ebm_error_set(err, st, run->lease.id, "%s", cause.text);
}

static ebm_status parse(const ebmd_run_env *env, ebmd_run *run, ebm_error *err)
{
    const ebmd_kind *kind = ebmd_kind_find(run->lease.kind);
    ebma_problem problem = {.code = EBMA_OK};
    char *json = NULL;
    size_t size;
    ebm_status st;

    if (!kind)
        return ebm_error_set(err, EBM_ERR_FORMAT, run->lease.id, "no such kind of job");
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
    if (st == EBM_OK || st == EBM_ERR_NOMEM || st == EBM_ERR_IO)
        return st;
    run->plan.n_models = 0;
    /* the client is told this code when the job fails */
    run->error = problem.code == EBMA_MODEL_NOT_FOUND ? EBMA_MODEL_NOT_FOUND : EBMA_INTERNAL;
    return ebm_error_set(err, EBM_ERR_FORMAT, run->lease.id, "the stored request: %s",
                         ebma_problem_describe(problem.code)->code);
}

static ebm_status make_parts(ebmd_run *run, ebm_error *err)
{
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

static int64_t spent(const ebmd_run *run)
{
    int64_t sum = (int64_t)run->first_open * run->plan.part_work;

    for (int32_t k = run->first_open; k < run->plan.parts; k++)
        sum += run->part[k].spent;
    return sum;
}

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

int64_t ebmd_run_work_left(const ebmd_run *run)
{
    int64_t left = run->lease.work - spent(run);

    return left > 0 ? left : 0;
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
    const double all = (double)run->lease.work;
    const ebmd_reading mean = mean_reading(run);

    return (ebmd_progress){.fraction = all > 0.0 ? (double)spent(run) / all : 1.0,
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

int32_t ebmd_run_next_part(const ebmd_run *run)
{
    int32_t fresh = -1;

    for (int32_t k = run->first_open; k < run->plan.parts; k++) {
        const ebmd_part *p = &run->part[k];

        if (!p->busy && p->phase == EBMD_PART_BEGUN)
            return k;
        if (!p->busy && p->phase == EBMD_PART_NEW && fresh < 0)
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

static ebm_status begin(const ebmd_run *run, int32_t part, ebm_error *err)
{
    ebmd_part *p = &run->part[part];

    p->state = ebm_alloc(run->plan.state_size, 1);
    if (!p->state)
        return ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a chain");
    run->plan.kind->start(&run->plan, part, p->state);
    p->phase = EBMD_PART_BEGUN;
    return EBM_OK;
}

static ebm_status collect(ebmd_run *run, int32_t part, ebmd_tools *tools, ebm_error *err)
{
    ebmd_part *p = &run->part[part];

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
        st = begin(run, part, err);
    if (st == EBM_OK)
        st = kind->advance(&run->plan, part, p->state, tools, q, err);
    if (st == EBM_OK && q->finished)
        st = collect(run, part, tools, err);
    return st;
}

void ebmd_run_note(ebmd_run *run, int32_t part, const ebmd_reading *reading)
{
    const ebmd_kind *kind = run->plan.kind;
    ebmd_part *p = &run->part[part];

    p->spent = kind->spent(&run->plan, part, p->state);
    p->reading = *reading;
    if (kind->look)
        kind->look(&run->plan, part, p->state, &run->sight);
}

/* --- writing down ------------------------------------------------------------------------- */

static ebmd_timings timings_of(const ebmd_run *run)
{
    ebmd_timings t = run->lease.timings;

    t.compute_ms += ebmd_clock_ms() - run->started_at;
    t.encode_ms = 0.0;
    for (int32_t k = 0; run->part && k < run->plan.parts; k++)
        t.encode_ms += run->part[k].result.encode_ms;
    return t;
}

static size_t blobs_max(const ebmd_run *run)
{
    return (size_t)run->plan.parts * (size_t)run->plan.outputs + 1;
}

/* Lists the results that are not in the store yet behind `first`; returns how many blobs in all. */
static size_t list_blobs(const ebmd_run *run, const ebmd_blob *first, ebmd_blob *out)
{
    size_t n = 0;

    if (first->data)
        out[n++] = *first;
    for (int32_t k = 0; k < run->plan.parts; k++) {
        const ebmd_part *p = &run->part[k];

        if (p->phase != EBMD_PART_DONE || p->saved)
            continue;
        for (int32_t i = 0; i < run->plan.outputs; i++)
            out[n++] = (ebmd_blob){EBMD_BLOB_PART, i * run->plan.parts + k,
                                   p->result.output[i].data, p->result.output[i].size};
    }
    return n;
}

static bool has_begun(const ebmd_run *run)
{
    return run->quanta > 0 || run->done > 0;
}

ebm_status ebmd_run_save(const ebmd_run_env *env, ebmd_run *run, bool release, ebm_error *err)
{
    ebmd_blob *blobs = ebm_alloc(blobs_max(run), sizeof(*blobs));
    ebmd_blob first = {EBMD_BLOB_CHECKPOINT, 0, NULL, 0};
    unsigned char *bytes = NULL;
    ebmd_save save = {.release = release, .timings = timings_of(run)};
    ebm_status st = EBM_OK;

    if (!blobs)
        return ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a checkpoint");
    if (has_begun(run)) {
        ebmd_run_diagnose(run);
        st = ebmd_job_checkpoint_pack(run, &bytes, &first.size, err);
    }
    first.data = bytes;
    if (st == EBM_OK) {
        save.blobs = blobs;
        save.n_blobs = list_blobs(run, &first, blobs);
        st = env->store->ops->save(env->store, &run->lease, &save, err);
    }
    for (int32_t k = 0; st == EBM_OK && k < run->plan.parts; k++)
        run->part[k].saved = run->part[k].phase == EBMD_PART_DONE;
    run->unsaved_ms = 0.0;
    ebm_free(bytes);
    ebm_free(blobs);
    return st;
}

static ebmd_result *results_of(const ebmd_run *run)
{
    ebmd_result *results = ebm_alloc((size_t)run->plan.parts, sizeof(*results));

    for (int32_t k = 0; results && k < run->plan.parts; k++)
        results[k] = run->part[k].result; /* the payloads stay the parts' */
    return results;
}

static double batch_mean(const ebmd_run *run)
{
    return run->quanta > 0 ? run->side_sum / (double)run->quanta : 0.0;
}

/* What the parts of a job that was stopped have come to, as results. May be repeated. Returns how
 * many there are from the first on. */
static int32_t collect_all(ebmd_run *run)
{
    int32_t k = 0;

    for (; k < run->plan.parts; k++) {
        ebmd_part *p = &run->part[k];

        if (p->phase == EBMD_PART_NEW)
            (void)begin(run, k, NULL);
        if (p->phase == EBMD_PART_BEGUN && collect(run, k, NULL, NULL) == EBM_OK)
            p->phase = EBMD_PART_DONE;
        if (p->phase != EBMD_PART_DONE)
            return 0; /* all together or nothing */
    }
    return k;
}

static int32_t count_first_done(const ebmd_run *run)
{
    int32_t k = 0;

    while (k < run->plan.parts && run->part[k].phase == EBMD_PART_DONE)
        k++;
    return k;
}

/* Parts whose results the client gets, from the first on; 0: there is no result. */
static int32_t parts_to_give(ebmd_run *run, ebmd_job_state end)
{
    const ebmd_plan *plan = &run->plan;

    if (end == EBMD_JOB_SUCCEEDED)
        return plan->parts;
    if (!run->part || (end == EBMD_JOB_FAILED && run->error != EBMA_DIVERGED))
        return 0;
    if (plan->kind->keeps)
        return collect_all(run);
    return plan->images > 0 && end == EBMD_JOB_CANCELED ? count_first_done(run) : 0;
}

static ebm_status describe(const ebmd_run_env *env, const ebmd_run *run, int32_t parts,
                           ebmd_blob *out, ebm_error *err)
{
    ebmd_facts facts = {.id = run->lease.id,
                        .build = env->build,
                        .created_ms = run->lease.created_ms,
                        .grad_evals = run->grad_evals,
                        .batch_mean = batch_mean(run),
                        .partial = run->error != EBMA_OK,
                        .parts = parts};
    ebmd_result *results = results_of(run);
    char *json = NULL;
    ebm_status st;

    if (!results)
        return ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a job object");
    facts.results = results;
    st = run->plan.kind->document(&run->plan, &facts, &json, &out->size, err);
    out->data = json;
    ebm_free(results);
    return st;
}

static void report(const ebmd_run_env *env, const ebmd_run *run, const ebmd_outcome *o)
{
    ebmd_field fields[] = {
        {.key = "job", .text = run->lease.id},
        {.key = "kind", .text = run->lease.kind},
        {.key = "status", .text = ebmd_job_state_name(o->state)},
        {.key = "parts", .number = run->plan.parts},
        {.key = "grad_evals", .number = (double)run->grad_evals},
        {.key = "queue_ms", .number = o->timings.queue_ms},
        {.key = "compute_ms", .number = o->timings.compute_ms},
        {.key = "error", .text = o->code},
    };

    ebmd_log_event(env->log, o->state == EBMD_JOB_FAILED ? EBMD_WARN : EBMD_INFO, "job", fields,
                   o->code[0] ? 8 : 7);
}

static ebmd_job_state state_of(ebma_problem_code error)
{
    if (error == EBMA_OK)
        return EBMD_JOB_SUCCEEDED;
    return error == EBMA_CANCELED || error == EBMA_DEADLINE ? EBMD_JOB_CANCELED : EBMD_JOB_FAILED;
}

static ebm_status hand_in(const ebmd_run_env *env, const ebmd_run *run, const ebmd_outcome *o,
                          ebm_error *err)
{
    double start = ebmd_clock_ms();
    ebm_status st = env->store->ops->finish(env->store, &run->lease, o, err);

    ebmd_metrics_observe(env->metrics, EBMD_TIME_STORE_FINISH, (ebmd_clock_ms() - start) / 1e3);
    return st;
}

/* Results that were lost and made again must be the same bytes. */
static void compare_again(const ebmd_run_env *env, ebmd_run *run)
{
    const ebmd_field field = {.key = "job", .text = run->lease.id};
    uint64_t n = 0;

    for (int32_t k = 0; run->part && k < run->plan.parts; k++) {
        ebmd_part *p = &run->part[k];

        if (p->phase != EBMD_PART_DONE || p->earlier[0] == '\0')
            continue;
        ebmd_run_digest(run, k, p->digest);
        n += strcmp(p->digest, p->earlier) != 0;
    }
    if (n == 0)
        return;
    ebmd_log_event(env->log, EBMD_ERROR, "determinism_mismatch", &field, 1);
    ebmd_metrics_count(env->metrics, EBMD_COUNT_DETERMINISM_MISMATCHES, n);
}

static void measure(const ebmd_run_env *env, ebmd_run *run)
{
    ebmd_metrics_count(env->metrics, EBMD_COUNT_ENERGY_EVALS, (uint64_t)run->grad_evals);
    if (run->plan.images > 0)
        ebmd_metrics_count(env->metrics, EBMD_COUNT_LANGEVIN_STEPS, (uint64_t)run->grad_evals);
    compare_again(env, run);
    ebmd_metrics_observe(env->metrics, EBMD_BATCH_ROWS, batch_mean(run));
    if (run->error == EBMA_CANCELED && atomic_load(&run->stop))
        ebmd_metrics_observe(env->metrics, EBMD_TIME_CANCEL,
                             (ebmd_clock_ms() - run->asked_at) / 1e3);
}

/* Makes the job object of a result. A result that makes no sense, for instance because what was
 * stored of it has changed, is the end of this job and not of the daemon. */
static ebm_status make_document(const ebmd_run_env *env, ebmd_run *run, int32_t parts,
                                ebmd_blob *out, ebm_error *err)
{
    ebm_error cause = {0};
    ebm_status st = describe(env, run, parts, out, &cause);

    if (st == EBM_OK || st == EBM_ERR_NOMEM)
        return st == EBM_OK ? st : ebm_error_set(err, st, run->lease.id, "%s", cause.text);
    note(env, run, "result_refused", &cause);
    run->error = EBMA_INTERNAL;
    return EBM_OK;
}

ebm_status ebmd_run_finish(const ebmd_run_env *env, ebmd_run *run, ebm_error *err)
{
    ebmd_outcome o = {.timings = timings_of(run), .code = ""};
    ebmd_blob *blobs = NULL;
    ebmd_blob document = {EBMD_BLOB_DOCUMENT, 0, NULL, 0};
    int32_t parts = parts_to_give(run, state_of(run->error));
    ebm_status st = EBM_OK;

    if (parts > 0) {
        blobs = ebm_alloc(blobs_max(run), sizeof(*blobs));
        st = blobs ? make_document(env, run, parts, &document, err)
                   : ebm_error_set(err, EBM_ERR_NOMEM, run->lease.id, "no memory for a result");
    }
    o.state = state_of(run->error);
    if (run->error != EBMA_OK)
        o.code = ebma_problem_describe(run->error)->code;
    if (st == EBM_OK) {
        o.blobs = blobs;
        o.n_blobs = document.data ? list_blobs(run, &document, blobs) : 0;
        st = hand_in(env, run, &o, err);
    }
    if (st == EBM_OK) {
        report(env, run, &o);
        measure(env, run);
    }
    ebm_free((void *)(uintptr_t)document.data);
    ebm_free(blobs);
    return st;
}
