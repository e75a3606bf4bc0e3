/* What the daemon does when the store says that something has become true of a job: wakes workers,
 * stops them, wakes who waits, counts. Knows who must hear; no rule about jobs. */
#ifndef EBMD_JOB_EVENTS_H
#define EBMD_JOB_EVENTS_H

#include "app.h"

/* The store's listener. @range arg: the app @thread runs inside a call of the store */
void ebmd_job_event(void *arg, ebmd_event event, const ebmd_row *row);

#endif
