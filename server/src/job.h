/* A job: a request on its way through the queue and the workers, with its results.
 * Knows states, images, deadlines; has never heard of connections or JSON text. */
#ifndef EBMD_JOB_H
#define EBMD_JOB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebma/api.h"
#include "ids.h"

typedef struct ebmd_job ebmd_job;

/* Called once, by the thread that completes the job, after its result is stored. */
typedef void (*ebmd_job_done_fn)(void *arg);

struct ebmd_job {
    atomic_int refs;
    char id[EBMD_ID_SIZE];
    ebm_model *model; /* one reference */
    size_t model_index;
    ebma_sample_request request; /* effective for this model; strings in the arena */
    int64_t total_steps;         /* Langevin steps of one image */
    int64_t created_ms;          /* wall clock */
    double pushed_at;            /* ebmd_clock_ms() */
    atomic_bool cancel;          /* nobody wants it any more; workers look between steps */

    /* the queue's, under its lock */
    int32_t handed; /* images given to workers */
    int64_t started_ms;
    double started_at;
    ebmd_job *next_waiting, *prev_live, *next_live;

    /* under `lock` */
    pthread_mutex_t lock;
    int32_t finished; /* images done, well or badly */
    ebma_problem_code error;
    ebma_image *images; /* [request.n], slot k belongs to the worker that has image k */
    double encode_ms;

    bool recorded; /* in the store; written by the worker of image 0, read after the last one */

    /* set by the completing thread before the callback */
    double compute_ms, queue_ms;
    ebma_job_status status;
    char *json; /* the job object; the one who waits may take it and leave NULL */
    size_t json_size;

    ebmd_job_done_fn on_done;
    void *on_done_arg;
    ebm_arena *arena;
};

/* Makes a job for one model with one reference.
 * @own *out: ebmd_job_unref(); keeps its own reference on the model and copies the request
 * @err NOMEM, IO (no randomness for the id) */
EBM_MUST_CHECK ebm_status ebmd_job_create(ebm_model *model, size_t model_index,
                                          const ebma_sample_request *request, ebmd_job **out,
                                          ebm_error *err);
ebmd_job *ebmd_job_ref(ebmd_job *job);
void ebmd_job_unref(ebmd_job *job); /* NULL allowed */

/* Stores image k. @own takes png (ebm_free()) */
void ebmd_job_put(ebmd_job *job, int32_t k, unsigned char *png, size_t size, double logp,
                  double encode_ms);
/* Counts one image as over; a problem other than EBMA_OK fails the job, the first one wins, and
 * tells the other workers to stop. Returns true for the last image: that caller completes. */
bool ebmd_job_count(ebmd_job *job, ebma_problem_code problem);
ebma_problem_code ebmd_job_error(ebmd_job *job);

/* Runs the callback. Call once, last. */
void ebmd_job_complete(ebmd_job *job);

#endif
