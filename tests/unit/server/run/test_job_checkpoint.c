/* Checkpoints: a run that is packed and unpacked goes on with the same bytes; bytes that were
 * changed anywhere are refused; states that the digest protects but nobody could have written, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "fail_alloc.h"
#include "run/job_checkpoint.h"
#include "run_bench.h"

#define HEAD 144 /* bytes, of which the last 32 tell of kernels */
#define BODY "{\"n\":3,\"seed\":4,\"steps_per_level\":20}"

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

/* Steps a part without a scheduler, to its end or by so many evaluations. */
static void step(run_bench *b, ebmd_run *run, int32_t part, int64_t evals)
{
    ebmd_quantum q = {0};

    while (!q.finished && evals > 0) {
        q = (ebmd_quantum){.max_evals = evals};
        assert_int_equal(ebmd_run_step(run, part, &b->tools, &q, NULL), EBM_OK);
        run->grad_evals += q.evals;
        evals -= q.evals;
        run->quanta++;
        run->side_sum += 1.0;
    }
    if (!q.finished)
        return;
    ebm_free(run->part[part].state);
    run->part[part].state = NULL;
    run->part[part].phase = EBMD_PART_DONE;
    run->done++;
}

/* One part done, one begun, one new. */
static ebmd_run *half_done(run_bench *b)
{
    ebmd_run *run;

    run_bench_submit(b, 1, BODY, "");
    run = run_bench_take_up(b);
    step(b, run, 0, 1000);
    step(b, run, 1, 13);
    assert_int_equal(run->done, 1);
    return run;
}

static void going_on(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b);
    char *undisturbed, *resumed;

    assert_int_equal(ebmd_run_save(&b->env, run, true, NULL), EBM_OK);
    ebmd_run_free(run);
    run = run_bench_take_up(b);
    assert_int_equal(run->done, 1);
    assert_int_equal(run->part[1].phase, EBMD_PART_BEGUN);
    assert_int_equal(run->grad_evals, 40 + 13);
    assert_int_equal(ebmd_run_work_left(run), 120 - 53);
    step(b, run, 2, 1000);
    step(b, run, 1, 1000);
    assert_int_equal(ebmd_run_finish(&b->env, run, NULL), EBM_OK);
    ebmd_run_free(run);
    resumed = run_bench_results(b, 1);
    run_bench_submit(b, 2, BODY, "");
    run_bench_finish_all(b, 1000000);
    undisturbed = run_bench_results(b, 2);
    assert_string_equal(resumed, undisturbed);
    ebm_free(resumed);
    ebm_free(undisturbed);
}

/* Chains that go on bring what they have behind them, and their job is not at work on that. */
static void going_on_from_chains(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b);

    run->grad_evals = 0; /* as if others had done the 53 of 120 */
    assert_int_equal(ebmd_run_save(&b->env, run, true, NULL), EBM_OK);
    ebmd_run_free(run);
    run = run_bench_take_up(b);
    assert_true(ebmd_run_progress(run).fraction == 0.0);
    assert_int_equal(ebmd_run_work_left(run), 67);
    step(b, run, 1, 17);
    ebmd_run_take_stock(run, 1);
    assert_true(ebmd_run_progress(run).fraction == 17.0 / 67.0);
    assert_int_equal(ebmd_run_work_left(run), 50);
    assert_int_equal(ebmd_run_save(&b->env, run, true, NULL), EBM_OK);
    ebmd_run_free(run);
    run = run_bench_take_up(b);
    assert_true(ebmd_run_progress(run).fraction == 17.0 / 67.0); /* in another process, too */
    ebmd_run_free(run);
}

/* A result that is not the one that was saved is made again, with the same bytes. */
static void a_result_that_changed(void **state)
{
    const ebmd_wish any = {.above_priority = -1, .below_work = INT64_MAX};
    const ebmd_blob other = {EBMD_BLOB_PART, 0, "other", 5};
    const ebmd_save save = {.blobs = &other, .n_blobs = 1, .release = true};
    run_bench *b = *state;
    ebmd_run *run = half_done(b);
    ebmd_lease lease;

    assert_int_equal(ebmd_run_save(&b->env, run, true, NULL), EBM_OK);
    ebmd_run_free(run);
    assert_int_equal(b->store->ops->claim(b->store, &any, &lease, NULL), EBM_OK);
    assert_int_equal(b->store->ops->save(b->store, &lease, &save, NULL), EBM_OK);
    run = run_bench_take_up(b);
    assert_int_equal(run->done, 0);
    for (int32_t k = 0; k < 3; k++) {
        assert_int_equal(run->part[k].phase, EBMD_PART_NEW);
        assert_int_equal(strlen(run->part[k].earlier), k == 0 ? 64 : 0);
        step(b, run, k, 1000);
    }
    assert_int_equal(ebmd_run_finish(&b->env, run, NULL), EBM_OK);
    assert_string_equal(run->part[0].digest, run->part[0].earlier);
    ebmd_run_free(run);
}

static ebm_status unpack(ebmd_run *run, const unsigned char *bytes, size_t size)
{
    ebm_status st;

    ebmd_job_checkpoint_forget(run);
    st = ebmd_job_checkpoint_unpack(bytes, size, run, NULL);
    ebmd_job_checkpoint_forget(run);
    return st;
}

/* Whoever can write the file can write a digest too. */
static void sign(unsigned char *bytes, size_t size)
{
    char digest[65];

    ebm_sha256_hex(bytes, size - 64, digest);
    memcpy(bytes + size - 64, digest, 64);
}

static void every_change_is_noticed(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b);
    unsigned char *bytes;
    size_t size;

    assert_int_equal(ebmd_job_checkpoint_pack(run, &bytes, &size, NULL), EBM_OK);
    assert_int_equal(unpack(run, bytes, size), EBM_OK);
    for (size_t n = 0; n < size; n += n < 300 ? 1 : 37)
        assert_int_equal(unpack(run, bytes, n), EBM_ERR_FORMAT);
    for (size_t i = 0; i < size; i += i < 300 ? 1 : 7) {
        bytes[i] ^= (unsigned char)(1u << (i % 8));
        assert_int_equal(unpack(run, bytes, size), EBM_ERR_FORMAT);
        bytes[i] ^= (unsigned char)(1u << (i % 8));
    }
    assert_int_equal(unpack(run, bytes, size), EBM_OK);
    ebm_free(bytes);
    ebmd_run_free(run);
}

/* What is inside is checked as well as the digest. */
static void forged_checkpoints(void **state)
{
    static const struct {
        size_t at; /* bytes behind the beginning */
        int32_t value;
    } rows[] = {{8, 0},                         /* order of bytes */
                {12, 2},                        /* parts */
                {12, INT32_MAX},                /* parts */
                {16, 1},                        /* size of a state */
                {24, 'x'},                      /* model */
                {92, INT32_MAX},                /* evaluations that nothing can be added to */
                {100, INT32_MAX},               /* quanta */
                {112, 'x'},                     /* kernel class */
                {140, 'x'},                     /* behind its end */
                {HEAD, 7},                      /* phase of part 0 */
                {HEAD, -1},                     /* phase of part 0 */
                {HEAD, EBMD_PART_BEGUN},        /* a state that is not there */
                {HEAD + 12, 0x7ff00000},        /* a value of part 0 becomes infinite */
                {HEAD + 432, 99},               /* level of part 1 */
                {HEAD + 432, -2},               /* level of part 1 */
                {HEAD + 436, -1},               /* step of part 1 */
                {HEAD + 436, INT32_MAX},        /* step of part 1 */
                {HEAD + 432 + 64, 0x7fc00000}}; /* a pixel that is not a number */
    run_bench *b = *state;
    ebmd_run *run = half_done(b);
    unsigned char *good, *bytes;
    size_t size;

    assert_int_equal(ebmd_job_checkpoint_pack(run, &good, &size, NULL), EBM_OK);
    bytes = ebm_alloc(size, 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memcpy(bytes, good, size);
        memcpy(bytes + rows[i].at, &rows[i].value, sizeof(rows[i].value));
        sign(bytes, size);
        if (unpack(run, bytes, size) != EBM_ERR_FORMAT)
            fail_msg("row %zu is believed", i);
    }
    ebm_free(good);
    ebm_free(bytes);
    ebmd_run_free(run);
}

/* Levels that were edited since sample something else. Checkpoints of before name the weights
 * alone.
 */
static void other_levels(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b);
    unsigned char *bytes;
    size_t size;
    char kept[65];

    assert_int_equal(ebmd_job_checkpoint_pack(run, &bytes, &size, NULL), EBM_OK);
    memcpy(kept, run->plan.chain_digest, sizeof(kept));
    assert_memory_equal(bytes + 24, kept, 64);
    run->plan.chain_digest[5] ^= 1;
    assert_int_equal(unpack(run, bytes, size), EBM_ERR_FORMAT);
    memcpy(bytes + 24, run->plan.digest, 64);
    sign(bytes, size);
    assert_int_equal(unpack(run, bytes, size), EBM_OK);
    ebm_free(bytes);
    ebmd_run_free(run);
}

static char heard[64];

static void hear(const ebmd_plan *plan, const char *kernel_class)
{
    (void)plan;
    snprintf(heard, sizeof(heard), "%s", kernel_class);
}

/* Parts that other kernels have worked on, or done, are of use to kinds that can tell of it alone.
 * Which kernels those of the version before were is unknown. */
static void other_kernels(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b);
    ebmd_kind telling = *run->plan.kind;
    const char *const ours = run->plan.kernel_class;
    unsigned char *bytes;
    size_t size;

    telling.add_class = hear;
    assert_int_equal(ebmd_job_checkpoint_pack(run, &bytes, &size, NULL), EBM_OK);
    run->plan.kernel_class = "other";
    assert_int_equal(unpack(run, bytes, size), EBM_ERR_FORMAT);
    run->plan.kind = &telling;
    assert_int_equal(unpack(run, bytes, size), EBM_OK);
    assert_string_equal(heard, ours);
    memset(bytes + HEAD - 32, 'x', 32); /* a text without an end */
    sign(bytes, size);
    assert_int_equal(unpack(run, bytes, size), EBM_ERR_FORMAT);
    memcpy(bytes, "EBMDCKP2", 8);
    memmove(bytes + HEAD - 32, bytes + HEAD, size - HEAD);
    sign(bytes, size - 32);
    assert_int_equal(unpack(run, bytes, size - 32), EBM_OK);
    assert_string_equal(heard, "");
    run->plan.kind = &ebmd_kind_sample;
    run->plan.kernel_class = ours;
    assert_int_equal(unpack(run, bytes, size - 32), EBM_ERR_FORMAT);
    ebm_free(bytes);
    ebmd_run_free(run);
}

/* A checkpoint that cannot be used costs time, not the job. */
static void a_bad_checkpoint_is_dropped(void **state)
{
    const ebmd_blob junk = {EBMD_BLOB_CHECKPOINT, 0, "junk", 4};
    const ebmd_save save = {.blobs = &junk, .n_blobs = 1, .release = true};
    run_bench *b = *state;
    ebmd_run *run = half_done(b);

    assert_int_equal(b->store->ops->save(b->store, &run->lease, &save, NULL), EBM_OK);
    ebmd_run_free(run);
    run = run_bench_take_up(b);
    assert_int_equal(run->done, 0);
    assert_int_equal(run->part[1].phase, EBMD_PART_NEW);
    ebmd_run_free(run);
}

/* A job that was cut off is saved after its first quantum, a short one; then less and less often.
 */
static void saves_after_a_cut(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b), *again = NULL;
    ebmd_lease lease = run->lease;
    double last = 0.0;

    assert_true(run->save_after_ms == EBMD_SAVE_MS && ebmd_run_quantum_ms(run) == EBMD_QUANTUM_MS);
    lease.attempts = 2;
    assert_int_equal(ebmd_run_create(&b->env, &lease, &again, NULL), EBM_OK);
    assert_true(again->save_after_ms == 0.0 && ebmd_run_quantum_ms(again) == 5.0);
    for (int i = 0; i < 10; i++) {
        last = again->save_after_ms;
        ebmd_run_space_saves(again);
        assert_true(again->save_after_ms > last || last == EBMD_SAVE_MS);
    }
    assert_true(last == EBMD_SAVE_MS && ebmd_run_quantum_ms(again) == EBMD_QUANTUM_MS);
    ebmd_run_free(again);
    ebmd_run_free(run);
}

static void without_memory(void **state)
{
    run_bench *b = *state;
    ebmd_run *run = half_done(b);

    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmd_run_save(&b->env, run, false, NULL);

        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    ebmd_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(going_on, setup, teardown),
        cmocka_unit_test_setup_teardown(going_on_from_chains, setup, teardown),
        cmocka_unit_test_setup_teardown(a_result_that_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(every_change_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_checkpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(other_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(other_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_checkpoint_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(saves_after_a_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
