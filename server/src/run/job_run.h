/* A job that this process has a lease on, while it is being worked on: its plan, its parts and
 * what they gave. Knows kinds and the store's calls; not which job's turn it is (sched.h), nor
 * threads: the scheduler sees to it that what is shared is touched by one at a time. */
#ifndef EBMD_JOB_RUN_H
#define EBMD_JOB_RUN_H

#include <stdatomic.h>

#include "models/catalog.h"
#include "kinds/kind.h"
#include "watch/live.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/store.h"

/* @unit milliseconds */
#define EBMD_QUANTUM_MS 50.0
#define EBMD_SAVE_MS                                                                               \
    1500.0 /* work between two checkpoints: with a quantum on top, less than 2 s                   \
            */

typedef enum ebmd_part_phase { EBMD_PART_NEW, EBMD_PART_BEGUN, EBMD_PART_DONE } ebmd_part_phase;

typedef struct ebmd_part {
    void *state; /* while BEGUN; ebm_free() */
    ebmd_part_phase phase;
    bool busy;        /* a worker has it */
    double taken_at;  /* since when; ebmd_clock_ms() */
    int64_t spent;    /* work units behind it, when a quantum last came back */
    bool saved;       /* its result is in the store */
    bool keepable;    /* the kind said so, when a quantum last came back; or it is DONE */
    char digest[65];  /* of its outputs; "": not made yet */
    char earlier[65]; /* what that was before the result was lost; "": nothing is known */
    int32_t shown;    /* level of its last picture, plus one; 0: none yet */
    ebmd_reading reading;
    ebmd_result result;
} ebmd_part;

/* What the chains of a run say, and what it took to find out. */
typedef struct ebmd_diagnosis {
    ebm_chains_report report;
    int32_t number;       /* from 1 on; 0: there is none */
    double at_ms, for_ms; /* when it was made, and how long that took */
} ebmd_diagnosis;

typedef struct ebmd_run ebmd_run;
struct ebmd_run {
    ebmd_lease lease;
    ebmd_plan plan; /* plan.model[]: one reference each */
    ebm_arena *arena;
    ebmd_part *part;    /* [plan.parts] */
    bool begins_bare;   /* nothing of a part can be kept at its beginning */
    int32_t first_open; /* parts below it are done */
    int32_t done, busy;
    int64_t grad_evals;
    double side_sum; /* chains at work at the beginning of each quantum, summed up */
    int64_t quanta;
    double started_at;    /* ebmd_clock_ms() */
    double unsaved_ms;    /* work since the last checkpoint */
    double save_after_ms; /* work until the next one */
    bool unsaved_told;    /* the last one could not be written, which has been logged */
    ebmd_sight sight;     /* where a part stood when a quantum last came back */
    ebmd_diagnosis found; /* what the chains told at the last checkpoint */
    ebmd_diagnosis told;  /* the same, once the scheduler has passed it on */
    ebma_problem_code error;
    atomic_bool stop; /* somebody asked to cancel */
    double asked_at;  /* when; written before stop is set */

    /* the scheduler's */
    bool held;       /* no more quanta until it is saved, given back or ended */
    bool in_service; /* a worker is doing that */
    bool release;    /* to be given back */
    bool lost;       /* the lease is gone: to be dropped */
    double retry_at; /* ebmd_clock_ms(): not to be ended again before */
    uint64_t last_turn;
    struct ebmd_share *share;
    ebmd_run *prev, *next;
};

/* What a run needs of the daemon. */
typedef struct ebmd_run_env {
    ebmd_store *store;
    ebmd_catalog *catalog;
    ebmd_log *log;
    ebmd_metrics *metrics; /* NULL: nobody counts */
    ebmd_live *live;       /* NULL: nobody watches */
    const char *build;
} ebmd_run_env;

/* Takes up a claimed job, where its checkpoint left it if there is a good one.
 * @own ebmd_run_free()
 * @err NOMEM; FORMAT: the stored request makes no sense any more, e.g. its model is gone; IO */
EBM_MUST_CHECK ebm_status ebmd_run_create(const ebmd_run_env *env, const ebmd_lease *lease,
                                          ebmd_run **out, ebm_error *err);
void ebmd_run_free(ebmd_run *run); /* NULL allowed */
/* Gives a claimed job back as it was, to be tried again a little later. */
void ebmd_run_give_back(const ebmd_run_env *env, const ebmd_lease *lease);

/* Puts a new part at its beginning. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_run_begin(const ebmd_run *run, int32_t part, ebm_error *err);
/* Makes the result of a part; without tools, of one that was stopped. May be repeated after an
 * error. @err as the kind's */
EBM_MUST_CHECK ebm_status ebmd_run_collect(ebmd_run *run, int32_t part, ebmd_tools *tools,
                                           ebm_error *err);
/* A line of the log about this run. */
void ebmd_run_log(const ebmd_run_env *env, const ebmd_run *run, const char *event,
                  const ebm_error *err);
/* Makes empty places for a part's outputs, if there are none. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_run_make_result(const ebmd_plan *plan, ebmd_result *result);
/* Digest of the outputs of a part that is DONE, unless it is there already.
 * @shape digest [64] and a zero, as in ebmd_part */
void ebmd_run_digest(const ebmd_run *run, int32_t part, char digest[65]);
/* Reads back the results that were saved with a checkpoint, and counts what is done.
 * @err NOT_FOUND, FORMAT: they are not those that were saved; NOMEM, IO */
EBM_MUST_CHECK ebm_status ebmd_run_load_results(const ebmd_run_env *env, ebmd_run *run);
/* Frees the outputs of a result; what was saved of them stays in the store. */
void ebmd_run_clear_result(const ebmd_plan *plan, ebmd_result *result);

/* False when its model has been replaced or unloaded since it began. */
bool ebmd_run_is_current(const ebmd_run_env *env, const ebmd_run *run);
bool ebmd_run_uses(const ebmd_run *run, const ebm_model *model);
/* Memory that it may come to take: states of all parts, and what was sent with the request. */
size_t ebmd_run_bytes(const ebmd_run *run);
/* How long a quantum of this run should take. */
double ebmd_run_quantum_ms(const ebmd_run *run);
/* Shows the diagnosis of the last checkpoint in the run's progress. */
void ebmd_run_tell(ebmd_run *run);
/* Lets more work pass until the next checkpoint than until the last one, up to EBMD_SAVE_MS. */
void ebmd_run_space_saves(ebmd_run *run);
/* Work units that are still to be done. */
int64_t ebmd_run_work_left(const ebmd_run *run);
ebmd_progress ebmd_run_progress(const ebmd_run *run);
/* A part that a worker could take, or -1. Begun ones first: fewer chains are open that way. As long
 * as there are parts of which nothing could be kept, only those. */
int32_t ebmd_run_next_part(const ebmd_run *run);
/* Asks it to stop; the scheduler holds its lock. */
void ebmd_run_stop(ebmd_run *run);
/* True when it should not go on: all done, failed, canceled or too late. */
bool ebmd_run_is_over(ebmd_run *run, double now_ms);

/* Runs one quantum of a part that is marked busy. @err DIVERGED, NOMEM and so on: fails the job */
EBM_MUST_CHECK ebm_status ebmd_run_step(ebmd_run *run, int32_t part, ebmd_tools *tools,
                                        ebmd_quantum *q, ebm_error *err);
/* Shows a part that is marked busy to those who watch, if they want to see it and it is time: a
 * finished one, or what its chain looks like. What fails here is not shown. */
void ebmd_run_show(const ebmd_run_env *env, ebmd_run *run, int32_t part, ebmd_tools *tools,
                   bool finished);
/* Notes how far a part has come that is not through, while nobody works on it. */
void ebmd_run_take_stock(ebmd_run *run, int32_t part);
/* The same after a quantum, and what that has shown. */
void ebmd_run_note(ebmd_run *run, int32_t part, const ebmd_reading *reading);
/* Notes that a part is through: its state is not needed any more. */
void ebmd_run_complete(ebmd_run *run, ebmd_part *p);
bool ebmd_run_wants_save(const ebmd_run_env *env, const ebmd_run *run);
/* Where the parts stand. @shape out [plan.parts] */
void ebmd_run_standing(const ebmd_run *run, ebmd_standing *out);
/* Finds out what the chains say together, if that took little of the time since the last time. No
 * part may be busy. */
void ebmd_run_diagnose(ebmd_run *run);
/* Writes a checkpoint, or gives the job back with one. No part may be busy, and so it is the time
 * for a diagnosis.
 * @err BAD_STATE: the lease is lost; NOMEM, LIMIT, IO */
EBM_MUST_CHECK ebm_status ebmd_run_save(const ebmd_run_env *env, ebmd_run *run, bool release,
                                        ebm_error *err);
/* Ends the job: decides how, writes document and results, logs. No part may be busy.
 * @err as above */
EBM_MUST_CHECK ebm_status ebmd_run_finish(const ebmd_run_env *env, ebmd_run *run, ebm_error *err);

#endif
