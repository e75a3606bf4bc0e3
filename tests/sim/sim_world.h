/* The world of the simulator: the disk as it would be found after a crash, what has been promised
 * to whom, and workers that are not to be trusted. One schedule is a function of one seed. */
#ifndef EBM_TEST_SIM_WORLD_H
#define EBM_TEST_SIM_WORLD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/jobs.h"

#define JOBS      24
#define WORKERS   4
#define STEPS     80
#define BLOBS     6                           /* of a job on the simulated disk */
#define RESULT(i) ((int64_t)(i)*1000003 + 17) /* what job i must compute, whoever runs it */

typedef enum plant {
    PLANT_NONE,
    PLANT_ACCEPT_BEFORE_WRITE, /* submit's write says yes and keeps nothing */
    PLANT_NO_FENCE,            /* late workers get the current epoch */
    PLANT_HALF_WRITE,          /* a row is kept, its blobs are not */
    PLANT_FORGET_ATTEMPTS,     /* a restart reads attempts as 0 */
    PLANT_RESURRECT,           /* a restart reads one final job as queued */
    PLANT_BELIEVE_FAILED,      /* a failed write is reported as good */
    PLANT_NO_BOUND,            /* the queue is bounded elsewhere than promised */
    PLANT_LOSE_CANCEL,         /* cancel_requested is not kept */
    PLANT_COUNT
} plant;

/* --- the simulated disk --------------------------------------------------------------------- */

typedef struct disk_blob {
    bool used;
    ebmd_blob_type type;
    int32_t index;
    int64_t value;
} disk_blob;

typedef struct disk_job {
    bool used;
    ebmd_row row;
    disk_blob blob[BLOBS];
} disk_job;

typedef enum ending { ENDS_WELL, FAILS_CLEAN, FAILS_BEFORE, FAILS_AFTER } ending;

/* What the world has seen of a job. */
typedef struct witness {
    bool accepted, acknowledged_end, cancel_acknowledged, replayable;
    bool ended; /* a final state has reached the disk */
    bool early; /* part 1 was kept with a checkpoint */
    char id[EBMD_ID_SIZE];
    ebmd_job_state last;
    ebmd_job_state final;
    int64_t last_fence, claims_since_save, accepted_at;
    int priority;
} witness;

typedef struct sim_worker {
    bool busy;
    int job;
    ebmd_lease lease;
    int64_t done; /* how far it is; the result depends on the job alone */
} sim_worker;

typedef struct sim {
    ebmd_backend backend; /* first: the core's handle of the disk */
    uint64_t state, seed;
    plant planted;
    int64_t mono, wall;
    bool wall_set; /* somebody has set the wall clock: stored times may mean anything */
    ending next_ending;
    bool behind; /* a full disk has kept old rows from going, until the next sweep */
    disk_job disk[JOBS];
    witness seen[JOBS];
    int n_jobs;
    sim_worker worker[WORKERS];
    ebmd_jobs *jobs;
    ebmd_limits limits;
    jmp_buf violation;
    char why[160];
    int step;
} sim;

/* Draws from the schedule's seed. */
uint64_t sim_draw(sim *s);
int sim_below(sim *s, int n);
/* Ends the schedule: a promise is broken. */
_Noreturn void sim_violated(sim *s, const char *promise, const char *id);
void sim_require(sim *s, bool holds, const char *promise, const char *id);

/* Number of the job with this id, or -1. */
int sim_index_of(const sim *s, const char *id);
/* What the disk holds of a job, or NULL. */
disk_job *sim_on_disk(sim *s, const char *id);
/* The disk as the core's backend; checks what is written to it. */
extern const ebmd_backend_ops sim_ops;

#endif
