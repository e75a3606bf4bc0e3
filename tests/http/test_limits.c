/* Fullness, shutdown and slow clients: 429 with Retry-After, SIGTERM under load with every reply
 * delivered, connections that drip, and what a restart says about unfinished jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon_models.h"
#include "http_client.h"
#include "job_client.h"
#include "real_time.h"
#include "tiny_model.h"

#define POST_HEAD                                                                                  \
    "POST /sample HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: "       \
    "%zu\r\n\r\n%s"

static daemon_process d;

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_slow(&d) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    daemon_clean(&d);
    return 0;
}

/* Sends a request and leaves the reply to come. */
static int begin(const char *body)
{
    char text[512];
    int fd = http_connect(d.port);

    snprintf(text, sizeof(text), POST_HEAD, strlen(body), body);
    assert_true(fd >= 0 && http_send_text(fd, text));
    return fd;
}

static int end(int fd)
{
    http_reply r;
    int status = http_read(fd, true, &r) ? r.status : 0;

    http_reply_clear(&r);
    close(fd);
    return status;
}

/* 800,000 steps: seconds on any machine, one image */
#define LONG "{\"model\":\"slow\",\"steps_per_level\":2000,\"seed\":1}"

/* Writes a body that keeps one worker busy for this long, on this machine, in this build. */
static void body_for(double seconds, char *body, size_t size)
{
    double start = real_now_s();
    int steps;

    assert_int_equal(end(begin("{\"model\":\"slow\"}")), 200); /* 4 steps per level */
    steps = (int)(seconds / ((real_now_s() - start) / 4));
    snprintf(body, size, "{\"model\":\"slow\",\"steps_per_level\":%d}",
             steps < 1      ? 1
             : steps > 2000 ? 2000
                            : steps);
}

/* How many different Retry-After 32 refused requests get. */
static int advised_times(void)
{
    bool seen[61] = {false};
    char value[32];
    int n = 0;

    for (int i = 0; i < 32; i++) {
        http_reply r;
        int seconds;

        assert_true(http_post(d.port, "/sample", "{}", &r));
        assert_int_equal(r.status, 429);
        seconds = atoi(http_header(&r, "Retry-After", value, sizeof(value)));
        assert_in_range(seconds, 1, 60);
        n += seen[seconds] ? 0 : 1;
        seen[seconds] = true;
        http_reply_clear(&r);
    }
    return n;
}

static void a_full_queue(void **state)
{
    static const char *const more[] = {"--workers", "1", "--slots", "1", "--queue", "1", NULL};
    char value[32];
    http_reply r;
    int running, waiting;
    double start;

    (void)state;
    assert_true(daemon_start(&d, more));
    running = begin(LONG);
    real_sleep_ms(100);
    waiting = begin(LONG);
    real_sleep_ms(100);
    start = real_now_s();
    assert_true(http_post(d.port, "/sample", "{}", &r));
    assert_true(real_now_s() - start < 0.5);
    assert_int_equal(r.status, 429);
    assert_non_null(strstr(r.body, "\"queue_full\""));
    assert_in_range(atoi(http_header(&r, "Retry-After", value, sizeof(value))), 1, 60);
    http_reply_clear(&r);
    assert_true(advised_times() > 1); /* who is refused together does not come back together */
    assert_int_equal(http_get_status(d.port, "/readyz"), 200);
    /* a second signal ends the wait: both get an answer that says what happened */
    kill(d.pid, SIGTERM);
    real_sleep_ms(200);
    kill(d.pid, SIGINT);
    assert_int_equal(end(running), 503);
    assert_int_equal(end(waiting), 503);
    assert_int_equal(daemon_stop(&d, 0, 10000), 0);
}

typedef struct client {
    pthread_t thread;
    int ok, refused, lost;
} client;

/* Asks until the daemon is gone. An accepted request must get its answer: "lost" counts
 * connections that were made and then ended without one. */
static void *ask(void *arg)
{
    client *c = arg;

    for (;;) {
        static const char body[] = "{\"n\":2}";
        char text[512];
        int fd = http_connect(d.port);
        int status;

        if (fd < 0)
            return NULL;
        snprintf(text, sizeof(text), POST_HEAD, strlen(body), body);
        if (!http_send_text(fd, text)) {
            close(fd);
            return NULL;
        }
        status = end(fd);
        if (status == 200)
            c->ok++;
        else if (status == 503)
            c->refused++;
        else
            c->lost++;
        if (status != 200)
            return NULL;
    }
}

/* The number behind a text in what a route answers; -1: there is none. */
static double number_at(const char *path, const char *text)
{
    int port = strcmp(path, "/metrics") == 0 ? d.admin : d.port;
    double value = -1.0;
    const char *at;
    http_reply r;

    assert_true(http_call(port, "GET", path, "", NULL, &r));
    at = strstr(r.body, text);
    if (at)
        value = strtod(at + strlen(text), NULL);
    http_reply_clear(&r);
    return value;
}

/* Everything that was accepted before the signal is answered with 200, and the exit code is 0. */
static void a_signal_under_load(void **state)
{
    static const char *const more[] = {"--workers", "2", NULL};
    int fds[6];
    char body[96];
    client clients[4];
    int ok = 0, lost = 0;

    (void)state;
    memset(clients, 0, sizeof(clients));
    assert_true(daemon_start(&d, more));
    body_for(0.5, body, sizeof(body));
    for (int i = 0; i < 6; i++)
        fds[i] = begin(body);
    while (number_at("/v1/queue", "\"queued\":") + number_at("/v1/queue", "\"running\":") < 6)
        ;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&clients[i].thread, NULL, ask, &clients[i]), 0);
    while (number_at("/metrics", "{route=\"/sample\",code=\"200\"} ") < 5)
        ; /* the clients are being served */
    kill(d.pid, SIGTERM);
    for (int i = 0; i < 6; i++)
        assert_int_equal(end(fds[i]), 200);
    for (int i = 0; i < 4; i++) {
        pthread_join(clients[i].thread, NULL);
        ok += clients[i].ok;
        lost += clients[i].lost;
    }
    assert_true(ok > 0);
    /* a client whose connect() met the closing listener may see a reset, none of the others */
    assert_true(lost <= 4);
    assert_int_equal(daemon_stop(&d, 0, 10000), 0);
    assert_true(daemon_logged(&d, "\"stopped\""));
}

/* While draining, probes and new requests get 503 and not silence. */
static void answers_while_draining(void **state)
{
    static const char *const more[] = {"--workers", "1", NULL};
    static const int others[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE, SIGHUP};
    char body[96];
    http_reply r;
    int fd;

    (void)state;
    assert_true(daemon_start(&d, more));
    body_for(2.0, body, sizeof(body));
    fd = begin(body);
    real_sleep_ms(100);
    kill(d.pid, SIGTERM);
    real_sleep_ms(100);
    assert_int_equal(http_get_status(d.port, "/readyz"), 503);
    assert_int_equal(http_get_status(d.admin, "/healthz"), 200);
    assert_true(http_post(d.port, "/sample", "{}", &r));
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "\"shutting_down\""));
    http_reply_clear(&r);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        kill(d.pid, others[i]); /* F32: none of them ends the wait */
    assert_int_equal(end(fd), 200);
    assert_int_equal(daemon_stop(&d, 0, 20000), 0);
}

/* A daemon with nothing to do still hears out who was connected before the signal. */
static void connected_just_before(void **state)
{
    int fds[8];

    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_true(daemon_start(&d, NULL));
        for (int i = 0; i < 8; i++)
            fds[i] = http_connect(d.port);
        kill(d.pid, SIGTERM);
        for (int i = 0; i < 8; i++)
            assert_true(http_send_text(fds[i], "GET /v1/queue HTTP/1.1\r\nHost: t\r\n\r\n"));
        for (int i = 0; i < 8; i++)
            assert_int_equal(end(fds[i]), 200);
        assert_int_equal(daemon_stop(&d, 0, 10000), 0);
    }
}

/* kill -9 in the middle of a job; the next start takes it up again, and has what was finished. */
static void a_killed_daemon_remembers(void **state)
{
    const char *more[] = {"--store", d.store, "--workers", "1", NULL};
    char path[96];
    char id[64];
    http_reply made, r;
    int fd;

    (void)state;
    assert_true(daemon_start(&d, more));
    assert_true(http_post(d.port, "/sample", "{\"seed\":9}", &made));
    assert_int_equal(made.status, 200);
    fd = begin(LONG);
    real_sleep_ms(200);
    assert_int_equal(daemon_stop(&d, SIGKILL, 5000), -1);
    close(fd);
    assert_true(daemon_start(&d, more));
    assert_true(daemon_logged(&d, "\"recovered_jobs\",\"running\":1"));
    assert_non_null(http_header(&made, "X-Job-Id", id, sizeof(id)));
    snprintf(path, sizeof(path), "/v1/jobs/%s", id);
    assert_true(http_call(d.port, "GET", path, "", NULL, &r));
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, made.body); /* what was promised is still there, byte for byte */
    http_reply_clear(&r);
    http_reply_clear(&made);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* A client that resets its connection while it waits: its job is canceled, not finished. */
static void a_client_that_leaves(void **state)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd;

    (void)state;
    assert_true(daemon_start(&d, NULL));
    fd = begin(LONG);
    real_sleep_ms(200);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    for (int i = 0; i < 40 && !daemon_logged(&d, "\"status\":\"canceled\""); i++)
        real_sleep_ms(100);
    assert_true(daemon_logged(&d, "\"status\":\"canceled\""));
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* H30, H31: nothing sent, a head that drips: both are gone soon after five seconds. */
static void slow_clients(void **state)
{
    int silent, dripping;
    double start;
    bool open = true;

    (void)state;
    assert_true(daemon_start(&d, NULL));
    start = real_now_s();
    silent = http_connect(d.port);
    dripping = http_connect(d.port);
    http_send_text(dripping, "GET /healthz HTTP/1.1\r\nX: ");
    while (open && real_now_s() - start < 9.0) {
        struct pollfd p = {.fd = dripping, .events = POLLIN};
        char byte;

        real_sleep_ms(250);
        open = http_send_text(dripping, "a") &&
               !(poll(&p, 1, 0) == 1 && recv(dripping, &byte, 1, 0) <= 0);
    }
    assert_false(open);
    assert_true(real_now_s() - start > 4.0 && real_now_s() - start < 8.0);
    assert_true(http_ends(silent, 2000));
    close(silent);
    close(dripping);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* More connections than allowed: the last tenth of them is told so. */
static void too_many_connections(void **state)
{
    static const char *const more[] = {"--connections", "40", NULL};
    int fds[38];
    http_reply r;

    (void)state;
    assert_true(daemon_start(&d, more));
    for (int i = 0; i < 38; i++)
        fds[i] = http_connect(d.port);
    real_sleep_ms(100);
    if (http_post(d.port, "/sample", "{}", &r)) {
        assert_int_equal(r.status, 503);
        assert_non_null(strstr(r.body, "\"overloaded\""));
    }
    http_reply_clear(&r);
    assert_int_equal(http_get_status(d.admin, "/readyz"), 200);
    for (int i = 0; i < 38; i++)
        close(fds[i]);
    real_sleep_ms(100);
    assert_int_equal(http_post_status(d.port, "/sample", "{}"), 200);
    assert_int_equal(daemon_stop(&d, SIGTERM, 10000), 0);
}

/* S09: 64 images of 256x256 and their six levels are 28 MiB of pixels. Refused by the name of the
 * field before there is a job; without the levels the same request is a job. */
static void results_too_large(void **state)
{
    static const tiny_model wide = {
        .id = "wide", .levels = 6, .steps = 1, .side = 256, .seed = 4, .step_scale = 1.0};
    char id[64];
    http_reply r;

    (void)state;
    assert_true(tiny_model_write(d.models, &wide));
    assert_true(daemon_start(&d, NULL));
    assert_true(
        http_post(d.port, "/sample", "{\"model\":\"wide\",\"n\":64,\"progressive\":true}", &r));
    assert_int_equal(r.status, 422);
    assert_non_null(strstr(r.body, "\"/n\""));
    assert_non_null(strstr(r.body, "\"result_too_large\""));
    http_reply_clear(&r);
    assert_true(http_call(d.port, "GET", "/v1/jobs", "", NULL, &r));
    assert_non_null(strstr(r.body, "\"data\":[]"));
    http_reply_clear(&r);
    job_begin(d.port, "/v1/sample", "{\"model\":\"wide\",\"n\":64}", id);
    assert_int_equal(daemon_stop(&d, SIGKILL, 5000), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_under_load, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_while_draining, setup, teardown),
        cmocka_unit_test_setup_teardown(connected_just_before, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_daemon_remembers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_that_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(slow_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(results_too_large, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
