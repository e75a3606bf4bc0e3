/* Streams of events over the wire: of jobs that have ended, after a broken line, for clients that
 * leave, for too many of them, and over a stop. What they tell of a job is in test_event_story.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon_metrics.h"
#include "daemon_models.h"
#include "event_client.h"
#include "job_client.h"
#include "real_time.h"

#define EVENTS "Accept: text/event-stream\r\n"
#define LONG   "{\"model\":\"slow\",\"steps_per_level\":2000}"

static daemon_process d;

static int setup(void **state)
{
    const char *const more[] = {"--workers",          "1",  "--streams", "8",
                                "--connections",      "64", "--store",   d.store,
                                "--stream-heartbeat", "1",  NULL};

    (void)state;
    if (!daemon_prepare_slow(&d))
        return -1;
    return daemon_start(&d, more) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 15000); /* a sanitizer has its say */
}

static int clean(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

/* Opens a stream; returns the status. */
static int watch(event_client *c, const char *id, const char *query, const char *headers)
{
    char path[128];

    snprintf(path, sizeof(path), "/v1/jobs/%s/events%s", id, query);
    assert_true(events_open(c, d.port, "GET", path, headers, NULL));
    return c->reply.status;
}

static void wait_streams(double n)
{
    for (int i = 0; i < 2000 && daemon_metrics_sum(&d, "ebm_streams") != n; i++)
        real_sleep_ms(5);
    assert_true(daemon_metrics_sum(&d, "ebm_streams") == n);
}

static void refusals(void **state)
{
    static const struct {
        const char *method, *path, *headers, *body;
        int status;
    } rows[] = {
        {"GET", "/v1/jobs/x/events", EVENTS, NULL, 404},
        {"GET", "/v1/jobs/job_00000000000000000000000000/events", EVENTS, NULL, 404},
        {"GET", "/v1/jobs/x/events", "Accept: application/xml\r\n", NULL, 406},
        {"GET", "/v1/jobs/x/events?preview_every=-1", EVENTS, NULL, 422},
        {"GET", "/v1/jobs/x/events?other=1", EVENTS, NULL, 422},
        {"POST", "/v1/jobs/x/events", EVENTS, "{}", 405},
        {"POST", "/v1/sample", EVENTS, "{\"n\":0}", 422},
        {"POST", "/v1/sample?preview_every=x", EVENTS, "{}", 422},
        {"POST", "/v1/sample?preview_every=1", "", "{}", 422}, /* nobody would see them */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        event_client c;
        char type[64];

        assert_true(
            events_open(&c, d.port, rows[i].method, rows[i].path, rows[i].headers, rows[i].body));
        if (c.reply.status != rows[i].status)
            fail_msg("%s %s: %d", rows[i].method, rows[i].path, c.reply.status);
        assert_string_equal(http_header(&c.reply, "Content-Type", type, sizeof(type)),
                            "application/problem+json");
        events_close(&c);
    }
    wait_streams(0.0);
}

/* Q05: of a job that has ended, its end; and to who has seen that, that there is no more. */
static void a_finished_job(void **state)
{
    char id[64], header[96];
    event_client c;
    one_event e;

    (void)state;
    job_begin(d.port, "/sample", "{\"n\":2}", id);
    job_wait(d.port, id, "succeeded");
    assert_int_equal(watch(&c, id, "", EVENTS), 200);
    assert_true(events_next(&c, &e, 5000));
    assert_string_equal(e.name, "completed");
    snprintf(header, sizeof(header), EVENTS "Last-Event-ID: %lld\r\n", e.id);
    event_clear(&e);
    assert_false(events_next(&c, &e, 2000));
    assert_true(c.ended);
    events_close(&c);
    assert_int_equal(watch(&c, id, "", header), 204);
    events_close(&c);
}

/* --- a broken line ------------------------------------------------------------------------ */

/* What was missed is given, nothing twice; what cannot be given is said by a reset. */
static void replay(void **state)
{
    char id[64], header[128];
    long long seen, started;
    event_client c;
    one_event e;

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    assert_int_equal(watch(&c, id, "", EVENTS), 200);
    assert_true(events_until(&c, "started", &e, 20000));
    started = e.id;
    event_clear(&e);
    assert_true(events_until(&c, "progress", &e, 20000));
    seen = e.id;
    event_clear(&e);
    events_close(&c);
    snprintf(header, sizeof(header), "Last-Event-ID: %lld\r\n", seen);
    assert_int_equal(watch(&c, id, "", header), 200);
    assert_true(events_next(&c, &e, 20000));
    assert_string_equal(e.name, "progress");
    assert_true(e.id > seen);
    event_clear(&e);
    events_close(&c);
    /* without a number: from the first event that is kept */
    assert_int_equal(watch(&c, id, "", ""), 200);
    assert_true(events_next(&c, &e, 20000));
    if (strcmp(e.name, "queued") == 0) {
        event_clear(&e);
        assert_true(events_next(&c, &e, 20000));
    }
    assert_string_equal(e.name, "started");
    assert_int_equal(e.id, started);
    event_clear(&e);
    events_close(&c);
}

/* Q04: numbers that were never given, of another time, of the future. */
static void numbers_that_mean_nothing(void **state)
{
    static const struct {
        const char *number, *first;
    } rows[] = {{"0", "reset"},
                {"1", "reset"},
                {"9007199254740992", "reset"},
                {"9007199254740993", "started"},
                {"-1", "started"},
                {"abc", "started"},
                {"1e3", "started"},
                {"", "started"}};
    char id[64], header[128];
    event_client c;
    one_event e;

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    job_wait(d.port, id, "running");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(header, sizeof(header), "Last-Event-ID: %s\r\n", rows[i].number);
        assert_int_equal(watch(&c, id, "", header), 200);
        assert_true(events_next(&c, &e, 20000));
        if (strcmp(e.name, rows[i].first) != 0)
            fail_msg("%s: %s", rows[i].number, e.name);
        if (strcmp(e.name, "reset") == 0)
            assert_non_null(strstr(e.data, "\"object\":\"job\""));
        event_clear(&e);
        events_close(&c);
    }
}

/* --- clients that leave ------------------------------------------------------------------- */

/* 3.9: who asked by a stream and leaves cancels, unless the job has a key or somebody looks on; who
 * only looks cancels nothing. */
static void leaving(void **state)
{
    event_client c, onlooker;
    char id[64];

    (void)state;
    assert_true(events_open(&c, d.port, "POST", "/v1/sample", EVENTS, LONG));
    assert_non_null(http_header(&c.reply, "X-Job-Id", id, sizeof(id)));
    job_wait(d.port, id, "running");
    events_close(&c);
    job_wait(d.port, id, "canceled");

    assert_true(
        events_open(&c, d.port, "POST", "/v1/sample", EVENTS "Idempotency-Key: k\r\n", LONG));
    assert_non_null(http_header(&c.reply, "X-Job-Id", id, sizeof(id)));
    job_wait(d.port, id, "running");
    events_close(&c);
    wait_streams(0.0);
    assert_true(job_is(d.port, id, "running"));

    assert_true(
        events_open(&c, d.port, "POST", "/v1/sample", EVENTS "Prefer: respond-async\r\n", LONG));
    assert_non_null(http_header(&c.reply, "X-Job-Id", id, sizeof(id)));
    job_wait(d.port, id, "running");
    events_close(&c);
    wait_streams(0.0);
    real_sleep_ms(120); /* two rounds of the keeper */
    assert_true(job_is(d.port, id, "running"));

    assert_true(events_open(&c, d.port, "POST", "/v1/sample", EVENTS, LONG));
    assert_non_null(http_header(&c.reply, "X-Job-Id", id, sizeof(id)));
    assert_int_equal(watch(&onlooker, id, "", EVENTS), 200);
    wait_streams(2.0);
    events_close(&c);
    wait_streams(1.0);
    events_close(&onlooker);
    wait_streams(0.0);
    real_sleep_ms(120); /* two rounds of the keeper */
    assert_false(job_is(d.port, id, "canceled"));
}

/* Streams whose client has vanished are freed within two heartbeats (here 2 s), those whose client
 * stays are not. */
static void vanishing(void **state)
{
    event_client c[4], stays;
    double begin, took;
    char bytes[4096];
    char id[64];
    one_event e;

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    assert_int_equal(watch(&stays, id, "", EVENTS), 200);
    for (int i = 0; i < 4; i++)
        assert_int_equal(watch(&c[i], id, "", EVENTS), 200);
    wait_streams(5.0);
    begin = real_now_s();
    for (int i = 0; i < 4; i++) {
        const struct linger reset = {.l_onoff = 1};

        /* half of them with a reset, half with a farewell: closing resets while bytes are unread */
        while (i % 2 == 0 && recv(c[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
            ;
        if (i % 2)
            setsockopt(c[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        events_close(&c[i]);
    }
    wait_streams(1.0);
    took = real_now_s() - begin;
    if (took >= 4.0)
        fail_msg("it took %.1f s", took);
    assert_true(events_until(&stays, "progress", &e, 5000));
    event_clear(&e);
    events_close(&stays);
}

/* The room for what is not read yet has to be said before there is a connection. */
static int connect_with_room(int bytes)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)d.port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* A client that stops reading is cut off after two heartbeats; what it could not take stays with us
 * no longer than that. */
static void a_reader_that_stops(void **state)
{
    char id[64], request[128], bytes[4096];
    size_t got = 0, size;
    ssize_t k;
    http_reply r;
    int fd;

    (void)state;
    job_begin(d.port, "/sample", "{\"n\":64}", id);
    job_wait(d.port, id, "succeeded");
    snprintf(request, sizeof(request), "/v1/jobs/%s", id);
    assert_true(http_call(d.port, "GET", request, "", NULL, &r));
    size = r.size;
    http_reply_clear(&r);
    fd = connect_with_room(1024);
    snprintf(request, sizeof(request), "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: t\r\n\r\n", id);
    assert_true(http_send_text(fd, request));
    wait_streams(1.0);
    wait_streams(0.0);
    while ((k = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        got += (size_t)k;
    if (got >= size)
        fail_msg("%zu of %zu bytes: all of it was sent", got, size);
    close(fd);
}

/* One stream more than there may be, and room again when one leaves. */
static void too_many(void **state)
{
    event_client c[9];
    char id[64], value[32];

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    for (int i = 0; i < 8; i++)
        assert_int_equal(watch(&c[i], id, "", EVENTS), 200);
    assert_int_equal(watch(&c[8], id, "", EVENTS), 503);
    assert_non_null(http_header(&c[8].reply, "Retry-After", value, sizeof(value)));
    events_close(&c[8]);
    /* a job is not made for a stream that cannot be */
    assert_true(events_open(&c[8], d.port, "POST", "/v1/sample", EVENTS, "{}"));
    assert_int_equal(c[8].reply.status, 503);
    assert_null(http_header(&c[8].reply, "X-Job-Id", value, sizeof(value)));
    events_close(&c[8]);
    events_close(&c[0]);
    wait_streams(7.0);
    assert_int_equal(watch(&c[8], id, "", EVENTS), 200);
    for (int i = 1; i < 9; i++)
        events_close(&c[i]);
}

/* --- ends that are not the job's own ------------------------------------------------------ */

static void a_canceled_job(void **state)
{
    char id[64], path[96];
    event_client c;
    one_event e;
    http_reply r;

    (void)state;
    job_begin(d.port, "/sample", LONG, id);
    for (int how = 0; how < 2; how++) {
        if (how == 1)
            job_begin(d.port, "/sample", LONG, id);
        assert_int_equal(watch(&c, id, "", EVENTS), 200);
        assert_true(events_until(&c, "progress", &e, 20000));
        event_clear(&e);
        snprintf(path, sizeof(path), "/v1/jobs/%s%s", id, how == 0 ? "/cancel" : "");
        assert_true(http_call(d.port, how == 0 ? "POST" : "DELETE", path, "", NULL, &r));
        http_reply_clear(&r);
        assert_true(events_until(&c, "canceled", &e, 5000));
        assert_non_null(strstr(e.data, how == 0 ? "\"status\":\"canceled\"" : "\"job_gone\""));
        event_clear(&e);
        assert_false(events_next(&c, &e, 2000));
        assert_true(c.ended);
        events_close(&c);
    }
}

/* C8: streams end with `draining`, properly, and the job is there for the next process. */
static void a_stop(void **state)
{
    char id[64], header[128];
    const char *const more[] = {"--workers", "1", "--store", d.store, "--drain-seconds", "0", NULL};
    event_client c, poster;
    long long seen;
    one_event e;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(daemon_start(&d, more));
    assert_true(events_open(&poster, d.port, "POST", "/v1/sample", EVENTS, LONG));
    assert_non_null(http_header(&poster.reply, "X-Job-Id", id, sizeof(id)));
    assert_int_equal(watch(&c, id, "", EVENTS), 200);
    assert_true(events_until(&c, "progress", &e, 20000));
    seen = e.id;
    event_clear(&e);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    for (int i = 0; i < 2; i++) {
        event_client *one = i == 0 ? &c : &poster;

        assert_true(events_until(one, "draining", &e, 2000));
        assert_non_null(strstr(e.data, "\"retry_ms\":"));
        event_clear(&e);
        assert_false(events_next(one, &e, 1000));
        assert_true(one->ended);
        events_close(one);
    }
    assert_true(daemon_start(&d, more));
    snprintf(header, sizeof(header), EVENTS "Last-Event-ID: %lld\r\n", seen);
    assert_int_equal(watch(&c, id, "", header), 200);
    assert_true(events_next(&c, &e, 20000));
    assert_string_equal(e.name, "reset");
    assert_true(e.id > seen); /* numbers go on */
    event_clear(&e);
    assert_true(events_until(&c, "progress", &e, 20000));
    event_clear(&e);
    events_close(&c);
}

static bool says(const char *path, const char *text)
{
    http_reply r;
    bool found = http_call(d.port, "GET", path, "", NULL, &r) && strstr(r.body, text);

    http_reply_clear(&r);
    return found;
}

/* A stop waits for the one who wants his image, and for nobody who looks on, however late he comes.
 * Before it, while balancers look, waiting is what it always is. */
static void a_stop_and_those_who_look(void **state)
{
    static const char image[] = "{\"model\":\"slow\",\"steps_per_level\":200}";
    const char *const more[] = {"--workers", "1", "--drain-delay", "60", "--drain-seconds",
                                "600",       NULL};
    char id[64], path[96];
    event_client looks, wants;
    one_event e;
    double start;

    (void)state;
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
    assert_true(daemon_start(&d, more));
    job_begin(d.port, "/v1/sample", "{\"model\":\"slow\",\"n\":64,\"steps_per_level\":2000}", id);
    kill(d.pid, SIGTERM);
    while (http_get_status(d.port, "/readyz") == 200)
        ;
    snprintf(path, sizeof(path), "/v1/jobs/%s?wait=1", id);
    start = real_now_s();
    assert_int_equal(http_get_status(d.port, path), 200);
    assert_true(real_now_s() - start > 0.9);
    assert_true(events_open(&wants, d.port, "POST", "/v1/sample", EVENTS, image));
    while (!says("/v1/queue", "\"running\":2"))
        ;
    kill(d.pid, SIGTERM);
    while (!daemon_logged(&d, "draining"))
        ;
    assert_int_equal(watch(&looks, id, "", EVENTS), 200);
    assert_true(events_until(&wants, "completed", &e, 600000)); /* sanitizers are slow */
    event_clear(&e);
    assert_int_equal(daemon_stop(&d, 0, 15000), 0);
    events_close(&wants);
    events_close(&looks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_job, setup, teardown),
        cmocka_unit_test_setup_teardown(replay, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_that_mean_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(leaving, setup, teardown),
        cmocka_unit_test_setup_teardown(vanishing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_that_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(a_canceled_job, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_and_those_who_look, setup, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
