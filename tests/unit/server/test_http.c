/* The listener around a job that never ends: who may wait for it, and that stopping ends no
 * process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http.h"
#include "http_client.h"
#include "routes/router.h"
#include "run_bench.h"

#define PATIENCE_MS 60000.0

typedef struct listener {
    run_bench bench;
    ebmd_state phase;
    ebmd_app app;
    ebmd_http *http;
    int port;
} listener;

static int open_socket(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    assert_int_equal(listen(fd, 16), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* Job 1 is queued and nobody works. */
static void listener_open(listener *l)
{
    memset(l, 0, sizeof(*l));
    assert_true(run_bench_open(&l->bench, 1, SIZE_MAX));
    run_bench_submit(&l->bench, 1, "{}", "");
    l->phase.wake_fd = -1;
    atomic_store(&l->phase.phase, EBMD_READY);
    l->app = (ebmd_app){.state = &l->phase,
                        .catalog = l->bench.catalog,
                        .store = l->bench.store,
                        .sched = l->bench.sched,
                        .waiters = ebmd_waiters_create(),
                        .cors_origins = "",
                        .build = "b",
                        .version = "v",
                        .kernel_class = "k",
                        .workers = 1};
    assert_non_null(l->app.waiters);
    const ebmd_http_options opt = {.app = &l->app,
                                   .fd = open_socket(&l->port),
                                   .listener = EBMD_ON_MAIN,
                                   .threads = 1,
                                   .connections = 16};
    assert_int_equal(ebmd_http_start(&opt, &l->http, NULL), EBM_OK);
}

static void listener_close(listener *l)
{
    ebmd_http_stop(l->http);
    ebmd_waiters_free(l->app.waiters);
    run_bench_close(&l->bench);
}

/* A request that wants to see the end of job 1. */
static int ask(const listener *l)
{
    char text[256];
    int fd = http_connect(l->port);

    snprintf(text, sizeof(text), "GET /v1/jobs/%s?wait=600 HTTP/1.1\r\nHost: t\r\n\r\n",
             run_bench_id(1));
    assert_true(fd >= 0 && http_send_text(fd, text));
    return fd;
}

static void await_waiters(const listener *l, size_t n)
{
    double until = ebmd_clock_ms() + PATIENCE_MS;

    while (ebmd_waiters_count(l->app.waiters) != n && ebmd_clock_ms() < until)
        poll(NULL, 0, 1);
    assert_int_equal(ebmd_waiters_count(l->app.waiters), n);
}

static void who_waits_is_answered_when_woken(void **state)
{
    listener l;
    http_reply reply;
    int fd;

    (void)state;
    listener_open(&l);
    fd = ask(&l);
    await_waiters(&l, 1);
    assert_int_equal(l.app.store->ops->forget(l.app.store, run_bench_id(1), "", NULL), EBM_OK);
    ebmd_waiters_end(l.app.waiters, run_bench_id(1));
    assert_true(http_read(fd, true, &reply));
    assert_int_equal(reply.status, 410);
    http_reply_clear(&reply);
    close(fd);
    assert_true(ebmd_http_wait_idle(l.http, PATIENCE_MS));
    assert_true(ebmd_http_seal(l.http));
    listener_close(&l);
}

/* The library would end this process at the stop if the request were parked. */
static void nobody_waits_after_the_seal(void **state)
{
    listener l;
    http_reply reply;
    int fd;

    (void)state;
    listener_open(&l);
    assert_true(ebmd_http_seal(l.http));
    fd = ask(&l);
    assert_true(http_ends(fd, (int)PATIENCE_MS));
    await_waiters(&l, 0);
    assert_true(http_call(l.port, "GET", "/healthz", "", "", &reply)); /* others are served on */
    assert_int_equal(reply.status, 200);
    http_reply_clear(&reply);
    close(fd);
    listener_close(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_answered_when_woken),
        cmocka_unit_test(nobody_waits_after_the_seal),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
