/* The job core: what happens by itself as time goes by. See jobs.h. */
#include "store/jobs_internal.h"

#define CLEANING_MS 1000 /* between two looks at results that may have aged */

static ebm_status drop(ebmd_jobs *j, ebmd__node *n, ebm_error *err)
{
    ebmd_change change = {.row = &n->row, .drop_row = true};
    ebm_status st = ebmd__jobs_judge(j, j->backend->ops->write(j->backend, &change, err));

    if (st == EBM_OK)
        ebmd__table_remove(&j->table, n);
    return st;
}

/* What waits and runs has its own bound and does not push results out. */
static bool too_many_rows(const ebmd_jobs *j)
{
    size_t live = j->table.queued + j->table.running;

    return j->table.rows - live > j->limits.rows;
}

/* A row is small: beyond the bound on bytes only what was kept under it goes, so that the id and
 * the Idempotency-Key stay known. */
void ebmd__jobs_trim(ebmd_jobs *j, const ebmd__node *keep)
{
    ebm_status st = EBM_OK;
    ebmd__node *next;

    for (ebmd__node *n = j->table.oldest; n && st == EBM_OK; n = next) {
        bool large = j->table.kept > j->limits.bytes;

        if (!large && !too_many_rows(j))
            return;
        next = n->newer;
        if (!ebmd_job_state_final(n->row.state) || n == keep)
            continue;
        if (too_many_rows(j))
            st = drop(j, n, NULL);
        else if (!n->row.purged)
            st = ebmd__jobs_purge(j, n, NULL);
    }
}

ebm_status ebmd__jobs_purge(ebmd_jobs *j, ebmd__node *n, ebm_error *err)
{
    ebmd_change change = {.drop_blobs = (1u << EBMD_BLOB_TYPES) - 1};
    ebmd_row row = n->row;
    ebm_status st;

    row.purged = true;
    st = ebmd__jobs_write(j, n, &row, &change, err);
    if (st == EBM_OK)
        n->expires = ebmd__jobs_mono(j) + j->limits.tombstone_ttl_ms;
    return st;
}

static ebm_status clean(ebmd_jobs *j, ebm_error *err)
{
    int64_t now = ebmd__jobs_mono(j);
    ebm_status st = EBM_OK;
    ebmd__node *next;

    ebmd__jobs_trim(j, NULL); /* what could not be written at the time */
    if (now < j->next_cleaning)
        return EBM_OK;
    j->next_cleaning = now + CLEANING_MS;
    for (ebmd__node *n = j->table.oldest; n && st == EBM_OK; n = next) {
        next = n->newer;
        if (!ebmd_job_state_final(n->row.state) || n->expires > now)
            continue;
        st = n->row.purged ? drop(j, n, err) : ebmd__jobs_purge(j, n, err);
    }
    return st;
}

static ebm_status age(ebmd_jobs *j, ebmd__node *n, int64_t now, ebm_error *err)
{
    if (n->row.state == EBMD_JOB_QUEUED && n->deadline <= now && !ebmd__jobs_has_work(&n->row))
        return ebmd__jobs_end(j, n, EBMD_JOB_EXPIRED, "deadline", err);
    if (ebmd__jobs_is_doomed(n, now))
        ebmd__jobs_tell(j, EBMD_EVENT_CANCEL, &n->row); /* until somebody has claimed it */
    if (n->row.state == EBMD_JOB_RUNNING && n->lease_until <= now) {
        ebm_status st = ebmd__jobs_orphan(j, n, err);

        j->leases_lost += st == EBM_OK ? 1 : 0; /* else it is tried again */
        return st;
    }
    return EBM_OK;
}

ebm_status ebmd_jobs_sweep(ebmd_jobs *j, ebm_error *err)
{
    int64_t now = ebmd__jobs_mono(j);
    ebm_status st = ebmd__jobs_check(j, err);
    ebmd__node *next;

    for (ebmd__node *n = j->table.live; n && st == EBM_OK; n = next) {
        next = n->next;
        st = age(j, n, now, err);
    }
    return st == EBM_OK ? clean(j, err) : st;
}
