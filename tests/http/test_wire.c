/* What the HTTP library understands before we see it: line ends, folding, chunks, long lines. Our
 * guard sees values, not bytes (SECURITY.md); what must hold all the same is that every request
 * gets one reply, and that none is found inside another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "daemon_models.h"
#include "http_client.h"

#define HOST "Host: t\r\n"
#define JSON "Content-Type: application/json\r\n"
#define POST "POST /sample HTTP/1.1\r\n" HOST JSON
#define LAST "GET /version HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"

static daemon_process d;

static int setup(void **state)
{
    (void)state;
    return daemon_prepare_tiny(&d) && daemon_start(&d, NULL) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return daemon_end(&d, 10000);
}

static const struct {
    const char *name, *bytes;
    size_t size; /* 0: a string */
    const char *statuses;
} wires[] = {
    {"H13 bare LF", "GET /healthz HTTP/1.1\nHost: t\n\n" LAST, 0, "200 200 "},
    {"H13 one bare LF", "GET /healthz HTTP/1.1\r\nHost: t\nX: y\r\n\r\n" LAST, 0, "200 200 "},
    {"H13 length behind a bare LF", POST "X: y\nContent-Length: 2\r\n\r\n{}" LAST, 0, "200 200 "},
    {"H13 two lengths, one behind a bare LF",
     POST "Content-Length: 2\nContent-Length: 60\r\n\r\n{}" LAST, 0, "400 "},
    {"H13 length and coding behind a bare LF",
     POST "Content-Length: 2\nTransfer-Encoding: chunked\r\n\r\n{}" LAST, 0, "400 "},
    {"H13 folded", "GET /healthz HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n" LAST, 0, "200 200 "},
    {"H13 folded, a header's look",
     "GET /healthz HTTP/1.1\r\n" HOST "X: a\r\n Content-Length: 60\r\n\r\n" LAST, 0, "400 "},
    {"H13 folded coding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" LAST, 0, "400 "},
    {"H13 folded first", "GET /healthz HTTP/1.1\r\n X: a\r\n" HOST "\r\n" LAST, 0, "400 "},
    {"H13 bare CR", "GET /healthz HTTP/1.1\r\nHost: t\rX: y\r\n\r\n" LAST, 0, "400 "},
    {"H14 NUL cuts", "GET /healthz HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n" LAST,
     sizeof("GET /healthz HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n" LAST) - 1, "200 200 "},
    {"H08 coding of 1.0",
     "POST /sample HTTP/1.0\r\n" HOST JSON
     "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" LAST,
     0, "400 "},
    {"chunks behind bare LF", POST "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n" LAST, 0,
     "200 200 "},
    {"blank lines first", "\r\n\r\nGET /healthz HTTP/1.1\r\n" HOST "\r\n" LAST, 0, "200 200 "},
};

/* Statuses of all replies until the connection ends. */
static void read_statuses(int fd, char *out, size_t size)
{
    http_reply r;
    size_t n = 0;

    out[0] = '\0';
    while (n + 8 < size && http_read(fd, true, &r)) {
        n += (size_t)snprintf(out + n, size - n, "%d ", r.status);
        http_reply_clear(&r);
    }
}

static void one_reply_each(void **state)
{
    char got[64];

    (void)state;
    for (size_t i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        size_t size = wires[i].size ? wires[i].size : strlen(wires[i].bytes);
        int fd = http_connect(d.port);

        assert_true(fd >= 0 && http_send(fd, wires[i].bytes, size));
        read_statuses(fd, got, sizeof(got));
        if (strcmp(got, wires[i].statuses) != 0)
            fail_msg("%s: %s instead of %s", wires[i].name, got, wires[i].statuses);
        close(fd);
    }
    assert_true(daemon_draws(&d));
}

/* H10: a megabyte of chunk extension is the library's to refuse; H28: hundreds of parameters. */
static void long_lines(void **state)
{
    static char text[1100000];
    size_t n;
    http_reply r;
    int fd = http_connect(d.port);

    (void)state;
    n = (size_t)snprintf(text, sizeof(text), POST "Transfer-Encoding: chunked\r\n\r\n2;");
    memset(text + n, 'x', 1000000);
    http_send(fd, text, n + 1000000); /* it may hang up before all is sent */
    if (http_read(fd, true, &r))
        assert_int_equal(r.status, 500);
    http_reply_clear(&r);
    close(fd);
    n = (size_t)snprintf(text, sizeof(text), "GET /v1/jobs?a");
    for (int i = 0; i < 400; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "&a=%d", i % 10);
    snprintf(text + n, sizeof(text) - n, " HTTP/1.1\r\n" HOST "\r\n");
    fd = http_connect(d.port);
    assert_true(http_send_text(fd, text) && http_read(fd, true, &r));
    assert_int_equal(r.status, 422);
    http_reply_clear(&r);
    close(fd);
    assert_true(daemon_draws(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_reply_each),
        cmocka_unit_test(long_lines),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
