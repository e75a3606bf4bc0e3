/* Start and stop of the daemon, in the right order, and nothing else. */
#ifndef EBMD_DAEMON_H
#define EBMD_DAEMON_H

#include <stdbool.h>

#include "options/options.h"

/* Reads what the options name, without starting anything: kernel set, keys, certificates, the
 * budget of descriptors. Returns the exit code that a start would end with so far. */
int ebmd_daemon_check(const ebmd_options *options, ebm_error *err);
/* Runs until a signal ends it. Returns the exit code; an error at start fills *err.
 * *abrupt tells that threads are still at work and the process must end without clean-up. */
int ebmd_daemon_run(const ebmd_options *options, bool *abrupt, ebm_error *err);

#endif
