/* One run at a time in an output directory. Knows a file and processes; not what is written. */
#ifndef EBMT_OUT_LOCK_H
#define EBMT_OUT_LOCK_H

#include "ebm/status.h"

/* Takes DIR/.lock for as long as *fd is open; the file stays. It ends with the process, however
 * that ends, and keeps out other processes, not threads of this one.
 * @own *fd: close(); -1 on error
 * @err BAD_STATE (another process has it; its id is in the text), ARG (path too long), IO */
EBM_MUST_CHECK ebm_status ebmt__out_lock(const char *dir, int *fd, ebm_error *err);

#endif
