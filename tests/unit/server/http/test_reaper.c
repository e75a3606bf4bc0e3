/* Deadlines of connections: a late body is told so, once, and its connection ends; nobody else
 * hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/reaper.h"
#include "real_time.h"

#define LATE "too late"

/* One connection of a reaper: ours and the client's end. */
typedef struct line {
    int ours, client;
    ebmd_conn *conn;
} line;

static line line_open(ebmd_reaper *r, ebmd_conn_phase phase)
{
    int fds[2];
    line l;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    l = (line){fds[0], fds[1], ebmd_reaper_add(r, fds[0])};
    assert_non_null(l.conn);
    ebmd_reaper_phase(r, l.conn, phase);
    return l;
}

static void line_close(ebmd_reaper *r, line *l)
{
    ebmd_reaper_remove(r, l->conn);
    close(l->ours);
    close(l->client);
}

/* Everything the client is sent up to the end of the stream. */
static void assert_told(const line *l, const char *want)
{
    char text[64] = "";
    size_t n = 0;
    ssize_t got;

    while ((got = recv(l->client, text + n, sizeof(text) - 1 - n, 0)) > 0)
        n += (size_t)got;
    assert_int_equal(got, 0);
    assert_string_equal(text, want);
}

static bool is_open(const line *l)
{
    struct pollfd p = {.fd = l->client, .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

static void a_late_body(void **state)
{
    const ebmd_reaper_options opt = {
        .look_ms = 5.0, .body_ms = 1.0, .cut_off_ms = 3600e3, .late = LATE};
    ebmd_reaper *r;
    line body, work, head;

    (void)state;
    assert_int_equal(ebmd_reaper_start(&opt, &r, NULL), EBM_OK);
    body = line_open(r, EBMD_CONN_BODY);
    work = line_open(r, EBMD_CONN_WORK);
    head = line_open(r, EBMD_CONN_HEAD);
    assert_told(&body, LATE); /* waits for the end of the stream */
    assert_true(is_open(&work) && is_open(&head));
    line_close(r, &body);
    line_close(r, &work);
    line_close(r, &head);
    assert_int_equal(ebmd_reaper_count(r), 0);
    ebmd_reaper_stop(r);
}

/* A client that leaves in the middle of a body, its last bytes read: over well before the deadline.
 * One that is merely slow is not. */
static void a_body_that_is_cut_off(void **state)
{
    const ebmd_reaper_options opt = {
        .look_ms = 5.0, .body_ms = 3600e3, .cut_off_ms = 20.0, .late = LATE};
    ebmd_reaper *r;
    line left, slow;
    struct pollfd p;

    (void)state;
    assert_int_equal(ebmd_reaper_start(&opt, &r, NULL), EBM_OK);
    left = line_open(r, EBMD_CONN_BODY);
    slow = line_open(r, EBMD_CONN_BODY);
    shutdown(left.client, SHUT_WR);
    assert_told(&left, "");
    p = (struct pollfd){.fd = left.ours, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_true(p.revents & POLLHUP); /* which the library does see */
    assert_true(is_open(&slow));
    line_close(r, &left);
    line_close(r, &slow);
    ebmd_reaper_stop(r);
}

/* Where bytes are not plain, nothing is said. */
static void nothing_to_say(void **state)
{
    const ebmd_reaper_options opt = {.look_ms = 5.0, .body_ms = 1.0, .cut_off_ms = 3600e3};
    ebmd_reaper *r;
    line body;

    (void)state;
    assert_int_equal(ebmd_reaper_start(&opt, &r, NULL), EBM_OK);
    body = line_open(r, EBMD_CONN_BODY);
    assert_told(&body, "");
    line_close(r, &body);
    ebmd_reaper_stop(r);
}

/* Who takes one piece after the other, however many, is not late; who takes none is. */
static void time_that_runs_anew(void **state)
{
    const ebmd_reaper_options opt = {.look_ms = 5.0, .body_ms = 1e3, .cut_off_ms = 3600e3};
    ebmd_reaper *r;
    line moves, stands;

    (void)state;
    assert_int_equal(ebmd_reaper_start(&opt, &r, NULL), EBM_OK);
    moves = line_open(r, EBMD_CONN_BODY);
    stands = line_open(r, EBMD_CONN_BODY);
    while (is_open(&stands)) {
        ebmd_reaper_phase(r, moves.conn, EBMD_CONN_BODY);
        ebmd_reaper_renew(r, moves.conn);
        real_sleep_ms(10);
    }
    real_sleep_ms(50); /* a few looks */
    assert_true(is_open(&moves));
    line_close(r, &moves);
    line_close(r, &stands);
    ebmd_reaper_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_body), cmocka_unit_test(a_body_that_is_cut_off),
        cmocka_unit_test(nothing_to_say), cmocka_unit_test(time_that_runs_anew)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
