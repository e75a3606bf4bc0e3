/* What the files of the daemon's life share. Not for others. */
#ifndef EBMD_DAEMON_INTERNAL_H
#define EBMD_DAEMON_INTERNAL_H

#include "app.h"
#include "daemon.h"
#include "ebm/kernels.h"
#include "http.h"
#include "keeper.h"
#include "base/notify.h"
#include "base/signals.h"
#include "run/worker.h"

/* Everything that is started and stopped. */
typedef struct ebmd_parts {
    const ebmd_options *opt;
    ebmd_app app;
    ebmd_budget bodies, replies;
    ebmd_state state;
    ebmd_signals signals;
    const ebm_kernels *kernels;
    ebmd_http *admin, *main;
    ebmd_tls tls;
    ebmd_notify notify;
    ebmd_run_env env;
    ebmd_workers *workers;
    ebmd_keeper *keeper;
} ebmd_parts;

/* A balancer that has not looked yet still sends requests: they are served for --drain-delay. A
 * signal from a keyboard needs no such time, and a second one ends it. */
void ebmd__daemon_leave(ebmd_parts *d, int number);
/* Lets the jobs end that somebody waits for; the others go back to the store, with a checkpoint,
 * and the next process goes on with them. The main listener stays open meanwhile, so that new
 * requests and probes get an answer: 503. @err false: a worker does not come back */
EBM_MUST_CHECK bool ebmd__daemon_drain(ebmd_parts *d, int number);

#endif
