/* From a request body to an accepted job and back to a reply, for every kind of job.
 * Knows headers, kinds and the store's calls; not what a kind computes. */
#ifndef EBMD_SUBMIT_H
#define EBMD_SUBMIT_H

#include "kinds/kind.h"
#include "routes/router.h"

/* Takes the body as a request of this kind: refuses it, accepts it and lets the connection wait,
 * or answers 202 at once (Prefer: respond-async). */
void ebmd_submit(const ebmd_app *app, ebmd_request *r, const ebmd_kind *kind);
/* A job that somebody else has planned. @own borrowed */
typedef struct ebmd_ready {
    const ebmd_plan *plan;
    const char *subject;    /* what the body is about besides itself, for Idempotency-Key; "" */
    const void *checkpoint; /* where the job begins; NULL: at the beginning */
    size_t checkpoint_size;
} ebmd_ready;
/* Accepts it, as ebmd_submit() does once the body is understood. */
void ebmd_submit_ready(const ebmd_app *app, ebmd_request *r, const ebmd_ready *ready);
/* Lets the request wait for a job that is there already, as r->waiter says. */
void ebmd_submit_await(const ebmd_app *app, ebmd_request *r, const char *id);
/* The wait is over: answers with the job object, or the image. */
void ebmd_submit_done(const ebmd_app *app, ebmd_request *r);
/* True when a new job would be refused for its number alone; costs nothing. */
bool ebmd_submit_full(const ebmd_app *app);
/* Answers 429 with Retry-After. */
void ebmd_submit_refuse_full(const ebmd_app *app, ebmd_request *r);

#endif
