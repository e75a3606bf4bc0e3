/* Streams of events about jobs, see job_stream.h. */
#include "routes/job_stream.h"

#include <string.h>

#include "http/query.h"

static bool take_every(const char *value, void *out)
{
    int64_t v;

    if (!ebmd_query_whole(value, 1000000, &v))
        return false;
    *(int32_t *)out = (int32_t)v;
    return true;
}

bool ebmd_job_stream_query(ebmd_request *r)
{
    const ebmd_query_row rows[] = {{"preview_every", "must be 0..1000000 (levels)", take_every,
                                    &r->stream.watch.preview_every}};

    return ebmd_query_read(r, rows, 1);
}

/* Last-Event-ID: a number that we gave; anything else is as good as none. */
static int64_t last_seen(const ebmd_request *r)
{
    const char *header = ebmd_request_header(r, "Last-Event-ID");
    int64_t v;

    return header && ebmd_query_whole(header, INT64_C(1) << 53, &v) ? v : -1;
}

bool ebmd_job_stream_admit(const ebmd_app *app, ebmd_request *r)
{
    ebmd_watch *w = &r->stream.watch;

    memcpy(w->owner, r->grant.owner, strlen(r->grant.owner) + 1);
    w->gone = &r->waiter.gone;
    w->last_seen = last_seen(r);
    r->stream.replies = r->replies;
    switch (ebmd_live_admit(app->live, w)) {
    case EBMD_ADMITTED:
        return true;
    case EBMD_LIVE_OWNER_FULL:
        ebmd_reply_code(r, EBMA_QUOTA_EXCEEDED);
        break;
    case EBMD_LIVE_FULL:
        ebmd_reply_code(r, EBMA_OVERLOADED);
        break;
    }
    ebmd_reply_add(r, "Retry-After", "5");
    return false;
}

void ebmd_job_stream_join(const ebmd_app *app, ebmd_request *r, const char *id)
{
    ebmd_watch *w = &r->stream.watch;
    ebmd_view view;
    bool there;

    memcpy(w->id, id, strlen(id) + 1);
    there = app->store->ops->get(app->store, id, NULL, &view) == EBM_OK;
    if (!ebmd_live_join(w, there ? &view : NULL)) {
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
        return;
    }
    ebmd_reply_body(r, 200, "text/event-stream", NULL, 0);
    r->reply.streams = true;
    ebmd_reply_add(r, "X-Accel-Buffering", "no"); /* nginx would collect events otherwise */
    ebmd_reply_add(r, "X-Job-Id", id);
}
