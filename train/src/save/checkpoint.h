/* What the rest of train/ may ask about checkpoint files beside saving and loading them. */
#ifndef EBMT_CHECKPOINT_H
#define EBMT_CHECKPOINT_H

#include <stdint.h>

#include "ebm/status.h"

/* Stores the iteration of the newest checkpoint file of DIR, whole or not, or -1 if there is
 * none; a directory that does not exist has none. @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__checkpoint_newest(const char *dir, int64_t *iteration,
                                                  ebm_error *err);

/* Removes what writers that were killed have left half written in DIR: a checkpoint each, for large
 * networks hundreds of megabytes. Only for a directory in which nobody else writes. What cannot be
 * removed costs room, nothing else. */
void ebmt__checkpoint_sweep(const char *dir);

#endif
