/* The pool: every index once, workers never overlap with themselves, one round after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ebmt/pool.h"
#include "fail_alloc.h"

#define MAX_N       1000
#define MAX_WORKERS 8

typedef struct tally {
    atomic_int count[MAX_N];
    atomic_int busy[MAX_WORKERS];
    atomic_int overlaps, wrong_worker;
    int threads;
} tally;

static void count_task(void *user, int32_t i, int32_t worker)
{
    tally *t = user;
    if (worker < 0 || worker >= t->threads) {
        atomic_fetch_add(&t->wrong_worker, 1);
        return;
    }
    if (atomic_fetch_add(&t->busy[worker], 1) != 0)
        atomic_fetch_add(&t->overlaps, 1);
    atomic_fetch_add(&t->count[i], 1);
    atomic_fetch_sub(&t->busy[worker], 1);
}

static void run_and_check(ebmt_pool *pool, int32_t n)
{
    static tally t; /* atomics of this size are no guest on the stack */
    memset(&t, 0, sizeof t);
    t.threads = ebmt_pool_threads(pool);
    ebmt_pool_run(pool, n, count_task, &t);
    for (int32_t i = 0; i < MAX_N; i++)
        assert_int_equal(atomic_load(&t.count[i]), i < n ? 1 : 0);
    assert_int_equal(atomic_load(&t.overlaps), 0);
    assert_int_equal(atomic_load(&t.wrong_worker), 0);
}

static void test_each_once(void **state)
{
    (void)state;
    for (int32_t threads = 1; threads <= MAX_WORKERS; threads++) {
        ebmt_pool *pool = NULL;
        assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
        assert_int_equal(ebmt_pool_threads(pool), threads);
        for (int32_t n = 0; n <= 20; n++)
            run_and_check(pool, n);
        run_and_check(pool, MAX_N);
        ebmt_pool_free(pool);
    }
}

/* Plain memory written in one round and read in the next: run() must order the two. */
static void square_task(void *user, int32_t i, int32_t worker)
{
    int64_t *values = user;
    (void)worker;
    values[i] = values[i] * 3 + 1;
}

static void test_rounds_are_ordered(void **state)
{
    ebmt_pool *pool = NULL;
    int64_t values[64] = {0}, want = 0;
    (void)state;
    assert_int_equal(ebmt_pool_create(3, &pool, NULL), EBM_OK);
    for (int round = 0; round < 30; round++) {
        ebmt_pool_run(pool, 64, square_task, values);
        want = want * 3 + 1;
    }
    for (int i = 0; i < 64; i++)
        assert_int_equal(values[i], want);
    ebmt_pool_free(pool);
}

/* Helpers need five times as long for a task as the caller, so that they are still at it when the
 * caller finds nothing more to take: run() must wait for them. */
static void slow_task(void *user, int32_t i, int32_t worker)
{
    const struct timespec nap = {0, worker == 0 ? 1000000 : 5000000};
    (void)i;
    (void)nanosleep(&nap, NULL);
    atomic_fetch_add((atomic_int *)user, 1);
}

static void test_waits_for_helpers(void **state)
{
    ebmt_pool *pool = NULL;
    (void)state;
    assert_int_equal(ebmt_pool_create(4, &pool, NULL), EBM_OK);
    for (int round = 0; round < 10; round++) {
        atomic_int done;
        atomic_init(&done, 0);
        ebmt_pool_run(pool, 9, slow_task, &done);
        assert_int_equal(atomic_load(&done), 9);
    }
    ebmt_pool_free(pool);
}

static void test_create_and_free(void **state)
{
    ebmt_pool *pool = NULL;
    (void)state;
    assert_int_equal(ebmt_pool_create(0, &pool, NULL), EBM_ERR_RANGE);
    assert_null(pool);
    assert_int_equal(ebmt_pool_create(257, &pool, NULL), EBM_ERR_RANGE);
    ebmt_pool_free(NULL);
    for (int i = 0; i < 50; i++) { /* never used: stop must reach threads that just began */
        assert_int_equal(ebmt_pool_create(4, &pool, NULL), EBM_OK);
        ebmt_pool_free(pool);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_pool *pool;
        ebm_status st = ebmt_pool_create(3, &pool, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_once),         cmocka_unit_test(test_rounds_are_ordered),
        cmocka_unit_test(test_waits_for_helpers), cmocka_unit_test(test_create_and_free),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
