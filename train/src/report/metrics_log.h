/* DIR/metrics.jsonl: one JSON object per iteration, for plots and post-mortems.
 * Knows reports and one file; has never heard of losses or terminals. */
#ifndef EBMT_METRICS_LOG_H
#define EBMT_METRICS_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/train.h"

typedef struct ebmt_metrics ebmt_metrics;

/* Opens DIR/metrics.jsonl for appending, made if there is none. Everything from the first line
 * on that is torn or tells of an iteration beyond `keep_through` is cut off, so that a resumed
 * run has each iteration once; 0 starts the file anew.
 * @own *out: ebmt__metrics_close() @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__metrics_open(const char *dir, int64_t keep_through,
                                             ebmt_metrics **out, ebm_error *err);

/* Appends one line and flushes it to the kernel. Numbers that JSON cannot hold become null.
 * @err IO */
EBM_MUST_CHECK ebm_status ebmt__metrics_append(ebmt_metrics *m, const ebmt_report *report,
                                               ebm_error *err);

/* Hands the lines of DIR/metrics.jsonl, as they are, to `take`, with the length of the file; one
 * that is too long for ours ends the reading. A missing file has no lines. @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__metrics_read(const char *dir,
                                             void (*take)(void *user, const char *line,
                                                          int64_t file_bytes),
                                             void *user, ebm_error *err);

void ebmt__metrics_close(ebmt_metrics *m); /* NULL allowed */

#endif
