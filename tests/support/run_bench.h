/* Jobs worked on by hand, in one thread: a tiny model, a store in memory, a scheduler of one
 * worker. Every helper fails the test when something goes wrong. */
#ifndef EBM_TEST_RUN_BENCH_H
#define EBM_TEST_RUN_BENCH_H

#include "ebm/memory.h"
#include "run/sched.h"
#include "temp_dir.h"

typedef struct run_bench {
    char dir[TEMP_PATH_MAX];
    ebmd_catalog *catalog;
    uint64_t seen;
    ebmd_store *store;
    ebmd_run_env env;
    ebmd_sched *sched;
    ebmd_workbench bench;
    ebmd_tools tools;
} run_bench;

/* 8x8 pixels, 2 levels of 3 steps; slots and bytes bound the scheduler. */
bool run_bench_open(run_bench *b, unsigned slots, size_t bytes);
void run_bench_close(run_bench *b);

/* The id of job number i. @own static, good until the next call */
const char *run_bench_id(int i);
void run_bench_submit(run_bench *b, int i, const char *body, const char *owner);
/* Of any kind, as an earlier daemon may have stored it: 100 units of work, 3 parts. */
void run_bench_submit_stored(run_bench *b, int i, const char *kind, const char *request);
/* Claims the next job, past the scheduler. @own ebmd_run_free() */
ebmd_run *run_bench_take_up(run_bench *b);
/* Runs a STEP of at most so many evaluations and reports it; returns the job's number. */
int run_bench_step(run_bench *b, const ebmd_task *task, int64_t evals);
/* Does any other duty and reports it. */
void run_bench_settle(run_bench *b, const ebmd_task *task);
/* Until nothing is queued or running. */
void run_bench_finish_all(run_bench *b, int64_t evals);
ebmd_job_state run_bench_state(run_bench *b, int i);
bool run_bench_is_done(run_bench *b, int i);
/* Digests of all results of a job, one a line. @own ebm_free() */
char *run_bench_results(run_bench *b, int i);

#endif
