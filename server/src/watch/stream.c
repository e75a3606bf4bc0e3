/* Streams of events, see stream.h. */
#include "watch/stream.h"

#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"

#define RETRY_MS    3000 /* when a client should come back; spread over half as much again */
#define EVENT_EXTRA 96u  /* bytes around the data of an event */

/* --- text ----------------------------------------------------------------------------------- */

/* Spreads clients, so that they do not come back all at once. */
static int retry_of(const ebmd_stream *s)
{
    return RETRY_MS + (int)(((uintptr_t)s >> 6) % (RETRY_MS / 2));
}

static void drop_text(ebmd_stream *s)
{
    ebm_free(s->text);
    s->text = NULL;
    s->size = s->sent = 0;
    ebmd_budget_give(s->replies, s->reserved);
    s->reserved = 0;
}

static bool put_text(ebmd_stream *s, const char *text)
{
    size_t size = strlen(text);

    s->text = ebm_alloc(size + 1, 1);
    if (!s->text)
        return false;
    memcpy(s->text, text, size + 1);
    s->size = size;
    return true;
}

/* Takes memory for a large event from what all large replies share. */
static bool reserve(ebmd_stream *s, size_t size)
{
    if (size <= EBMD_REPLY_SMALL)
        return true;
    if (!ebmd_budget_take(s->replies, size))
        return false;
    s->reserved = size;
    return true;
}

/* data is one line: JSON without blanks, in which every line feed is escaped.
 * @err false: no memory; what was reserved is given back with the stream */
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

/* An event that may be large. While other clients have all the memory that there is for those the
 * stream ends instead, and its client comes back with the number of its last event. */
static bool put_large(ebmd_stream *s, int64_t number, ebma_event_type type, const char *data,
                      size_t size)
{
    if (!reserve(s, size))
        return put_parting(s, EBMA_EVENT_BYE);
    return put_event(s, number, type, data, size);
}

static bool put_job(ebmd_stream *s, int64_t number, bool end)
{
    ebmd_job_state state = EBMD_JOB_FAILED;
    char *json = NULL;
    size_t size = 0;
    bool ok = ebmd_live_describe(s->watch.home, s->watch.id, &state, &json, &size) == EBM_OK;

    s->last = end;
    ok = ok && put_large(s, number, end ? end_of(state) : EBMA_EVENT_RESET, json, size);
    ebm_free(json);
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
static bool refill(ebmd_stream *s)
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
        ok = put_job(s, next.number, false);
        break;
    case EBMD_TURN_EVENT:
        ok = put_large(s, next.item->id, next.item->type, next.item->data, next.item->size);
        ebm_free(next.item);
        break;
    case EBMD_TURN_BEAT:
        ok = put_text(s, ": still here\n\n");
        break;
    case EBMD_TURN_END:
        ok = put_job(s, next.number, true);
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

ssize_t ebmd_stream_read(ebmd_stream *s, char *out, size_t room)
{
    size_t n;

    if (!s->text && (s->last || !refill(s)))
        return s->last ? EBMD_STREAM_END : 0;
    n = s->size - s->sent < room ? s->size - s->sent : room;
    memcpy(out, s->text + s->sent, n);
    s->strides = s->sent == 0 || s->sent / EBMD_STREAM_STRIDE < (s->sent + n) / EBMD_STREAM_STRIDE;
    s->sent += n;
    if (s->sent == s->size)
        drop_text(s);
    return (ssize_t)n;
}

void ebmd_stream_clear(ebmd_stream *s)
{
    ebmd_live_leave(&s->watch);
    drop_text(s);
}
