/* A session of one thread on one model, planned once, and how fast it is.
 * Knows models and sessions; not which job is worked on. */
#ifndef EBMD_WORKBENCH_H
#define EBMD_WORKBENCH_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/session.h"

typedef struct ebmd_workbench {
    ebm_session *session;
    const ebm_model *model; /* the session holds it; NULL: not planned */
    size_t dim;             /* numbers of an image */
    double ms_per_eval;     /* moving average of one gradient here; > 0 */
} ebmd_workbench;

/* Plans the bench and evaluates the model on it, so that no request pays for set-up and its speed
 * is known. @own ebmd_workbench_clear(); keeps a reference on the model
 * @err NOMEM, what sessions say */
EBM_MUST_CHECK ebm_status ebmd_workbench_init(ebmd_workbench *b, ebm_model *model, ebm_error *err);
void ebmd_workbench_clear(ebmd_workbench *b); /* zeroed allowed */
/* Notes how long some evaluations took. */
void ebmd_workbench_note(ebmd_workbench *b, int64_t evals, double ms);
/* Evaluations that take about this long. @range result >= 1 */
int64_t ebmd_workbench_evals_in(const ebmd_workbench *b, double ms);

#endif
