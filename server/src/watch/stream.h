/* One stream of events (text/event-stream, WHATWG HTML section 9.2): its bytes, piece by piece.
 * Holds one event at a time, so a slow reader costs no more memory than that. Knows the format and
 * what a watch has to send next; not who reads, nor how bytes are sent. */
#ifndef EBMD_STREAM_H
#define EBMD_STREAM_H

#include <sys/types.h>

#include "watch/live.h"

/* Zero-initialise. Lies in its request. */
typedef struct ebmd_stream {
    ebmd_watch watch;
    char *text; /* what is being sent; ebm_free() */
    size_t size, sent;
    bool last;  /* nothing comes after it */
    bool stays; /* it was we who ended it: the job goes on */
} ebmd_stream;

/* Gives back what is held; also for a stream that never began. */
void ebmd_stream_clear(ebmd_stream *s);

#define EBMD_STREAM_END (-1)
/* Writes the next bytes, at most `room`. 0: nothing to send now, watch.wake will be called;
 * EBMD_STREAM_END: that was all.
 * @thread one at a time */
ssize_t ebmd_stream_read(ebmd_stream *s, char *out, size_t room);

#endif
