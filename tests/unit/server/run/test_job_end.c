/* Ends of jobs: what a job has come to is kept whatever allocation fails on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "run_bench.h"

#define CHAINS 3

static int setup(void **state)
{
    static run_bench b;

    *state = &b;
    return run_bench_open(&b, 4, SIZE_MAX) ? 0 : -1;
}

static int teardown(void **state)
{
    run_bench_close(*state);
    return 0;
}

/* Chains that somebody stops while all of them are 50 steps in. */
static ebmd_run *stopped_chains(run_bench *b, int i)
{
    ebmd_run *run;

    run_bench_submit_stored(b, i, "mcmc", "{\"chains\":3,\"steps\":200,\"seed\":1}");
    run = run_bench_take_up(b);
    for (int32_t k = 0; k < CHAINS; k++) {
        ebmd_quantum q = {.max_evals = 50};

        assert_int_equal(ebmd_run_step(run, k, &b->tools, &q, NULL), EBM_OK);
    }
    ebmd_run_stop(run);
    assert_true(ebmd_run_is_over(run, ebmd_clock_ms()));
    return run;
}

static int chains_kept(run_bench *b, int i)
{
    int n = 0;

    for (int32_t k = 0; k < CHAINS; k++) {
        char *data;
        size_t size;

        if (b->store->ops->blob(b->store, run_bench_id(i), EBMD_BLOB_PART, k, &data, &size, NULL) ==
            EBM_OK)
            n++;
        ebm_free(data);
    }
    return n;
}

/* A second later there may be memory, and the chains are still there. */
static void stopped_without_memory(void **state)
{
    run_bench *b = *state;
    bool hit = true;

    for (int n = 1; hit; n++) {
        ebmd_run *run = stopped_chains(b, n);
        ebm_status st;

        fail_alloc_at((size_t)n, false);
        st = ebmd_run_finish(&b->env, run, NULL);
        hit = fail_alloc_hit();
        fail_alloc_reset();
        assert_int_equal(st, hit ? EBM_ERR_NOMEM : EBM_OK);
        if (hit)
            assert_int_equal(ebmd_run_finish(&b->env, run, NULL), EBM_OK);
        assert_int_equal(run_bench_state(b, n), EBMD_JOB_CANCELED);
        assert_int_equal(chains_kept(b, n), CHAINS);
        ebmd_run_free(run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stopped_without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
