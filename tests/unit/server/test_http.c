/* The listener around jobs that nobody works on: who may wait for them, for how long a client may
 * take what it is sent, of how much memory, and that stopping ends no process. */
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
#define REPLY_MS    2000.0
#define OBJECT      (12u << 20)

typedef struct listener {
    run_bench bench;
    ebmd_state phase;
    ebmd_app app;
    ebmd_budget replies;
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

/* A job object of many megabytes. */
static ebm_status describe(void *arg, const char *id, ebmd_job_state *state, char **json,
                           size_t *size)
{
    (void)arg;
    (void)id;
    *json = ebm_alloc(OBJECT, 1);
    if (!*json)
        return EBM_ERR_NOMEM;
    memset(*json, ' ', OBJECT);
    **json = '1';
    *size = OBJECT;
    *state = EBMD_JOB_CANCELED;
    return EBM_OK;
}

/* Job 1 is queued and nobody works. */
static void listener_open(listener *l)
{
    const ebmd_live_options live = {.describe = describe, .streams = 8, .beat_ms = 1e9};

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
                        .live = ebmd_live_create(&live),
                        .replies = &l->replies,
                        .stream_heartbeat_s = 600,
                        .cors_origins = "",
                        .build = "b",
                        .version = "v",
                        .kernel_class = "k",
                        .workers = 1};
    l->replies.max = SIZE_MAX;
    assert_true(l->app.waiters && l->app.live);
    const ebmd_http_options opt = {.app = &l->app,
                                   .fd = open_socket(&l->port),
                                   .listener = EBMD_ON_MAIN,
                                   .threads = 1,
                                   .connections = 16,
                                   .reply_ms = REPLY_MS};
    assert_int_equal(ebmd_http_start(&opt, &l->http, NULL), EBM_OK);
}

static void listener_close(listener *l)
{
    ebmd_http_stop(l->http);
    ebmd_waiters_free(l->app.waiters);
    ebmd_live_free(l->app.live);
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

/* --- what a client is sent ---------------------------------------------------------------------
 */

static void cancel_job(listener *l)
{
    ebmd_view v;

    assert_int_equal(l->app.store->ops->cancel(l->app.store, run_bench_id(1), NULL, &v, NULL),
                     EBM_OK);
}

/* Asks for the events of job 1, of which there is one: its end. The kernel is to hold little. */
static int watch(const listener *l)
{
    const int room = 32768;
    char text[256];
    int fd = http_connect(l->port);

    snprintf(text, sizeof(text),
             "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
             run_bench_id(1));
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
    assert_true(http_send_text(fd, text));
    return fd;
}

/* Reads n bytes, or those up to the end of the connection. Returns how many. */
static size_t take(int fd, size_t n)
{
    static char piece[65536];
    ssize_t got;

    assert_true(n <= sizeof(piece));
    got = recv(fd, piece, n, MSG_WAITALL);
    return got > 0 ? (size_t)got : 0;
}

static size_t take_rest(int fd)
{
    size_t sum = 0, n;

    while ((n = take(fd, 65536)) > 0)
        sum += n;
    return sum;
}

static void stop(listener *l)
{
    assert_true(ebmd_http_wait_idle(l->http, PATIENCE_MS));
    assert_true(ebmd_http_seal(l->http));
    assert_int_equal(atomic_load(&l->replies.used), 0);
    listener_close(l);
}

/* An event that takes several times as long as a client has for a stride of it: who reads on gets
 * all of it; who takes a few bytes now and then is cut, and holds its megabytes no longer. */
static void who_reads_on_is_not_cut(void **state)
{
    listener l;
    size_t n = 0;
    int reads, dribbles;

    (void)state;
    listener_open(&l);
    cancel_job(&l);
    reads = watch(&l);
    dribbles = watch(&l);
    while (take(dribbles, 8192) == 8192) {
        n += take(reads, 65536);
        assert_true(n < OBJECT);
        poll(NULL, 0, 50);
    }
    assert_true(n > 0);
    n += take_rest(reads);
    assert_true(n > OBJECT);
    close(reads);
    close(dribbles);
    stop(&l);
}

static void await_used(const listener *l)
{
    double until = ebmd_clock_ms() + PATIENCE_MS;

    while (atomic_load(&l->replies.used) == 0 && ebmd_clock_ms() < until)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&l->replies.used), OBJECT);
}

/* Streams take their large events from what the application has for replies. */
static void streams_share_the_replies_memory(void **state)
{
    char text[1024] = "";
    listener l;
    int first, second;

    (void)state;
    listener_open(&l);
    l.replies.max = OBJECT + OBJECT / 2;
    cancel_job(&l);
    first = watch(&l);
    await_used(&l);
    second = watch(&l);
    assert_in_range(recv(second, text, sizeof(text) - 1, MSG_WAITALL), 1, sizeof(text) - 2);
    assert_non_null(strstr(text, "event: bye\n"));
    assert_true(take_rest(first) > OBJECT);
    close(first);
    close(second);
    stop(&l);
}

/* Four chains, of whose traces 640,000 bytes are kept. */
static void run_chains(run_bench *b, int i)
{
    run_bench_submit_stored(b, i, "mcmc", "{\"chains\":4,\"steps\":2000,\"seed\":1}");
    run_bench_finish_all(b, 100000);
    assert_true(run_bench_is_done(b, i));
}

/* A file of chains has its memory before it is read: what is kept of them is more than the file,
 * so a budget of just the file is not enough. */
static void a_file_of_chains_is_reserved_for(void **state)
{
    char path[96], seconds[16];
    listener l;
    http_reply reply;

    (void)state;
    listener_open(&l);
    run_chains(&l.bench, 2);
    snprintf(path, sizeof(path), "/v1/chains/%s/checkpoint", run_bench_id(2));
    assert_true(http_call(l.port, "GET", path, "", NULL, &reply));
    assert_int_equal(reply.status, 200);
    assert_true(reply.size > EBMD_REPLY_SMALL);
    l.replies.max = reply.size;
    http_reply_clear(&reply);
    assert_true(http_call(l.port, "GET", path, "", NULL, &reply));
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.body, "\"overloaded\""));
    assert_string_equal(http_header(&reply, "Retry-After", seconds, sizeof(seconds)), "5");
    http_reply_clear(&reply);
    stop(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_answered_when_woken),
        cmocka_unit_test(nobody_waits_after_the_seal),
        cmocka_unit_test(who_reads_on_is_not_cut),
        cmocka_unit_test(streams_share_the_replies_memory),
        cmocka_unit_test(a_file_of_chains_is_reserved_for),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
