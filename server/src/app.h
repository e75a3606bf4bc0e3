/* What a route may use: pointers to the parts of the running daemon, none of them owned.
 * Built by daemon.c, read by everyone else. */
#ifndef EBMD_APP_H
#define EBMD_APP_H

#include "engine.h"
#include "keys.h"
#include "log.h"
#include "metrics.h"
#include "proxies.h"
#include "queue.h"
#include "state.h"
#include "store.h"

typedef struct ebmd_app {
    ebmd_log *log;
    ebmd_state *state;
    ebmd_metrics *metrics; /* NULL: nobody counts */
    ebmd_engine *engine;   /* engine, queue, store: NULL until the phase is READY */
    ebmd_queue *queue;
    ebmd_store *store;
    ebmd_keys *keys; /* NULL: nobody needs a key */
    const ebmd_proxies *proxies;
    const char *cors_origins;
    const char *build;   /* "ebmd 0.1.0" */
    const char *version; /* "0.1.0" */
    const char *kernel_class;
    unsigned workers;
} ebmd_app;

#endif
