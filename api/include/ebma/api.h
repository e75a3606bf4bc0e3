/* The JSON that the world sees: request bodies in, job objects, model descriptions and problems
 * out. Knows field names, units, bounds and problem types; has never heard of sockets, threads,
 * files or stores. Energies (= -logp) exist here and not below. */
#ifndef EBMA_API_H
#define EBMA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/memory.h"
#include "ebm/model.h"
#include "ebm/params.h"
#include "ebm/status.h"

#define EBMA_BODY_MAX   65536       /* bytes of a JSON body, pictures not counted */
#define EBMA_UPLOAD_MAX (4u << 20)  /* bytes of a body with pictures */
#define EBMA_CHAINS_MAX (16u << 20) /* bytes of a file of chains */
#define EBMA_DEPTH_MAX  16          /* nested arrays and objects */
#define EBMA_KEYS_MAX   1024        /* members of all objects of a body together */
#define EBMA_TIME_SIZE  25          /* "2026-01-02T03:04:05.678Z" and the zero */

/* Seeds the JSON library's hash from the kernel's randomness. Call once, before any thread. */
EBM_API void ebma_setup(void);

/* --- problems (RFC 9457) ------------------------------------------------------------------ */

/* Every problem there is; the table in problem.c gives code, status, title, detail of each. */
typedef enum ebma_problem_code {
    EBMA_OK = 0,
    EBMA_MALFORMED_JSON,
    EBMA_MALFORMED_MULTIPART,
    EBMA_BAD_REQUEST,
    EBMA_BAD_TARGET,
    EBMA_BAD_QUERY,
    EBMA_BAD_VERSION,
    EBMA_UNEXPECTED_BODY,
    EBMA_UNAUTHORIZED,
    EBMA_FORBIDDEN,
    EBMA_PRIORITY_FORBIDDEN,
    EBMA_FOREIGN_ORIGIN,
    EBMA_NOT_FOUND,
    EBMA_MODEL_NOT_FOUND,
    EBMA_JOB_NOT_FOUND,
    EBMA_JOB_GONE,
    EBMA_JOB_AT_WORK,
    EBMA_IMAGE_NOT_FOUND,
    EBMA_NO_PREVIEW,
    EBMA_CHAINS_AT_WORK,
    EBMA_NO_CHAINS,
    EBMA_OTHER_MODEL,
    EBMA_METHOD_NOT_ALLOWED,
    EBMA_NOT_ACCEPTABLE,
    EBMA_LAST_MODEL,
    EBMA_BODY_LATE,
    EBMA_PAYLOAD_TOO_LARGE,
    EBMA_URI_TOO_LONG,
    EBMA_UNSUPPORTED_MEDIA_TYPE,
    EBMA_NOT_A_PNG,
    EBMA_UNSUPPORTED_ENCODING,
    EBMA_EXPECTATION_FAILED,
    EBMA_INVALID_PARAMS,
    EBMA_MODEL_REFUSED,
    EBMA_BAD_IDEMPOTENCY_KEY,
    EBMA_IDEMPOTENCY_MISMATCH,
    EBMA_QUEUE_FULL,
    EBMA_QUOTA_EXCEEDED,
    EBMA_HEADERS_TOO_LARGE,
    EBMA_DIVERGED,
    EBMA_MAX_ATTEMPTS,
    EBMA_INTERNAL,
    EBMA_UNSUPPORTED_TRANSFER_CODING,
    EBMA_STARTING,
    EBMA_SHUTTING_DOWN,
    EBMA_OVERLOADED,
    EBMA_STORE_UNAVAILABLE,
    EBMA_WORKER_HUNG,
    EBMA_INTERRUPTED,
    EBMA_CANCELED,
    EBMA_DEADLINE,
    EBMA_OUT_OF_MEMORY,
    EBMA_PROBLEM_COUNT /* not a problem */
} ebma_problem_code;

/* The fixed part of a problem. */
typedef struct ebma_problem_info {
    const char *code; /* the key clients switch on */
    int status;       /* HTTP status */
    const char *title;
    const char *detail;
    bool retryable; /* the same request may succeed later */
} ebma_problem_info;

/* One bad field of a request body. */
typedef struct ebma_field_error {
    struct ebma_field_error *next;
    const char *pointer; /* RFC 6901 */
    const char *detail;
    const char *code; /* "out_of_range", "wrong_type", "unknown_field" ... */
    bool bounded;     /* min and max mean something */
    double min, max;
} ebma_field_error;

/* Zero-initialise; code EBMA_OK means that there is none. */
typedef struct ebma_problem {
    ebma_problem_code code;
    bool final; /* not to be tried again, though others of its code may be */
    size_t n_errors;
    ebma_field_error *first, *last;
} ebma_problem;

/* @own static, never NULL; EBMA_INTERNAL for values outside the table */
EBM_API const ebma_problem_info *ebma_problem_describe(ebma_problem_code code);
/* The problem with this stable key; EBMA_OK for "", EBMA_INTERNAL for one that is unknown. */
EBM_API ebma_problem_code ebma_problem_find(const char *code);
/* The problem that tells a client about a failed call. */
EBM_API ebma_problem_code ebma_problem_of(ebm_status status);
/* Appends a field error. `member` names a member of the body, NULL means the body itself; it is
 * escaped and shortened here. Without memory the error is counted but not kept.
 * @own everything lies in the arena */
EBM_API void ebma_problem_field(ebma_problem *problem, ebm_arena *arena, const char *member,
                                const ebma_field_error *error);
/* Writes application/problem+json. request_id may be NULL.
 * @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_problem_encode(const ebma_problem *problem,
                                                      const char *request_id, char **json,
                                                      size_t *size, ebm_error *err);

/* --- jobs --------------------------------------------------------------------------------- */

typedef enum ebma_job_status {
    EBMA_JOB_QUEUED,
    EBMA_JOB_RUNNING,
    EBMA_JOB_SUCCEEDED,
    EBMA_JOB_FAILED,
    EBMA_JOB_CANCELED,
    EBMA_JOB_EXPIRED
} ebma_job_status;
/* @own static string */
EBM_API const char *ebma_job_status_name(ebma_job_status status);

/* What a job has cost. */
typedef struct ebma_usage {
    int64_t grad_evals, energy_evals, langevin_steps;
    double batch_mean; /* chains at work side by side, on average */
} ebma_usage;

struct ebma_op_request; /* ebma/op_request.h */
struct ebma_results;    /* ebma/op_results.h */

/* What a job object says from the beginning, and with its result. */
typedef struct ebma_job {
    const char *id, *kind;
    int64_t created_ms;                    /* Unix milliseconds, as all times */
    const ebm_model_info *const *models;   /* [request->n_models] */
    const struct ebma_op_request *request; /* with effective parameters */
    const struct ebma_results *results;    /* NULL: none */
    ebma_usage usage;                      /* read if there is a result */
    bool forked; /* chains whose states come from other seeds: the request does not tell how */
    const char *kernel_class; /* of all work, or EBM_KERNEL_CLASS_SEVERAL */
    const char *build;
} ebma_job;

/* Where the images of a job object come from while it is written for a reader: image k of n at
 * index k, its picture t of the way, of a level or a snapshot, at (1 + t) n + k. */
typedef struct ebma_images {
    /* @own *data: ebm_free() @err whatever keeps the image from being read */
    ebm_status (*read)(void *self, int32_t index, char **data, size_t *size, ebm_error *err);
    void *self;
    int32_t n; /* asked for, also of a job that gave fewer */
} ebma_images;

/* How far a job at work is. */
typedef struct ebma_progress {
    double fraction; /* 0..1 of the work */
    int32_t parts_done;
    /* of the part that was worked on last; levels 0: it has none */
    int32_t level, levels, step, steps;
    /* means over the chains at work, each at its level */
    bool has_logp, has_accept;
    double logp, accept_rate;
} ebma_progress;

struct ebma_chains; /* ebma/op_results.h */

/* What changes in a job object while the job goes its way. Times 0: not yet. */
typedef struct ebma_job_state {
    ebma_job_status status;
    bool cancel_requested;
    int64_t started_ms, completed_ms;
    double queue_ms, compute_ms, encode_ms; /* read when SUCCEEDED */
    size_t position;                        /* read when QUEUED: jobs before this one */
    double eta_s;                           /* and seconds until its end; also when RUNNING */
    ebma_progress progress;                 /* read when RUNNING */
    const struct ebma_chains *chains;       /* so far, when RUNNING; NULL: nothing to tell yet */
    ebma_problem_code error;                /* read when it ended otherwise than SUCCEEDED */
    const ebma_images *images;              /* NULL: leave them out */
    bool previews;                          /* its chains can be seen on their way */
} ebma_job_state;

/* @unit energy = -logp in nats, to the nine digits a float32 network carries */
EBM_API double ebma_energy(double logp);
/* Writes a job object without what ebma_job_present() fills in.
 * @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_job_encode(const ebma_job *job, char **json, size_t *size,
                                                  ebm_error *err);
/* Completes a job object that ebma_job_encode() wrote, for a reader.
 * @own *out: ebm_free() @err FORMAT: not such an object; NOMEM; what images->read() says */
EBM_API EBM_MUST_CHECK ebm_status ebma_job_present(const char *json, size_t size,
                                                   const ebma_job_state *state, char **out,
                                                   size_t *out_size, ebm_error *err);
/* --- events of a job ---------------------------------------------------------------------- */

/* In the order in which a client may meet them. */
typedef enum ebma_event_type {
    EBMA_EVENT_RESET, /* events were missed: data is the job object as it stands */
    EBMA_EVENT_QUEUED,
    EBMA_EVENT_STARTED,
    EBMA_EVENT_PROGRESS,
    EBMA_EVENT_PREVIEW,     /* what a chain looks like on its way */
    EBMA_EVENT_DIAGNOSTICS, /* what chains say together on their way */
    EBMA_EVENT_IMAGE,       /* a finished one */
    EBMA_EVENT_DRAINING,
    EBMA_EVENT_BYE, /* the stream is old: connect again */
    EBMA_EVENT_SUCCEEDED,
    EBMA_EVENT_FAILED,
    EBMA_EVENT_CANCELED,
    EBMA_EVENT_EXPIRED /* the last four: data is the job object, and nothing follows */
} ebma_event_type;
/* The name after "event:". @own static, never NULL */
EBM_API const char *ebma_event_name(ebma_event_type type);

/* What the data of an event is made from; those whose data is a job object are not made here. */
typedef struct ebma_event {
    ebma_event_type type;
    const char *id, *kind, *model;    /* QUEUED: id; STARTED: all */
    size_t position;                  /* QUEUED */
    double eta_s;                     /* QUEUED, PROGRESS */
    ebma_progress progress;           /* PROGRESS; of PREVIEW level and step */
    int64_t index;                    /* PREVIEW, IMAGE: as of `data` of the job object */
    uint64_t seed;                    /* IMAGE: of the request, also if it was drawn */
    const struct ebma_chains *chains; /* DIAGNOSTICS */
    bool weighed;                     /* IMAGE: logp is its log density */
    double logp;
    const char *sha256; /* IMAGE: of its PNG file */
    const void *png;    /* PREVIEW, IMAGE; NULL: left out */
    size_t png_size;
    int retry_ms; /* DRAINING, BYE: when to connect again */
} ebma_event;
/* Writes the data of an event, in one line. @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_event_encode(const ebma_event *event, char **json,
                                                    size_t *size, ebm_error *err);

/* One job of a list. Times 0: not yet. */
typedef struct ebma_job_brief {
    const char *id, *kind, *model;
    const char *owner; /* NULL: left out */
    ebma_job_status status;
    bool cancel_requested;
    int64_t created_ms, started_ms, completed_ms;
    int32_t priority;
    ebma_problem_code error; /* read when it ended otherwise than SUCCEEDED */
} ebma_job_brief;
typedef struct ebma_job_page {
    const ebma_job_brief *jobs; /* [n] */
    size_t n;
    const char *next_cursor; /* NULL: this is the last page */
} ebma_job_page;
/* Writes a page of a list of jobs. @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_job_list_encode(const ebma_job_page *page, char **json,
                                                       size_t *size, ebm_error *err);
/* Reads seed and first energy of a job object with a result. @err FORMAT */
EBM_API EBM_MUST_CHECK ebm_status ebma_job_read(const char *json, size_t size, uint64_t *seed,
                                                double *energy, ebm_error *err);
/* Reads the digest of image k of a job object. @range k >= 0
 * @err NOT_FOUND: it has no such image; FORMAT: not a job object */
EBM_API EBM_MUST_CHECK ebm_status ebma_job_image_digest(const char *json, size_t size, int32_t k,
                                                        char sha256[65], ebm_error *err);
/* Writes the body in the one form that all spellings of it share: keys sorted, no blanks.
 * @own *out: ebm_free() @err ARG: not JSON; NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_body_canonical(const char *json, size_t size, char **out,
                                                      size_t *out_size, ebm_error *err);

/* --- models and small things -------------------------------------------------------------- */

/* Describes one model. @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_model_encode(const ebm_model_info *model, bool is_default,
                                                    char **json, size_t *size, ebm_error *err);
/* Describes n models as a list; the first one is the default. */
EBM_API EBM_MUST_CHECK ebm_status ebma_model_list_encode(const ebm_model_info *const *models,
                                                         size_t n, char **json, size_t *size,
                                                         ebm_error *err);
/* How busy the daemon is. @unit work in gradient evaluations */
typedef struct ebma_queue {
    size_t queued, running, slots, workers, max_jobs;
    int64_t work, max_work;
    double backlog_s, oldest_wait_s;
    bool accepting; /* a job that is sent now would be taken */
    bool paused;    /* the operator lets nothing begin */
} ebma_queue;
/* @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_queue_encode(const ebma_queue *queue, char **json,
                                                    size_t *size, ebm_error *err);
/* What is worked on in one slot. */
typedef struct ebma_slot {
    const char *job, *kind, *owner;
    int32_t priority, parts;
    int32_t busy; /* parts that a worker has in hand */
    ebma_progress progress;
} ebma_slot;
typedef struct ebma_slots {
    const ebma_slot *slot; /* [n] */
    size_t n, slots, workers;
} ebma_slots;
/* @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_slots_encode(const ebma_slots *slots, char **json,
                                                    size_t *size, ebm_error *err);
/* What the daemon can do. */
typedef struct ebma_capabilities {
    const char *version, *kernel_class, *durability;
    const char *const *kinds; /* [n_kinds] of jobs */
    size_t n_kinds, streams;
    bool keys; /* it wants API keys */
    int32_t sync_limit_s, wait_max_s, heartbeat_s;
    int64_t request_work, queue; /* gradient evaluations of a request; jobs that may wait */
} ebma_capabilities;
/* @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_capabilities_encode(const ebma_capabilities *c, char **json,
                                                           size_t *size, ebm_error *err);
/* One pair of a flat JSON object. */
typedef struct ebma_pair {
    const char *key, *value;
} ebma_pair;
/* Writes {"key":"value",...}. @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_pairs_encode(const ebma_pair *pairs, size_t n, char **json,
                                                    size_t *size, ebm_error *err);
/* The OpenAPI 3.1 document of the daemon, as JSON; no zero follows it. @own static */
EBM_API const char *ebma_openapi(size_t *size);
/* Reads a time as ebma_time_format() writes it; fractions of a second may be left out.
 * @range years 1970..9999 @err false: anything else */
EBM_API EBM_MUST_CHECK bool ebma_time_parse(const char *text, int64_t *unix_ms);
/* Formats Unix milliseconds as RFC 3339 in UTC. */
EBM_API void ebma_time_format(int64_t unix_ms, char out[EBMA_TIME_SIZE]);

#endif
