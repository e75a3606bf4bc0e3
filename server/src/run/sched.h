/* The chain scheduler: says to each worker what to do next, so that chains of many jobs are
 * stepped side by side in short quanta.
 *
 * Order: priority first; then the owner who has had the least time; of an owner's jobs three turns
 * in four go to the one with the least work left. The fourth goes to the one that has waited
 * longest for a turn, or, every other time, opens the next queued job. So a small request overtakes
 * long runs within a quantum, and long runs cannot be starved by small requests. Jobs are claimed
 * from the store by the same order, when a worker would rather have a queued one; when too many are
 * open, the one with the most work left goes back. A run whose model has been replaced stays, for
 * it could only begin again with the new one.
 *
 * Knows runs and the store's calls; nothing of numbers, threads' sessions or sockets.
 * @thread every call from any thread. Lock order: the store's lock, then ours; so nothing here
 * calls the store with the lock held. */
#ifndef EBMD_SCHED_H
#define EBMD_SCHED_H

#include "run/job_run.h"

typedef struct ebmd_sched ebmd_sched;

typedef enum ebmd_duty {
    EBMD_STEP,    /* run one quantum of task.part */
    EBMD_SAVE,    /* write a checkpoint */
    EBMD_RELEASE, /* give the job back */
    EBMD_FINISH,  /* end the job */
    EBMD_DROP,    /* forget it: the lease is lost */
    EBMD_TIDY     /* no run: models may have gone out of use; nothing to report */
} ebmd_duty;

typedef struct ebmd_task {
    ebmd_duty duty;
    ebmd_run *run; /* nobody else has it while duty is not STEP */
    int32_t part;
    bool alone; /* STEP: nobody else has anything to do, so their cores are free for this part */
} ebmd_task;

/* @range slots >= 1: jobs that may be open side by side
 * @unit bytes of open jobs; with more than that no further one is opened, but a smaller one in the
 * place of a larger
 * @own ebmd_sched_free(); *env must outlive it @err NULL: no memory */
ebmd_sched *ebmd_sched_create(const ebmd_run_env *env, unsigned workers, unsigned slots,
                              size_t bytes);
void ebmd_sched_free(ebmd_sched *s); /* NULL allowed; no worker may be left */

/* Waits for something to do. *seen is the worker's own, 0 in the beginning: it makes each worker
 * tidy once for each reason. @err false: closed, and everything is done */
EBM_MUST_CHECK bool ebmd_sched_next(ebmd_sched *s, uint64_t *seen, ebmd_task *out);
/* Reports a STEP: what was done, how long it took, EBMA_OK or what ends the job. */
void ebmd_sched_stepped(ebmd_sched *s, const ebmd_task *task, const ebmd_quantum *q, double ms,
                        ebma_problem_code problem);
/* Reports any other duty. What the store said decides what becomes of the run. */
void ebmd_sched_settled(ebmd_sched *s, const ebmd_task *task, ebm_status st);

/* There may be something new in the queue, or its time may have come. */
void ebmd_sched_poke(ebmd_sched *s);
/* Asks the job to stop, if it is here; if not, looks for it in the queue, to end it. */
void ebmd_sched_cancel(ebmd_sched *s, const char *id);
/* The job has ended: no more work on it, if it was not by our own hand. */
void ebmd_sched_forget(ebmd_sched *s, const char *id);
/* Renews all leases and reports progress; not that of a job with a worker that hangs. */
void ebmd_sched_heartbeat(ebmd_sched *s);
/* True if a worker has not come back from a quantum for half a minute before `now`, which is
 * ebmd_clock_ms(); id: of its job. */
bool ebmd_sched_hung(ebmd_sched *s, double now, char id[EBMD_ID_SIZE]);
/* Models have been replaced or unloaded: workers tidy. Runs that are open keep theirs. */
void ebmd_sched_models_changed(ebmd_sched *s);
/* True if an open run works with this model. */
bool ebmd_sched_uses(ebmd_sched *s, const ebm_model *model);
/* Claims nothing, or again whatever there is: what is open goes on, what is queued waits. */
void ebmd_sched_pause(ebmd_sched *s, bool paused);
bool ebmd_sched_paused(ebmd_sched *s);
/* Claims nothing more and gives every job back; workers end when that is done. An end that cannot
 * be written is left to the next process, which finds the job running. */
void ebmd_sched_close(ebmd_sched *s);

/* Jobs that may be open here side by side. */
size_t ebmd_sched_slots(const ebmd_sched *s);
/* Jobs that are open here. */
size_t ebmd_sched_open(ebmd_sched *s);
/* What is worked on in one slot. */
typedef struct ebmd_slot {
    char id[EBMD_ID_SIZE];
    char kind[EBMD_KIND_SIZE];
    char owner[EBMD_OWNER_SIZE];
    int32_t priority, parts;
    int32_t busy; /* parts that a worker has in hand */
    ebmd_progress progress;
} ebmd_slot;
/* Copies what is open here, the latest first. Returns how many there were room for. */
size_t ebmd_sched_list(ebmd_sched *s, ebmd_slot *out, size_t room);
/* Seconds that this process needs for so much work, by what it has measured. */
double ebmd_sched_seconds(ebmd_sched *s, int64_t work);

#endif
