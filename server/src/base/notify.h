/* Words to the service manager: datagrams to NOTIFY_SOCKET, as sd_notify(3) describes the
 * protocol. Without that variable nothing happens. One thread alone, the main one. */
#ifndef EBMD_NOTIFY_H
#define EBMD_NOTIFY_H

#include <stdbool.h>

typedef struct ebmd_notify {
    int fd;             /* -1: nobody listens */
    double interval_ms; /* between two signs of life; 0: none are wanted */
    double next_ms;
} ebmd_notify;

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID; anything odd means silence, because a missing
 * manager is no reason not to serve. @own ebmd_notify_close() */
void ebmd_notify_open(ebmd_notify *n, char *(*lookup)(const char *));
void ebmd_notify_close(ebmd_notify *n);
/* Sends "READY=1" and the like; never blocks, never fails. */
void ebmd_notify_say(const ebmd_notify *n, const char *text);
/* Asks for so much time to stop, from now on, whatever the manager would allow; never for less. */
void ebmd_notify_extend(const ebmd_notify *n, double ms);
/* Sends a sign of life if one is due and the daemon is alive: else the manager will act. */
void ebmd_notify_beat(ebmd_notify *n, double now_ms, bool alive);
/* How long to wait at most before the next beat. @unit milliseconds, -1 for ever */
int ebmd_notify_wait_ms(const ebmd_notify *n, double now_ms);

#endif
