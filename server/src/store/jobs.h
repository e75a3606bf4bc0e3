/* The job core: every rule about jobs as one state machine without threads, clocks or files of its
 * own. Time, randomness and the place where rows are written come in from outside, so that a
 * simulator can drive it through any history (tests/sim).
 *
 * Promises (each is checked after every step of the simulator):
 * - a job that submit() accepted is in the backend, and stays until it ends;
 * - results commit under the current lease only: a late worker changes nothing;
 * - states only go the ways of jobrow.h, a final state never changes;
 * - what waits is bounded by count and by work;
 * - a job that kills its workers stops after `attempts` claims without a checkpoint in between.
 *
 * A change is written first and becomes visible afterwards. After a failed write nobody knows what
 * the disk holds, so the core takes no further change (`broken`); the next start reads the truth.
 * @thread one at a time: store_local.c puts a lock around it */
#ifndef EBMD_JOBS_H
#define EBMD_JOBS_H

#include "ebm/ops.h"
#include "ebm/status.h"
#include "store/jobrow.h"

typedef struct ebmd_jobs ebmd_jobs;

/* --- what is injected --------------------------------------------------------------------- */

/* Time and randomness. Durations are measured on `mono`, which never jumps. */
typedef struct ebmd_env {
    void *self;
    int64_t (*mono_ms)(void *self);
    int64_t (*wall_ms)(void *self);
    double (*uniform)(void *self); /* [0,1): spreads retries */
} ebmd_env;

/* What happens to one job's record, all at once. */
typedef struct ebmd_change {
    const ebmd_row *row;    /* as it shall be */
    bool drop_row;          /* instead: forget the row and all its blobs */
    unsigned drop_blobs;    /* bits 1 << ebmd_blob_type: forget these first */
    const ebmd_blob *blobs; /* then keep these; one of the same type and index is replaced */
    size_t n_blobs;
} ebmd_change;

typedef struct ebmd_backend ebmd_backend;
typedef struct ebmd_backend_ops {
    /* Writes the whole change or nothing; durable when it returns EBM_OK.
     * @err NOMEM, LIMIT (disk full, or a blob over EBMD_BLOB_MAX): nothing was written; anything
     * else: nobody knows */
    ebm_status (*write)(ebmd_backend *b, const ebmd_change *change, ebm_error *err);
    /* @own *data: ebm_free(), a zero byte follows @err NOT_FOUND, IO, NOMEM, FORMAT */
    ebm_status (*read)(ebmd_backend *b, const char *id, ebmd_blob_type type, int32_t index,
                       char **data, size_t *size, ebm_error *err);
    /* Shows every row in order of seq; what is in them is the core's to check.
     * @err IO, FORMAT, and what `take` returned */
    ebm_status (*load)(ebmd_backend *b, ebm_status (*take)(void *arg, const ebmd_row *row),
                       void *arg, ebm_error *err);
    void (*close)(ebmd_backend *b);
} ebmd_backend_ops;
struct ebmd_backend {
    const ebmd_backend_ops *ops;
    const char *durability; /* "none", "sqlite-full": what /readyz says */
    bool durable;           /* what is written outlives the process */
};

/* Numbers that bound the core. */
typedef struct ebmd_limits {
    size_t queued;       /* jobs that may wait */
    int64_t queued_work; /* and their work; a single job may be larger */
    size_t owner_live; /* jobs of one owner that may wait or run; 0: as many as there is room for */
    int64_t live_bytes; /* kept for jobs that wait or run: pictures, chains, checkpoints; beyond it
                         * none is taken, but one that is alone may be larger */
    size_t rows;        /* kept in all: beyond it the oldest finished ones go */
    int64_t bytes;      /* of finished ones: beyond it the results of the oldest go */
    int64_t lease_ms;
    int64_t result_ttl_ms; /* then only the row is left, for tombstone_ttl_ms */
    int64_t tombstone_ttl_ms;
    int64_t idem_ttl_ms;
    int32_t attempts;
} ebmd_limits;
ebmd_limits ebmd_limits_default(void);

typedef enum ebmd_event {
    EBMD_EVENT_QUEUED,  /* there is something to claim */
    EBMD_EVENT_STARTED, /* somebody has claimed it */
    EBMD_EVENT_CANCEL,  /* who holds the lease should stop, or who can claim it end it */
    EBMD_EVENT_ENDED    /* the job is in a final state, durably */
} ebmd_event;
/* Told after the change is durable; must not call back into the core. @own row: for the call */
typedef void (*ebmd_listener)(void *arg, ebmd_event event, const ebmd_row *row);

/* --- what is asked and answered ------------------------------------------------------------ */

/* A new job. @own borrowed */
typedef struct ebmd_spec {
    const char *id; /* from ebmd_id_make(): the document holds it already */
    const char *kind, *owner;
    const char *model;         /* NULL: not noted */
    const char *idem, *digest; /* "" for none */
    int64_t created_ms;
    int64_t timeout_ms; /* 0: none; from now until the end */
    int64_t work;
    int32_t parts, priority;
    const char *request, *document;
    size_t request_size, document_size;
    bool known_only;        /* nothing new is accepted, only what its key made before is found */
    const void *checkpoint; /* where the job begins; NULL: at the beginning */
    size_t checkpoint_size;
} ebmd_spec;

typedef enum ebmd_submit_outcome {
    EBMD_SUBMIT_ACCEPTED,
    EBMD_SUBMIT_REPLAYED, /* the key was used with this body: *id is the job it made */
    EBMD_SUBMIT_CONFLICT, /* the key was used with another body */
    EBMD_SUBMIT_FULL,
    EBMD_SUBMIT_OWNER_FULL, /* this owner has as many as one may have */
    EBMD_SUBMIT_UNKNOWN     /* known_only, and the key has made nothing */
} ebmd_submit_outcome;

/* What a claimer is willing to take: any job of a priority above `above_priority`, and of that
 * priority those with less work than `below_work`. */
typedef struct ebmd_wish {
    int32_t above_priority; /* -1: any job */
    int64_t below_work;
} ebmd_wish;

/* The right to work on a job, until it is lost. */
typedef struct ebmd_lease {
    char id[EBMD_ID_SIZE];
    char kind[EBMD_KIND_SIZE];
    char owner[EBMD_OWNER_SIZE];
    int64_t fence, work, created_ms;
    int64_t started_ms;    /* of the first attempt */
    int64_t deadline_mono; /* INT64_MAX: none */
    ebmd_timings timings;  /* of earlier attempts, up to their checkpoint */
    int32_t priority, attempts;
    bool has_checkpoint;
    bool cancel_requested; /* it is to be ended, with what it has come to */
} ebmd_lease;

typedef enum ebmd_beat_verdict { EBMD_KEEP, EBMD_STOP, EBMD_LOST } ebmd_beat_verdict;

typedef struct ebmd_progress {
    double fraction; /* 0..1 of the work that the job began with ahead of it */
    int32_t parts_done;
    /* where the part stands that was worked on last; levels 0: nowhere in particular */
    int32_t level, levels, step, steps;
    /* means over the chains at work, each at its level */
    bool has_logp, has_accept;
    double logp, accept_rate;
    int32_t told; /* how many times `chains` has been made; 0: there is none */
    ebm_chains_report chains;
} ebmd_progress;

/* A checkpoint on its way in. */
typedef struct ebmd_save {
    const ebmd_blob *blobs; /* CHECKPOINT and the PARTs finished since the last one; may be none */
    size_t n_blobs;
    ebmd_timings timings; /* so far */
    bool release;         /* and give the job back, to be gone on with by whoever claims it */
    int64_t pause_ms;     /* which nobody may before so long */
} ebmd_save;

typedef struct ebmd_outcome {
    ebmd_job_state state; /* a final one */
    const char *code;     /* "" if SUCCEEDED */
    const ebmd_blob *blobs;
    size_t n_blobs;
    ebmd_timings timings;
    int64_t work_left; /* of the job's work, what was not done: its owner is not charged for it */
} ebmd_outcome;

typedef struct ebmd_view {
    ebmd_row row;
    ebmd_progress progress;
    size_t position;   /* jobs before it in the queue; 0 unless QUEUED */
    int64_t work_left; /* of those before it and its own */
} ebmd_view;

typedef struct ebmd_filter {
    const char *owner; /* NULL: all */
    const char *kind;  /* NULL: all */
    const char *model; /* NULL: all */
    unsigned states;   /* bits 1 << state; 0: all */
    int64_t since;     /* only those created at this time or later; Unix milliseconds */
    int64_t before;    /* only seq below this; 0: from the newest */
    size_t limit;
} ebmd_filter;
typedef void (*ebmd_list_fn)(void *arg, const ebmd_row *row);

typedef struct ebmd_stats {
    size_t queued, running, rows;
    int64_t queued_work, bytes, live_bytes;
    int64_t oldest_wait_ms; /* of the queued ones; 0: none */
    size_t recovered;       /* running jobs that the start found without a worker */
    size_t damaged;         /* rows that the start could not make sense of */
    uint64_t leases_lost, redelivered;
} ebmd_stats;

/* --- calls --------------------------------------------------------------------------------- */

/* Reads all rows. Jobs that were running when the last process ended are queued again, or end as
 * "max_attempts", or as canceled if that had been asked for; if there is no room to write it, by a
 * later sweep. Rows that break the rules are left alone and counted.
 * @own ebmd_jobs_close(); takes the backend, also on error @err NOMEM, what the backend says */
EBM_MUST_CHECK ebm_status ebmd_jobs_open(const ebmd_limits *limits, const ebmd_env *env,
                                         ebmd_backend *backend, ebmd_jobs **out, ebm_error *err);
void ebmd_jobs_close(ebmd_jobs *j); /* NULL allowed */
void ebmd_jobs_listen(ebmd_jobs *j, ebmd_listener fn, void *arg);

/* Accepts a job, or says why not. The job is durable when this returns EBM_OK with ACCEPTED.
 * @own id receives the id of the accepted or of the earlier job
 * @err BAD_STATE: the id is taken; ARG: the spec is not a valid row; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_submit(ebmd_jobs *j, const ebmd_spec *spec,
                                           ebmd_submit_outcome *how, char id[EBMD_ID_SIZE],
                                           ebm_error *err);
/* Hands out the first job in order of priority, fair share and arrival that the wish admits; before
 * them and whatever the wish, one with a checkpoint that was canceled, or whose deadline has
 * passed, while it waited.
 * @err NOT_FOUND: nothing to do now; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_claim(ebmd_jobs *j, const ebmd_wish *wish, ebmd_lease *out,
                                          ebm_error *err);
/* Renews a lease and notes progress, in memory alone. */
ebmd_beat_verdict ebmd_jobs_heartbeat(ebmd_jobs *j, const ebmd_lease *lease,
                                      const ebmd_progress *progress);
/* Keeps a checkpoint; counts as progress for the number of attempts.
 * @err BAD_STATE: the lease is lost; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_save(ebmd_jobs *j, const ebmd_lease *lease,
                                         const ebmd_save *save, ebm_error *err);
/* Ends a job. @err BAD_STATE: the lease is lost, the result is somebody else's to give; ARG: the
 * state is not final; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_finish(ebmd_jobs *j, const ebmd_lease *lease,
                                           const ebmd_outcome *outcome, ebm_error *err);
/* Cancels: a job that waits and has no checkpoint ends at once, one that has or that runs is asked
 * to, a final one stays as it is.
 * Afterwards `now` is what get() says. @err NOT_FOUND; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_cancel(ebmd_jobs *j, const char *id, const char *owner,
                                           ebmd_view *now, ebm_error *err);
/* Forgets a job at once: one that has not ended is canceled, whoever works on it has lost its
 * lease, and what was kept under its id goes; the row stays for tombstone_ttl_ms. May be repeated.
 * @err NOT_FOUND; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_forget(ebmd_jobs *j, const char *id, const char *owner,
                                           ebm_error *err);
/* Looks up a job. owner NULL: anybody's. @err NOT_FOUND: no such job, or not theirs */
EBM_MUST_CHECK ebm_status ebmd_jobs_get(ebmd_jobs *j, const char *id, const char *owner,
                                        ebmd_view *out);
/* Shows rows from the newest to the oldest, without those whose result is gone. */
void ebmd_jobs_list(ebmd_jobs *j, const ebmd_filter *filter, ebmd_list_fn fn, void *arg);
/* @own *data: ebm_free(), a zero byte follows @err NOT_FOUND, IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_jobs_blob(ebmd_jobs *j, const char *id, ebmd_blob_type type,
                                         int32_t index, char **data, size_t *size, ebm_error *err);
void ebmd_jobs_stats(ebmd_jobs *j, ebmd_stats *out);
/* Takes back leases that ran out, expires jobs that waited too long, forgets what is old.
 * Call often; it does nothing when there is nothing to do. @err NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_jobs_sweep(ebmd_jobs *j, ebm_error *err);
/* True when a write has failed and nothing more will be changed. */
bool ebmd_jobs_broken(const ebmd_jobs *j);

#endif
