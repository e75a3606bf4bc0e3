/* Jobs and their records: accepted, finished, found unfinished by the next start, and a store
 * that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/memory.h"
#include "journal.h"
#include "tiny_model.h"

static const ebmd_store_limits limits = {.rows = 100, .bytes = 1u << 20};
static ebmd_state phase;

static ebm_status broken_accept(ebmd_store *s, const char *id, const char *body, size_t size,
                                int64_t created_ms, ebm_error *err)
{
    (void)s;
    (void)body;
    (void)size;
    (void)created_ms;
    return ebm_error_set(err, EBM_ERR_IO, id, "disk is gone");
}

static void count_call(void *arg)
{
    (*(int *)arg)++;
}

typedef struct bench {
    ebm_model *model;
    ebmd_app app;
    ebmd_job *job;
    int calls;
} bench;

static void setup(bench *b)
{
    static const tiny_model what = {
        .id = "tiny", .levels = 2, .steps = 3, .seed = 1, .step_scale = 1.0};
    ebma_sample_request request = {.n = 1, .seed = 5, .format = EBMA_FORMAT_NONE};

    memset(b, 0, sizeof(*b));
    b->model = tiny_model_create(&what);
    assert_non_null(b->model);
    phase.wake_fd = -1;
    atomic_store(&phase.phase, EBMD_READY);
    b->app = (ebmd_app){.state = &phase, .build = "t", .workers = 1};
    b->app.queue = ebmd_queue_create(4);
    assert_int_equal(ebmd_store_open("memory", &limits, &b->app.store, NULL), EBM_OK);
    assert_int_equal(ebmd_job_create(b->model, 0, &request, &b->job, NULL), EBM_OK);
    b->job->on_done = count_call;
    b->job->on_done_arg = &b->calls;
    assert_int_equal(ebmd_queue_push(b->app.queue, b->job), EBMD_PUSH_OK);
}

static void teardown(bench *b)
{
    ebmd_job_unref(b->job);
    ebmd_queue_free(b->app.queue);
    b->app.store->ops->close(b->app.store);
    ebm_model_unref(b->model);
}

static void take_task(bench *b)
{
    ebmd_task task;

    assert_true(ebmd_queue_pop(b->app.queue, &task));
    ebmd_job_unref(task.job);
}

static void expect_stored(bench *b, const char *text, bool done)
{
    char *body;
    size_t size;
    bool finished;

    assert_int_equal(
        b->app.store->ops->get(b->app.store, b->job->id, &body, &size, &finished, NULL), EBM_OK);
    assert_int_equal(finished, done);
    if (!strstr(body, text))
        fail_msg("%s is not in %s", text, body);
    ebm_free(body);
}

static void a_job_ends_well(void **state)
{
    bench b;

    (void)state;
    setup(&b);
    take_task(&b);
    assert_int_equal(ebmd_journal_accept(&b.app, b.job, NULL), EBM_OK);
    expect_stored(&b, "\"status\":\"queued\"", false);
    ebmd_job_put(b.job, 0, ebm_alloc(3, 1), 3, -2.5, 0.1);
    assert_true(ebmd_job_count(b.job, EBMA_OK));
    assert_int_equal(b.calls, 0); /* nobody hears of it before it is stored */
    ebmd_journal_finish(&b.app, b.job, true);
    assert_int_equal(b.calls, 1);
    expect_stored(&b, "\"energy\":2.5", true);
    assert_int_equal(b.job->status, EBMA_JOB_SUCCEEDED);
    assert_int_equal(ebmd_queue_live(b.app.queue), 0);
    teardown(&b);
}

static void endings(void **state)
{
    static const struct {
        ebma_problem_code problem;
        ebmd_phase phase;
        const char *status, *code;
    } rows[] = {{EBMA_DIVERGED, EBMD_READY, "failed", "diverged"},
                {EBMA_CANCELED, EBMD_READY, "canceled", "canceled"},
                {EBMA_CANCELED, EBMD_DRAINING, "failed", "interrupted"}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        bench b;

        setup(&b);
        take_task(&b);
        assert_int_equal(ebmd_journal_accept(&b.app, b.job, NULL), EBM_OK);
        ebmd_state_set(&phase, rows[i].phase);
        assert_true(ebmd_job_count(b.job, rows[i].problem));
        ebmd_journal_finish(&b.app, b.job, true);
        snprintf(text, sizeof(text), "\"status\":\"%s\"", rows[i].status);
        expect_stored(&b, text, true);
        snprintf(text, sizeof(text), "\"code\":\"%s\"", rows[i].code);
        expect_stored(&b, text, true);
        teardown(&b);
    }
}

static void unfinished_jobs_are_interrupted(void **state)
{
    size_t count = 9;
    bench b;

    (void)state;
    setup(&b);
    take_task(&b);
    assert_int_equal(ebmd_journal_recover(b.app.store, &count, NULL), EBM_OK);
    assert_int_equal(count, 0);
    assert_int_equal(ebmd_journal_accept(&b.app, b.job, NULL), EBM_OK);
    assert_int_equal(ebmd_journal_recover(b.app.store, &count, NULL), EBM_OK);
    assert_int_equal(count, 1);
    expect_stored(&b, "\"code\":\"interrupted\"", true);
    ebmd_queue_done(b.app.queue, b.job);
    teardown(&b);
}

/* The first failure of the store ends the taking of work (C9). */
static void a_failing_store(void **state)
{
    ebmd_store_ops ops;
    ebm_error err = {0};
    bench b;

    (void)state;
    setup(&b);
    take_task(&b);
    ops = *b.app.store->ops;
    ops.accept = broken_accept;
    b.app.store->ops = &ops;
    assert_int_equal(ebmd_journal_accept(&b.app, b.job, &err), EBM_ERR_IO);
    assert_int_equal(ebmd_state_get(&phase), EBMD_BROKEN);
    ebmd_state_set(&phase, EBMD_READY);
    assert_int_equal(ebmd_state_get(&phase), EBMD_BROKEN); /* for good */
    assert_true(ebmd_job_count(b.job, EBMA_STORE_UNAVAILABLE));
    ebmd_journal_finish(&b.app, b.job, false);
    assert_int_equal(b.calls, 1);
    assert_int_equal(b.job->status, EBMA_JOB_FAILED);
    teardown(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_ends_well),
        cmocka_unit_test(endings),
        cmocka_unit_test(unfinished_jobs_are_interrupted),
        cmocka_unit_test(a_failing_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
