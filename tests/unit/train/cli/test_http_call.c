/* The probe's client against a server of a few lines: statuses, silence, floods, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/http_call.h"

/* Serves one connection: reads a request, sends `reply`, waits for the peer to go away. */
typedef struct server {
    int listener;
    uint16_t port;
    const char *reply;
    size_t flood; /* bytes of body to send after the reply */
    pthread_t thread;
} server;

static void *serve(void *arg)
{
    const server *s = arg;
    char buffer[4096];
    int fd = accept(s->listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    (void)!read(fd, buffer, sizeof buffer);
    if (s->reply)
        (void)send(fd, s->reply, strlen(s->reply), MSG_NOSIGNAL);
    memset(buffer, 'x', sizeof buffer);
    for (size_t sent = 0; sent < s->flood; sent += sizeof buffer) {
        if (send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) < 0)
            break;
    }
    if (s->reply)
        (void)shutdown(fd, SHUT_WR);
    while (read(fd, buffer, sizeof buffer) > 0)
        continue;
    (void)close(fd);
    return NULL;
}

static void start(server *s, const char *reply, size_t flood)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->reply = reply;
    s->flood = flood;
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(s->listener >= 0);
    assert_int_equal(bind(s->listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    s->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static ebm_status ask(const char *reply, size_t flood, double timeout, long *status)
{
    server s;
    char url[64];
    start(&s, reply, flood);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/readyz", (unsigned)s.port);
    ebm_status st = ebmt__http_get(url, timeout, status, NULL);
    pthread_join(s.thread, NULL);
    (void)close(s.listener);
    return st;
}

static const struct {
    const char *reply;
    long status;
} replies[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 200},
    {"HTTP/1.1 204 No Content\r\n\r\n", 204},
    {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", 302},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404},
    {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 503},
};

static void test_statuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        long status = -1;
        assert_int_equal(ask(replies[i].reply, 0, 5.0, &status), EBM_OK);
        assert_int_equal(status, replies[i].status);
    }
}

static void test_no_answer(void **state)
{
    long status = -1;
    (void)state;
    assert_int_equal(ask(NULL, 0, 0.2, &status), EBM_ERR_UNSUPPORTED);
    assert_int_equal(ask("", 0, 5.0, &status), EBM_ERR_UNSUPPORTED);
    assert_int_equal(ask("SSH-2.0-OpenSSH_9.2\r\n", 0, 5.0, &status), EBM_ERR_UNSUPPORTED);
    assert_int_equal(ebmt__http_get("http://127.0.0.1:1/", 1.0, &status, NULL),
                     EBM_ERR_UNSUPPORTED);
}

static void test_flood(void **state)
{
    long status = -1;
    (void)state;
    assert_int_equal(ask("HTTP/1.1 200 OK\r\n\r\n", 1 << 22, 5.0, &status), EBM_ERR_UNSUPPORTED);
}

static void test_bad_urls(void **state)
{
    static const char *const urls[] = {"ftp://127.0.0.1/", "file:///etc/passwd", "http://",
                                       "http://127.0.0.1:99999/", "gopher://127.0.0.1:1/"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        long status = -1;
        assert_int_equal(ebmt__http_get(urls[i], 1.0, &status, NULL), EBM_ERR_ARG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_bad_urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
