/* What has happened to one job, for those who watch it: its latest events, numbered, in a bounded
 * list. Knows order, replay and what a later event makes superfluous; no threads, no sockets.
 *
 * Numbers grow and are never given twice, not even by a later process: they are milliseconds of the
 * wall clock, or one more than the last one if that is more. What has been dropped for want of
 * room leaves a gap, and whoever asks for what lies behind a gap is told so. */
#ifndef EBMD_FEED_H
#define EBMD_FEED_H

#include "ebma/api.h"

#define EBMD_FEED_ITEMS_MAX 256u
#define EBMD_FEED_BYTES_MAX ((size_t)1 << 20)

typedef struct ebmd_feed_item {
    struct ebmd_feed_item *next;
    int64_t id;
    ebma_event_type type;
    int64_t index; /* of the part, for pictures */
    size_t size;
    char data[]; /* [size], one line of JSON */
} ebmd_feed_item;

/* Zero-initialise, then ebmd_feed_start(). */
typedef struct ebmd_feed {
    ebmd_feed_item *first, *last;
    size_t items, bytes;
    int64_t lost;   /* what lies before and at this number is not all here */
    int64_t newest; /* last number given */
} ebmd_feed;

/* Begins: nothing is known about what was before. @unit now_ms: Unix milliseconds, as below */
void ebmd_feed_start(ebmd_feed *f, int64_t now_ms);
void ebmd_feed_clear(ebmd_feed *f);
/* The next number. */
int64_t ebmd_feed_number(ebmd_feed *f, int64_t now_ms);
/* Adds an event. A progress replaces the progress before it, a preview that of its part, a place in
 * the queue the one before; beyond the bounds the oldest goes. Without memory it is a gap. */
void ebmd_feed_push(ebmd_feed *f, const ebma_event *event, int64_t now_ms);
/* The first event after this number, or NULL. @own the feed's, until the next push */
const ebmd_feed_item *ebmd_feed_after(const ebmd_feed *f, int64_t id);
/* True if whoever has seen this number can be given all that came after it. */
bool ebmd_feed_covers(const ebmd_feed *f, int64_t id);

#endif
