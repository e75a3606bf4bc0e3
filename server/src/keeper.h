/* The keeper: one thread that does what is due as time goes by. It renews leases, sweeps the store,
 * cancels jobs that nobody waits for any more, frees models that nobody uses, has news told to
 * those who watch, and wakes the scheduler for jobs whose time has come. Knows when; what each of
 * these means is the others' business. */
#ifndef EBMD_KEEPER_H
#define EBMD_KEEPER_H

#include "watch/live.h"
#include "run/sched.h"
#include "base/state.h"
#include "http/waiters.h"

typedef struct ebmd_keeper ebmd_keeper;

typedef struct ebmd_keeper_options {
    ebmd_store *store;
    ebmd_sched *sched;
    ebmd_catalog *catalog;
    ebmd_waiters *waiters;
    ebmd_live *live;
    ebmd_state *state; /* becomes BROKEN when the store fails */
    ebmd_log *log;
} ebmd_keeper_options;

/* @own ebmd_keeper_stop(); what the options point to must outlive it @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_keeper_start(const ebmd_keeper_options *opt, ebmd_keeper **out,
                                            ebm_error *err);
void ebmd_keeper_stop(ebmd_keeper *k); /* NULL allowed */

#endif
