/* What a run writes down: its checkpoints, and its end with what it has come to. See job_run.h. */
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "run/job_checkpoint.h"

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

static ebm_status collect_part(ebmd_run *run, int32_t part, ebm_error *err)
{
    ebmd_part *p = &run->part[part];
    ebm_status st = p->phase == EBMD_PART_NEW ? ebmd_run_begin(run, part, err) : EBM_OK;

    if (st == EBM_OK && p->phase == EBMD_PART_BEGUN)
        st = ebmd_run_collect(run, part, NULL, err);
    if (st == EBM_OK)
        p->phase = EBMD_PART_DONE;
    return st;
}

/* What the parts of a job that was stopped have come to, as results: all together or nothing, for
 * none goes on while another has no start. For want of memory nothing is given up: it is tried
 * again, and goes on with the part that failed. *parts: how many there are from the first on */
static ebm_status collect_all(ebmd_run *run, int32_t *parts, ebm_error *err)
{
    ebm_error cause = {0};
    ebm_status st = EBM_OK;

    *parts = 0;
    for (int32_t k = 0; k < run->plan.parts && st == EBM_OK; k++)
        st = collect_part(run, k, &cause);
    if (st == EBM_ERR_NOMEM)
        return ebm_error_set(err, st, run->lease.id, "%s", cause.text);
    if (st == EBM_OK)
        *parts = run->plan.parts;
    return EBM_OK;
}

static int32_t count_first_done(const ebmd_run *run)
{
    int32_t k = 0;

    while (k < run->plan.parts && run->part[k].phase == EBMD_PART_DONE)
        k++;
    return k;
}

/* *parts: those whose results the client gets, from the first on; 0: there is no result.
 * @err NOMEM */
static ebm_status parts_to_give(ebmd_run *run, ebmd_job_state end, int32_t *parts, ebm_error *err)
{
    const ebmd_plan *plan = &run->plan;

    *parts = end == EBMD_JOB_SUCCEEDED ? plan->parts : 0;
    if (end == EBMD_JOB_SUCCEEDED || !run->part ||
        (end == EBMD_JOB_FAILED && run->error != EBMA_DIVERGED))
        return EBM_OK;
    if (plan->kind->keeps)
        return collect_all(run, parts, err);
    if (plan->images > 0 && end == EBMD_JOB_CANCELED)
        *parts = count_first_done(run);
    return EBM_OK;
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

/* Work that was reckoned with and not done, because the job was stopped or came to its end early.
 */
static int64_t work_left(const ebmd_run *run)
{
    int64_t left = run->lease.work - run->grad_evals;

    return left > 0 ? left : 0;
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
    ebmd_run_log(env, run, "result_refused", &cause);
    run->error = EBMA_INTERNAL;
    return EBM_OK;
}

ebm_status ebmd_run_finish(const ebmd_run_env *env, ebmd_run *run, ebm_error *err)
{
    ebmd_outcome o = {.timings = timings_of(run), .code = "", .work_left = work_left(run)};
    ebmd_blob *blobs = NULL;
    ebmd_blob document = {EBMD_BLOB_DOCUMENT, 0, NULL, 0};
    int32_t parts;
    ebm_status st = parts_to_give(run, state_of(run->error), &parts, err);

    if (st == EBM_OK && parts > 0) {
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
