/* Listeners: what a client sees of one that lets nobody in any more. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/listen.h"

/* Opens a listener on a free port and says where it is. */
static int open_listener(struct sockaddr_in *where)
{
    socklen_t len = sizeof(*where);
    ebmd_address address = {.host = "127.0.0.1", .port = "0"};
    int fd;

    assert_int_equal(ebmd_listen_open(&address, &fd, NULL), EBM_OK);
    assert_int_equal(getsockname(fd, (struct sockaddr *)where, &len), 0);
    return fd;
}

/* Begins to connect; *rc is what connect() says. */
static int begin_connecting(const struct sockaddr_in *where, int *rc)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    *rc = connect(fd, (const struct sockaddr *)where, sizeof(*where));
    return fd;
}

/* What poll() finds within the time. */
static short ready(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, ms) == 1 ? p.revents : 0;
}

static int connected(const struct sockaddr_in *where)
{
    int rc, fd = begin_connecting(where, &rc);

    assert_true(rc == 0 || errno == EINPROGRESS);
    assert_int_equal(ready(fd, POLLOUT, 2000), POLLOUT);
    return fd;
}

static void test_refusing(void **state)
{
    struct sockaddr_in where;
    int listener = open_listener(&where), rc;
    int inside = connected(&where), queued, late, server[2];
    char byte = 'x';

    (void)state;
    server[0] = accept(listener, NULL, NULL);
    queued = connected(&where);
    ebmd_listen_refuse(listener);

    /* who is inside stays, both ways; who is in the queue comes in */
    server[1] = accept(listener, NULL, NULL);
    assert_true(server[0] >= 0 && server[1] >= 0);
    for (int i = 0; i < 2; i++) {
        int client = i == 0 ? inside : queued;

        assert_int_equal(send(client, &byte, 1, 0), 1);
        assert_int_equal(ready(server[i], POLLIN, 2000), POLLIN);
        assert_int_equal(recv(server[i], &byte, 1, 0), 1);
        assert_int_equal(send(server[i], &byte, 1, 0), 1);
        assert_int_equal(ready(client, POLLIN, 2000), POLLIN);
    }

    /* who comes now hears nothing, and the listener neither */
    late = begin_connecting(&where, &rc);
    assert_int_equal(rc, -1);
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(ready(late, POLLOUT, 300), 0);
    assert_int_equal(ready(listener, POLLIN, 0), 0);

    /* but tries again: the next process finds him */
    close(listener);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    rc = 1;
    assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &rc, sizeof(rc)), 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&where, sizeof(where)), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(ready(late, POLLOUT, 10000), POLLOUT);
    assert_int_equal(ready(listener, POLLIN, 2000), POLLIN);

    const int all[] = {listener, inside, queued, late, server[0], server[1]};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        close(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusing)};

    return cmocka_run_group_tests_name("server.listen", tests, NULL, NULL);
}
