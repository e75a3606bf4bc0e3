/* Job objects, see jobview.h. */
#include "routes/jobview.h"

#include "base/clock.h"
#include "ebm/memory.h"
#include "ebma/op_results.h"
#include "kinds/kind.h"

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
    const ebmd_kind *kind = ebmd_kind_find(r->kind);

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
        .progress = {p->fraction, p->parts_done, p->level, p->levels, p->step, p->steps,
                     p->has_logp, p->has_accept, p->logp, p->accept_rate},
        .error = ebma_problem_find(r->code),
        .previews = kind && kind->preview && !ebmd_job_state_final(r->state),
    };
}

/* Where the images of one job are. */
typedef struct shelf {
    ebmd_store *store;
    const char *id;
} shelf;

static ebm_status read_image(void *self, int32_t index, char **data, size_t *size, ebm_error *err)
{
    const shelf *s = self;

    return s->store->ops->blob(s->store, s->id, EBMD_BLOB_PART, index, data, size, err);
}

/* Images that the job was asked for: a part gives one, but chains that a rule looks at together are
 * one part. @err FORMAT */
static ebm_status count_images(const ebmd_row *row, const char *document, size_t size, int32_t *n,
                               ebm_error *err)
{
    const ebmd_kind *kind = ebmd_kind_find(row->kind);
    int32_t keep;

    *n = row->parts;
    if (!kind || kind->operation != EBM_OP_MCMC)
        return EBM_OK;
    return ebma_chains_count(document, size, n, &keep, err);
}

ebm_status ebmd_jobview_json(const ebmd_app *app, const ebmd_view *view, char **json, size_t *size,
                             ebm_error *err)
{
    const ebmd_row *row = &view->row;
    ebma_job_state state = state_of(app, view);
    double start = ebmd_clock_ms();
    shelf of_job = {app->store, row->id};
    ebma_images images = {read_image, &of_job, 0};
    const ebma_chains chains = {
        .report = &view->progress.chains, .metropolis = true, .partial = true};
    char *document = NULL;
    size_t document_size;
    ebm_status st = app->store->ops->blob(app->store, row->id, EBMD_BLOB_DOCUMENT, 0, &document,
                                          &document_size, err);

    *json = NULL;
    ebmd_metrics_observe(app->metrics, EBMD_TIME_STORE_GET, (ebmd_clock_ms() - start) / 1e3);
    if (ebmd_job_state_final(row->state) && row->bytes[EBMD_BLOB_PART] > 0) {
        state.images = &images;
        if (st == EBM_OK)
            st = count_images(row, document, document_size, &images.n, err);
    }
    if (row->state == EBMD_JOB_RUNNING && view->progress.told > 0)
        state.chains = &chains;
    if (st == EBM_OK)
        st = ebma_job_present(document, document_size, &state, json, size, err);
    ebm_free(document);
    return st;
}

ebm_status ebmd_jobview_describe(void *arg, const char *id, ebmd_job_state *state, char **json,
                                 size_t *size)
{
    const ebmd_app *app = arg;
    const ebma_problem gone = {.code = EBMA_JOB_GONE};
    ebmd_view view = {.position = 0};
    ebm_status st = app->store->ops->get(app->store, id, NULL, &view);

    if (st == EBM_OK)
        st = ebmd_jobview_json(app, &view, json, size, NULL);
    if (st == EBM_ERR_NOMEM)
        return st;
    *state = view.row.state;
    if (st == EBM_OK)
        return EBM_OK;
    if (*state == EBMD_JOB_QUEUED)
        *state = EBMD_JOB_FAILED;
    return ebma_problem_encode(&gone, NULL, json, size, NULL);
}
