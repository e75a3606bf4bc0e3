/* One run, for the files that it is made of: run.c, run_outputs.c, run_end.c. */
#ifndef EBMT_RUN_INTERNAL_H
#define EBMT_RUN_INTERNAL_H

#include <time.h>

#include "report/history.h"
#include "report/metrics_log.h"
#include "trainer.h"
#include "watch.h"

typedef struct ebmt__run {
    const ebmt_run_options *opt;
    int lock; /* on out_dir, for as long as it is open; -1: none */
    ebmt__trainer *tr;
    ebmt_metrics *metrics;
    ebmt__history *history;
    ebmt__watch watch;
    double *validation; /* gap and its error [2,T] */
    bool checkpoint_due;
    char *config_json;
    struct timespec begin;
} ebmt__run;

/* In a group one process has to do with files and with people. */
bool ebmt__run_leads(const ebmt__run *r);
void ebmt__run_note(const ebmt__run *r, const char *line);

/* Draws a sheet of samples of the averaged weights; none of points. Samples that diverge make none,
 * and a note: the weights themselves may be fine. @err ARG, IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__run_sheet(ebmt__run *r, const char *name, int32_t images,
                                          ebm_error *err);

/* Writes report.html. It is there to be looked at: a run goes on without it. */
void ebmt__run_page(ebmt__run *r, const char *outcome);

/* Machines of different kinds may round differently; better no model than a mixture of two.
 * All processes of a group call it. @err ARG, IO */
EBM_MUST_CHECK ebm_status ebmt__run_check_weights(const ebmt__run *r, ebm_error *err);

/* The end of a run that is complete or was told to stop: checkpoint, model, last sheet.
 * All processes of a group call it. @err as ebmt_run() */
EBM_MUST_CHECK ebm_status ebmt__run_finish(ebmt__run *r, ebm_error *err);
/* The end of one that has diverged. All diverge together, and all call it. */
void ebmt__run_end_diverged(ebmt__run *r, const ebm_error *why);
/* The end of one that cannot go on: the page tells why, and that is all. The state may be between
 * two iterations, and other processes may be gone. */
void ebmt__run_end_failed(ebmt__run *r, const ebm_error *why);

#endif
