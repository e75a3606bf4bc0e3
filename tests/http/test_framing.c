/* Raw bytes that break the rules of HTTP. For each row: the status, problem+json unless the HTTP
 * library answers before us (then the row says so), the connection ends where it must, and the
 * daemon serves the next request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon_models.h"
#include "http_client.h"
#include "sample_bodies.h"

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

typedef struct raw_case {
    const char *name;
    const char *bytes;
    int status;
    bool library; /* the HTTP library may answer: no problem+json is asked for */
    bool closes;
} raw_case;

#define HOST "Host: t\r\n"
#define JSON "Content-Type: application/json\r\n"
#define POST "POST /sample HTTP/1.1\r\n" HOST JSON
#define OURS(name, bytes, status)                                                                  \
    {                                                                                              \
        name, bytes, status, false, true                                                           \
    }
#define KEEPS(name, bytes, status)                                                                 \
    {                                                                                              \
        name, bytes, status, false, false                                                          \
    }
#define DAGGER(name, bytes, status)                                                                \
    {                                                                                              \
        name, bytes, status, true, true                                                            \
    }

static const raw_case cases[] = {
    OURS("H01", POST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
         400),
    OURS("H02", POST "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    OURS("H03", POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    OURS("H04", POST "Content-Length : 40\r\n\r\nGET /healthz HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    DAGGER("H05 plus", POST "Content-Length: +5\r\n\r\n{}", 400),
    DAGGER("H05 minus", POST "Content-Length: -5\r\n\r\n{}", 400),
    DAGGER("H05 hexadecimal", POST "Content-Length: 0x5\r\n\r\n{}", 400),
    DAGGER("H06", POST "Content-Length: 99999999999999999999999\r\n\r\n", 413),
    OURS("H07", POST "Content-Length: 9223372036854775807\r\n\r\n", 413),
    OURS("H08", POST "Transfer-Encoding: gzip\r\n\r\n{}", 501),
    OURS("H09 twice in one", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    OURS("H09 two lines",
         POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    DAGGER("H10 huge chunk", POST "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", 413),
    DAGGER("H10 negative chunk", POST "Transfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
    OURS("H14 control byte", "GET /healthz HTTP/1.1\r\n" HOST "X: a\x01z\r\n\r\n", 400),
    OURS("H14 bad name", "GET /healthz HTTP/1.1\r\n" HOST "X(: a\r\n\r\n", 400),
    OURS("H15 no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400),
    OURS("H15 two Hosts", "GET /healthz HTTP/1.1\r\n" HOST HOST "\r\n", 400),
    OURS("H15 space in Host", "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    OURS("H18", "GET /healthz%00/x HTTP/1.1\r\n" HOST "\r\n", 400),
    OURS("H19 up", "GET /models/../../etc/passwd HTTP/1.1\r\n" HOST "\r\n", 404),
    OURS("H19 encoded", "GET /models/%2e%2e%2f HTTP/1.1\r\n" HOST "\r\n", 404),
    OURS("H19 backslash", "GET /..%5c HTTP/1.1\r\n" HOST "\r\n", 404),
    OURS("H19 two slashes", "GET //healthz HTTP/1.1\r\n" HOST "\r\n", 404),
    OURS("H19 dot", "GET /./healthz HTTP/1.1\r\n" HOST "\r\n", 404),
    OURS("H19 encoded slash", "GET /v1/models%2ftiny HTTP/1.1\r\n" HOST "\r\n", 404),
    OURS("H20 absolute", "GET http://evil/healthz HTTP/1.1\r\n" HOST "\r\n", 400),
    OURS("H20 star", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400),
    OURS("H20 CONNECT", "CONNECT evil:80 HTTP/1.1\r\n" HOST "\r\n", 400),
    OURS("H21 unknown", "FOO /sample HTTP/1.1\r\n" HOST "\r\n", 405),
    OURS("H21 TRACE", "TRACE /sample HTTP/1.1\r\n" HOST "\r\n", 405),
    OURS("H21 PUT", "PUT /sample HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", 405),
    OURS("H21 lower case", "get /healthz HTTP/1.1\r\n" HOST "\r\n", 405),
    DAGGER("H22 1.1x", "GET /healthz HTTP/1.1x\r\n" HOST "\r\n", 400),
    DAGGER("H22 1.10", "GET /healthz HTTP/1.10\r\n" HOST "\r\n", 400),
    DAGGER("H22 0.9", "GET /healthz\r\n\r\n", 400),
    DAGGER("H22 2.0", "GET /healthz HTTP/2.0\r\n" HOST "\r\n", 505),
    OURS("H22 1.2", "GET /healthz HTTP/1.2\r\n" HOST "\r\n", 400),
    OURS("H23", POST "Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n", 413),
    OURS("H24", POST "Expect: 200-maybe\r\nContent-Length: 2\r\n\r\n{}", 417),
    OURS("H25", "GET /healthz HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 400),
    OURS("H27", POST "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415),
    OURS("H28 query", "GET /healthz?a=1&a=2 HTTP/1.1\r\n" HOST "\r\n", 400),
    OURS("H28 bad escape", "GET /healthz?%zz HTTP/1.1\r\n" HOST "\r\n", 400),
    OURS("J13 text/plain",
         "POST /sample HTTP/1.1\r\n" HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
         415),
    OURS("J13 no type", "POST /sample HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}", 415),
    OURS("J13 utf-16",
         "POST /sample HTTP/1.1\r\n" HOST
         "Content-Type: application/json; charset=utf-16\r\nContent-Length: 2\r\n\r\n{}",
         415),
    OURS("413 declared", POST "Content-Length: 4194305\r\n\r\n", 413),
    KEEPS("unknown path", "GET /nope HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 404),
    KEEPS("fine", POST "Content-Length: 2\r\n\r\n{}", 200),
    KEEPS("fine, chunked", POST "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
          200),
    KEEPS("fine, continue", POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", 200),
    KEEPS("F49 1.0 without Host", "GET /readyz HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200),
    {"F49 close", "GET /readyz HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", 200, false, true},
    KEEPS("no body at all", POST "Content-Length: 0\r\n\r\n", 400),
};

static int check(const raw_case *c)
{
    int fd = http_connect(d.port);
    char type[64] = "";
    char rest[512];
    http_reply r;
    bool ok = fd >= 0 && http_send_text(fd, c->bytes) && http_read(fd, true, &r);
    int got = ok ? r.status : 0;

    ok = ok && r.status == c->status;
    if (ok && !c->library && c->status >= 400)
        ok = http_header(&r, "Content-Type", type, sizeof(type)) &&
             strcmp(type, "application/problem+json") == 0 && strstr(r.body, "\"request_id\"");
    /* the library's own replies carry their head twice, so more bytes may come before the end */
    while (ok && c->library && recv(fd, rest, sizeof(rest), 0) > 0)
        ;
    if (ok && c->closes)
        ok = http_ends(fd, 2000);
    if (!ok)
        print_error("%s: got %d, %s\n", c->name, got, type);
    http_reply_clear(&r);
    close(fd);
    return ok ? 0 : 1;
}

static void the_table(void **state)
{
    int bad = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bad += check(&cases[i]);
        assert_true(daemon_draws(&d));
    }
    assert_int_equal(bad, 0);
}

/* The bodies of the codec's table, over the wire. */
static void bodies(void **state)
{
    size_t n;
    const sample_body *rows = sample_bodies(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        size_t size = rows[i].size ? rows[i].size : strlen(rows[i].body);
        int fd = http_connect(d.port);
        char head[256];
        http_reply r;

        snprintf(head, sizeof(head), POST "Content-Length: %zu\r\n\r\n", size);
        assert_true(http_send_text(fd, head) && http_send(fd, rows[i].body, size));
        assert_true(http_read(fd, true, &r));
        if (r.status != rows[i].status)
            fail_msg("%s: %d %s", rows[i].name, r.status, r.body);
        http_reply_clear(&r);
        close(fd);
    }
    assert_true(daemon_draws(&d));
}

static void allow_header(void **state)
{
    char value[64];
    http_reply r;

    (void)state;
    assert_true(http_call(d.port, "PUT", "/sample", "", "", &r));
    assert_string_equal(http_header(&r, "Allow", value, sizeof(value)), "POST, OPTIONS");
    http_reply_clear(&r);
    assert_true(http_call(d.port, "POST", "/v1/models", "", "", &r));
    assert_string_equal(http_header(&r, "Allow", value, sizeof(value)), "GET, HEAD, OPTIONS");
    http_reply_clear(&r);
}

static int send_large(size_t size, bool chunked, size_t piece)
{
    char *body = malloc(size);
    int fd = http_connect(d.port);
    char head[256];
    http_reply r;
    int status;

    memset(body, ' ', size);
    memcpy(body, "{}", 2);
    if (chunked) {
        assert_true(http_send_text(fd, POST "Transfer-Encoding: chunked\r\n\r\n"));
        for (size_t i = 0; i < size; i += piece) {
            size_t n = size - i < piece ? size - i : piece;

            snprintf(head, sizeof(head), "%zx\r\n", n);
            if (!http_send_text(fd, head) || !http_send(fd, body + i, n) ||
                !http_send_text(fd, "\r\n"))
                break;
        }
        http_send_text(fd, "0\r\n\r\n");
    } else {
        snprintf(head, sizeof(head), POST "Content-Length: %zu\r\n\r\n", size);
        http_send_text(fd, head);
        http_send(fd, body, size);
    }
    status = http_read(fd, true, &r) ? r.status : 0;
    http_reply_clear(&r);
    close(fd);
    free(body);
    return status;
}

/* J05: one byte less than the limit, the limit, one more; declared and chunked. */
static void body_sizes(void **state)
{
    (void)state;
    assert_int_equal(send_large(65535, false, 0), 200);
    assert_int_equal(send_large(65536, false, 0), 200);
    assert_int_equal(send_large(65537, false, 0), 413);
    assert_int_equal(send_large(65536, true, 1000), 200);
    assert_int_equal(send_large(65537, true, 1000), 413);
    assert_int_equal(send_large(300000, true, 4096), 413);
    assert_true(daemon_draws(&d));
}

/* H11: many one-byte chunks; their number costs nothing. */
static void one_byte_chunks(void **state)
{
    static char block[6 * 10000 + 1];
    int fd = http_connect(d.port);
    http_reply r;

    (void)state;
    for (int i = 0; i < 10000; i++)
        memcpy(block + i * 6, "1\r\n \r\n", 6);
    assert_true(http_send_text(fd, POST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 300; i++)
        assert_true(http_send(fd, block, 6 * 10000));
    assert_true(http_send_text(fd, "0\r\n\r\n"));
    assert_true(http_read(fd, true, &r));
    assert_int_equal(r.status, 413);
    http_reply_clear(&r);
    close(fd);
    assert_true(daemon_draws(&d));
}

/* A body without end is cut off after 8 MiB. */
static void endless_body(void **state)
{
    static char block[65536];
    int fd = http_connect(d.port);
    int sent = 0;

    (void)state;
    memset(block, ' ', sizeof(block));
    assert_true(http_send_text(fd, POST "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n"));
    while (sent < 1000 && http_send(fd, block, sizeof(block)))
        sent++;
    assert_in_range(sent, 128, 999);
    close(fd);
    assert_true(daemon_draws(&d));
}

/* H16, H17, H12 */
static void large_heads(void **state)
{
    static char text[100000];
    size_t n;
    http_reply r;
    int fd;

    (void)state;
    for (int lines = 63; lines <= 64; lines++) {
        n = (size_t)snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\n" HOST);
        for (int i = 0; i < lines; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "X: y\r\n");
        snprintf(text + n, sizeof(text) - n, "\r\n");
        fd = http_connect(d.port);
        assert_true(http_send_text(fd, text) && http_read(fd, true, &r));
        assert_int_equal(r.status, lines == 63 ? 200 : 431);
        http_reply_clear(&r);
        close(fd);
    }
    for (int kib = 1; kib <= 64; kib *= 8) {
        n = (size_t)snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\n" HOST "X: ");
        memset(text + n, 'a', (size_t)kib * 1024);
        strcpy(text + n + (size_t)kib * 1024, "\r\n\r\n");
        fd = http_connect(d.port);
        assert_true(http_send_text(fd, text) && http_read(fd, true, &r));
        assert_int_equal(r.status, kib == 1 || kib == 8 ? 200 : 431);
        http_reply_clear(&r);
        close(fd);
    }
    for (int size = 2048; size <= 40960; size += size == 2048 ? 1 : 38911) {
        memset(text, 'a', sizeof(text));
        memcpy(text, "GET /", 5);
        snprintf(text + 4 + size, 64, " HTTP/1.1\r\n" HOST "\r\n");
        fd = http_connect(d.port);
        assert_true(http_send_text(fd, text) && http_read(fd, true, &r));
        assert_int_equal(r.status, size == 2048 ? 404 : 414);
        http_reply_clear(&r);
        close(fd);
    }
    assert_true(daemon_draws(&d));
}

/* H26: two answers, then an error, then nothing. */
static void pipelining(void **state)
{
    static const char good[] = POST "Content-Length: 2\r\n\r\n{}";
    int fd = http_connect(d.port);
    char text[4096] = "";
    http_reply r;

    (void)state;
    for (int i = 0; i < 10; i++)
        strcat(text, i == 2 ? POST "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" : good);
    assert_true(http_send_text(fd, text));
    for (int i = 0; i < 3; i++) {
        assert_true(http_read(fd, true, &r));
        assert_int_equal(r.status, i == 2 ? 400 : 200);
        http_reply_clear(&r);
    }
    assert_true(http_ends(fd, 2000));
    close(fd);
    assert_true(daemon_draws(&d));
}

/* H29: leaving after the head is nobody's business; half a close is still answered. */
static void leaving(void **state)
{
    http_reply r;
    int fd = http_connect(d.port);

    (void)state;
    http_send_text(fd, POST "Content-Length: 2\r\n\r\n");
    close(fd);
    for (int i = 0; i < 30; i++) { /* a race decides what a wrong order does: try often */
        fd = http_connect(d.port);
        http_send_text(fd, POST "Content-Length: 2\r\n\r\n{}");
        shutdown(fd, SHUT_WR);
        assert_true(http_read(fd, true, &r));
        assert_int_equal(r.status, 200);
        http_reply_clear(&r);
        close(fd);
    }
    assert_true(daemon_draws(&d));
}

/* H12, H32, H33: noise; whatever is answered, the daemon lives. */
static void noise(void **state)
{
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    static unsigned char junk[1u << 16];
    uint32_t x = 1;
    int fd = http_connect(d.port);

    (void)state;
    http_send(fd, hello, sizeof(hello) - 1);
    close(fd);
    for (size_t i = 0; i < sizeof(junk); i++) {
        x = x * 1664525u + 1013904223u;
        junk[i] = (unsigned char)(x >> 24);
    }
    fd = http_connect(d.port);
    for (int i = 0; i < 64 && http_send(fd, junk, sizeof(junk)); i++)
        ;
    close(fd);
    fd = http_connect(d.port);
    http_send_text(fd, POST "Transfer-Encoding: chunked\r\n\r\n0\r\n");
    for (int i = 0; i < 100000 && http_send_text(fd, "X: y\r\n"); i++)
        ;
    close(fd);
    assert_true(daemon_draws(&d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table),       cmocka_unit_test(bodies),
        cmocka_unit_test(allow_header),    cmocka_unit_test(body_sizes),
        cmocka_unit_test(one_byte_chunks), cmocka_unit_test(endless_body),
        cmocka_unit_test(large_heads),     cmocka_unit_test(pipelining),
        cmocka_unit_test(leaving),         cmocka_unit_test(noise),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
