/* What the files of sched share. Not for others. All but env, workers and slots needs the lock. */
#ifndef EBMD_SCHED_INTERNAL_H
#define EBMD_SCHED_INTERNAL_H

#include <pthread.h>

#include "run/sched.h"
#include "run/share.h"

struct ebmd_sched {
    const ebmd_run_env *env;
    unsigned workers, slots;
    pthread_mutex_t lock;
    pthread_cond_t more;
    ebmd_run *runs;
    ebmd_share *shares;
    size_t n_runs, n_busy;
    size_t bytes, bytes_max; /* of the open runs, and when no further ones are opened */
    uint64_t turn;
    uint64_t epoch; /* counts the reasons to tidy */
    bool closed, paused;
    bool refused; /* the store had nothing for `wish`, and nothing has happened since */
    ebmd_wish wish;
    bool doomed;        /* there may be a queued job that is to be ended */
    double ms_per_work; /* moving average of one worker; 0 = nothing measured */
};

#endif
