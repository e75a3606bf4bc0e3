/* Absolute deadlines for connections. The HTTP library only has an idle timer, which one byte a
 * second holds off for ever. Knows descriptors and phases, no requests. */
#ifndef EBMD_REAPER_H
#define EBMD_REAPER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "ebm/status.h"

typedef struct ebmd_reaper ebmd_reaper;
typedef struct ebmd_conn ebmd_conn;

/* What the connection is expected to do, and how long that may take. */
typedef enum ebmd_conn_phase {
    EBMD_CONN_HEAD,  /* the client sends a head: 5 s */
    EBMD_CONN_BODY,  /* the client sends a body: opt->body_ms */
    EBMD_CONN_WORK,  /* we work: no deadline here */
    EBMD_CONN_REPLY, /* the client reads the reply, or a stride of a stream: opt->reply_ms */
    EBMD_CONN_IDLE   /* between two requests: 15 s */
} ebmd_conn_phase;

#define EBMD_LATE_MAX 1024 /* bytes of `late`, the zero included */

/* look_ms: between two looks; cut_off_ms: a body may go on for so long after its stream has ended,
 * which is longer than bytes that have come wait to be read. late: bytes for a client whose body
 * has not come in time, before the connection ends; NULL: none, as on a connection whose bytes are
 * not plain. @own late is copied */
typedef struct ebmd_reaper_options {
    double look_ms, body_ms, reply_ms, cut_off_ms;
    const char *late;
} ebmd_reaper_options;

/* Starts the thread that looks. @own ebmd_reaper_stop() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_reaper_start(const ebmd_reaper_options *opt, ebmd_reaper **out,
                                            ebm_error *err);
void ebmd_reaper_stop(ebmd_reaper *r); /* NULL allowed; all connections must be removed */

/* @own ebmd_reaper_remove(), before fd is closed @err NULL: no memory */
ebmd_conn *ebmd_reaper_add(ebmd_reaper *r, int fd);
void ebmd_reaper_remove(ebmd_reaper *r, ebmd_conn *c);
/* The time of a phase runs from when it is first set: a head does not get more by arriving in
 * pieces. */
void ebmd_reaper_phase(ebmd_reaper *r, ebmd_conn *c, ebmd_conn_phase phase);
/* The time of the phase runs anew: a stream may be long, as long as its client takes it. */
void ebmd_reaper_renew(ebmd_reaper *r, ebmd_conn *c);
/* While *gone is not NULL: sets it when the client has left. A reset counts at once; an end of
 * stream only after ten seconds, because a client that merely finished sending looks the same. */
void ebmd_reaper_watch(ebmd_reaper *r, ebmd_conn *c, atomic_bool *gone);
/* Bounds what the kernel keeps back for a client that reads slowly, and how long it waits for one
 * that does not say that it has received anything. */
void ebmd_reaper_bound(const ebmd_conn *c, int bytes, unsigned patience_ms);
/* Waits, at most so long, until nobody is on the way in: the listening socket's queue has been seen
 * empty, and no connection has a head to send or to be read. */
void ebmd_reaper_wait_heads(ebmd_reaper *r, int listener, double most_ms);
size_t ebmd_reaper_count(ebmd_reaper *r);

#endif
