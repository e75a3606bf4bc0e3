/* An ebmd started for a test: temporary directory with models, free ports, log file.
 * Knows processes; not what is asked of the daemon. */
#ifndef EBM_TEST_DAEMON_PROCESS_H
#define EBM_TEST_DAEMON_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "temp_dir.h"

typedef struct daemon_process {
    pid_t pid;
    int port, admin;
    char dir[TEMP_PATH_MAX];        /* holds models/, log, jobs.db */
    char models[TEMP_PATH_MAX];     /* model directories go here before the start */
    char store[TEMP_PATH_MAX + 16]; /* for --store: jobs.db. Without it jobs are in memory */
} daemon_process;

/* Makes the directories. */
bool daemon_prepare(daemon_process *d);
/* Starts the daemon with further arguments (NULL-terminated, may be NULL) and waits until it is
 * ready. @err false: it ended or did not become ready */
bool daemon_start(daemon_process *d, const char *const *more);
/* The same for a daemon whose main listener speaks TLS: the admin listener is asked. */
bool daemon_start_tls(daemon_process *d, const char *const *more);
/* Starts it, waits for its end, and returns the exit code; for starts that must fail. The last
 * line that is not JSON goes to `line`. */
int daemon_try(daemon_process *d, const char *const *more, char *line, size_t size);
/* Sends a signal (0: none) and waits. Returns the exit code, or -1 for death by signal or after
 * the time. */
int daemon_stop(daemon_process *d, int signal_no, int timeout_ms);
/* Kills what is left and removes the directories. */
void daemon_clean(daemon_process *d);
/* daemon_stop() by SIGTERM, then daemon_clean(): the tear-down of tests that leave the daemon
 * running. Returns what daemon_stop() does. */
int daemon_end(daemon_process *d, int timeout_ms);
/* True if the log holds the text. */
bool daemon_logged(const daemon_process *d, const char *text);
/* How often. */
int daemon_count_logged(const daemon_process *d, const char *text);
/* Memory of the process; fails the test if it is not there. @unit KiB */
long daemon_resident_kib(const daemon_process *d);

#endif
