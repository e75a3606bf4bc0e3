/* The course of a run from its metrics.jsonl, for a run that goes on. */
#ifndef EBMT_HISTORY_READ_H
#define EBMT_HISTORY_READ_H

#include "history.h"

/* Adds the lines of DIR/metrics.jsonl to a history; of a file above 64 MiB every second one, above
 * 128 MiB every third, and so on. Lines that are not ours are left out.
 * @err IO, NOMEM; a missing file is none */
EBM_MUST_CHECK ebm_status ebmt__history_read(ebmt__history *h, int32_t levels, const char *dir,
                                             ebm_error *err);

#endif
