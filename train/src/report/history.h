/* The course of a run, thinned to a few hundred points whatever its length. Knows reports; has
 * never heard of files or pages. */
#ifndef EBMT_HISTORY_H
#define EBMT_HISTORY_H

#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/train.h"

#define EBMT_HISTORY_BINS   256
#define EBMT_HISTORY_LEVELS 12 /* levels that are kept, spread over those trained */

/* What is kept: numbers of the whole run, then numbers of each level. */
typedef enum ebmt__quantity {
    EBMT_LOSS,
    EBMT_MATCHING_LOSS,
    EBMT_GRAD_NORM,
    EBMT_LR,
    EBMT_PERSISTENT_GAP,
    EBMT_PERSISTENT_ACCEPTANCE,
    EBMT_LEVEL_GAP, /* the first one per level */
    EBMT_LEVEL_DISPLACEMENT,
    EBMT_LEVEL_ACCEPTANCE,
    EBMT_LEVEL_MATCHING,
    EBMT_LEVEL_VALIDATION,
    EBMT_LEVEL_VALIDATION_ERROR,
    EBMT_QUANTITIES
} ebmt__quantity;

typedef struct ebmt__history ebmt__history;

/* Of a run that trains levels lowest..highest. @own *out: ebmt__history_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__history_create(int32_t lowest, int32_t highest, ebmt__history **out,
                                               ebm_error *err);
void ebmt__history_free(ebmt__history *h); /* NULL allowed */

/* Takes in one iteration: into the mean of its bin, means of a level weighted by its samples. Bins
 * depend on the number of the iteration alone, so that a resumed run has the points of an
 * undisturbed one. Numbers that are not finite, or of a level without samples, are left out, and so
 * is the loss of an iteration without chains, which has none, and what persistent chains tell where
 * there are none.
 * @range report->iteration >= 1 */
void ebmt__history_add(ebmt__history *h, const ebmt_report *report);

int32_t ebmt__history_rows(const ebmt__history *h);               /* levels kept, 1.. */
int32_t ebmt__history_level(const ebmt__history *h, int32_t row); /* which level a row is */
int64_t ebmt__history_last(const ebmt__history *h);               /* newest iteration, 0: none */

/* One bin: true if it holds something; its middle and mean. @range row 0 for numbers of the run */
bool ebmt__history_at(const ebmt__history *h, ebmt__quantity what, int32_t row, int32_t bin,
                      double *iteration, double *mean);

#endif
