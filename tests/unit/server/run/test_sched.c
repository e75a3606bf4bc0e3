/* Whose turn it is, driven by hand without threads: small requests overtake long ones, long ones do
 * not starve, owners share, priorities win, too many open jobs go back; and whatever the order and
 * the size of the quanta, the results are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "run_bench.h"

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

/* One turn: which job got it. Everything that is due is done on the way. */
static int turn(run_bench *b, int64_t evals)
{
    ebmd_task task;

    do {
        assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
        if (task.duty != EBMD_STEP)
            run_bench_settle(b, &task);
    } while (task.duty != EBMD_STEP);
    return run_bench_step(b, &task, evals);
}

static void small_ones_overtake(void **state)
{
    run_bench *b = *state;
    int waited = 0;

    run_bench_submit(b, 1, "{\"n\":64,\"steps_per_level\":2000,\"seed\":1}", "");
    for (int i = 0; i < 9; i++)
        assert_int_equal(turn(b, 100), 1);
    run_bench_submit(b, 2, "{\"seed\":2}", "");
    while (turn(b, 1000) != 2)
        waited++;
    assert_true(waited < 3);
    /* it had six steps and is done: the long run has the workers again */
    for (int i = 0; i < 9; i++)
        assert_int_equal(turn(b, 100), 1);
    assert_true(run_bench_is_done(b, 2));
}

/* A flood of small ones leaves a long one at least every eighth turn. */
static void long_ones_do_not_starve(void **state)
{
    run_bench *b = *state;
    int turns = 0;

    run_bench_submit(b, 1, "{\"n\":1,\"steps_per_level\":2000,\"seed\":1}", "");
    for (int i = 0; i < 40; i++) {
        run_bench_submit(b, 2 + i, "{\"seed\":2}", "");
        turns += turn(b, 100) == 1 ? 1 : 0;
    }
    assert_in_range(turns, 4, 10);
}

static void owners_share(void **state)
{
    run_bench *b = *state;
    int turns = 0;

    for (int i = 1; i <= 3; i++)
        run_bench_submit(b, i, "{\"steps_per_level\":2000,\"seed\":1}", "many");
    run_bench_submit(b, 4, "{\"steps_per_level\":2000,\"seed\":1,\"n\":2}", "one");
    for (int i = 0; i < 4; i++)
        turn(b, 10); /* all are open */
    for (int i = 0; i < 40; i++)
        turns += turn(b, 10) == 4 ? 1 : 0;
    assert_in_range(turns, 18, 22); /* half of the time, not a quarter */
}

static void priority_wins(void **state)
{
    run_bench *b = *state;

    run_bench_submit(b, 1, "{\"seed\":1}", "");
    run_bench_submit(b, 2, "{\"steps_per_level\":2000,\"seed\":1,\"priority\":9}", "");
    for (int i = 0; i < 10; i++)
        assert_int_equal(turn(b, 10), 2);
}

/* What is open goes on, what is queued waits, however urgent it is. */
static void paused(void **state)
{
    run_bench *b = *state;

    run_bench_submit(b, 1, "{\"steps_per_level\":2000,\"seed\":1}", "");
    assert_int_equal(turn(b, 10), 1);
    ebmd_sched_pause(b->sched, true);
    assert_true(ebmd_sched_paused(b->sched));
    run_bench_submit(b, 2, "{\"seed\":1,\"priority\":9}", "");
    for (int i = 0; i < 9; i++)
        assert_int_equal(turn(b, 10), 1);
    assert_int_equal(run_bench_state(b, 2), EBMD_JOB_QUEUED);
    ebmd_sched_pause(b->sched, false);
    assert_false(ebmd_sched_paused(b->sched));
    assert_int_equal(turn(b, 10), 2);
}

/* Four slots, five long jobs: a smaller one takes the place of the one with the most left. */
static void too_many_open_jobs(void **state)
{
    run_bench *b = *state;
    char body[96];

    for (int i = 1; i <= 4; i++) {
        snprintf(body, sizeof(body), "{\"steps_per_level\":%d,\"seed\":1}", 60 + 30 * i);
        run_bench_submit(b, i, body, "");
    }
    for (int i = 0; i < 40; i++)
        turn(b, 1);
    assert_int_equal(ebmd_sched_open(b->sched), 4);
    run_bench_submit(b, 5, "{\"steps_per_level\":10,\"seed\":1}", "");
    for (int i = 0; i < 8; i++)
        turn(b, 1);
    assert_int_equal(ebmd_sched_open(b->sched), 4);
    assert_int_equal(run_bench_state(b, 4), EBMD_JOB_QUEUED); /* with a checkpoint */
    assert_int_equal(run_bench_state(b, 5), EBMD_JOB_RUNNING);
    run_bench_finish_all(b, 40);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(run_bench_state(b, i), EBMD_JOB_SUCCEEDED);
}

/* No more is opened than there is memory for; a smaller one takes the place of a larger. */
static void too_much_memory(void **state)
{
    static run_bench tight;
    run_bench *b = &tight;

    (void)state;
    assert_true(run_bench_open(b, 4, 1)); /* one job is always open */
    for (int i = 1; i <= 3; i++)
        run_bench_submit(b, i, "{\"steps_per_level\":100,\"seed\":1}", "");
    for (int i = 0; i < 20; i++) {
        turn(b, 1);
        assert_int_equal(ebmd_sched_open(b->sched), 1);
    }
    run_bench_submit(b, 4, "{\"steps_per_level\":10,\"seed\":1}", "");
    for (int i = 0; i < 8; i++)
        turn(b, 1);
    assert_int_equal(run_bench_state(b, 4), EBMD_JOB_RUNNING);
    assert_int_equal(ebmd_sched_open(b->sched), 1);
    run_bench_finish_all(b, 40);
    for (int i = 1; i <= 4; i++)
        assert_int_equal(run_bench_state(b, i), EBMD_JOB_SUCCEEDED);
    run_bench_close(b);
}

/* C3: alone in one go, or among others in small pieces with releases in between. */
static void the_same_bytes(void **state)
{
    static const char body[] = "{\"n\":3,\"seed\":9,\"steps_per_level\":40}";
    run_bench *b = *state;
    char *alone, *mixed;

    run_bench_submit(b, 1, body, "");
    run_bench_finish_all(b, 1000000);
    alone = run_bench_results(b, 1);
    run_bench_submit(b, 2, body, "");
    for (int i = 3; i < 9; i++)
        run_bench_submit(b, i, "{\"n\":2,\"steps_per_level\":30}", i % 2 ? "x" : "y");
    run_bench_finish_all(b, 7);
    mixed = run_bench_results(b, 2);
    assert_string_equal(alone, mixed);
    ebm_free(alone);
    ebm_free(mixed);
}

static void canceled_and_late(void **state)
{
    run_bench *b = *state;
    ebmd_view v;

    run_bench_submit(b, 1, "{\"steps_per_level\":2000,\"seed\":1}", "");
    run_bench_submit(b, 2, "{\"steps_per_level\":2000,\"seed\":1,\"timeout_s\":0.001}", "");
    for (int i = 0; i < 6 && run_bench_state(b, 1) != EBMD_JOB_RUNNING; i++)
        turn(b, 10);
    assert_int_equal(b->store->ops->cancel(b->store, run_bench_id(1), NULL, &v, NULL), EBM_OK);
    ebmd_sched_cancel(b->sched, run_bench_id(1));
    run_bench_finish_all(b, 10); /* the next look ends it, whatever is left */
    assert_int_equal(run_bench_state(b, 1), EBMD_JOB_CANCELED);
    assert_true(run_bench_state(b, 2) == EBMD_JOB_EXPIRED ||
                run_bench_state(b, 2) == EBMD_JOB_CANCELED);
}

/* Where a job stands in the queue of fair shares. */
static double vtime_of(run_bench *b, int i)
{
    ebmd_view v;

    assert_int_equal(b->store->ops->get(b->store, run_bench_id(i), NULL, &v), EBM_OK);
    return v.row.vtime;
}

/* An owner pays for what was done of a job, and not for what was left. */
static void canceled_is_given_back(void **state)
{
    run_bench *b = *state;

    run_bench_submit(b, 1, "{\"steps_per_level\":2000,\"seed\":1}", "alice"); /* 4000 in all */
    for (int i = 0; i < 3; i++)
        turn(b, 10);
    ebmd_sched_cancel(b->sched, run_bench_id(1));
    run_bench_finish_all(b, 10);
    assert_int_equal(run_bench_state(b, 1), EBMD_JOB_CANCELED);
    run_bench_submit(b, 2, "{\"seed\":1}", "alice");
    assert_true(vtime_of(b, 2) == 30.0);
}

/* Images that were done before the end are there, up to the first that was not. */
static void canceled_with_images(void **state)
{
    run_bench *b = *state;
    char *document, digest[65];
    ebmd_slot slot;
    size_t size;
    ebmd_view v;

    run_bench_submit(b, 1, "{\"n\":3,\"seed\":1}", "");
    do {
        turn(b, 1000000);
    } while (ebmd_sched_list(b->sched, &slot, 1) == 0 || slot.progress.parts_done < 2);
    assert_int_equal(b->store->ops->cancel(b->store, run_bench_id(1), NULL, &v, NULL), EBM_OK);
    ebmd_sched_cancel(b->sched, run_bench_id(1));
    run_bench_finish_all(b, 1);
    assert_int_equal(run_bench_state(b, 1), EBMD_JOB_CANCELED);
    assert_int_equal(b->store->ops->blob(b->store, run_bench_id(1), EBMD_BLOB_DOCUMENT, 0,
                                         &document, &size, NULL),
                     EBM_OK);
    for (int32_t k = 0; k < 3; k++)
        assert_int_equal(ebma_job_image_digest(document, size, k, digest, NULL),
                         k < 2 ? EBM_OK : EBM_ERR_NOT_FOUND);
    ebm_free(document);
}

/* A worker that does not come back is noticed, and its job's lease is let go. */
static void a_worker_that_hangs(void **state)
{
    run_bench *b = *state;
    char id[EBMD_ID_SIZE] = "";
    ebmd_task task;

    run_bench_submit(b, 1, "{\"seed\":1}", "");
    do {
        assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
    } while (task.duty != EBMD_STEP);
    assert_false(ebmd_sched_hung(b->sched, ebmd_clock_ms() + 29e3, id));
    assert_true(ebmd_sched_hung(b->sched, ebmd_clock_ms() + 31e3, id));
    assert_string_equal(id, run_bench_id(1));
    run_bench_step(b, &task, 1);
    assert_false(ebmd_sched_hung(b->sched, ebmd_clock_ms() + 31e3, id));
    run_bench_finish_all(b, 1000000);
}

/* What is open is shown as it stands, and no more than there is room for. */
static void slots_shown(void **state)
{
    run_bench *b = *state;
    ebmd_slot slot[4];
    ebmd_task task;

    assert_int_equal(ebmd_sched_list(b->sched, slot, 4), 0);
    run_bench_submit(b, 1, "{\"n\":2,\"steps_per_level\":500,\"priority\":7}", "alice");
    assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
    assert_int_equal(task.duty, EBMD_STEP);
    assert_int_equal(ebmd_sched_list(b->sched, slot, 4), 1);
    assert_int_equal(slot[0].busy, 1);
    run_bench_step(b, &task, 10);
    assert_int_equal(ebmd_sched_list(b->sched, slot, 4), 1);
    assert_string_equal(slot[0].id, run_bench_id(1));
    assert_string_equal(slot[0].kind, "sample");
    assert_string_equal(slot[0].owner, "alice");
    assert_int_equal(slot[0].priority, 7);
    assert_int_equal(slot[0].parts, 2);
    assert_int_equal(slot[0].busy, 0);
    assert_int_equal(slot[0].progress.level, 1); /* of two, and the upper one is first */
    assert_int_equal(slot[0].progress.step, 10);
    assert_int_equal(slot[0].progress.steps, 500);
    assert_true(slot[0].progress.fraction == 10.0 / 2000.0);
    run_bench_submit(b, 2, "{\"steps_per_level\":5}", "");
    turn(b, 1);
    assert_int_equal(ebmd_sched_list(b->sched, slot, 1), 1);
    run_bench_finish_all(b, 1000);
    assert_int_equal(ebmd_sched_list(b->sched, slot, 4), 0);
}

/* One step of each of two chains that two workers have in hand at the same time. */
static double progress_of_two(run_bench *b)
{
    ebmd_task task[2];
    ebmd_slot slot;

    for (int i = 0; i < 2; i++)
        assert_true(ebmd_sched_next(b->sched, &b->seen, &task[i]));
    for (int i = 0; i < 2; i++)
        run_bench_step(b, &task[i], 1);
    assert_int_equal(ebmd_sched_list(b->sched, &slot, 1), 1);
    return slot.progress.logp;
}

static ebmd_progress progress_after(run_bench *b, int turns)
{
    ebmd_slot slot;

    for (int i = 0; i < turns; i++)
        turn(b, 1);
    assert_int_equal(ebmd_sched_list(b->sched, &slot, 1), 1);
    return slot.progress;
}

/* The energy shown is the mean over the chains on their way, which know nothing of each other. */
static void readings(void **state)
{
    static const char *const bodies[] = {"{\"seed\":4}", "{\"seed\":4,\"first_index\":1}"};
    run_bench *b = *state;
    ebmd_progress p;
    double sum = 0.0;

    for (int i = 0; i < 2; i++) {
        run_bench_submit(b, i + 1, bodies[i], "");
        p = progress_after(b, 1);
        assert_true(p.has_logp && !p.has_accept); /* Langevin tests no move */
        sum += p.logp;
        run_bench_finish_all(b, 100);
    }
    run_bench_submit(b, 3, "{\"seed\":4,\"n\":2}", "");
    assert_true(progress_of_two(b) == sum / 2.0);
}

/* A closed scheduler gives everything back. */
static void closing(void **state)
{
    run_bench *b = *state;
    ebmd_task task;

    for (int i = 1; i <= 3; i++)
        run_bench_submit(b, i, "{\"steps_per_level\":2000,\"seed\":1}", "");
    for (int i = 0; i < 9; i++)
        turn(b, 10);
    ebmd_sched_close(b->sched);
    while (ebmd_sched_next(b->sched, &b->seen, &task)) {
        assert_int_equal(task.duty, EBMD_RELEASE);
        run_bench_settle(b, &task);
    }
    for (int i = 1; i <= 3; i++)
        assert_int_equal(run_bench_state(b, i), EBMD_JOB_QUEUED);
}

/* The next duty of a job that somebody stops. */
static ebmd_task next_finish(run_bench *b)
{
    ebmd_task task;

    assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
    assert_int_equal(task.duty, EBMD_FINISH);
    return task;
}

/* An end that there is no room to write is kept to be tried again, but not beyond a stop. */
static void closing_without_room(void **state)
{
    run_bench *b = *state;
    ebmd_task task;

    run_bench_submit(b, 1, "{\"steps_per_level\":2000,\"seed\":1}", "");
    turn(b, 10);
    ebmd_sched_cancel(b->sched, run_bench_id(1));
    task = next_finish(b);
    ebmd_sched_settled(b->sched, &task, EBM_ERR_LIMIT);
    assert_int_equal(ebmd_sched_open(b->sched), 1);
    ebmd_sched_close(b->sched);
    task = next_finish(b); /* at once, not a second later */
    ebmd_sched_settled(b->sched, &task, EBM_ERR_LIMIT);
    assert_int_equal(ebmd_sched_open(b->sched), 0);
    assert_false(ebmd_sched_next(b->sched, &b->seen, &task));
    assert_int_equal(run_bench_state(b, 1), EBMD_JOB_RUNNING); /* for the next process to find */
}

/* A run whose model has been replaced could only begin again elsewhere: it is not pushed out, and
 * workers are told to tidy once it has gone. */
static void an_old_model_stays(void **state)
{
    run_bench *b = *state;
    ebmd_task task;

    run_bench_submit(b, 1, "{\"n\":64,\"steps_per_level\":2000}", "");
    assert_int_equal(turn(b, 1), 1);
    assert_int_equal(ebmd_catalog_load(b->catalog, "tiny", NULL), EBM_OK);
    ebmd_sched_models_changed(b->sched);
    assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
    assert_int_equal(task.duty, EBMD_TIDY);
    for (int i = 2; i < 12; i++) { /* each is smaller than all before, so that it is let in */
        char body[64];

        snprintf(body, sizeof(body), "{\"n\":%d,\"steps_per_level\":1000}", 40 - i);
        run_bench_submit(b, i, body, "");
        for (int k = 0; k < 20; k++)
            turn(b, 1);
        assert_int_equal(run_bench_state(b, 1), EBMD_JOB_RUNNING);
    }
    ebmd_sched_cancel(b->sched, run_bench_id(1));
    do {
        assert_true(ebmd_sched_next(b->sched, &b->seen, &task));
        if (task.duty == EBMD_STEP)
            run_bench_step(b, &task, 1);
        else if (task.duty != EBMD_TIDY)
            run_bench_settle(b, &task);
    } while (task.duty != EBMD_TIDY);
    assert_int_equal(run_bench_state(b, 1), EBMD_JOB_CANCELED);
}

/* What was small with the model it was asked of can be too large with the one in its place: the
 * kind refuses what is stored after it has counted its parts, and the job fails. So does one of a
 * kind that there is not. */
static void too_large_by_now(void **state)
{
    static const struct {
        const char *kind, *request;
    } cases[] = {
        {"mcmc", "{\"chains\":10,\"steps\":100000,\"seed\":1}"}, /* 80 MB of traces */
        {"sample", "no request"},
        {"dream", "{}"}, /* of another daemon */
    };
    run_bench *b = *state;

    for (int i = 0; i < 3; i++)
        run_bench_submit_stored(b, i + 1, cases[i].kind, cases[i].request);
    run_bench_finish_all(b, 10);
    for (int i = 0; i < 3; i++)
        assert_int_equal(run_bench_state(b, i + 1), EBMD_JOB_FAILED);
}

static ebmd_progress progress_of_first(run_bench *b)
{
    ebmd_slot slot;

    assert_int_equal(ebmd_sched_list(b->sched, &slot, 1), 1);
    return slot.progress;
}

/* A job whose stored work, 100, is that of a model with fewer levels: 900 evaluations are the
 * whole.
 */
static void more_levels_by_now(void **state)
{
    run_bench *b = *state;

    run_bench_submit_stored(b, 1, "sample", "{\"n\":3,\"steps_per_level\":150,\"seed\":1}");
    for (int i = 1; i < 9; i++) {
        turn(b, 100);
        assert_true(progress_of_first(b).fraction == i * 100.0 / 900.0);
    }
    run_bench_finish_all(b, 100);
    assert_true(run_bench_is_done(b, 1));
}

/* Chains that start at samples: no chain goes on before all have their start, so that a stop finds
 * either no step to lose or something to keep of every chain. */
static void stopped_with_chains(void **state)
{
    run_bench *b = *state;
    char *data;
    size_t size;
    ebmd_view v;

    run_bench_submit_stored(b, 1, "mcmc",
                            "{\"chains\":3,\"steps\":5,\"init\":\"samples\",\"seed\":1}");
    for (int i = 0; i < 3; i++) {
        turn(b, 1000000); /* as much as a chain has, and more */
        assert_int_equal(progress_of_first(b).parts_done, 0);
    }
    turn(b, 1000000);
    assert_int_equal(progress_of_first(b).parts_done, 1);
    assert_int_equal(b->store->ops->cancel(b->store, run_bench_id(1), NULL, &v, NULL), EBM_OK);
    ebmd_sched_cancel(b->sched, run_bench_id(1));
    run_bench_finish_all(b, 1);
    assert_int_equal(run_bench_state(b, 1), EBMD_JOB_CANCELED);
    for (int32_t k = 0; k < 3; k++) {
        assert_int_equal(
            b->store->ops->blob(b->store, run_bench_id(1), EBMD_BLOB_PART, k, &data, &size, NULL),
            EBM_OK);
        ebm_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(small_ones_overtake, setup, teardown),
        cmocka_unit_test_setup_teardown(long_ones_do_not_starve, setup, teardown),
        cmocka_unit_test_setup_teardown(owners_share, setup, teardown),
        cmocka_unit_test_setup_teardown(priority_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(paused, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_open_jobs, setup, teardown),
        cmocka_unit_test(too_much_memory),
        cmocka_unit_test_setup_teardown(canceled_is_given_back, setup, teardown),
        cmocka_unit_test_setup_teardown(canceled_with_images, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_hangs, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(canceled_and_late, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(readings, setup, teardown),
        cmocka_unit_test_setup_teardown(closing, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_model_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(too_large_by_now, setup, teardown),
        cmocka_unit_test_setup_teardown(more_levels_by_now, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_with_chains, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
