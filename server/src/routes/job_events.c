/* Events of jobs, see job_events.h. */
#include "routes/job_events.h"

#include <stdio.h>
#include <string.h>

#include "routes/jobview.h"

static bool metrics_kind(const char *name, ebmd_job_kind *out)
{
    static const char *const names[EBMD_KINDS] = {
        [EBMD_KIND_SAMPLE] = "sample", [EBMD_KIND_INPAINT] = "inpaint",
        [EBMD_KIND_MCMC] = "mcmc",     [EBMD_KIND_INTERPOLATE] = "interpolate",
        [EBMD_KIND_ENERGY] = "energy", [EBMD_KIND_LIKELIHOOD] = "likelihood",
        [EBMD_KIND_CHAINS] = "chains"};

    for (int k = 0; k < EBMD_KINDS; k++) {
        if (strcmp(names[k], name) == 0) {
            *out = (ebmd_job_kind)k;
            return true;
        }
    }
    return false;
}

static void count_end(ebmd_metrics *m, const ebmd_row *row)
{
    ebmd_job_kind kind;

    if (!metrics_kind(row->kind, &kind))
        return;
    ebmd_metrics_job_ended(m, kind, ebmd_jobview_status(row->state), ebma_problem_find(row->code));
    if (row->started_ms == 0)
        return;
    ebmd_metrics_observe(m, EBMD_TIME_QUEUED, row->timings.queue_ms / 1e3);
    ebmd_metrics_observe(m, EBMD_TIME_RUN, row->timings.compute_ms / 1e3);
}

void ebmd_job_picture_id(const char *id, char out[EBMD_ID_SIZE])
{
    snprintf(out, EBMD_ID_SIZE, "pic_%s", id + strlen("job_"));
}

void ebmd_job_pictured(void *arg, const char *id)
{
    const ebmd_app *app = arg;
    char picture[EBMD_ID_SIZE];

    ebmd_job_picture_id(id, picture);
    ebmd_waiters_end(app->waiters, picture);
}

void ebmd_job_event(void *arg, ebmd_event event, const ebmd_row *row)
{
    const ebmd_app *app = arg;

    switch (event) {
    case EBMD_EVENT_QUEUED:
        ebmd_sched_poke(app->sched);
        ebmd_live_queued(app->live, row->id);
        break;
    case EBMD_EVENT_STARTED:
        ebmd_live_started(app->live, row);
        break;
    case EBMD_EVENT_CANCEL:
        ebmd_sched_cancel(app->sched, row->id);
        break;
    case EBMD_EVENT_ENDED:
        count_end(app->metrics, row);
        ebmd_sched_forget(app->sched, row->id);
        ebmd_live_ended(app->live, row->id);
        ebmd_waiters_end(app->waiters, row->id);
        ebmd_job_pictured(arg, row->id); /* there will be none any more */
        break;
    }
}
