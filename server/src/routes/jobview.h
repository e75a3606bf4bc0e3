/* The job object that a client sees: the stored document, completed with what the row says and,
 * if wanted, with the results. Knows the store's calls and the codec; not who asks. */
#ifndef EBMD_JOBVIEW_H
#define EBMD_JOBVIEW_H

#include "app.h"

/* The api's name for a state. */
ebma_job_status ebmd_jobview_status(ebmd_job_state state);
/* Writes the job object of a view that get() or cancel() gave.
 * @own *json: ebm_free() @err NOT_FOUND: gone meanwhile; IO, NOMEM, FORMAT (damaged record) */
EBM_MUST_CHECK ebm_status ebmd_jobview_json(const ebmd_app *app, const ebmd_view *view, char **json,
                                            size_t *size, ebm_error *err);
/* The job object as it stands, for streams; of a job that is not there any more, the problem that
 * says so, and the state FAILED.
 * @range arg: the app @own *json: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmd_jobview_describe(void *arg, const char *id, ebmd_job_state *state,
                                                char **json, size_t *size);

#endif
