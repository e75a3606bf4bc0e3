/* A store for tests whose time is the test's: a driver, limits, counters of events, and shorthands
 * for the calls. Every shorthand fails the test when the store answers otherwise than it says. */
#ifndef EBM_TEST_STORE_BENCH_H
#define EBM_TEST_STORE_BENCH_H

#include "ebm/memory.h"
#include "store/store.h"
#include "temp_dir.h"

typedef struct store_bench {
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    bool sqlite;
    ebmd_limits limits;
    ebmd_store *store;
    int64_t mono, wall;
    int ended, queued, asked;
} store_bench;

/* Fixtures for cmocka: *state is a store_bench with an open store. */
int bench_setup_memory(void **state);
int bench_setup_sqlite(void **state);
int bench_teardown(void **state);
/* Two tests of one case for a list of cmocka's: on a store in memory, and in a file. */
#define BENCH_BOTH(test)                                                                           \
    {#test " (memory)", test, bench_setup_memory, bench_teardown, NULL},                           \
    {                                                                                              \
#test " (sqlite)", test, bench_setup_sqlite, bench_teardown, NULL                          \
    }

/* Opens the driver on the bench's limits and time. */
ebm_status bench_try(store_bench *f, ebm_error *err);
void bench_open(store_bench *f);
void bench_close(store_bench *f);
void bench_reopen(store_bench *f);

/* Jobs are numbered; the id of number i, good until three more are asked for. */
const char *bench_id_of(int i);
/* A job of owner "", priority 5, work 100, two parts. */
ebmd_spec bench_spec_of(const char *id);
ebmd_submit_outcome bench_submit(store_bench *f, const ebmd_spec *spec);
void bench_accept(store_bench *f, int i);
/* Claims whatever comes first, which must be this job. */
extern const ebmd_wish bench_any;
ebmd_lease bench_claim(store_bench *f, int i);
void bench_claim_none(store_bench *f);
/* Ends a job well, with two results of 4 and 6 bytes. */
ebm_status bench_finish(store_bench *f, const ebmd_lease *lease);
/* Saves a checkpoint of these bytes; text NULL: none. */
ebm_status bench_save(store_bench *f, const ebmd_lease *lease, const char *text, bool release);
void bench_sweep(store_bench *f);
ebmd_view bench_view_of(store_bench *f, int i);
bool bench_exists(store_bench *f, int i);
void bench_expect_state(store_bench *f, int i, ebmd_job_state state, const char *code);
/* text NULL: there is no such blob. */
void bench_expect_blob(store_bench *f, int i, ebmd_blob_type type, int32_t index, const char *text,
                       size_t size);

#endif
