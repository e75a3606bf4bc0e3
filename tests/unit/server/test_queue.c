/* The queue: bounds, turns, closing, the completion of a job by its last image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "queue.h"
#include "tiny_model.h"

static ebm_model *model;

static int make_model(void **state)
{
    static const tiny_model what = {
        .id = "tiny", .levels = 2, .steps = 3, .seed = 1, .step_scale = 1.0};

    (void)state;
    model = tiny_model_create(&what);
    return model ? 0 : -1;
}

static int drop_model(void **state)
{
    (void)state;
    ebm_model_unref(model);
    return 0;
}

static ebmd_job *make_job(int32_t n)
{
    ebma_sample_request request = {.n = n, .seed = 1};
    ebmd_job *job = NULL;

    assert_int_equal(ebmd_job_create(model, 0, &request, &job, NULL), EBM_OK);
    return job;
}

static void finish(ebmd_queue *q, ebmd_job *job)
{
    ebmd_queue_done(q, job);
}

static void bounds(void **state)
{
    ebmd_queue *q = ebmd_queue_create(2);
    ebmd_job *a = make_job(1), *b = make_job(1), *c = make_job(1);
    ebmd_task task;

    (void)state;
    assert_int_equal(ebmd_queue_push(q, a), EBMD_PUSH_OK);
    assert_false(ebmd_queue_is_full(q));
    assert_int_equal(ebmd_queue_push(q, b), EBMD_PUSH_OK);
    assert_true(ebmd_queue_is_full(q));
    assert_int_equal(ebmd_queue_push(q, c), EBMD_PUSH_FULL);
    assert_int_equal(ebmd_queue_live(q), 2);
    assert_true(ebmd_queue_pop(q, &task)); /* a is at work: its place is free */
    assert_ptr_equal(task.job, a);
    assert_int_equal(ebmd_queue_push(q, c), EBMD_PUSH_OK);
    ebmd_job_unref(task.job);
    ebmd_queue_close(q);
    assert_int_equal(ebmd_queue_push(q, a), EBMD_PUSH_CLOSED);
    for (int i = 0; i < 2; i++) {
        assert_true(ebmd_queue_pop(q, &task)); /* what was in still comes out */
        ebmd_job_unref(task.job);
    }
    assert_false(ebmd_queue_pop(q, &task));
    finish(q, a);
    finish(q, b);
    finish(q, c);
    assert_int_equal(ebmd_queue_live(q), 0);
    ebmd_job_unref(a);
    ebmd_job_unref(b);
    ebmd_job_unref(c);
    ebmd_queue_free(q);
}

/* A large request and a small one take turns. */
static void turns(void **state)
{
    static const struct {
        int job, k;
    } order[] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 2}};
    ebmd_queue *q = ebmd_queue_create(8);
    ebmd_job *job[2] = {make_job(3), make_job(2)};
    ebmd_task task;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(ebmd_queue_push(q, job[i]), EBMD_PUSH_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_true(ebmd_queue_pop(q, &task));
        assert_ptr_equal(task.job, job[order[i].job]);
        assert_int_equal(task.k, order[i].k);
        ebmd_job_unref(task.job);
    }
    for (int i = 0; i < 2; i++) {
        finish(q, job[i]);
        ebmd_job_unref(job[i]);
    }
    ebmd_queue_free(q);
}

static void the_last_image_completes(void **state)
{
    ebmd_job *job = make_job(3);

    (void)state;
    assert_false(ebmd_job_count(job, EBMA_OK));
    assert_false(ebmd_job_count(job, EBMA_DIVERGED));
    assert_true(atomic_load(&job->cancel)); /* the others may stop */
    assert_true(ebmd_job_count(job, EBMA_CANCELED));
    assert_int_equal(ebmd_job_error(job), EBMA_DIVERGED); /* the first one wins */
    ebmd_job_unref(job);
}

static void cancel_and_find(void **state)
{
    ebmd_queue *q = ebmd_queue_create(8);
    ebmd_job *a = make_job(1), *b = make_job(1);
    int64_t started = -1;
    ebmd_task task;

    (void)state;
    assert_false(ebmd_queue_find(q, a->id, &started));
    assert_int_equal(ebmd_queue_push(q, a), EBMD_PUSH_OK);
    assert_int_equal(ebmd_queue_push(q, b), EBMD_PUSH_OK);
    assert_true(ebmd_queue_find(q, b->id, &started));
    assert_true(started == 0);
    assert_true(ebmd_queue_pop(q, &task));
    ebmd_job_unref(task.job);
    assert_true(ebmd_queue_find(q, a->id, &started));
    assert_true(started > 0);
    ebmd_queue_cancel_all(q);
    assert_true(atomic_load(&a->cancel) && atomic_load(&b->cancel));
    assert_true(ebmd_queue_pop(q, &task));
    ebmd_job_unref(task.job);
    finish(q, b);
    finish(q, a);
    ebmd_job_unref(a);
    ebmd_job_unref(b);
    ebmd_queue_free(q);
}

static void retry_after(void **state)
{
    ebmd_queue *q = ebmd_queue_create(8);
    ebmd_job *job = make_job(10); /* 10 images of 2 levels of 3 steps */

    (void)state;
    assert_int_equal(ebmd_queue_retry_after(q, 1), 1); /* nothing known, nothing waiting */
    ebmd_queue_note(q, 6, 6000.0);                     /* one second a step */
    assert_int_equal(ebmd_queue_push(q, job), EBMD_PUSH_OK);
    assert_int_equal(ebmd_queue_retry_after(q, 1), 60);
    assert_int_equal(ebmd_queue_retry_after(q, 2), 30);
    assert_int_equal(ebmd_queue_retry_after(q, 64), 1);
    ebmd_queue_note(q, 1000000, 1.0); /* the average moves, it does not jump */
    assert_int_equal(ebmd_queue_retry_after(q, 2), 24);
    finish(q, job);
    ebmd_job_unref(job);
    ebmd_queue_free(q);
}

typedef struct pull {
    ebmd_queue *q;
    int got;
} pull;

static void *pull_all(void *arg)
{
    pull *p = arg;
    ebmd_task task;

    while (ebmd_queue_pop(p->q, &task)) {
        p->got++;
        if (ebmd_job_count(task.job, EBMA_OK))
            ebmd_queue_done(p->q, task.job);
        ebmd_job_unref(task.job);
    }
    return NULL;
}

/* Four workers, many jobs: every image is handed out exactly once. */
static void many_workers(void **state)
{
    ebmd_queue *q = ebmd_queue_create(1000);
    pthread_t threads[4];
    pull pulls[4];
    int total = 0, pushed = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        pulls[i] = (pull){q, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, pull_all, &pulls[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        ebmd_job *job = make_job(1 + i % 7);

        pushed += job->request.n;
        assert_int_equal(ebmd_queue_push(q, job), EBMD_PUSH_OK);
        ebmd_job_unref(job);
    }
    ebmd_queue_close(q);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        total += pulls[i].got;
    }
    assert_int_equal(total, pushed);
    assert_int_equal(ebmd_queue_live(q), 0);
    ebmd_queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds),
        cmocka_unit_test(turns),
        cmocka_unit_test(the_last_image_completes),
        cmocka_unit_test(cancel_and_find),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(many_workers),
    };

    return cmocka_run_group_tests(tests, make_model, drop_model);
}
