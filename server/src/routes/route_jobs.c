/* GET and DELETE /v1/jobs/{id}, POST /v1/jobs/{id}/cancel. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ebm/io.h"
#include "http/etag.h"
#include "routes/jobview.h"
#include "http/query.h"
#include "routes/router.h"
#include "routes/submit.h"

/* A job that has ended is shown in the same way for ever: who asks again is spared the pictures. */
static bool is_known(ebmd_request *r, const ebmd_row *row)
{
    char text[128], digest[65], tag[EBMD_ETAG_SIZE];

    if (!ebmd_job_state_final(row->state))
        return false;
    snprintf(text, sizeof(text), "%s %d %lld", row->id, (int)row->state,
             (long long)row->completed_ms);
    ebm_sha256_hex(text, strlen(text), digest);
    ebmd_etag_make(digest, tag);
    return ebmd_etag_reply(r, tag);
}

static void reply_view(const ebmd_app *app, ebmd_request *r, const ebmd_view *view)
{
    ebm_error err = {0};
    char *json = NULL;
    size_t size = 0;
    ebm_status st;

    if (view->row.purged) {
        ebmd_reply_code(r, EBMA_JOB_GONE);
        return;
    }
    if (is_known(r, &view->row))
        return;
    st = ebmd_jobview_json(app, view, &json, &size, &err);
    /* what is damaged is our fault, not the client's */
    ebmd_reply_json(r, st == EBM_ERR_FORMAT ? EBM_ERR_INTERNAL : st, json, size);
}

static void reply_error(ebmd_request *r, ebm_status st)
{
    if (st == EBM_ERR_NOT_FOUND)
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
    else
        ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_STORE_UNAVAILABLE);
}

/* Twice is as good as once: what is gone is gone. */
static void forget(const ebmd_app *app, ebmd_request *r)
{
    ebm_error err = {0};
    ebm_status st = EBM_ERR_NOT_FOUND;

    if (!ebmd_query_read(r, NULL, 0))
        return;
    if (ebmd_id_is_job(r->capture, strlen(r->capture)))
        st = app->store->ops->forget(app->store, r->capture, ebmd_request_owner(r), &err);
    if (st == EBM_OK)
        ebmd_reply_empty(r, 204);
    else
        reply_error(r, st);
}

/* In a drain nothing is finished for those who only look. */
static bool may_wait(const ebmd_app *app)
{
    ebmd_phase phase = ebmd_state_get(app->state);

    return phase == EBMD_READY || phase == EBMD_LEAVING;
}

static bool take_wait(const char *value, void *out)
{
    return ebmd_query_whole(value, EBMD_WAIT_MAX_S, out);
}

void ebmd_route_job(const ebmd_app *app, ebmd_request *r)
{
    int64_t wait_s = 0;
    const ebmd_query_row rows[] = {{"wait", "must be 0..600 (seconds)", take_wait, &wait_s}};
    ebmd_view view;

    if (r->method == EBMD_DELETE) {
        forget(app, r);
        return;
    }
    if (!ebmd_query_read(r, rows, 1))
        return;
    if (!ebmd_id_is_job(r->capture, strlen(r->capture)) ||
        app->store->ops->get(app->store, r->capture, ebmd_request_owner(r), &view) != EBM_OK) {
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
    } else if (wait_s > 0 && !ebmd_job_state_final(view.row.state) && may_wait(app)) {
        r->waits = r->waiter.keep_job = r->waiter.poll = true;
        r->waiter.until = ebmd_clock_ms() + 1e3 * (double)wait_s;
        ebmd_submit_await(app, r, r->capture);
    } else {
        reply_view(app, r, &view);
    }
}

void ebmd_route_job_waited(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (app->store->ops->get(app->store, r->waiter.id, ebmd_request_owner(r), &view) == EBM_OK)
        reply_view(app, r, &view);
    else
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
}

void ebmd_route_job_cancel(const ebmd_app *app, ebmd_request *r)
{
    ebm_error err = {0};
    ebm_status st = EBM_ERR_NOT_FOUND;
    ebmd_view view;

    if (ebmd_id_is_job(r->capture, strlen(r->capture)))
        st = app->store->ops->cancel(app->store, r->capture, ebmd_request_owner(r), &view, &err);
    if (st == EBM_OK) {
        reply_view(app, r, &view);
        if (r->reply.status == 200 && !ebmd_job_state_final(view.row.state))
            r->reply.status = 202; /* it stops within a quantum */
    } else {
        reply_error(r, st);
    }
}
