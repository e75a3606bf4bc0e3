/* OUT/report.html: how a run goes, as one page without outside parts. */
#ifndef EBMT_RUN_REPORT_H
#define EBMT_RUN_REPORT_H

#include "ebm/status.h"
#include "history.h"

/* The page stays below this, whatever the length of the run; sheets are left out for it. */
#define EBMT_REPORT_MAX_BYTES ((size_t)8 << 20)

typedef struct ebmt__run_report {
    const ebmt__history *history;
    const char *dir;         /* where the page goes; its samples-*.png go into the page */
    const char *title;       /* of the model, for people */
    const char *config_json; /* shown as it is */
    const char *outcome;     /* one line about how the run ended, or NULL */
} ebmt__run_report;

/* Writes the page: curves of loss, matching, energy gap, displacement, acceptance and validation
 * gap per level, sheets of samples spread over the run. The old page is there until the new one is
 * whole.
 * @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__run_report_write(const ebmt__run_report *report, ebm_error *err);

#endif
