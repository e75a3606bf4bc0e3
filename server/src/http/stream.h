/* One stream of events (text/event-stream, WHATWG HTML section 9.2): its bytes, piece by piece.
 * Holds one event at a time, so a slow reader costs no more memory than that. Knows the format and
 * the job object; not how bytes are sent. */
#ifndef EBMD_STREAM_H
#define EBMD_STREAM_H

#include <sys/types.h>

#include "app.h"

struct ebmd_request;

/* Zero-initialise. Lies in its request. */
typedef struct ebmd_stream {
    ebmd_watch watch;
    char *text; /* what is being sent; ebm_free() */
    size_t size, sent;
    bool last;  /* nothing comes after it */
    bool stays; /* it was we who ended it: the job goes on */
} ebmd_stream;

/* Takes a place and begins to answer with a stream about the job `id`. Refuses with 429 or 503.
 * A job that was asked for by this very request is admitted before it is made, and joined after.
 * @err false: refused, r->reply says how */
EBM_MUST_CHECK bool ebmd_stream_admit(const ebmd_app *app, struct ebmd_request *r);
void ebmd_stream_join(const ebmd_app *app, struct ebmd_request *r, const char *id);
/* Gives back what is held; also for a stream that never began. */
void ebmd_stream_clear(ebmd_stream *s);

#define EBMD_STREAM_END (-1)
/* Writes the next bytes, at most `room`. 0: nothing to send now, watch.wake will be called;
 * EBMD_STREAM_END: that was all.
 * @thread one at a time */
ssize_t ebmd_stream_read(const ebmd_app *app, ebmd_stream *s, char *out, size_t room);

/* Reads the query ?preview_every=N. @err false: answered 422 */
EBM_MUST_CHECK bool ebmd_stream_query(struct ebmd_request *r);

#endif
