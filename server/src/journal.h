/* Between jobs and the store: writes a job down before it runs, writes its result down before
 * anyone hears of it, and settles what an earlier process left unfinished.
 * Knows job objects and the store's interface; not who waits. */
#ifndef EBMD_JOURNAL_H
#define EBMD_JOURNAL_H

#include "app.h"
#include "job.h"

/* Makes the accepted job durable. @err IO, NOMEM; an IO error also makes the daemon BROKEN */
EBM_MUST_CHECK ebm_status ebmd_journal_accept(const ebmd_app *app, ebmd_job *job, ebm_error *err);

/* Ends a job all of whose images are over: builds its object, stores it, removes the job from
 * the queue and wakes whoever waits. `recorded`: the job is in the store. Call once.
 * @own drops nothing: the caller keeps its reference */
void ebmd_journal_finish(const ebmd_app *app, ebmd_job *job, bool recorded);

/* Marks jobs that a dead process left unfinished as failed with code "interrupted".
 * *count receives their number. @err what the store says */
EBM_MUST_CHECK ebm_status ebmd_journal_recover(ebmd_store *store, size_t *count, ebm_error *err);

#endif
