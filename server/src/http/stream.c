/* Streams of events, see stream.h. */
#include "http/stream.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "routes/jobview.h"
#include "http/query.h"
#include "http/request.h"

#define RETRY_MS    3000 /* when a client should come back; spread over half as much again */
#define EVENT_EXTRA 96u  /* bytes around the data of an event */

/* --- text ----------------------------------------------------------------------------------- */

/* Spreads clients, so that they do not come back all at once. */
static int retry_of(const ebmd_stream *s)
{
    return RETRY_MS + (int)(((uintptr_t)s >> 6) % (RETRY_MS / 2));
}

static bool put_text(ebmd_stream *s, const char *text)
{
    s->size = strlen(text);
    s->sent = 0;
    s->text = ebm_alloc(s->size + 1, 1);
    if (s->text)
        memcpy(s->text, text, s->size + 1);
    return s->text != NULL;
}

/* data is one line: JSON without blanks, in which every line feed is escaped. */
static bool put_event(ebmd_stream *s, int64_t number, ebma_event_type type, const char *data,
                      size_t size)
{
    char *text = ebm_alloc(size + EVENT_EXTRA, 1);
    int n;

    if (!text)
        return false;
    n = number > 0 ? snprintf(text, EVENT_EXTRA, "id: %lld\n", (long long)number) : 0;
    n += snprintf(text + n, EVENT_EXTRA - (size_t)n, "event: %s\ndata: ", ebma_event_name(type));
    memcpy(text + n, data, size);
    memcpy(text + (size_t)n + size, "\n\n", 2);
    s->text = text;
    s->size = (size_t)n + size + 2;
    s->sent = 0;
    return true;
}

/* An event whose data is not about the job but about the stream. */
static bool put_parting(ebmd_stream *s, ebma_event_type type)
{
    ebma_event e = {.type = type, .retry_ms = retry_of(s)};
    char *json = NULL;
    size_t size = 0;
    bool ok =
        ebma_event_encode(&e, &json, &size, NULL) == EBM_OK && put_event(s, 0, type, json, size);

    ebm_free(json);
    s->last = s->stays = true;
    return ok;
}

static ebma_event_type end_of(ebmd_job_state state)
{
    switch (state) {
    case EBMD_JOB_SUCCEEDED:
        return EBMA_EVENT_SUCCEEDED;
    case EBMD_JOB_CANCELED:
        return EBMA_EVENT_CANCELED;
    case EBMD_JOB_EXPIRED:
        return EBMA_EVENT_EXPIRED;
    default:
        return EBMA_EVENT_FAILED;
    }
}

/* The job object as it stands; of a job that is not there any more, the problem says so. */
static ebm_status describe(const ebmd_app *app, const char *id, ebmd_view *view, char **json,
                           size_t *size)
{
    ebma_problem gone = {.code = EBMA_JOB_GONE};
    ebm_status st = app->store->ops->get(app->store, id, NULL, view);

    if (st == EBM_OK)
        st = ebmd_jobview_json(app, view, json, size, NULL);
    if (st == EBM_ERR_NOMEM)
        return st;
    if (st != EBM_OK && view->row.state == EBMD_JOB_QUEUED)
        view->row.state = EBMD_JOB_FAILED;
    return st == EBM_OK ? EBM_OK : ebma_problem_encode(&gone, NULL, json, size, NULL);
}

static bool put_job(const ebmd_app *app, ebmd_stream *s, int64_t number, bool end)
{
    ebmd_view view = {.position = 0};
    char *json = NULL;
    size_t size = 0;
    bool ok = describe(app, s->watch.id, &view, &json, &size) == EBM_OK &&
              put_event(s, number, end ? end_of(view.row.state) : EBMA_EVENT_RESET, json, size);

    ebm_free(json);
    s->last = end;
    return ok;
}

static bool put_begin(ebmd_stream *s)
{
    char text[32];

    snprintf(text, sizeof(text), "retry: %d\n\n", retry_of(s));
    return put_text(s, text);
}

/* --- reading -------------------------------------------------------------------------------- */

/* Makes the next piece. @err false: there is none; s->last says whether there will be */
static bool refill(const ebmd_app *app, ebmd_stream *s)
{
    ebmd_next next = ebmd_live_next(&s->watch);
    bool ok = false;

    switch (next.turn) {
    case EBMD_TURN_NOTHING:
        return false;
    case EBMD_TURN_BEGIN:
        ok = put_begin(s);
        break;
    case EBMD_TURN_RESET:
        ok = put_job(app, s, next.number, false);
        break;
    case EBMD_TURN_EVENT:
        ok = put_event(s, next.item->id, next.item->type, next.item->data, next.item->size);
        ebm_free(next.item);
        break;
    case EBMD_TURN_BEAT:
        ok = put_text(s, ": still here\n\n");
        break;
    case EBMD_TURN_END:
        ok = put_job(app, s, next.number, true);
        break;
    case EBMD_TURN_DRAIN:
        ok = put_parting(s, EBMA_EVENT_DRAINING);
        break;
    case EBMD_TURN_OLD:
        ok = put_parting(s, EBMA_EVENT_BYE);
        break;
    case EBMD_TURN_BROKEN:
        break;
    }
    if (!ok) /* without memory the client comes back with the number of its last event */
        s->last = s->stays = true;
    return ok;
}

ssize_t ebmd_stream_read(const ebmd_app *app, ebmd_stream *s, char *out, size_t room)
{
    size_t n;

    if (s->sent == s->size) {
        ebm_free(s->text);
        s->text = NULL;
        s->size = s->sent = 0;
        if (s->last || !refill(app, s))
            return s->last ? EBMD_STREAM_END : 0;
    }
    n = s->size - s->sent < room ? s->size - s->sent : room;
    memcpy(out, s->text + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

void ebmd_stream_clear(ebmd_stream *s)
{
    ebmd_live_leave(&s->watch);
    ebm_free(s->text);
    s->text = NULL;
}

/* --- beginning ------------------------------------------------------------------------------ */

static bool take_every(const char *value, void *out)
{
    int64_t v;

    if (!ebmd_query_whole(value, 1000000, &v))
        return false;
    *(int32_t *)out = (int32_t)v;
    return true;
}

bool ebmd_stream_query(ebmd_request *r)
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

bool ebmd_stream_admit(const ebmd_app *app, ebmd_request *r)
{
    ebmd_watch *w = &r->stream.watch;

    memcpy(w->owner, r->grant.owner, strlen(r->grant.owner) + 1);
    w->gone = &r->waiter.gone;
    w->last_seen = last_seen(r);
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

void ebmd_stream_join(const ebmd_app *app, ebmd_request *r, const char *id)
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
