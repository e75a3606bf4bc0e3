/* What a route may use: pointers to the parts of the running daemon, none of them owned.
 * Built by daemon.c, read by everyone else. */
#ifndef EBMD_APP_H
#define EBMD_APP_H

#include "base/budget.h"
#include "models/catalog.h"
#include "http/keys.h"
#include "watch/live.h"
#include "models/loader.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/proxies.h"
#include "run/sched.h"
#include "base/state.h"
#include "store/store.h"
#include "http/waiters.h"

typedef struct ebmd_app {
    ebmd_log *log;
    ebmd_state *state;
    ebmd_metrics *metrics; /* NULL: nobody counts */
    ebmd_catalog *catalog; /* this and the next five: NULL until the phase is READY */
    ebmd_loader *loader;
    ebmd_store *store;
    ebmd_sched *sched;
    ebmd_waiters *waiters;
    ebmd_live *live;
    ebmd_keys *keys; /* NULL: nobody needs a key */
    bool admin_keys; /* on the admin listener neither; else those of the scope admin */
    const ebmd_proxies *proxies;
    ebmd_budget *bodies;  /* NULL: no limit */
    ebmd_budget *replies; /* likewise */
    const char *cors_origins;
    bool playground;     /* the page at / is served */
    const char *build;   /* "ebmd 0.1.0" */
    const char *version; /* "0.1.0" */
    const char *kernel_class;
    unsigned workers;
    size_t queue_max;   /* jobs that may wait */
    int64_t queue_work; /* and their work */
    unsigned stream_heartbeat_s;
    unsigned sync_limit_s; /* how long a request waits for its job by itself */
    int64_t request_work;  /* gradient evaluations that one request may ask for */
} ebmd_app;

#endif
