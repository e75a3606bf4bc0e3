/* The workers: each one thread with one session per model it has used. A worker takes an image
 * from the queue, runs its chain in slices, encodes it. It never sees a socket. */
#ifndef EBMD_WORKER_H
#define EBMD_WORKER_H

#include "app.h"

#define EBMD_WORKERS_MAX 64

typedef struct ebmd_workers ebmd_workers;

/* Starts app->workers threads and waits until each has a session for the default model and has
 * evaluated it once, so that no first request pays for set-up.
 * @own ebmd_workers_join(); app must outlive them @err NOMEM, and what sessions say */
EBM_MUST_CHECK ebm_status ebmd_workers_start(const ebmd_app *app, ebmd_workers **out,
                                             ebm_error *err);
/* Waits until all have left: the queue must be closed. NULL allowed. */
void ebmd_workers_join(ebmd_workers *w);

#endif
