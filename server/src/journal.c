/* Jobs and their records, see journal.h. */
#include "journal.h"

#include <string.h>

#include "clock.h"
#include "ebm/memory.h"

/* An error of the disk means that earlier successes may be lost too: stop taking work. */
static void judge(const ebmd_app *app, const ebmd_job *job, ebm_status st, const ebm_error *err)
{
    ebmd_field fields[] = {
        {.key = "job", .text = job->id},
        {.key = "where", .text = err->where},
        {.key = "text", .text = err->text},
    };

    ebmd_log_event(app->log, EBMD_ERROR, "store_failed", fields, 3);
    if (st != EBM_ERR_NOMEM)
        ebmd_state_set(app->state, EBMD_BROKEN);
}

/* The part of a job object that is fixed from the start: another worker may already be at work
 * on the job's second image while the first one's records it. */
static ebma_job describe(const ebmd_app *app, const ebmd_job *job)
{
    return (ebma_job){
        .id = job->id,
        .status = EBMA_JOB_QUEUED,
        .created_ms = job->created_ms,
        .model = ebm_model_describe(job->model),
        .request = &job->request,
        .build = app->build,
    };
}

ebm_status ebmd_journal_accept(const ebmd_app *app, ebmd_job *job, ebm_error *err)
{
    ebma_job view = describe(app, job);
    ebm_status st;
    char *json;
    size_t size;

    st = ebma_job_encode(&view, &json, &size, err);
    if (st != EBM_OK)
        return st;
    st = app->store->ops->accept(app->store, job->id, json, size, job->created_ms, err);
    ebm_free(json);
    if (st != EBM_OK)
        judge(app, job, st, err);
    return st;
}

/* Decides how the job ended. A job that was only unwanted is canceled; during a shutdown it is
 * the server's doing and called interrupted. */
static void settle(const ebmd_app *app, ebmd_job *job)
{
    double now = ebmd_clock_ms();

    job->queue_ms = job->started_at - job->pushed_at;
    job->compute_ms = now - job->started_at;
    if (job->error == EBMA_CANCELED && ebmd_state_get(app->state) != EBMD_READY)
        job->error = EBMA_INTERRUPTED;
    if (job->error == EBMA_OK)
        job->status = EBMA_JOB_SUCCEEDED;
    else
        job->status = job->error == EBMA_CANCELED ? EBMA_JOB_CANCELED : EBMA_JOB_FAILED;
}

static void encode(const ebmd_app *app, ebmd_job *job)
{
    ebma_job view = describe(app, job);

    view.status = job->status;
    view.error = job->error;
    view.images = job->images;
    view.started_ms = job->started_ms;
    view.completed_ms = ebmd_clock_wall_ms();
    view.queue_ms = job->queue_ms;
    view.compute_ms = job->compute_ms;
    view.encode_ms = job->encode_ms;
    if (ebma_job_encode(&view, &job->json, &job->json_size, NULL) == EBM_OK)
        return;
    job->error = EBMA_OUT_OF_MEMORY;
    job->status = EBMA_JOB_FAILED;
}

static void store_result(const ebmd_app *app, ebmd_job *job)
{
    ebm_error err = {0};
    ebm_status st;

    if (!job->json)
        return; /* the start after this run will find it unfinished and say so */
    st = app->store->ops->finish(app->store, job->id, ebma_job_status_name(job->status), job->json,
                                 job->json_size, &err);
    if (st == EBM_OK)
        return;
    judge(app, job, st, &err);
    job->error = EBMA_STORE_UNAVAILABLE;
    job->status = EBMA_JOB_FAILED;
}

static void report(const ebmd_app *app, const ebmd_job *job)
{
    ebmd_field fields[] = {
        {.key = "job", .text = job->id},
        {.key = "status", .text = ebma_job_status_name(job->status)},
        {.key = "model", .text = ebm_model_describe(job->model)->id},
        {.key = "n", .number = job->request.n},
        {.key = "queue_ms", .number = job->queue_ms},
        {.key = "compute_ms", .number = job->compute_ms},
        {.key = "error", .text = ebma_problem_describe(job->error)->code},
    };

    ebmd_log_event(app->log, job->status == EBMA_JOB_FAILED ? EBMD_WARN : EBMD_INFO, "job", fields,
                   job->error == EBMA_OK ? 6 : 7);
}

void ebmd_journal_finish(const ebmd_app *app, ebmd_job *job, bool recorded)
{
    settle(app, job);
    encode(app, job);
    if (recorded)
        store_result(app, job);
    report(app, job);
    /* Waking comes before leaving the queue, so that a queue without live jobs means that nobody
     * waits any more. */
    ebmd_job_complete(job);
    ebmd_queue_done(app->queue, job);
}

static ebm_status interrupt(ebmd_store *store, const char *id, ebm_error *err)
{
    char *body = NULL, *json = NULL;
    size_t size, json_size;
    bool finished;
    ebm_status st;

    st = store->ops->get(store, id, &body, &size, &finished, err);
    if (st != EBM_OK)
        return st;
    st = ebma_job_restate(body, size, EBMA_JOB_FAILED, ebmd_clock_wall_ms(), EBMA_INTERRUPTED,
                          &json, &json_size, err);
    if (st == EBM_OK)
        st = store->ops->finish(store, id, ebma_job_status_name(EBMA_JOB_FAILED), json, json_size,
                                err);
    ebm_free(json);
    ebm_free(body);
    return st;
}

ebm_status ebmd_journal_recover(ebmd_store *store, size_t *count, ebm_error *err)
{
    char id[EBMD_ID_SIZE];
    ebm_error none = {0};
    ebm_status st;

    *count = 0;
    while ((st = store->ops->unfinished(store, id, &none)) == EBM_OK) {
        st = interrupt(store, id, err);
        if (st != EBM_OK)
            return st;
        (*count)++;
    }
    if (st == EBM_ERR_NOT_FOUND)
        return EBM_OK;
    return ebm_error_set(err, st, none.where, "%s", none.text);
}
