/* A lock file that names the process which holds it. Knows files; not what is locked. */
#ifndef EBMD_PROCESS_LOCK_H
#define EBMD_PROCESS_LOCK_H

#include "ebm/status.h"

/* Takes the lock PATH.lock for as long as *fd is open.
 * @own *fd: close(); -1 on error
 * @err BAD_STATE: another process has it (its pid is in the text); NOT_FOUND: path is no regular
 *      file, or PATH.lock cannot be made */
EBM_MUST_CHECK ebm_status ebmd_process_lock(const char *path, int *fd, ebm_error *err);

#endif
