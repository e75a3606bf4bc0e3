/* GET /v1/jobs/{id}/events: what happens to a job, as it happens. */
#include <string.h>

#include "http/media.h"
#include "routes/job_stream.h"
#include "routes/router.h"

/* A client that has seen the end asks once more, because its line was closed: 204 tells it to stop
 * (WHATWG HTML, 9.2.3). */
static bool has_seen_the_end(const ebmd_request *r, const ebmd_row *row)
{
    return ebmd_job_state_final(row->state) && r->stream.watch.last_seen >= row->completed_ms;
}

/* While somebody looks on, a job is not canceled because whoever asked for it has left. */
static void look_on(const ebmd_app *app, ebmd_request *r)
{
    r->waiter.keep_job = r->waiter.poll = true;
    ebmd_waiters_add(app->waiters, &r->waiter);
    ebmd_job_stream_join(app, r, r->waiter.id);
}

void ebmd_route_job_events(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (ebmd_media_accept(ebmd_request_list(r, "Accept")) == EBMD_MEDIA_NONE) {
        ebmd_reply_code(r, EBMA_NOT_ACCEPTABLE);
        return;
    }
    if (!ebmd_job_stream_query(r))
        return;
    if (!ebmd_id_is_job(r->capture, strlen(r->capture)) ||
        app->store->ops->get(app->store, r->capture, ebmd_request_owner(r), &view) != EBM_OK) {
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
        return;
    }
    memcpy(r->waiter.id, view.row.id, sizeof(view.row.id));
    if (view.row.purged)
        ebmd_reply_code(r, EBMA_JOB_GONE);
    else if (!ebmd_job_stream_admit(app, r))
        return;
    else if (has_seen_the_end(r, &view.row))
        ebmd_reply_empty(r, 204);
    else
        look_on(app, r);
}
