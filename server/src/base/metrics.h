/* What the daemon counts, for Prometheus. Every label comes from a fixed set, so that no client
 * can make a series; recording is one relaxed atomic addition or a few, never a lock.
 * Knows what is counted, not why. All recorders take NULL for "nobody counts". */
#ifndef EBMD_METRICS_H
#define EBMD_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebma/api.h"

typedef struct ebmd_metrics ebmd_metrics;

#define EBMD_METRICS_ROUTES_MAX 64

typedef enum ebmd_job_kind {
    EBMD_KIND_SAMPLE,
    EBMD_KIND_INPAINT,
    EBMD_KIND_MCMC,
    EBMD_KIND_INTERPOLATE,
    EBMD_KIND_ENERGY,
    EBMD_KIND_LIKELIHOOD,
    EBMD_KIND_CHAINS,
    EBMD_KINDS
} ebmd_job_kind;

/* Things that only ever go up. */
typedef enum ebmd_counter {
    EBMD_COUNT_ENERGY_EVALS,   /* with the gradient or without */
    EBMD_COUNT_LANGEVIN_STEPS, /* gradient evaluations of chains, whatever the sampler */
    EBMD_COUNT_LEASES_LOST,
    EBMD_COUNT_REDELIVERED,
    EBMD_COUNT_DETERMINISM_MISMATCHES,
    EBMD_COUNT_STORE_ERRORS,
    EBMD_COUNT_BYTES_RECEIVED,
    EBMD_COUNT_BYTES_SENT,
    EBMD_COUNTERS
} ebmd_counter;

/* Things that go up and down. @unit as the name of the series says */
typedef enum ebmd_gauge {
    EBMD_GAUGE_QUEUE_DEPTH,
    EBMD_GAUGE_QUEUE_OLDEST, /* seconds the first one has waited */
    EBMD_GAUGE_BACKLOG,      /* seconds of work that wait */
    EBMD_GAUGE_PAUSED,       /* 1: nothing is begun */
    EBMD_GAUGE_SLOTS_BUSY,   /* jobs that are open */
    EBMD_GAUGE_SLOTS_IDLE,
    EBMD_GAUGE_ACCEPT_RATIO, /* of the last adjusted sampler, 0..1 */
    EBMD_GAUGE_IN_FLIGHT,    /* HTTP requests between head and end */
    EBMD_GAUGE_CONNECTIONS,
    EBMD_GAUGE_STREAMS,
    EBMD_GAUGE_MODELS_RETIRED, /* replaced or unloaded, and still in use */
    EBMD_GAUGES
} ebmd_gauge;

/* Distributions. @unit seconds, but rows for BATCH_ROWS */
typedef enum ebmd_timer {
    EBMD_TIME_QUEUED,
    EBMD_TIME_RUN,
    EBMD_TIME_CANCEL, /* from asking to standing still */
    EBMD_TIME_STORE_ACCEPT,
    EBMD_TIME_STORE_FINISH,
    EBMD_TIME_STORE_GET,
    EBMD_BATCH_ROWS,
    EBMD_TIMERS
} ebmd_timer;

/* Where a request was when its client left. */
typedef enum ebmd_gone {
    EBMD_GONE_READING, /* head or body */
    EBMD_GONE_WAITING, /* for its job */
    EBMD_GONE_REPLY,
    EBMD_GONE_STREAM,
    EBMD_GONE_PHASES
} ebmd_gone;

/* Why a key was not good enough. */
typedef enum ebmd_denial {
    EBMD_DENIED_MISSING,
    EBMD_DENIED_UNKNOWN,
    EBMD_DENIED_SCOPE,
    EBMD_DENIED_RATE,
    EBMD_DENIED_WORK,
    EBMD_DENIED_JOBS,
    EBMD_DENIED_PRIORITY,
    EBMD_DENIALS
} ebmd_denial;

/* What became of the wish to change what is served. */
typedef enum ebmd_model_change {
    EBMD_MODEL_LOADED,
    EBMD_MODEL_UNLOADED,
    EBMD_MODEL_REFUSED, /* all is as before */
    EBMD_MODEL_CHANGES
} ebmd_model_change;

/* @range routes: at most EBMD_METRICS_ROUTES_MAX names, static; one more series, "none", is for
 * requests that match no route
 * @own ebmd_metrics_free() @err NULL: no memory, too many routes */
ebmd_metrics *ebmd_metrics_create(const char *const *routes, size_t n);
void ebmd_metrics_free(ebmd_metrics *m); /* NULL allowed */

/* --- for the HTTP side ---------------------------------------------------------------------- */

/* A request that ended. @range route >= number of routes: none matched */
void ebmd_metrics_request(ebmd_metrics *m, size_t route, int status, double seconds);
void ebmd_metrics_client_gone(ebmd_metrics *m, ebmd_gone phase);
void ebmd_metrics_denied(ebmd_metrics *m, ebmd_denial why);
void ebmd_metrics_model(ebmd_metrics *m, ebmd_model_change what);

/* --- for the job side ----------------------------------------------------------------------- */

/* A job that reached a final state; reason is EBMA_OK when it succeeded. */
void ebmd_metrics_job_ended(ebmd_metrics *m, ebmd_job_kind kind, ebma_job_status status,
                            ebma_problem_code reason);
void ebmd_metrics_count(ebmd_metrics *m, ebmd_counter what, uint64_t n);
/* For what somebody else adds up: the sum as it stands. */
void ebmd_metrics_total(ebmd_metrics *m, ebmd_counter what, uint64_t sum);
void ebmd_metrics_observe(ebmd_metrics *m, ebmd_timer what, double value);
void ebmd_metrics_set(ebmd_metrics *m, ebmd_gauge what, double value);
void ebmd_metrics_move(ebmd_metrics *m, ebmd_gauge what, int by); /* whole numbers */

/* --- for the reader ------------------------------------------------------------------------- */

/* One series of constant value 1 that describes what runs. */
typedef struct ebmd_info {
    const char *family, *help;
    const char *label[3], *value[3]; /* unused ones NULL; values are escaped here */
} ebmd_info;

/* Writes the text format 0.0.4. Infos of one family must be neighbours.
 * @thread any, while others record: each number is whole, together they may be a moment apart
 * @own *text: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_metrics_write(const ebmd_metrics *m, const ebmd_info *info,
                                             size_t n_info, char **text, size_t *size,
                                             ebm_error *err);

#endif
