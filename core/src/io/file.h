/* What file.c has for the rest of core alone: renaming, and, for its unit test, the way of opening
 * used where the kernel lacks openat2. */
#ifndef EBM__FILE_H
#define EBM__FILE_H

#include "ebm/status.h"

/* Opens a relative name beneath dirfd one component at a time, following no symbolic link at all.
 * Returns a descriptor, or -1 with errno (EXDEV for an absolute name, an empty, "." or ".."
 * component). */
int ebm__open_walk(int dirfd, const char *name);

/* Gives dir/from the name dir/to, in place of what has that name; durable as ebm_file_write() is.
 * @err IO; NOT_FOUND (no such directory) */
EBM_MUST_CHECK ebm_status ebm__file_rename(const char *dir, const char *from, const char *to,
                                           ebm_error *err);

#endif
