/* Time in the conformance suite of stores: leases that run out, deadlines, attempts, clocks that
 * jump, and what is swept away in the end. Time is the tests': nothing here waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_bench.h"

static void a_lost_lease(void **state)
{
    const ebmd_progress half_way = {.fraction = 0.5, .parts_done = 1};
    store_bench *f = *state;
    ebmd_lease late, now;

    bench_accept(f, 1);
    late = bench_claim(f, 1);
    f->mono += f->limits.lease_ms - 1;
    bench_sweep(f);
    assert_int_equal(f->store->ops->heartbeat(f->store, &late, &half_way), EBMD_KEEP);
    assert_int_equal(bench_view_of(f, 1).progress.parts_done, 1);
    f->mono += f->limits.lease_ms;
    bench_sweep(f);
    bench_expect_state(f, 1, EBMD_JOB_QUEUED, "");
    now = bench_claim(f, 1);
    assert_int_equal(now.fence, late.fence + 1);
    assert_int_equal(f->store->ops->heartbeat(f->store, &late, &half_way), EBMD_LOST);
    assert_int_equal(bench_save(f, &late, "old", false), EBM_ERR_BAD_STATE);
    assert_int_equal(bench_finish(f, &late), EBM_ERR_BAD_STATE);
    assert_int_equal(bench_finish(f, &now), EBM_OK);
    assert_int_equal(bench_finish(f, &late), EBM_ERR_BAD_STATE);
    assert_int_equal(f->ended, 1);
}

/* F29: what the wall clock does is no business of leases and deadlines. */
static void a_wall_clock_that_jumps(void **state)
{
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(2));
    ebmd_lease lease;

    spec.timeout_ms = 1000;
    bench_accept(f, 1);
    lease = bench_claim(f, 1);
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    f->wall += INT64_C(315360000000); /* ten years */
    bench_sweep(f);
    bench_expect_state(f, 1, EBMD_JOB_RUNNING, "");
    bench_expect_state(f, 2, EBMD_JOB_QUEUED, "");
    f->wall = -5;
    bench_sweep(f);
    bench_expect_state(f, 2, EBMD_JOB_QUEUED, "");
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
}

static void poison_stops(void **state)
{
    store_bench *f = *state;

    bench_accept(f, 1);
    for (int attempt = 1; attempt <= f->limits.attempts; attempt++) {
        assert_int_equal(bench_claim(f, 1).attempts, attempt);
        f->mono += f->limits.lease_ms;
        bench_sweep(f);
        if (attempt == 2)
            bench_claim_none(f); /* backs off */
        f->mono += 6000;
    }
    bench_expect_state(f, 1, EBMD_JOB_FAILED, "max_attempts");
    bench_claim_none(f);
}

static void giving_back_and_going_on(void **state)
{
    static const ebmd_save later = {.release = true, .pause_ms = 1000};
    store_bench *f = *state;
    ebmd_lease lease;

    bench_accept(f, 1);
    for (int round = 0; round < 10; round++) { /* more often than it may fail */
        lease = bench_claim(f, 1);
        assert_int_equal(lease.has_checkpoint, round > 0);
        assert_int_equal(bench_save(f, &lease, "first", false), EBM_OK);
        assert_int_equal(bench_save(f, &lease, "second", true), EBM_OK);
        bench_expect_state(f, 1, EBMD_JOB_QUEUED, "");
        bench_expect_blob(f, 1, EBMD_BLOB_CHECKPOINT, 0, "second", 6);
    }
    lease = bench_claim(f, 1);
    assert_int_equal(f->store->ops->save(f->store, &lease, &later, NULL), EBM_OK);
    bench_claim_none(f); /* it could not be taken up: not again at once */
    f->mono += later.pause_ms;
    lease = bench_claim(f, 1);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    bench_expect_blob(f, 1, EBMD_BLOB_CHECKPOINT, 0, NULL, 0);
}

static void deadlines_and_age(void **state)
{
    store_bench *f = *state;
    ebmd_spec spec = bench_spec_of(bench_id_of(1));
    ebmd_lease lease, late;

    spec.timeout_ms = 100;
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    f->mono += 99;
    bench_sweep(f);
    bench_expect_state(f, 1, EBMD_JOB_QUEUED, "");
    f->mono += 1;
    bench_claim_none(f); /* never handed out late */
    bench_sweep(f);
    bench_expect_state(f, 1, EBMD_JOB_EXPIRED, "deadline");
    bench_accept(f, 2);
    lease = bench_claim(f, 2);
    assert_int_equal(lease.deadline_mono, INT64_MAX);
    spec.id = bench_id_of(3);
    assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
    late = bench_claim(f, 3);
    assert_int_equal(bench_save(f, &late, "here", true), EBM_OK);
    f->mono += 100; /* what it has come to is not thrown away */
    bench_sweep(f);
    bench_expect_state(f, 3, EBMD_JOB_QUEUED, "");
    late = bench_claim(f, 3);
    assert_true(late.deadline_mono <= f->mono && late.has_checkpoint);
    assert_int_equal(bench_finish(f, &late), EBM_OK);
    assert_int_equal(bench_finish(f, &lease), EBM_OK);
    f->mono += f->limits.result_ttl_ms;
    bench_sweep(f);
    assert_true(bench_view_of(f, 2).row.purged); /* 410 */
    bench_expect_blob(f, 2, EBMD_BLOB_PART, 0, NULL, 0);
    f->mono += f->limits.tombstone_ttl_ms;
    bench_sweep(f);
    assert_false(bench_exists(f, 2)); /* 404 */
}

static void only_so_much_is_kept(void **state)
{
    store_bench *f = *state;
    ebmd_lease lease;

    f->limits.rows = 2;
    bench_reopen(f);
    bench_accept(f, 100); /* stays: it has not ended */
    for (int i = 1; i <= 4; i++) {
        ebmd_wish wish = {.above_priority = 5, .below_work = 100};
        ebmd_spec spec = bench_spec_of(bench_id_of(i));

        spec.work = 10;
        assert_int_equal(bench_submit(f, &spec), EBMD_SUBMIT_ACCEPTED);
        assert_int_equal(f->store->ops->claim(f->store, &wish, &lease, NULL), EBM_OK);
        assert_int_equal(bench_finish(f, &lease), EBM_OK);
    }
    assert_false(bench_exists(f, 1) || bench_exists(f, 2));
    assert_true(bench_exists(f, 3) && bench_exists(f, 4) && bench_exists(f, 100));
    f->limits.rows = 100;
    f->limits.bytes = 40; /* a finished job has 20 */
    bench_reopen(f);
    bench_accept(f, 200);
    assert_int_equal(f->store->ops->claim(f->store, &bench_any, &lease, NULL), EBM_OK);
    assert_int_equal(bench_save(f, &lease, "more than all results together may have", false),
                     EBM_OK);
    for (int i = 5; i <= 8; i++) {
        bench_accept(f, i);
        while (f->store->ops->claim(f->store, &bench_any, &lease, NULL) == EBM_OK)
            assert_int_equal(bench_finish(f, &lease), EBM_OK);
    }
    for (int i = 5; i <= 8; i++) /* the ids stay known: 410, not 404 */
        assert_int_equal(bench_view_of(f, i).row.purged, i <= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_BOTH(a_lost_lease),      BENCH_BOTH(a_wall_clock_that_jumps),
        BENCH_BOTH(poison_stops),      BENCH_BOTH(giving_back_and_going_on),
        BENCH_BOTH(deadlines_and_age), BENCH_BOTH(only_so_much_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
