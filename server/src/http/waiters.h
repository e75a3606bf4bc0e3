/* Who waits for the end of a job. Knows ids and callbacks; not what a job is, nor who waits.
 * @thread every call from any thread; callbacks run with the lock held and must not come back */
#ifndef EBMD_WAITERS_H
#define EBMD_WAITERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/ids.h"

typedef struct ebmd_waiters ebmd_waiters;

/* One who waits. Lies in whatever waits, zeroed; the first six are set by it. */
typedef struct ebmd_waiter {
    char id[EBMD_ID_SIZE];
    bool keep_job; /* the job is wanted even if this one leaves */
    bool poll;     /* it only looks: nothing has to be finished for it */
    double until;  /* ebmd_clock_ms(): how long it waits; 0: for ever */
    void (*wake)(void *arg);
    void *arg;
    atomic_bool gone;   /* set by whoever notices that it has left */
    bool dismissed;     /* the wait is over though the job may not be: we are going away */
    bool lapsed;        /* its time was up: the job goes on without it */
    ebmd_waiters *home; /* since it was added */
    bool waiting;       /* under the lock, as the links */
    struct ebmd_waiter *prev, *next;
} ebmd_waiter;

/* @own ebmd_waiters_free() @err NULL: no memory */
ebmd_waiters *ebmd_waiters_create(void);
void ebmd_waiters_free(ebmd_waiters *w); /* NULL allowed; nobody may wait */

/* From now on ebmd_waiters_end() with this id wakes it, once. After a dismissal it is woken at
 * once, dismissed. */
void ebmd_waiters_add(ebmd_waiters *w, ebmd_waiter *one);
/* Takes it out if it still waits; afterwards nobody calls it. It counts as having left unless the
 * job is to be kept. @err false: it has been woken before */
bool ebmd_waiters_remove(ebmd_waiter *one);
/* From now on the job is wanted even if this one leaves. */
void ebmd_waiters_keep(ebmd_waiter *one);
/* The job has ended. */
void ebmd_waiters_end(ebmd_waiters *w, const char *id);
/* Wakes those whose time is up. */
void ebmd_waiters_lapse(ebmd_waiters *w, double now);
/* Wakes those that only look. */
void ebmd_waiters_end_polls(ebmd_waiters *w);
/* Wakes all, and all that come later: the process will not see their jobs end. */
void ebmd_waiters_dismiss(ebmd_waiters *w);
/* Writes the id of a job that nobody wants any more, each once.
 * @err false: there is none at the moment */
bool ebmd_waiters_unwanted(ebmd_waiters *w, char id[EBMD_ID_SIZE]);
size_t ebmd_waiters_count(ebmd_waiters *w);
/* Those of them for whom something has to be finished: who only looks is none of them. */
size_t ebmd_waiters_expecting(ebmd_waiters *w);

#endif
