/* The record of one job, as the job core decides on it and a backend keeps it: plain data.
 * Knows states, times, work units; has never heard of images, JSON members or connections. */
#ifndef EBMD_JOBROW_H
#define EBMD_JOBROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

#define EBMD_KIND_SIZE  16
#define EBMD_OWNER_SIZE 65
#define EBMD_CODE_SIZE  32
#define EBMD_MODEL_SIZE 65
#define EBMD_HEX_SIZE   65
#define EBMD_PRIORITIES 10 /* 0..9, 9 first; nothing said means 5 */
#define EBMD_WORK_MAX   (INT64_C(1) << 48)
#define EBMD_SEQ_MAX    (INT64_C(1) << 53) /* what cursors of lists may hold */
#define EBMD_PARTS_MAX  4096
#define EBMD_BLOB_MAX   (128u << 20) /* bytes of one blob, and what a store keeps beside it */

/* queued -> running -> one of the others; running -> queued when a lease is lost or given back;
 * the last four never change. The numbers are stored: never renumber. */
typedef enum ebmd_job_state {
    EBMD_JOB_QUEUED = 0,
    EBMD_JOB_RUNNING = 1,
    EBMD_JOB_SUCCEEDED = 2,
    EBMD_JOB_FAILED = 3,
    EBMD_JOB_CANCELED = 4,
    EBMD_JOB_EXPIRED = 5 /* the deadline passed while it waited */
} ebmd_job_state;
#define EBMD_JOB_STATES 6

/* What is kept under a job's id besides its row. The numbers are stored: never renumber. */
typedef enum ebmd_blob_type {
    EBMD_BLOB_REQUEST = 0,    /* canonical request; until the job ends */
    EBMD_BLOB_DOCUMENT = 1,   /* the job object, without what the row or the parts say */
    EBMD_BLOB_PART = 2,       /* result number `index` */
    EBMD_BLOB_CHECKPOINT = 3, /* where the chains stand; until the job ends */
} ebmd_blob_type;
#define EBMD_BLOB_TYPES 4

typedef struct ebmd_blob {
    ebmd_blob_type type;
    int32_t index; /* 0 but for PART */
    const void *data;
    size_t size;
} ebmd_blob;

/* How long a job took. @unit milliseconds */
typedef struct ebmd_timings {
    double queue_ms, compute_ms, encode_ms;
} ebmd_timings;

typedef struct ebmd_row {
    char id[EBMD_ID_SIZE];
    char kind[EBMD_KIND_SIZE];
    char owner[EBMD_OWNER_SIZE]; /* "": nobody in particular */
    char idem[EBMD_HEX_SIZE];    /* digest of owner and Idempotency-Key, "" for none */
    char digest[EBMD_HEX_SIZE];  /* of the body it came with */
    char model[EBMD_MODEL_SIZE]; /* id; "" if that was not noted */
    char code[EBMD_CODE_SIZE];   /* problem code of a job that did not succeed, else "" */
    int64_t seq;                 /* order of arrival */
    int64_t work;                /* gradient evaluations that the job began with ahead of it */
    int64_t fence;               /* lease epoch: grows with every claim */
    int64_t created_ms, started_ms, completed_ms; /* Unix milliseconds, 0 = not yet */
    int64_t deadline_ms;                          /* Unix milliseconds, 0 = none */
    int64_t bytes[EBMD_BLOB_TYPES];               /* kept under this id */
    double vtime;                                 /* start tag of fair queueing, in work units */
    ebmd_timings timings;
    int32_t attempts; /* claims since the last checkpoint */
    int32_t priority;
    int32_t parts;
    ebmd_job_state state;
    bool cancel_requested;
    bool purged; /* only this row is left: the result was kept for its time */
} ebmd_row;

/* @own static, never NULL */
const char *ebmd_job_state_name(ebmd_job_state state);
bool ebmd_job_state_final(ebmd_job_state state);
/* True for a row that this program could have written: rows are untrusted when they are read. */
bool ebmd_row_valid(const ebmd_row *row);
/* Bytes of all blobs. */
int64_t ebmd_row_bytes(const ebmd_row *row);

#endif
