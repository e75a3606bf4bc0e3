/* The workers: each one thread with one bench per model it has used. A worker asks the scheduler
 * what to do and does it. It never sees a socket, and knows no kind of job. */
#ifndef EBMD_WORKER_H
#define EBMD_WORKER_H

#include "run/sched.h"
#include "base/state.h"

#define EBMD_WORKERS_MAX 64

typedef struct ebmd_workers ebmd_workers;

typedef struct ebmd_workers_options {
    unsigned n;
    const ebmd_run_env *env;
    ebmd_sched *sched;
    ebmd_state *state; /* becomes BROKEN when the store fails */
} ebmd_workers_options;

/* Starts the threads and waits until each has a bench for the default model, so that no first
 * request pays for set-up.
 * @own ebmd_workers_join(); what the options point to must outlive them
 * @err NOMEM, and what sessions say */
EBM_MUST_CHECK ebm_status ebmd_workers_start(const ebmd_workers_options *opt, ebmd_workers **out,
                                             ebm_error *err);
/* Waits until all have left: the scheduler must be closed. NULL allowed. */
void ebmd_workers_join(ebmd_workers *w);

#endif
