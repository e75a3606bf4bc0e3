/* Job objects, see jobview.h. */
#include "jobview.h"

#include "clock.h"
#include "ebm/memory.h"

ebma_job_status ebmd_jobview_status(ebmd_job_state state)
{
    static const ebma_job_status table[EBMD_JOB_STATES] = {
        [EBMD_JOB_QUEUED] = EBMA_JOB_QUEUED,       [EBMD_JOB_RUNNING] = EBMA_JOB_RUNNING,
        [EBMD_JOB_SUCCEEDED] = EBMA_JOB_SUCCEEDED, [EBMD_JOB_FAILED] = EBMA_JOB_FAILED,
        [EBMD_JOB_CANCELED] = EBMA_JOB_CANCELED,   [EBMD_JOB_EXPIRED] = EBMA_JOB_EXPIRED};

    return table[state];
}

static int64_t work_left(const ebmd_view *v)
{
    if (v->row.state == EBMD_JOB_QUEUED)
        return v->work_left;
    return (int64_t)((1.0 - v->progress.fraction) * (double)v->row.work);
}

static ebma_job_state state_of(const ebmd_app *app, const ebmd_view *view)
{
    const ebmd_row *r = &view->row;
    const ebmd_progress *p = &view->progress;

    return (ebma_job_state){
        .status = ebmd_jobview_status(r->state),
        .cancel_requested = r->cancel_requested && r->state == EBMD_JOB_RUNNING,
        .started_ms = r->started_ms,
        .completed_ms = r->completed_ms,
        .queue_ms = r->timings.queue_ms,
        .compute_ms = r->timings.compute_ms,
        .encode_ms = r->timings.encode_ms,
        .position = view->position,
        .eta_s = ebmd_sched_seconds(app->sched, work_left(view)),
        .progress = {p->fraction, p->parts_done, p->level, p->levels, p->step, p->steps},
        .error = ebma_problem_find(r->code),
    };
}

static void free_parts(ebma_payload *parts, size_t n)
{
    for (size_t k = 0; parts && k < n; k++)
        ebm_free((void *)(uintptr_t)parts[k].data);
    ebm_free(parts);
}

static ebm_status read_parts(const ebmd_app *app, const ebmd_row *row, ebma_payload **out,
                             ebm_error *err)
{
    ebma_payload *parts = ebm_alloc((size_t)row->parts, sizeof(*parts));
    ebm_status st = EBM_OK;

    *out = parts;
    if (!parts)
        return ebm_error_set(err, EBM_ERR_NOMEM, row->id, "no memory for a job object");
    for (int32_t k = 0; k < row->parts && st == EBM_OK; k++) {
        char *data;

        st = app->store->ops->blob(app->store, row->id, EBMD_BLOB_PART, k, &data, &parts[k].size,
                                   err);
        parts[k].data = data;
    }
    return st;
}

ebm_status ebmd_jobview_json(const ebmd_app *app, const ebmd_view *view, char **json, size_t *size,
                             ebm_error *err)
{
    const ebmd_row *row = &view->row;
    ebma_job_state state = state_of(app, view);
    double start = ebmd_clock_ms();
    ebma_payload *parts = NULL;
    char *document = NULL;
    size_t document_size;
    ebm_status st = app->store->ops->blob(app->store, row->id, EBMD_BLOB_DOCUMENT, 0, &document,
                                          &document_size, err);

    *json = NULL;
    if (st == EBM_OK && row->state == EBMD_JOB_SUCCEEDED)
        st = read_parts(app, row, &parts, err);
    ebmd_metrics_observe(app->metrics, EBMD_TIME_STORE_GET, (ebmd_clock_ms() - start) / 1e3);
    if (st == EBM_OK) {
        state.payloads = parts;
        state.n_payloads = parts ? (size_t)row->parts : 0;
        st = ebma_job_present(document, document_size, &state, json, size, err);
    }
    free_parts(parts, (size_t)row->parts);
    ebm_free(document);
    return st;
}
