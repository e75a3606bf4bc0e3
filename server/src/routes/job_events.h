/* What the daemon does when the store says that something has become true of a job: wakes workers,
 * stops them, wakes who waits, counts. Knows who must hear; no rule about jobs. */
#ifndef EBMD_JOB_EVENTS_H
#define EBMD_JOB_EVENTS_H

#include "app.h"

/* The store's listener. @range arg: the app @thread runs inside a call of the store */
void ebmd_job_event(void *arg, ebmd_event event, const ebmd_row *row);
/* A picture of the job is there that somebody waits for. @range arg: the app @thread any */
void ebmd_job_pictured(void *arg, const char *id);
/* What those who wait for it wait for: an id beside that of the job, whose end others wait for. */
void ebmd_job_picture_id(const char *id, char out[EBMD_ID_SIZE]);

#endif
