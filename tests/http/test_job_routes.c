/* Jobs as their owners see them: lists with filters and pages, waiting for an end, forgetting; and
 * that nobody sees what is somebody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "daemon_models.h"
#include "http_client.h"
#include "real_time.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define TAIL                                                                                       \
    " - - 000102030405060708090a0b0c0d0e0f "                                                       \
    "355cdbe611519477dfe934e5707a13b91de04201300dc1c9507369164fa60839\n"
#define KEY(id) "Authorization: Bearer " id "." SECRET "\r\n"
#define LONG    "{\"model\":\"slow\",\"steps_per_level\":2000,\"n\":64}"

static daemon_process d;

static int setup(void **state)
{
    static const char text[] = "alice sample,jobs" TAIL "bob sample,jobs" TAIL "root admin" TAIL;
    static char keys[TEMP_PATH_MAX];
    const char *const more[] = {"--api-keys", keys, "--workers", "1", "--sync-limit", "1", NULL};

    (void)state;
    if (!daemon_prepare_slow(&d) || !temp_dir_join(d.dir, "keys", keys) ||
        !temp_dir_write(d.dir, "keys", text, sizeof(text) - 1) || chmod(keys, 0600) != 0)
        return -1;
    return daemon_start(&d, more) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

/* Sends a body to be done later, or with other headers. */
static void send_job(const char *headers, const char *body, char id[64])
{
    char all[512];
    http_reply r;

    snprintf(all, sizeof(all), "Content-Type: application/json\r\n%s", headers);
    assert_true(http_call(d.port, "POST", "/v1/sample", all, body, &r));
    assert_in_range(r.status, 200, 202);
    assert_non_null(http_header(&r, "X-Job-Id", id, 64));
    http_reply_clear(&r);
}

static int call(const char *method, const char *path, const char *headers, json_t **value)
{
    http_reply r;
    int status;

    assert_true(http_call(d.port, method, path, headers, NULL, &r));
    status = r.status;
    if (value) {
        *value = json_loadb(r.body, r.size, 0, NULL);
        assert_non_null(*value);
    }
    http_reply_clear(&r);
    return status;
}

static int call_job(const char *method, const char *id, const char *tail, const char *headers)
{
    char path[128];

    snprintf(path, sizeof(path), "/v1/jobs/%s%s", id, tail);
    return call(method, path, headers, NULL);
}

static size_t count_jobs(const char *query, const char *headers)
{
    char path[256];
    json_t *list;
    size_t n;

    snprintf(path, sizeof(path), "/v1/jobs%s", query);
    assert_int_equal(call("GET", path, headers, &list), 200);
    n = json_array_size(json_object_get(list, "data"));
    json_decref(list);
    return n;
}

#define ASYNC "Prefer: respond-async\r\n"

/* A kind that there is none of is refused, and told which there are. */
static void refuse_kind(const char *query)
{
    json_t *problem, *first;
    const char *detail;

    assert_int_equal(call("GET", query, KEY("root"), &problem), 422);
    first = json_array_get(json_object_get(problem, "errors"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "pointer")), "/kind");
    detail = json_string_value(json_object_get(first, "detail"));
    assert_string_equal(detail,
                        "must be one of sample, inpaint, interpolate, energy, mcmc, chains, "
                        "likelihood");
    json_decref(problem);
}

static void filters(void **state)
{
    char id[64], ended[64], query[128];
    json_t *list;
    const char *created;

    (void)state;
    refuse_kind("/v1/jobs?kind=other");
    refuse_kind("/v1/jobs?kind=");
    send_job(KEY("alice"), "{}", ended);
    send_job(KEY("alice") ASYNC, LONG, id);
    send_job(KEY("bob") ASYNC, "{\"model\":\"slow\",\"priority\":0,\"steps_per_level\":2000}", id);
    assert_int_equal(count_jobs("", KEY("alice")), 2);
    assert_int_equal(count_jobs("", KEY("bob")), 1);
    assert_int_equal(count_jobs("", KEY("root")), 3);
    assert_int_equal(count_jobs("?owner=bob", KEY("root")), 1);
    assert_int_equal(count_jobs("?owner=bob", KEY("alice")), 0);
    assert_int_equal(count_jobs("?owner=alice", KEY("alice")), 2);
    assert_int_equal(count_jobs("?status=succeeded", KEY("root")), 1);
    assert_int_equal(count_jobs("?status=queued,running", KEY("root")), 2);
    assert_int_equal(count_jobs("?status=cancelled", KEY("root")), 0);
    assert_int_equal(count_jobs("?model=slow", KEY("root")), 2);
    assert_int_equal(count_jobs("?model=slow&owner=alice", KEY("root")), 1);
    assert_int_equal(count_jobs("?kind=sample", KEY("root")), 3);
    assert_int_equal(count_jobs("?kind=chains", KEY("root")), 0);
    assert_int_equal(count_jobs("?since=9999-01-01T00:00:00Z", KEY("root")), 0);
    assert_int_equal(call("GET", "/v1/jobs?limit=1", KEY("root"), &list), 200);
    created = json_string_value(
        json_object_get(json_array_get(json_object_get(list, "data"), 0), "created_at"));
    snprintf(query, sizeof(query), "?since=%s", created);
    assert_in_range(count_jobs(query, KEY("root")), 1, 2); /* the newest itself; both were quick */
    json_decref(list);
}

/* Pages show every job once, also when others come in between. */
static void pages(void **state)
{
    char id[64], path[128] = "/v1/jobs?limit=3&status=succeeded";
    char seen[16][64];
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 8; i++)
        send_job(KEY("bob"), "{}", id);
    for (bool more = true; more;) {
        json_t *list, *one;
        size_t i;

        assert_int_equal(call("GET", path, KEY("bob"), &list), 200);
        json_array_foreach(json_object_get(list, "data"), i, one)
        {
            assert_true(n < 16);
            snprintf(seen[n++], 64, "%s", json_string_value(json_object_get(one, "id")));
        }
        more = json_is_true(json_object_get(list, "has_more"));
        assert_int_equal(json_is_string(json_object_get(list, "next_cursor")), more);
        if (more)
            snprintf(path, sizeof(path), "/v1/jobs?limit=3&status=succeeded&cursor=%s",
                     json_string_value(json_object_get(list, "next_cursor")));
        json_decref(list);
        send_job(KEY("bob"), "{}", id);
    }
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
}

/* Q01: what is somebody else's is not there. */
static void strangers(void **state)
{
    char id[64];

    (void)state;
    send_job(KEY("alice") ASYNC, LONG, id);
    assert_int_equal(call_job("GET", id, "", KEY("bob")), 404);
    assert_int_equal(call_job("GET", id, "?wait=5", KEY("bob")), 404);
    assert_int_equal(call_job("DELETE", id, "", KEY("bob")), 404);
    assert_int_equal(call_job("POST", id, "/cancel", KEY("bob")), 404);
    assert_int_equal(call_job("GET", id, "/images/0.png", KEY("bob")), 404);
    assert_int_equal(call_job("GET", id, "/images/0.png", KEY("alice")), 409);
    assert_int_equal(call_job("GET", id, "/images/0.png", ""), 401);
    assert_int_equal(call_job("GET", id, "", KEY("root")), 200);
    assert_int_equal(call_job("DELETE", id, "", KEY("root")), 204);
    send_job(KEY("alice"), "{}", id);
    assert_int_equal(call_job("GET", id, "?wait=100", KEY("alice")), 200);
    assert_int_equal(call_job("GET", id, "/images/0.png", KEY("bob")), 404);
    assert_int_equal(call_job("GET", id, "/images/0.png", KEY("bob") "If-None-Match: *\r\n"), 404);
    assert_int_equal(call_job("GET", id, "/images/0.png", KEY("alice")), 200);
    assert_int_equal(call_job("GET", id, "/images/0.png", KEY("root")), 200);
}

static void waiting(void **state)
{
    char id[64], path[128], value[64];
    double begin = real_now_s();
    json_t *job;
    http_reply r;

    (void)state;
    /* a request is answered after --sync-limit, and its job goes on */
    send_job(KEY("alice"), LONG, id);
    if (real_now_s() - begin < 1.0)
        fail_msg("answered after %.2f s", real_now_s() - begin);
    snprintf(path, sizeof(path), "/v1/jobs/%s?wait=1", id);
    begin = real_now_s();
    assert_int_equal(call("GET", path, KEY("alice"), &job), 200);
    assert_string_equal(json_string_value(json_object_get(job, "status")), "running");
    if (real_now_s() - begin < 1.0)
        fail_msg("waited for %.2f s", real_now_s() - begin);
    json_decref(job);
    /* an end is told at once */
    send_job(KEY("alice") ASYNC, "{\"model\":\"slow\",\"steps_per_level\":4}", id);
    snprintf(path, sizeof(path), "/v1/jobs/%s?wait=100", id);
    assert_int_equal(call("GET", path, KEY("alice"), &job), 200);
    assert_string_equal(json_string_value(json_object_get(job, "status")), "succeeded");
    json_decref(job);
    /* Prefer: wait, applied and said */
    assert_true(http_call(d.port, "POST", "/v1/sample",
                          "Content-Type: application/json\r\nPrefer: wait=1\r\n" KEY("alice"), LONG,
                          &r));
    assert_int_equal(r.status, 202);
    assert_string_equal(http_header(&r, "Preference-Applied", value, sizeof(value)), "wait=1");
    assert_non_null(http_header(&r, "Location", value, sizeof(value)));
    http_reply_clear(&r);
    assert_true(http_call(d.port, "POST", "/v1/sample",
                          "Content-Type: application/json\r\nPrefer: wait=60\r\n" KEY("alice"),
                          "{}", &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(http_header(&r, "Preference-Applied", value, sizeof(value)), "wait=60");
    http_reply_clear(&r);
}

/* Q02: in every state, twice, and never come back. */
static void forgetting(void **state)
{
    static const char *const bodies[] = {
        "{}", LONG, "{\"model\":\"slow\",\"priority\":0,\"steps_per_level\":2000}"};
    char id[64];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        send_job(i > 0 ? KEY("alice") ASYNC : KEY("alice"), bodies[i], id);
        assert_int_equal(call_job("DELETE", id, "", KEY("alice")), 204);
        assert_int_equal(call_job("DELETE", id, "", KEY("alice")), 204);
        assert_int_equal(call_job("GET", id, "", KEY("alice")), 410);
        assert_int_equal(call_job("POST", id, "/cancel", KEY("alice")), 410);
        assert_int_equal(call_job("DELETE", id, "?now=1", KEY("alice")), 422);
    }
    assert_int_equal(count_jobs("", KEY("alice")), 0);
    send_job(KEY("alice"), "{}", id); /* the worker is free again */
}

/* What the job side measures: a cancel, calls of the store, places that are taken. */
static void measures(void **state)
{
    static const char *const lines[] = {"\nebm_cancel_seconds_count 1\n",
                                        "\nebm_store_seconds_count{op=\"accept\"} 1\n",
                                        "\nebm_store_seconds_count{op=\"get\"} ",
                                        "\nebm_store_seconds_count{op=\"finish\"} 1\n",
                                        "\nebm_slots{state=\"busy\"} 0\n",
                                        "\nebm_slots{state=\"idle\"} 64\n",
                                        "\nebm_lease_lost_total 0\n",
                                        "\nebm_redelivered_total 0\n"};
    char id[64], path[96];
    json_t *value;

    (void)state;
    send_job(KEY("alice") ASYNC, LONG, id);
    assert_int_equal(call("GET", "/v1/queue", KEY("alice"), &value), 200);
    assert_true(json_is_true(json_object_get(value, "accepting")));
    json_decref(value);
    for (int i = 0; i < 24000 && count_jobs("?status=running", KEY("alice")) == 0; i++)
        real_sleep_ms(5);
    assert_int_equal(call_job("POST", id, "/cancel", KEY("alice")), 202);
    snprintf(path, sizeof(path), "/v1/jobs/%s?wait=20", id);
    assert_int_equal(call("GET", path, KEY("alice"), NULL), 200);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        daemon_metrics_wait(&d, lines[i]); /* the end is told before it is counted */
}

/* A stop does not wait for those that only look. */
static void a_stop(void **state)
{
    char id[64], request[256];
    double begin, took;
    http_reply r;
    int fd;

    (void)state;
    send_job(KEY("alice") ASYNC, LONG, id);
    fd = http_connect(d.port);
    snprintf(request, sizeof(request),
             "GET /v1/jobs/%s?wait=600 HTTP/1.1\r\nHost: t\r\n" KEY("alice") "\r\n", id);
    assert_true(http_send_text(fd, request));
    assert_int_equal(call_job("GET", id, "", KEY("alice")), 200); /* by now the other one waits */
    begin = real_now_s();
    assert_int_equal(daemon_stop(&d, SIGTERM, 15000), 0);
    took = real_now_s() - begin;
    assert_true(http_read(fd, true, &r));
    assert_int_equal(r.status, 200);
    http_reply_clear(&r);
    close(fd);
    if (took > 10.0)
        fail_msg("it took %.1f s", took);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(pages, setup, teardown),
        cmocka_unit_test_setup_teardown(strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(forgetting, setup, teardown),
        cmocka_unit_test_setup_teardown(measures, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
