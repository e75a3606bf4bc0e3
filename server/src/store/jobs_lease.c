/* The job core: who may work on a job, and how its work ends. See jobs.h. */
#include <string.h>

#include "store/jobs_internal.h"

#define BACKOFF_MS 4000.0 /* before the third claim and those after it */

bool ebmd__jobs_has_work(const ebmd_row *row)
{
    return row->bytes[EBMD_BLOB_CHECKPOINT] > 0;
}

/* --- claiming ----------------------------------------------------------------------------- */

bool ebmd__jobs_is_doomed(const ebmd__node *n, int64_t now)
{
    return n->row.state == EBMD_JOB_QUEUED && ebmd__jobs_has_work(&n->row) &&
           (n->row.cancel_requested || n->deadline <= now);
}

static bool claimable(const ebmd__node *n, const ebmd_wish *wish, int64_t now)
{
    const ebmd_row *r = &n->row;

    if (r->state != EBMD_JOB_QUEUED || n->run_after > now || n->deadline <= now)
        return false;
    return r->priority > wish->above_priority ||
           (r->priority == wish->above_priority && r->work < wish->below_work);
}

static ebmd__node *first_claimable(ebmd_jobs *j, const ebmd_wish *wish)
{
    int64_t now = ebmd__jobs_mono(j);
    ebmd__node *best = NULL;

    for (ebmd__node *n = j->table.live; n; n = n->next) {
        if (ebmd__jobs_is_doomed(n, now) && n->run_after <= now)
            return n; /* before all others, and whatever the wish */
        if (claimable(n, wish, now) && (!best || ebmd__jobs_before(&n->row, &best->row)))
            best = n;
    }
    return best;
}

static void lease_of(const ebmd__node *n, ebmd_lease *out)
{
    const ebmd_row *r = &n->row;

    *out = (ebmd_lease){.fence = r->fence,
                        .work = r->work,
                        .created_ms = r->created_ms,
                        .started_ms = r->started_ms,
                        .deadline_mono = n->deadline,
                        .timings = r->timings,
                        .priority = r->priority,
                        .attempts = r->attempts,
                        .has_checkpoint = ebmd__jobs_has_work(r),
                        .cancel_requested = r->cancel_requested};
    memcpy(out->id, r->id, sizeof(out->id));
    memcpy(out->kind, r->kind, sizeof(out->kind));
    memcpy(out->owner, r->owner, sizeof(out->owner));
}

ebm_status ebmd_jobs_claim(ebmd_jobs *j, const ebmd_wish *wish, ebmd_lease *out, ebm_error *err)
{
    ebmd__node *n = first_claimable(j, wish);
    ebmd_change change = {.n_blobs = 0};
    int64_t now = ebmd__jobs_mono(j);
    ebm_status st;
    ebmd_row row;

    if (!n)
        return EBM_ERR_NOT_FOUND;
    row = n->row;
    row.state = EBMD_JOB_RUNNING;
    row.fence++;
    row.attempts++;
    if (row.started_ms == 0) {
        row.started_ms = ebmd__jobs_wall(j);
        row.timings.queue_ms = (double)(now - n->queued_at);
    }
    st = ebmd__jobs_write(j, n, &row, &change, err);
    if (st != EBM_OK)
        return st;
    n->lease_until = now + j->limits.lease_ms;
    n->progress = (ebmd_progress){0};
    if (row.vtime > j->table.vtime)
        j->table.vtime = row.vtime;
    j->redelivered += row.fence > 1 ? 1 : 0;
    lease_of(n, out);
    ebmd__jobs_tell(j, EBMD_EVENT_STARTED, &row);
    return EBM_OK;
}

/* The job a lease is good for, or NULL. */
static ebmd__node *holder(ebmd_jobs *j, const ebmd_lease *lease)
{
    ebmd__node *n = ebmd__table_find(&j->table, lease->id);

    return n && n->row.state == EBMD_JOB_RUNNING && n->row.fence == lease->fence ? n : NULL;
}

ebmd_beat_verdict ebmd_jobs_heartbeat(ebmd_jobs *j, const ebmd_lease *lease,
                                      const ebmd_progress *progress)
{
    ebmd__node *n = holder(j, lease);

    if (!n || j->broken)
        return EBMD_LOST;
    n->lease_until = ebmd__jobs_mono(j) + j->limits.lease_ms;
    n->progress = *progress;
    return n->row.cancel_requested ? EBMD_STOP : EBMD_KEEP;
}

static ebm_status lost(ebmd_jobs *j, const ebmd_lease *lease, ebm_error *err)
{
    j->leases_lost++;
    return ebm_error_set(err, EBM_ERR_BAD_STATE, lease->id, "the lease is lost");
}

/* --- checkpoints -------------------------------------------------------------------------- */

/* A job given back is not a failed attempt. */
static void release(ebmd_jobs *j, ebmd_row *row, ebmd__node *n, int64_t pause_ms)
{
    row->state = EBMD_JOB_QUEUED;
    row->attempts = row->attempts > 0 ? row->attempts - 1 : 0;
    n->queued_at = ebmd__jobs_mono(j);
    n->run_after = pause_ms > 0 ? n->queued_at + pause_ms : 0;
}

ebm_status ebmd_jobs_save(ebmd_jobs *j, const ebmd_lease *lease, const ebmd_save *save,
                          ebm_error *err)
{
    ebmd__node *n = holder(j, lease);
    ebmd_change change = {.blobs = save->blobs, .n_blobs = save->n_blobs};
    ebm_status st;
    ebmd_row row;

    if (!n)
        return lost(j, lease, err);
    row = n->row;
    row.timings = save->timings;
    if (save->n_blobs > 0)
        row.attempts = 1; /* it got somewhere: what kills workers does not */
    if (save->release)
        release(j, &row, n, save->pause_ms);
    if (save->release && row.cancel_requested && save->n_blobs == 0 && !ebmd__jobs_has_work(&row))
        return ebmd__jobs_end(j, n, EBMD_JOB_CANCELED, "canceled", err);
    st = ebmd__jobs_write(j, n, &row, &change, err);
    if (st != EBM_OK)
        return st;
    n->lease_until = ebmd__jobs_mono(j) + j->limits.lease_ms;
    if (save->release)
        ebmd__jobs_tell(j, EBMD_EVENT_QUEUED, &row);
    if (save->release && row.cancel_requested)
        ebmd__jobs_tell(j, EBMD_EVENT_CANCEL, &row);
    return EBM_OK;
}

/* --- ends --------------------------------------------------------------------------------- */

#define WORK_BLOBS ((1u << EBMD_BLOB_REQUEST) | (1u << EBMD_BLOB_CHECKPOINT))

/* Writes the end of a job of whose work so much has not been done. */
static ebm_status settle(ebmd_jobs *j, ebmd__node *n, ebmd_row *row, int64_t work_left,
                         ebmd_change *change, ebm_error *err)
{
    ebm_status st;

    row->completed_ms = ebmd__jobs_wall(j);
    st = ebmd__jobs_write(j, n, row, change, err);
    if (st != EBM_OK)
        return st;
    n->expires = ebmd__jobs_mono(j) + j->limits.result_ttl_ms;
    ebmd__table_give_back(&j->table, row->owner, work_left);
    ebmd__jobs_tell(j, EBMD_EVENT_ENDED, &n->row);
    ebmd__jobs_trim(j, n);
    return EBM_OK;
}

static bool set_code(ebmd_row *row, const char *code)
{
    size_t n = strlen(code);

    if (n >= sizeof(row->code))
        return false;
    memcpy(row->code, code, n + 1);
    return true;
}

ebm_status ebmd_jobs_finish(ebmd_jobs *j, const ebmd_lease *lease, const ebmd_outcome *o,
                            ebm_error *err)
{
    ebmd__node *n = holder(j, lease);
    ebmd_change change = {.drop_blobs = WORK_BLOBS, .blobs = o->blobs, .n_blobs = o->n_blobs};
    ebmd_row row;

    if (!n)
        return lost(j, lease, err);
    row = n->row;
    row.state = o->state;
    row.timings = o->timings;
    if (!ebmd_job_state_final(o->state) || !set_code(&row, o->code) || !ebmd_row_valid(&row) ||
        o->work_left < 0 || o->work_left > row.work)
        return ebm_error_set(err, EBM_ERR_ARG, lease->id, "not a valid end of a job");
    return settle(j, n, &row, o->work_left, &change, err);
}

ebm_status ebmd__jobs_end(ebmd_jobs *j, ebmd__node *n, ebmd_job_state state, const char *code,
                          ebm_error *err)
{
    ebmd_change change = {.drop_blobs = WORK_BLOBS};
    double left = 1.0 - n->progress.fraction; /* as far as we have been told */
    ebmd_row row = n->row;

    row.state = state;
    set_code(&row, code); /* the core's own codes fit */
    return settle(j, n, &row, (int64_t)((double)row.work * left), &change, err);
}

ebm_status ebmd__jobs_orphan(ebmd_jobs *j, ebmd__node *n, ebm_error *err)
{
    ebmd_change change = {.n_blobs = 0};
    int64_t now = ebmd__jobs_mono(j);
    ebm_status st;
    ebmd_row row;

    if (n->row.cancel_requested && !ebmd__jobs_has_work(&n->row))
        return ebmd__jobs_end(j, n, EBMD_JOB_CANCELED, "canceled", err);
    if (n->row.attempts >= j->limits.attempts)
        return ebmd__jobs_end(j, n, EBMD_JOB_FAILED, "max_attempts", err);
    row = n->row;
    row.state = EBMD_JOB_QUEUED;
    st = ebmd__jobs_write(j, n, &row, &change, err);
    if (st != EBM_OK)
        return st;
    n->queued_at = now;
    n->progress = (ebmd_progress){0};
    /* the first loss is probably somebody else's fault; after that, half to one and a half */
    n->run_after =
        row.attempts > 1 ? now + (int64_t)(BACKOFF_MS * (0.5 + j->env.uniform(j->env.self))) : 0;
    ebmd__jobs_tell(j, EBMD_EVENT_QUEUED, &row);
    if (row.cancel_requested)
        ebmd__jobs_tell(j, EBMD_EVENT_CANCEL, &row);
    return EBM_OK;
}

static ebm_status ask_to_stop(ebmd_jobs *j, ebmd__node *n, ebm_error *err)
{
    ebmd_change change = {.n_blobs = 0};
    ebmd_row row = n->row;
    ebm_status st;

    if (row.cancel_requested)
        return EBM_OK;
    row.cancel_requested = true;
    st = ebmd__jobs_write(j, n, &row, &change, err);
    if (st == EBM_OK)
        ebmd__jobs_tell(j, EBMD_EVENT_CANCEL, &row);
    return st;
}

ebm_status ebmd_jobs_cancel(ebmd_jobs *j, const char *id, const char *owner, ebmd_view *now,
                            ebm_error *err)
{
    ebmd__node *n = ebmd__table_find(&j->table, id);
    ebm_status st = EBM_OK;

    if (!n || (owner && strcmp(n->row.owner, owner) != 0))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "no such job");
    if (n->row.state == EBMD_JOB_QUEUED && !ebmd__jobs_has_work(&n->row))
        st = ebmd__jobs_end(j, n, EBMD_JOB_CANCELED, "canceled", err);
    else if (!ebmd_job_state_final(n->row.state))
        st = ask_to_stop(j, n, err);
    return st == EBM_OK ? ebmd_jobs_get(j, id, owner, now) : st;
}

ebm_status ebmd_jobs_forget(ebmd_jobs *j, const char *id, const char *owner, ebm_error *err)
{
    ebmd__node *n = ebmd__table_find(&j->table, id);
    ebm_status st = EBM_OK;

    if (!n || (owner && strcmp(n->row.owner, owner) != 0))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "no such job");
    if (n->row.purged)
        return EBM_OK;
    if (!ebmd_job_state_final(n->row.state))
        st = ebmd__jobs_end(j, n, EBMD_JOB_CANCELED, "canceled", err);
    return st == EBM_OK ? ebmd__jobs_purge(j, n, err) : st;
}
