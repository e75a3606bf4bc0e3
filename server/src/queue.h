/* The queue between requests and workers: bounded, fair, closable. It hands out single images,
 * so that several workers share a request, and takes turns between requests, so that a large one
 * does not hold up small ones. Knows jobs and waiting; never sees a socket or a model. */
#ifndef EBMD_QUEUE_H
#define EBMD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "job.h"

typedef struct ebmd_queue ebmd_queue;

typedef enum ebmd_push { EBMD_PUSH_OK, EBMD_PUSH_FULL, EBMD_PUSH_CLOSED } ebmd_push;

/* One image to make. @own job: one reference, the worker's */
typedef struct ebmd_task {
    ebmd_job *job;
    int32_t k;
} ebmd_task;

/* @range capacity >= 1: jobs that may wait for a worker to take their last image
 * @own ebmd_queue_free() @err NULL: no memory */
ebmd_queue *ebmd_queue_create(size_t capacity);
void ebmd_queue_free(ebmd_queue *q); /* NULL allowed; must be idle */

/* Never blocks. FULL maps to 429 with Retry-After, CLOSED to 503.
 * @own OK keeps a reference of its own until ebmd_queue_done() */
EBM_MUST_CHECK ebmd_push ebmd_queue_push(ebmd_queue *q, ebmd_job *job);
bool ebmd_queue_is_full(ebmd_queue *q);

/* Waits for an image to make. @err false: closed and nothing left */
EBM_MUST_CHECK bool ebmd_queue_pop(ebmd_queue *q, ebmd_task *out);
/* Tells how long the steps of a finished image took, for ebmd_queue_retry_after(). */
void ebmd_queue_note(ebmd_queue *q, int64_t steps, double ms);
/* Removes a completed job. */
void ebmd_queue_done(ebmd_queue *q, ebmd_job *job);

/* No more pushes; what is in is still handed out. */
void ebmd_queue_close(ebmd_queue *q);
/* Marks every job in the queue or at work as unwanted. */
void ebmd_queue_cancel_all(ebmd_queue *q);
/* Jobs accepted and not completed. */
size_t ebmd_queue_live(ebmd_queue *q);

/* Looks up an accepted job that is not completed. @err false: none with this id here */
bool ebmd_queue_find(ebmd_queue *q, const char *id, int64_t *started_ms);
/* Seconds until the backlog should be gone. @range 1..60 */
int ebmd_queue_retry_after(ebmd_queue *q, unsigned workers);

#endif
