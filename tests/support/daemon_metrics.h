/* The metrics of a daemon, for tests. Every function fails the test if there are none. Knows the
 * text of metrics; not what they count. */
#ifndef EBM_TEST_DAEMON_METRICS_H
#define EBM_TEST_DAEMON_METRICS_H

#include "daemon_process.h"

/* True if Prometheus' own checker, where it is installed, has nothing to say about the metrics.
 * *series (may be NULL) receives how many there are. */
bool daemon_metrics_clean(const daemon_process *d, size_t *series);
/* True if the text is in them. */
bool daemon_metrics_have(const daemon_process *d, const char *text);
/* Asks until it is; fails the test if it never is. */
void daemon_metrics_wait(const daemon_process *d, const char *text);
/* Sum over the series of a name. The connection that asks counts. @err -1: there is none */
double daemon_metrics_sum(const daemon_process *d, const char *name);

#endif
