/* The sheets of samples that a run leaves behind, for its report. */
#ifndef EBMT_REPORT_SHEETS_H
#define EBMT_REPORT_SHEETS_H

#include <stddef.h>
#include <stdio.h>

#include "ebm/status.h"

#define EBMT_SHEET_NAME   "samples-%09lld.png" /* of an iteration */
#define EBMT_SHEETS_SHOWN 12

/* Puts up to EBMT_SHEETS_SHOWN of DIR/samples-<iteration>.png into a page, spread evenly over the
 * iterations with the newest among them; fewer, or none, if they would take more than `limit` bytes
 * of the page. A file that is no PNG is left out. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__report_sheets_put(FILE *f, const char *dir, size_t limit,
                                                  ebm_error *err);

#endif
