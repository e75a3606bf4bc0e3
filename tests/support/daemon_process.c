/* Daemons for tests, see daemon_process.h. */
#include "daemon_process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_client.h"
#include "real_time.h"

#define MAX_ARGS 32
#define TRIES    3    /* starts on other ports */
#define LOG_END  2000 /* bytes of a log that tell how a daemon died */

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int port = 0;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    close(fd);
    return port;
}

bool daemon_prepare(daemon_process *d)
{
    memset(d, 0, sizeof(*d));
    if (!temp_dir_make(d->dir))
        return false;
    snprintf(d->store, sizeof(d->store), "sqlite:%s/jobs.db", d->dir);
    return temp_dir_join(d->dir, "models", d->models) && mkdir(d->models, 0755) == 0;
}

static void run_child(const daemon_process *d, const char *const *more)
{
    const char *args[MAX_ARGS];
    char listen[32], admin[32], log[TEMP_PATH_MAX];
    size_t n = 0;
    int fd;

    snprintf(listen, sizeof(listen), "127.0.0.1:%d", d->port);
    snprintf(admin, sizeof(admin), "127.0.0.1:%d", d->admin);
    args[n++] = EBMD_BINARY;
    args[n++] = "--listen";
    args[n++] = listen;
    args[n++] = "--admin-listen";
    args[n++] = admin;
    args[n++] = "--models";
    args[n++] = d->models;
    while (more && *more && n < MAX_ARGS - 1)
        args[n++] = *more++;
    args[n] = NULL;
    if (!temp_dir_join(d->dir, "log", log))
        _exit(125);
    fd = open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || dup2(fd, 2) < 0)
        _exit(126);
    /* unless the test asks for others by a flag */
    setenv("EBMD_STORE", "memory", 0);
    setenv("EBMD_SYNC_LIMIT", "120", 0); /* sanitizers and busy machines are slow */
    execv(EBMD_BINARY, (char *const *)(uintptr_t)args);
    _exit(127);
}

static bool spawn(daemon_process *d, const char *const *more)
{
    d->port = free_port();
    d->admin = free_port();
    d->pid = fork();
    if (d->pid == 0)
        run_child(d, more);
    return d->pid > 0;
}

/* Waits until a daemon answers. *status: how it ended, if it did instead */
static bool await_ready(daemon_process *d, const int *port, int *status)
{
    http_reply reply;

    *status = 0;
    for (int i = 0; i < 1000; i++) {
        if (waitpid(d->pid, status, WNOHANG) == d->pid) {
            d->pid = 0;
            return false;
        }
        if (http_call(*port, "GET", "/readyz", "", NULL, &reply)) {
            bool ready = reply.status == 200;

            http_reply_clear(&reply);
            if (ready)
                return true;
        }
        real_sleep_ms(10);
    }
    return false;
}

/* Between our look and its start a port may go to somebody else, a client's end of another test:
 * then there are others. */
static bool start_and_ask(daemon_process *d, const char *const *more, const int *port)
{
    int status = 0;

    for (int i = 0; i < TRIES; i++) {
        if (!spawn(d, more))
            return false;
        if (await_ready(d, port, &status))
            return true;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_UNAVAILABLE)
            return false;
    }
    return false;
}

bool daemon_start(daemon_process *d, const char *const *more)
{
    return start_and_ask(d, more, &d->port);
}

bool daemon_start_tls(daemon_process *d, const char *const *more)
{
    return start_and_ask(d, more, &d->admin);
}

long daemon_resident_kib(const daemon_process *d)
{
    char path[64];
    long pages = 0, all;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/statm", (long)d->pid);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &all, &pages), 2);
    fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static char *read_log(const daemon_process *d)
{
    char path[TEMP_PATH_MAX];
    char *text = calloc(1, 1u << 20);
    FILE *f;

    if (!text || !temp_dir_join(d->dir, "log", path) || !(f = fopen(path, "r"))) {
        free(text);
        return NULL;
    }
    text[fread(text, 1, (1u << 20) - 1, f)] = '\0';
    fclose(f);
    return text;
}

/* A daemon that died by a signal leaves no other trace than the last lines of its log. */
static int exit_code(const daemon_process *d, int status, int sent)
{
    char *log;

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (WTERMSIG(status) == sent)
        return -1;
    log = read_log(d);
    fprintf(stderr, "ebmd died by signal %d; the end of its log:\n%s\n", WTERMSIG(status),
            log ? log + (strlen(log) > LOG_END ? strlen(log) - LOG_END : 0) : "(none)");
    free(log);
    return -1;
}

int daemon_stop(daemon_process *d, int signal_no, int timeout_ms)
{
    int status;

    if (d->pid <= 0)
        return -1; /* it never started, and kill(0) would hit our own process group */
    if (signal_no != 0)
        kill(d->pid, signal_no);
    for (int waited = 0; waited <= timeout_ms; waited += 10) {
        if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
            d->pid = 0;
            return exit_code(d, status, signal_no);
        }
        real_sleep_ms(10);
    }
    return -1;
}

bool daemon_logged(const daemon_process *d, const char *text)
{
    return daemon_count_logged(d, text) > 0;
}

int daemon_count_logged(const daemon_process *d, const char *text)
{
    char *log = read_log(d);
    int n = 0;

    for (const char *at = log; at && (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    free(log);
    return n;
}

int daemon_try(daemon_process *d, const char *const *more, char *line, size_t size)
{
    char path[TEMP_PATH_MAX];
    char *log;
    int rc;

    if (temp_dir_join(d->dir, "log", path))
        unlink(path);
    if (!spawn(d, more))
        return -1;
    rc = daemon_stop(d, 0, 20000);
    snprintf(line, size, "%s", "");
    log = read_log(d);
    for (char *l = log; l && *l; l += strcspn(l, "\n") + 1) {
        if (*l != '{')
            snprintf(line, size, "%.*s", (int)strcspn(l, "\n"), l);
        if (l[strcspn(l, "\n")] == '\0')
            break;
    }
    free(log);
    return rc;
}

void daemon_clean(daemon_process *d)
{
    if (d->pid > 0) {
        kill(d->pid, SIGKILL);
        waitpid(d->pid, NULL, 0);
    }
    temp_dir_remove(d->dir);
}

int daemon_end(daemon_process *d, int timeout_ms)
{
    int rc = daemon_stop(d, SIGTERM, timeout_ms);

    daemon_clean(d);
    return rc;
}
