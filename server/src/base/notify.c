/* The service manager's datagrams, see notify.h. Own code instead of libsystemd: the protocol is
 * one sendto() and a stable interface, the library brings compressors and a crypto library. */
#include "base/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Digits only, at most `max`; 0 for anything else. */
static double number(const char *text, double max)
{
    double v = 0;

    for (; text && *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        v = v * 10 + (*text - '0');
    }
    return v <= max ? v : 0;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    int fd;

    if ((path[0] != '/' && path[0] != '@') || n < 2 || n >= sizeof(a.sun_path))
        return -1;
    memcpy(a.sun_path, path, n);
    if (path[0] == '@')
        a.sun_path[0] = '\0'; /* the abstract name space */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void ebmd_notify_open(ebmd_notify *n, char *(*lookup)(const char *))
{
    const char *path = lookup("NOTIFY_SOCKET");
    const char *pid = lookup("WATCHDOG_PID");
    double usec = number(lookup("WATCHDOG_USEC"), 1e12);

    *n = (ebmd_notify){.fd = path ? connect_to(path) : -1};
    if (n->fd < 0 || (pid && number(pid, 1e9) != (double)getpid()))
        usec = 0;
    n->interval_ms = usec / 1e3 / 3; /* two may get lost */
}

void ebmd_notify_close(ebmd_notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    *n = (ebmd_notify){.fd = -1};
}

void ebmd_notify_say(const ebmd_notify *n, const char *text)
{
    if (n->fd >= 0 && send(n->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return; /* a manager that is gone or stuck must not stop us */
}

void ebmd_notify_extend(const ebmd_notify *n, double ms)
{
    char text[64];

    snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%.0f", ms * 1e3);
    ebmd_notify_say(n, text);
}

void ebmd_notify_beat(ebmd_notify *n, double now_ms, bool alive)
{
    if (n->interval_ms <= 0 || now_ms < n->next_ms)
        return;
    if (alive)
        ebmd_notify_say(n, "WATCHDOG=1");
    n->next_ms = now_ms + n->interval_ms;
}

int ebmd_notify_wait_ms(const ebmd_notify *n, double now_ms)
{
    double wait = n->next_ms - now_ms;

    if (n->interval_ms <= 0)
        return -1;
    return wait < 0 ? 0 : wait > 60e3 ? 60000 : (int)wait + 1;
}
