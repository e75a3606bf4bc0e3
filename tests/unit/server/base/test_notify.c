/* What the service manager is told, on a socket that the test holds, and odd environments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/notify.h"
#include "temp_dir.h"

static char socket_path[TEMP_PATH_MAX], usec[32], pid[32];

static char *lookup(const char *name)
{
    char *value = strcmp(name, "NOTIFY_SOCKET") == 0   ? socket_path
                  : strcmp(name, "WATCHDOG_USEC") == 0 ? usec
                  : strcmp(name, "WATCHDOG_PID") == 0  ? pid
                                                       : NULL;

    return value && value[0] ? value : NULL;
}

static int bind_manager(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(socket_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(a.sun_path, socket_path, n);
    if (socket_path[0] == '@')
        a.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (const struct sockaddr *)&a,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
                     0);
    return fd;
}

static void expect(int fd, const char *want)
{
    char text[64] = "";

    if (recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) < 0)
        text[0] = '\0';
    assert_string_equal(text, want);
}

static void conversation(int fd)
{
    ebmd_notify n;

    snprintf(usec, sizeof(usec), "3000000");
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    ebmd_notify_open(&n, lookup);
    ebmd_notify_say(&n, "READY=1");
    expect(fd, "READY=1");
    ebmd_notify_beat(&n, 5000.0, true);
    expect(fd, "WATCHDOG=1");
    assert_int_equal(ebmd_notify_wait_ms(&n, 5400.0), 601); /* a third of three seconds */
    assert_int_equal(ebmd_notify_wait_ms(&n, 7000.0), 0);
    ebmd_notify_beat(&n, 5999.0, true);
    expect(fd, "");
    ebmd_notify_beat(&n, 6000.0, true);
    expect(fd, "WATCHDOG=1");
    ebmd_notify_beat(&n, 7000.0, false);
    expect(fd, "");
    assert_int_equal(ebmd_notify_wait_ms(&n, 7000.0), 1001); /* looked at again, not at once */
    ebmd_notify_close(&n);
}

static void both_kinds_of_names(void **state)
{
    char dir[TEMP_PATH_MAX];
    int fd;

    (void)state;
    assert_true(temp_dir_make(dir) && temp_dir_join(dir, "notify", socket_path));
    fd = bind_manager();
    conversation(fd);
    close(fd);
    temp_dir_remove(dir);
    snprintf(socket_path, sizeof(socket_path), "@ebmd-test-%ld", (long)getpid());
    fd = bind_manager();
    conversation(fd);
    close(fd);
}

static void odd_environments(void **state)
{
    static const struct {
        const char *socket, *usec, *pid;
    } rows[] = {{"", "", ""},
                {"relative", "1000", ""},
                {"/", "1000", ""},
                {"/nonexistent/socket", "1000", ""},
                {"@ebmd-test-nobody", "1000", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_notify n;

        snprintf(socket_path, sizeof(socket_path), "%s", rows[i].socket);
        snprintf(usec, sizeof(usec), "%s", rows[i].usec);
        snprintf(pid, sizeof(pid), "%s", rows[i].pid);
        ebmd_notify_open(&n, lookup);
        assert_int_equal(n.fd, -1);
        ebmd_notify_say(&n, "READY=1");
        ebmd_notify_beat(&n, 1.0, true);
        assert_int_equal(ebmd_notify_wait_ms(&n, 1.0), -1);
        ebmd_notify_close(&n);
    }
}

/* Another process's watchdog, and numbers that are none. */
static void no_watchdog(void **state)
{
    static const char *const rows[][2] = {
        {"1000", "1"}, {"0", ""}, {"-5", ""}, {"1e6", ""}, {"99999999999999999999", ""}};
    int fd;

    (void)state;
    snprintf(socket_path, sizeof(socket_path), "@ebmd-test-%ld", (long)getpid());
    fd = bind_manager();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ebmd_notify n;

        snprintf(usec, sizeof(usec), "%s", rows[i][0]);
        snprintf(pid, sizeof(pid), "%s", rows[i][1]);
        ebmd_notify_open(&n, lookup);
        assert_int_equal(ebmd_notify_wait_ms(&n, 1.0), -1);
        ebmd_notify_beat(&n, 1.0, true);
        expect(fd, "");
        ebmd_notify_close(&n);
    }
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_of_names),
        cmocka_unit_test(odd_environments),
        cmocka_unit_test(no_watchdog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
