/* One stream of events (text/event-stream, WHATWG HTML section 9.2): its bytes, piece by piece.
 * Holds one event at a time, so a slow reader costs no more memory than that, and large events of
 * all streams come out of what large replies share. Knows the format and what a watch has to send
 * next; not who reads, nor how bytes are sent. */
#ifndef EBMD_STREAM_H
#define EBMD_STREAM_H

#include <sys/types.h>

#include "base/budget.h"
#include "watch/live.h"

/* Bytes of an event for which its reader has a deadline of its own: otherwise one who takes a few
 * bytes a minute would hold an event of any size for ever. */
#define EBMD_STREAM_STRIDE (1u << 20)

/* Zero-initialise. Lies in its request. */
typedef struct ebmd_stream {
    ebmd_watch watch;
    ebmd_budget *replies; /* of all large replies; NULL: none */
    size_t reserved;      /* bytes taken from it */
    char *text;           /* what is being sent; NULL: nothing. ebm_free() */
    size_t size, sent;
    bool strides; /* the last read began an event, or another EBMD_STREAM_STRIDE of one */
    bool last;    /* nothing comes after it */
    bool stays;   /* it was we who ended it: the job goes on */
} ebmd_stream;

/* Gives back what is held; also for a stream that never began. */
void ebmd_stream_clear(ebmd_stream *s);

#define EBMD_STREAM_END (-1)
/* Writes the next bytes, at most `room`. 0: nothing to send now, watch.wake will be called;
 * EBMD_STREAM_END: that was all.
 * @thread one at a time */
ssize_t ebmd_stream_read(ebmd_stream *s, char *out, size_t room);

#endif
