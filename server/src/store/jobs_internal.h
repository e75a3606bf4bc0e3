/* What the files of the job core share. Not for others. */
#ifndef EBMD_JOBS_INTERNAL_H
#define EBMD_JOBS_INTERNAL_H

#include "store/jobtable.h"

struct ebmd_jobs {
    ebmd_limits limits;
    ebmd_env env;
    ebmd_backend *backend;
    ebmd_listener listener;
    void *listener_arg;
    bool broken;
    int64_t next_seq;
    int64_t next_cleaning; /* monotonic: when to look for old results again */
    size_t recovered, damaged;
    uint64_t leases_lost, redelivered;
    ebmd__table table;
};

/* Writes one job's change, then makes it visible: node->row becomes `row`, with the bytes of its
 * blobs counted. change->row is set here. @err as ebmd_backend_ops.write; the core breaks */
EBM_MUST_CHECK ebm_status ebmd__jobs_write(ebmd_jobs *j, ebmd__node *node, ebmd_row *row,
                                           ebmd_change *change, ebm_error *err);
/* Counts what a change will leave of a job's bytes, into `row`. */
void ebmd__jobs_count_bytes(ebmd_row *row, const ebmd_change *change);
/* Answers a failed write: only some failures leave the file as it was. */
ebm_status ebmd__jobs_judge(ebmd_jobs *j, ebm_status st);
EBM_MUST_CHECK ebm_status ebmd__jobs_check(const ebmd_jobs *j, ebm_error *err);
void ebmd__jobs_tell(ebmd_jobs *j, ebmd_event event, const ebmd_row *row);

/* Ends a job by a rule of the core's own, e.g. a deadline. */
EBM_MUST_CHECK ebm_status ebmd__jobs_end(ebmd_jobs *j, ebmd__node *node, ebmd_job_state state,
                                         const char *code, ebm_error *err);
/* Puts a job whose worker is gone back into the queue, or ends it. */
EBM_MUST_CHECK ebm_status ebmd__jobs_orphan(ebmd_jobs *j, ebmd__node *node, ebm_error *err);
/* Drops all that is kept of a finished job but its row. */
EBM_MUST_CHECK ebm_status ebmd__jobs_purge(ebmd_jobs *j, ebmd__node *node, ebm_error *err);
/* Makes a row final in memory: when it will be forgotten. */
void ebmd__jobs_set_expiry(const ebmd_jobs *j, ebmd__node *node);
/* Drops the oldest finished jobs, but not `keep`, until the limits hold. A failed write leaves the
 * rest for later. */
void ebmd__jobs_trim(ebmd_jobs *j, const ebmd__node *keep);
/* There is a checkpoint: ending the job here and now would lose what it has come to. */
bool ebmd__jobs_has_work(const ebmd_row *row);
/* It waits with something to keep, and is to end: whoever claims it ends it and keeps what it has
 * come to. */
bool ebmd__jobs_is_doomed(const ebmd__node *node, int64_t now);
/* Is a's turn before b's? Priority, then fair share, then arrival. */
bool ebmd__jobs_before(const ebmd_row *a, const ebmd_row *b);

int64_t ebmd__jobs_mono(const ebmd_jobs *j);
int64_t ebmd__jobs_wall(const ebmd_jobs *j);

#endif
