/* Signals as something to wait for. Everything here is the main thread's: signals are led to it
 * and it alone may wait. */
#ifndef EBMD_SIGNALS_H
#define EBMD_SIGNALS_H

#include "ebm/status.h"

typedef struct ebmd_signals {
    int signal_fd;
    int wake_fd; /* an eventfd other threads write to */
} ebmd_signals;

typedef enum ebmd_wakeup { EBMD_WAKE_TIMEOUT, EBMD_WAKE_SIGNAL, EBMD_WAKE_EVENT } ebmd_wakeup;

/* Blocks SIGTERM, SIGINT and SIGHUP for this thread and all that it will create, ignores SIGPIPE.
 * Call from the main thread, before it creates any other. @own ebmd_signals_close() @err IO */
EBM_MUST_CHECK ebm_status ebmd_signals_open(ebmd_signals *s, ebm_error *err);
void ebmd_signals_close(ebmd_signals *s);
/* Waits; timeout_ms < 0 means for ever. *signal_no receives the signal, if one came. */
ebmd_wakeup ebmd_signals_wait(const ebmd_signals *s, int timeout_ms, int *signal_no);

#endif
