/* Signals through descriptors, see signals.h. */
#define _GNU_SOURCE /* tgkill */
#include "base/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* OpenBLAS starts threads when it is loaded, before main(): they cannot inherit our mask, and the
 * kernel may give them a signal that was meant for the process. They pass it on to the main
 * thread, whose number is the process's; there it is blocked and waits for the descriptor. */
static void pass_on(int number)
{
    int saved = errno;
    pid_t process = getpid();

    tgkill(process, process, number);
    errno = saved;
}

static int set_action(int number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    return sigaction(number, &action, NULL);
}

ebm_status ebmd_signals_open(ebmd_signals *s, ebm_error *err)
{
    sigset_t set;

    s->signal_fd = s->wake_fd = -1;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    /* the last two mean "reopen the log" to other daemons: no reason to die */
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0 && set_action(SIGPIPE, SIG_IGN) == 0 &&
        set_action(SIGUSR1, SIG_IGN) == 0 && set_action(SIGUSR2, SIG_IGN) == 0 &&
        set_action(SIGTERM, pass_on) == 0 && set_action(SIGINT, pass_on) == 0 &&
        set_action(SIGHUP, pass_on) == 0) {
        s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    if (s->signal_fd >= 0 && s->wake_fd >= 0)
        return EBM_OK;
    ebmd_signals_close(s);
    return ebm_error_set(err, EBM_ERR_IO, NULL, "cannot set up signals: %s", strerror(errno));
}

void ebmd_signals_close(ebmd_signals *s)
{
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    s->signal_fd = s->wake_fd = -1;
}

ebmd_wakeup ebmd_signals_wait(const ebmd_signals *s, int timeout_ms, int *signal_no)
{
    struct pollfd p[2] = {{.fd = s->signal_fd, .events = POLLIN},
                          {.fd = s->wake_fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    uint64_t count;

    if (poll(p, 2, timeout_ms) <= 0)
        return EBMD_WAKE_TIMEOUT;
    if (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        *signal_no = (int)info.ssi_signo;
        return EBMD_WAKE_SIGNAL;
    }
    if (read(s->wake_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        return EBMD_WAKE_EVENT;
    return EBMD_WAKE_TIMEOUT;
}
