/* What the rest of train/ may ask about checkpoint files beside saving and loading them. */
#ifndef EBMT_CHECKPOINT_H
#define EBMT_CHECKPOINT_H

#include <stdint.h>

#include "ebm/status.h"

/* Stores the iteration of the newest checkpoint file of DIR, whole or not, or -1 if there is
 * none; a directory that does not exist has none. @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__checkpoint_newest(const char *dir, int64_t *iteration,
                                                  ebm_error *err);

#endif
