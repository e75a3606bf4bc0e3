/* The contract of /sample over the wire: members, headers, formats, and above all that an image
 * depends on (seed, index) alone: not on its neighbours, the workers, or the load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <pthread.h>

#include "daemon_models.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "http_client.h"
#include "real_time.h"
#include "json_client.h"

#define IMAGES 8

static daemon_process d;

static int start(const char *workers)
{
    static const tiny_model models[] = {
        {.id = "a-tiny", .levels = 3, .steps = 5, .seed = 1, .step_scale = 1.0},
        {.id = "b-wild", .levels = 2, .steps = 300, .seed = 2, .step_scale = 1e6},
        {.id = "c-slow", .levels = 2, .steps = 1000, .seed = 3, .step_scale = 1.0}};
    const char *const more[] = {"--workers", workers, "--cors-origins", "https://app.example",
                                NULL};

    return daemon_prepare_models(&d, models, 3) && daemon_start(&d, more) ? 0 : -1;
}

static int setup_one(void **state)
{
    (void)state;
    return start("1");
}

static int setup_two(void **state)
{
    (void)state;
    return start("2");
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 10000);
}

static json_t *post(const char *body, int status)
{
    return json_call(d.port, "POST", "/sample", body, status);
}

static const char *text_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

static void the_job_object(void **state)
{
    json_t *root = post("{\"n\":2,\"seed\":7,\"first_index\":5}", 200);
    json_t *data = json_object_get(root, "data");
    json_t *usage = json_object_get(root, "usage");

    (void)state;
    assert_string_equal(text_at(root, "object"), "job");
    assert_string_equal(text_at(root, "status"), "succeeded");
    assert_string_equal(text_at(json_object_get(root, "model"), "id"), "a-tiny");
    assert_int_equal(json_integer_value(json_object_get(root, "seed")), 7);
    assert_int_equal(json_array_size(data), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(data, 1), "index")), 6);
    assert_int_equal(strlen(text_at(json_array_get(data, 0), "sha256")), 64);
    assert_int_equal(json_integer_value(json_object_get(usage, "grad_evals")), 2 * 3 * 5);
    assert_string_equal(text_at(json_object_get(root, "reproducibility"), "rng"), "philox4x32-10");
    json_decref(root);
}

static void the_headers(void **state)
{
    char value[256];
    http_reply r;

    (void)state;
    assert_true(http_call(d.port, "POST", "/v1/sample",
                          "Content-Type: application/json; charset=utf-8\r\n"
                          "X-Request-Id: my.id-1\r\nOrigin: https://app.example\r\n",
                          "{}", &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(http_header(&r, "X-Request-Id", value, sizeof(value)), "my.id-1");
    assert_string_equal(http_header(&r, "Cache-Control", value, sizeof(value)), "no-store");
    assert_string_equal(http_header(&r, "X-Content-Type-Options", value, sizeof(value)), "nosniff");
    assert_non_null(http_header(&r, "Server-Timing", value, sizeof(value)));
    assert_non_null(strstr(value, "compute;dur="));
    assert_string_equal(http_header(&r, "Access-Control-Allow-Origin", value, sizeof(value)),
                        "https://app.example");
    assert_non_null(http_header(&r, "X-Job-Id", value, sizeof(value)));
    assert_non_null(strstr(r.body, value));
    http_reply_clear(&r);
    assert_true(http_call(d.port, "GET", "/healthz", "X-Request-Id: a b\r\n", NULL, &r));
    assert_int_equal(strlen(http_header(&r, "X-Request-Id", value, sizeof(value))), 26);
    http_reply_clear(&r);
}

/* W3C Trace Context: a line of the log can be found by the caller's trace. */
static void traces(void **state)
{
    static const char *const none[] = {
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",      /* no flags */
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",   /* no trace */
        "01-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b7-01",   /* another version */
        "00-4BF92F3577B34DA6A3CE929D0E0E4738-00f067aa0ba902b7-01",   /* capitals */
        "00-4bf92f3577b34da6a3ce929d0e0e4739-00f067aa0ba902b7-01-x", /* more */
        "00-4bf92f3577b34da6a3ce929d0e0e473\"-00f067aa0ba902b7-01"};
    char header[160];

    (void)state;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        snprintf(header, sizeof(header), "traceparent: %s\r\n", none[i]);
        assert_int_equal(http_status(d.port, "GET", "/healthz", header, NULL), 200);
    }
    assert_int_equal(
        http_status(d.port, "GET", "/healthz",
                    "Traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4735-00f067aa0ba902b7-01\r\n",
                    NULL),
        200);
    while (!daemon_logged(&d, "\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4735\""))
        real_sleep_ms(1);
    assert_false(daemon_logged(&d, "\"trace\":\"0"));
    assert_false(daemon_logged(&d, "0e0e4736") || daemon_logged(&d, "0e0e4737") ||
                 daemon_logged(&d, "0e0e4738") || daemon_logged(&d, "0e0e4739"));
}

static void png_replies(void **state)
{
    static const char png[] = "Content-Type: application/json\r\nAccept: image/png\r\n";
    json_t *root = post("{\"seed\":3}", 200);
    char value[64];
    http_reply r;

    (void)state;
    assert_true(http_call(d.port, "POST", "/sample", png, "{\"seed\":3}", &r));
    assert_int_equal(r.status, 200);
    assert_memory_equal(r.body, "\x89PNG\r\n\x1a\n", 8);
    assert_string_equal(http_header(&r, "Content-Type", value, sizeof(value)), "image/png");
    assert_string_equal(http_header(&r, "X-Seed", value, sizeof(value)), "3");
    assert_true(strtod(http_header(&r, "X-Energy", value, sizeof(value)), NULL) ==
                json_number_value(
                    json_object_get(json_array_get(json_object_get(root, "data"), 0), "energy")));
    json_decref(root);
    http_reply_clear(&r);
    assert_int_equal(http_status(d.port, "POST", "/sample", png, "{\"n\":2}"), 406);
    assert_int_equal(http_status(d.port, "POST", "/sample",
                                 "Content-Type: application/json\r\nAccept: application/xml\r\n",
                                 "{}"),
                     406);
}

/* --- same seed, same bytes ---------------------------------------------------------------- */

typedef struct batch {
    char sha[IMAGES][65];
    char b64[IMAGES][2048];
} batch;

static void take(const json_t *image, batch *out, int k)
{
    snprintf(out->sha[k], sizeof(out->sha[k]), "%s", text_at(image, "sha256"));
    snprintf(out->b64[k], sizeof(out->b64[k]), "%s", text_at(image, "b64_json"));
}

static void make_batch(int seed, batch *out)
{
    char body[96];
    json_t *root;

    memset(out, 0, sizeof(*out));
    snprintf(body, sizeof(body), "{\"n\":%d,\"seed\":%d}", IMAGES, seed);
    root = post(body, 200);
    for (int k = 0; k < IMAGES; k++)
        take(json_array_get(json_object_get(root, "data"), (size_t)k), out, k);
    json_decref(root);
}

static void make_singly(int seed, batch *out)
{
    memset(out, 0, sizeof(*out));
    for (int k = 0; k < IMAGES; k++) {
        char body[96];
        json_t *root;

        snprintf(body, sizeof(body), "{\"seed\":%d,\"first_index\":%d}", seed, k);
        root = post(body, 200);
        take(json_array_get(json_object_get(root, "data"), 0), out, k);
        json_decref(root);
    }
}

static void a_batch_is_its_items(void **state)
{
    static batch together, singly;

    (void)state;
    make_batch(11, &together);
    make_singly(11, &singly);
    assert_memory_equal(&together, &singly, sizeof(batch));
    assert_string_not_equal(together.sha[0], together.sha[1]);
    make_batch(12, &singly);
    assert_string_not_equal(together.sha[0], singly.sha[0]);
}

static batch reference;

/* The bits of one worker are the bits of two. Runs after the setup with one worker kept them. */
static void keep_reference(void **state)
{
    (void)state;
    make_batch(21, &reference);
}

static void two_workers_give_the_same(void **state)
{
    static batch now;

    (void)state;
    make_batch(21, &now);
    assert_memory_equal(&now, &reference, sizeof(batch));
}

/* `ebm sample` without a daemon writes the files that the daemon sends: same SHA-256 of the PNG. */
static void the_command_gives_the_same(void **state)
{
    char out[TEMP_PATH_MAX], command[3 * TEMP_PATH_MAX];

    (void)state;
    assert_true(temp_dir_join(d.dir, "out", out));
    snprintf(command, sizeof(command),
             "'" EBM_BINARY
             "' sample --models %s --model a-tiny --n %d --seed 21 --out %s --threads 2"
             " >/dev/null",
             d.models, IMAGES, out);
    assert_int_equal(system(command), 0);
    for (int k = 0; k < IMAGES; k++) {
        unsigned char *png;
        size_t size;
        char name[16], sha[65];

        snprintf(name, sizeof(name), "%06d.png", k);
        assert_int_equal(ebm_file_read(out, name, 1u << 20, &png, &size, NULL), EBM_OK);
        ebm_sha256_hex(png, size, sha);
        assert_string_equal(sha, reference.sha[k]);
        ebm_free(png);
    }
}

static void *load(void *arg)
{
    int *bad = arg;

    for (int i = 0; i < 15; i++) {
        http_reply r;

        if (!http_post(d.port, "/sample", "{\"n\":3,\"response_format\":\"none\"}", &r) ||
            r.status != 200)
            (*bad)++;
        http_reply_clear(&r);
    }
    return NULL;
}

static void load_changes_nothing(void **state)
{
    static batch now;
    pthread_t threads[6];
    int bad[6] = {0};

    (void)state;
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load, &bad[i]), 0);
    for (int i = 0; i < 5; i++) {
        make_batch(21, &now);
        assert_memory_equal(&now, &reference, sizeof(batch));
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(bad[i], 0);
    }
}

static void posting_params_back(void **state)
{
    json_t *first = post("{\"noise_scale\":0.3,\"steps_per_level\":4}", 200);
    char *again = json_dumps(json_object_get(first, "params"), JSON_COMPACT);
    json_t *second = post(again, 200);

    (void)state;
    assert_true(json_equal(json_object_get(first, "data"), json_object_get(second, "data")));
    assert_true(json_equal(json_object_get(first, "params"), json_object_get(second, "params")));
    free(again);
    json_decref(first);
    json_decref(second);
}

/* --- what goes wrong ---------------------------------------------------------------------- */

static void an_unknown_model(void **state)
{
    json_t *root = post("{\"model\":\"nope\"}", 404);

    (void)state;
    assert_string_equal(text_at(root, "code"), "model_not_found");
    json_decref(root);
}

/* A chain that leaves the finite numbers fails alone; the next request is unharmed. */
static void a_diverging_chain(void **state)
{
    json_t *root = post("{\"model\":\"b-wild\",\"n\":4,\"seed\":1}", 500);
    static batch now;

    (void)state;
    assert_string_equal(text_at(root, "code"), "diverged");
    json_decref(root);
    make_batch(21, &now);
    assert_memory_equal(&now, &reference, sizeof(batch));
}

static void stored_jobs(void **state)
{
    char path[96], id[64];
    http_reply made, r;

    (void)state;
    assert_true(http_post(d.port, "/sample", "{}", &made));
    assert_non_null(http_header(&made, "X-Job-Id", id, sizeof(id)));
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_true(http_call(d.port, "GET", path, "", NULL, &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, made.body);
    http_reply_clear(&r);
    assert_int_equal(http_status(d.port, "HEAD", path, "", NULL), 200);
    http_reply_clear(&made);
}

static void jobs_that_are_not_there(void **state)
{
    static const char *const paths[] = {"/v1/jobs/x", "/v1/jobs/job_00000000000000000000000000",
                                        "/v1/jobs/'%20OR%201=1", "/v1/jobs/%F0%9F%98%80"};
    http_reply r;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_true(http_call(d.port, "GET", paths[i], "", NULL, &r));
        assert_int_equal(r.status, 404);
        assert_non_null(strstr(r.body, "\"job_not_found\""));
        http_reply_clear(&r);
    }
}

static void models_and_health(void **state)
{
    static const struct {
        bool admin;
        const char *path;
        int status;
        const char *text;
    } rows[] = {{false, "/v1/models", 200, "\"c-slow\""},
                {false, "/v1/models/b-wild", 200, "\"default\":false"},
                {false, "/v1/models/a-tiny", 200, "\"default\":true"},
                {false, "/v1/models/nope", 404, "model_not_found"},
                {false, "/healthz", 200, "ok"},
                {false, "/readyz", 200, "\"durability\":\"none\""},
                {false, "/version", 200, "\"kernel_class\""},
                {false, "/startupz", 404, "not_found"},
                {true, "/startupz", 200, "started"},
                {true, "/healthz", 200, "ok"},
                {true, "/readyz", 200, "ready"},
                {true, "/v1/models", 404, "not_found"}};
    http_reply r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(http_call(rows[i].admin ? d.admin : d.port, "GET", rows[i].path, "", NULL, &r));
        assert_int_equal(r.status, rows[i].status);
        assert_non_null(strstr(r.body, rows[i].text));
        http_reply_clear(&r);
    }
}

static void preflights(void **state)
{
    static const struct {
        const char *headers;
        bool allowed;
    } rows[] = {{"Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n", true},
                {"Origin: https://evil\r\n", false},
                {"Origin: null\r\n", false},
                {"Origin: https://app.example.evil\r\n", false},
                {"", false}};
    char value[128];
    http_reply r;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(http_call(d.port, "OPTIONS", "/sample", rows[i].headers, NULL, &r));
        assert_int_equal(r.status, 204);
        assert_int_equal(http_header(&r, "Access-Control-Allow-Origin", value, sizeof(value)) !=
                             NULL,
                         rows[i].allowed);
        if (rows[i].allowed)
            assert_string_equal(http_header(&r, "Access-Control-Max-Age", value, sizeof(value)),
                                "600");
        assert_string_equal(http_header(&r, "Allow", value, sizeof(value)), "POST, OPTIONS");
        http_reply_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest one[] = {cmocka_unit_test(keep_reference),
                                     cmocka_unit_test(a_batch_is_its_items)};
    const struct CMUnitTest two[] = {
        cmocka_unit_test(the_job_object),
        cmocka_unit_test(the_headers),
        cmocka_unit_test(traces),
        cmocka_unit_test(png_replies),
        cmocka_unit_test(a_batch_is_its_items),
        cmocka_unit_test(two_workers_give_the_same),
        cmocka_unit_test(the_command_gives_the_same),
        cmocka_unit_test(load_changes_nothing),
        cmocka_unit_test(posting_params_back),
        cmocka_unit_test(an_unknown_model),
        cmocka_unit_test(a_diverging_chain),
        cmocka_unit_test(stored_jobs),
        cmocka_unit_test(jobs_that_are_not_there),
        cmocka_unit_test(models_and_health),
        cmocka_unit_test(preflights),
    };

    return cmocka_run_group_tests(one, setup_one, teardown) +
           cmocka_run_group_tests(two, setup_two, teardown);
}
