/* The course of a run from its metrics.jsonl, for a run that goes on. */
#ifndef EBMT_HISTORY_READ_H
#define EBMT_HISTORY_READ_H

#include "history.h"

/* What a run that goes on reads of its metrics.jsonl, beside validations: a matter of seconds. */
#define EBMT_HISTORY_BYTES ((int64_t)64 << 20)

/* Adds the lines of DIR/metrics.jsonl to a history; of a file from `bytes` on every second one,
 * from twice that on every third, and so on, and in any case those with a validation gap: these are
 * few as a rule, and at iterations that no stride need meet. Lines that are not ours are left out.
 * @range bytes 1.. @err IO, NOMEM; a missing file is none */
EBM_MUST_CHECK ebm_status ebmt__history_read(ebmt__history *h, int32_t levels, const char *dir,
                                             int64_t bytes, ebm_error *err);

#endif
