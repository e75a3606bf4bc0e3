/* Models that change while the daemon runs: jobs that run end on the weights they began with, new
 * ones see the new model, old weights are let go of, and what cannot be read changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "daemon_process.h"
#include "http_client.h"
#include "job_client.h"
#include "tiny_model.h"

#define LONG "{\"model\":\"a\",\"n\":2,\"seed\":3,\"steps_per_level\":1500}"

static daemon_process d;

static void write_model(const char *id, uint64_t seed)
{
    const tiny_model what = {.id = id, .levels = 3, .steps = 2, .seed = seed, .step_scale = 1.0};

    assert_true(tiny_model_write(d.models, &what));
}

static int setup(void **state)
{
    static const char *const more[] = {"--workers", "2", "--slots", "2", NULL};

    (void)state;
    if (!daemon_prepare(&d))
        return -1;
    write_model("a", 1);
    write_model("b", 2);
    return daemon_start(&d, more) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 20000);
}

/* --- asking ------------------------------------------------------------------------------- */

static json_t *sample(const char *body)
{
    return json_call(d.port, "POST", "/sample", body, 200);
}

static const char *text_of(const json_t *object, const char *first, const char *second)
{
    json_t *value = json_object_get(object, first);

    return json_string_value(second ? json_object_get(value, second) : value);
}

static json_t *change(const char *path, int status)
{
    return json_call(d.admin, "POST", path, NULL, status);
}

static void refuse_change(const char *path, int status, const char *code)
{
    json_t *answer = change(path, status);

    assert_string_equal(text_of(answer, "code", NULL), code);
    json_decref(answer);
}

/* Compares the images of two jobs. */
static bool same_images(const json_t *a, const json_t *b)
{
    json_t *x = json_object_get(a, "data"), *y = json_object_get(b, "data");

    assert_int_equal(json_array_size(x), json_array_size(y));
    for (size_t i = 0; i < json_array_size(x); i++) {
        if (strcmp(text_of(json_array_get(x, i), "sha256", NULL),
                   text_of(json_array_get(y, i), "sha256", NULL)) != 0)
            return false;
    }
    return true;
}

static bool same_model(const json_t *a, const json_t *b)
{
    return strcmp(text_of(a, "model", "sha256"), text_of(b, "model", "sha256")) == 0;
}

/* --- cases -------------------------------------------------------------------------------- */

/* 20 reloads during one job: it ends as if there had been none; the weights in between go. */
static void while_a_job_runs(void **state)
{
    json_t *before = sample(LONG), *job, *after, *now, *answer;
    char id[64];

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    job_wait(d.port, id, "running");
    for (uint64_t i = 0; i < 20; i++) {
        write_model("a", 100 + i);
        answer = change("/v1/models/a/load", 200);
        now = sample("{\"model\":\"a\",\"seed\":3}");
        assert_string_equal(text_of(answer, "sha256", NULL), text_of(now, "model", "sha256"));
        assert_false(same_model(now, before));
        json_decref(now);
        json_decref(answer);
    }
    job_wait(d.port, id, "succeeded");
    job = job_look(d.port, id);
    assert_true(same_model(job, before));
    assert_true(same_images(job, before));
    after = sample(LONG);
    assert_false(same_model(after, before));
    assert_false(same_images(after, before));
    daemon_metrics_wait(&d, "\nebm_models_retired 0\n");
    daemon_metrics_wait(&d, "\nebm_model_changes_total{result=\"loaded\"} 20\n");
    json_decref(after);
    json_decref(job);
    json_decref(before);
}

/* While a job holds it, the old model is counted. */
static void counted_while_held(void **state)
{
    char id[64];

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    job_wait(d.port, id, "running");
    assert_int_equal(http_status(d.admin, "POST", "/v1/models/a/load", "", NULL), 200);
    daemon_metrics_wait(&d, "\nebm_models_retired 1\n");
    assert_int_equal(job_cancel(d.port, id), 202);
    job_wait(d.port, id, "canceled");
    daemon_metrics_wait(&d, "\nebm_models_retired 0\n");
}

/* What a checkpoint of the old weights says is not told while the job runs; and it is no mistake of
 * ours. */
static void traces_of_old_weights(void **state)
{
    const char *const more[] = {"--store", d.store, NULL};
    char id[64], path[96];
    json_int_t rows = 0;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(daemon_start(&d, more));
    job_begin(d.port, "/mcmc",
              "{\"model\":\"a\",\"chains\":64,\"steps\":100000,\"thin\":100,\"seed\":1}", id);
    snprintf(path, sizeof(path), "/v1/chains/%s/traces", id);
    while (rows == 0) {
        json_t *page = json_call(d.port, "GET", path, NULL, 200);

        rows = json_integer_value(json_object_get(page, "rows"));
        json_decref(page);
    }
    write_model("a", 7);
    json_decref(change("/v1/models/a/load", 200));
    assert_true(job_is(d.port, id, "running"));
    json_decref(json_call(d.port, "GET", path, NULL, 409));
    assert_int_equal(http_status(d.admin, "POST", "/v1/models/a/unload", "", NULL), 204);
    json_decref(json_call(d.port, "GET", path, NULL, 409));
    assert_int_equal(job_cancel(d.port, id), 202);
    job_wait(d.port, id, "canceled");
    json_decref(json_call(d.port, "GET", path, NULL, 200));
}

static void bad_files(void **state)
{
    json_t *before = sample("{\"model\":\"a\",\"seed\":3}"), *after, *answer, *errors;
    char path[2 * TEMP_PATH_MAX];

    (void)state;
    snprintf(path, sizeof(path), "%s/a/model.safetensors", d.models);
    assert_int_equal(truncate(path, 2000), 0);
    answer = change("/v1/models/a/load", 422);
    assert_string_equal(text_of(answer, "code", NULL), "model_refused");
    errors = json_object_get(answer, "errors");
    assert_memory_equal(text_of(json_array_get(errors, 0), "detail", NULL), "a/", 2);
    json_decref(answer);
    assert_true(daemon_logged(&d, "models_kept"));
    after = sample("{\"model\":\"a\",\"seed\":3}");
    assert_true(same_model(before, after) && same_images(before, after));
    daemon_metrics_wait(&d, "\nebm_model_changes_total{result=\"refused\"} 1\n");
    json_decref(before);
    json_decref(after);
}

/* Files that have gone from under a model that is served: it is known, and served on. */
static void lost_files(void **state)
{
    static const char *const lost[] = {"a/model.json", "a"};
    char from[TEMP_PATH_MAX], to[TEMP_PATH_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        assert_true(temp_dir_join(d.models, lost[i], from));
        snprintf(to, sizeof(to), "%.200s/lost-%zu", d.dir, i);
        assert_int_equal(rename(from, to), 0);
        refuse_change("/v1/models/a/load", 422, "model_refused");
        json_decref(sample("{\"model\":\"a\"}"));
    }
    daemon_metrics_wait(&d, "\nebm_model_changes_total{result=\"refused\"} 2\n");
    assert_int_equal(http_status(d.admin, "POST", "/v1/models/a/unload", "", NULL), 204);
    refuse_change("/v1/models/a/load", 404, "model_not_found");
}

/* What runs ends; what waits fails with a code; what comes is refused. */
static void unloading(void **state)
{
    char running[64], too[64], waiting[64];
    json_t *job;

    (void)state;
    job_begin(d.port, "/sample", LONG, running);
    job_begin(d.port, "/sample", LONG, too);
    job_wait(d.port, running, "running");
    job_wait(d.port, too, "running");
    job_begin(d.port, "/sample", LONG,
              waiting); /* both places are taken, and it is as long as they are */
    assert_int_equal(http_status(d.admin, "POST", "/v1/models/a/unload", "", NULL), 204);
    assert_int_equal(http_post_status(d.port, "/sample", "{\"model\":\"a\"}"), 404);
    job_wait(d.port, waiting, "failed");
    job = job_look(d.port, waiting);
    assert_string_equal(text_of(job, "error", "code"), "model_not_found");
    json_decref(job);
    job_wait(d.port, running, "succeeded");
    job_wait(d.port, too, "succeeded");
    refuse_change("/v1/models/b/unload", 409, "last_model");
    assert_int_equal(http_status(d.admin, "POST", "/v1/models/a/load", "", NULL), 200);
    json_decref(sample("{\"model\":\"a\"}"));
}

static void refusals(void **state)
{
    (void)state;
    refuse_change("/v1/models/none/load", 404, "model_not_found");
    refuse_change("/v1/models/none/unload", 404, "model_not_found");
    refuse_change("/v1/models/A/load", 404, "model_not_found");
    assert_int_equal(
        http_status(d.admin, "POST", "/v1/models/a/load", "Origin: http://localhost\r\n", NULL),
        403);
    assert_int_equal(http_status(d.admin, "GET", "/v1/models/a/load", "", NULL), 405);
    assert_int_equal(http_status(d.admin, "POST", "/v1/models/a/load", "", "{}"), 400);
    assert_int_equal(http_status(d.port, "POST", "/v1/models/a/load", "", NULL), 404);
    json_decref(sample("{\"model\":\"a\"}"));
}

static void hang_up_signal(void **state)
{
    json_t *before = sample("{\"model\":\"a\",\"seed\":3}"), *after;

    (void)state;
    write_model("a", 9);
    write_model("c", 3);
    kill(d.pid, SIGHUP);
    daemon_metrics_wait(
        &d, "\nebm_model_changes_total{result=\"loaded\"} 2\n"); /* b was not read again */
    after = sample("{\"model\":\"a\",\"seed\":3}");
    assert_false(same_model(before, after));
    json_decref(sample("{\"model\":\"c\"}"));
    json_decref(before);
    json_decref(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(while_a_job_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(counted_while_held, setup, teardown),
        cmocka_unit_test_setup_teardown(traces_of_old_weights, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_files, setup, teardown),
        cmocka_unit_test_setup_teardown(unloading, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(hang_up_signal, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
