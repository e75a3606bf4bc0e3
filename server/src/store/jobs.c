/* The job core: opening, accepting, looking. See jobs.h; leases are in jobs_lease.c, ageing in
 * jobs_sweep.c. */
#include "store/jobs_internal.h"

#include <string.h>

#include "ebm/memory.h"

ebmd_limits ebmd_limits_default(void)
{
    return (ebmd_limits){
        .queued = 64,
        .queued_work = INT64_C(100000000),
        .live_bytes = INT64_C(256) << 20,
        .rows = 10000,
        .bytes = INT64_C(256) << 20,
        .lease_ms = 30000,
        .result_ttl_ms = INT64_C(86400000),
        .tombstone_ttl_ms = INT64_C(604800000),
        .idem_ttl_ms = INT64_C(86400000),
        .attempts = 3,
    };
}

int64_t ebmd__jobs_mono(const ebmd_jobs *j)
{
    return j->env.mono_ms(j->env.self);
}

int64_t ebmd__jobs_wall(const ebmd_jobs *j)
{
    int64_t now = j->env.wall_ms(j->env.self);

    return now > 0 ? now : 1; /* 0 means "not yet" in a row */
}

void ebmd__jobs_tell(ebmd_jobs *j, ebmd_event event, const ebmd_row *row)
{
    if (j->listener)
        j->listener(j->listener_arg, event, row);
}

ebm_status ebmd__jobs_check(const ebmd_jobs *j, ebm_error *err)
{
    if (!j->broken)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_IO, NULL, "the job store has failed");
}

ebm_status ebmd__jobs_judge(ebmd_jobs *j, ebm_status st)
{
    if (st != EBM_OK && st != EBM_ERR_NOMEM && st != EBM_ERR_LIMIT)
        j->broken = true;
    return st;
}

void ebmd__jobs_count_bytes(ebmd_row *row, const ebmd_change *change)
{
    for (int t = 0; t < EBMD_BLOB_TYPES; t++) {
        if (change->drop_blobs & (1u << t))
            row->bytes[t] = 0;
    }
    for (size_t i = 0; i < change->n_blobs; i++) {
        const ebmd_blob *b = &change->blobs[i];

        /* parts are written once, the others are replaced */
        if (b->type == EBMD_BLOB_PART)
            row->bytes[b->type] += (int64_t)b->size;
        else
            row->bytes[b->type] = (int64_t)b->size;
    }
}

ebm_status ebmd__jobs_write(ebmd_jobs *j, ebmd__node *node, ebmd_row *row, ebmd_change *change,
                            ebm_error *err)
{
    ebm_status st = ebmd__jobs_check(j, err);

    if (st != EBM_OK)
        return st;
    ebmd__jobs_count_bytes(row, change);
    change->row = row;
    st = ebmd__jobs_judge(j, j->backend->ops->write(j->backend, change, err));
    if (st == EBM_OK)
        ebmd__table_update(&j->table, node, row);
    return st;
}

/* --- opening ------------------------------------------------------------------------------ */

/* A time stamp of an earlier process as a moment on this one's clock that never jumps; what an
 * odd wall clock says is cut to what is possible. */
static int64_t mono_of(const ebmd_jobs *j, int64_t wall_ms, int64_t most_ms)
{
    int64_t left = wall_ms - ebmd__jobs_wall(j);

    left = left < 0 ? 0 : left;
    return ebmd__jobs_mono(j) + (left > most_ms ? most_ms : left);
}

void ebmd__jobs_set_expiry(const ebmd_jobs *j, ebmd__node *node)
{
    int64_t ttl = node->row.purged ? j->limits.tombstone_ttl_ms : j->limits.result_ttl_ms;

    node->expires = mono_of(j, node->row.completed_ms + ttl, ttl);
}

static ebmd__node *node_of(const ebmd_jobs *j, const ebmd_row *row)
{
    ebmd__node *n = ebm_alloc(1, sizeof(*n));
    int64_t day = INT64_C(86400000);

    if (!n)
        return NULL;
    n->row = *row;
    n->queued_at = ebmd__jobs_mono(j);
    n->idem_until = mono_of(j, row->created_ms + j->limits.idem_ttl_ms, j->limits.idem_ttl_ms);
    n->deadline = row->deadline_ms > 0 ? mono_of(j, row->deadline_ms, 366 * day) : INT64_MAX;
    return n;
}

static ebm_status take_row(void *arg, const ebmd_row *row)
{
    ebmd_jobs *j = arg;
    ebmd__node *n;

    if (!ebmd_row_valid(row) || row->seq < j->next_seq || ebmd__table_find(&j->table, row->id)) {
        j->damaged++; /* left where it is, for a human to look at */
        return EBM_OK;
    }
    n = node_of(j, row);
    if (!n || !ebmd__table_insert(&j->table, n)) {
        ebm_free(n);
        return EBM_ERR_NOMEM;
    }
    j->next_seq = row->seq + 1;
    if (ebmd_job_state_final(row->state))
        ebmd__jobs_set_expiry(j, n);
    return EBM_OK;
}

/* Virtual time goes on where the first waiting job stands. */
static void settle_vtime(ebmd_jobs *j)
{
    double first = -1.0;

    for (const ebmd__node *n = j->table.live; n; n = n->next) {
        if (first < 0.0 || n->row.vtime < first)
            first = n->row.vtime;
    }
    j->table.vtime = first > 0.0 ? first : 0.0;
}

/* Nobody works on what was running. Where there is no room to write that down, the rows stay as
 * they are for now: their leases have run out long ago, so the sweep tries again. */
static ebm_status recover(ebmd_jobs *j, ebm_error *err)
{
    ebm_status st = EBM_OK;
    ebm_error cause = {0};
    ebmd__node *next;

    settle_vtime(j);
    for (ebmd__node *n = j->table.live; n; n = next) {
        next = n->next;
        if (n->row.state != EBMD_JOB_RUNNING)
            continue;
        j->recovered++;
        if (st == EBM_OK)
            st = ebmd__jobs_orphan(j, n, &cause);
    }
    if (st != EBM_OK && j->broken)
        return ebm_error_set(err, st, cause.where, "%s", cause.text);
    ebmd__jobs_trim(j, NULL);
    return EBM_OK;
}

ebm_status ebmd_jobs_open(const ebmd_limits *limits, const ebmd_env *env, ebmd_backend *backend,
                          ebmd_jobs **out, ebm_error *err)
{
    ebmd_jobs *j = ebm_alloc(1, sizeof(*j));
    ebm_status st;

    *out = NULL;
    if (!j) {
        backend->ops->close(backend);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the job table");
    }
    j->limits = *limits;
    j->env = *env;
    j->backend = backend;
    j->next_seq = 1;
    st = backend->ops->load(backend, take_row, j, err);
    if (st == EBM_OK)
        st = recover(j, err);
    if (st != EBM_OK) {
        ebmd_jobs_close(j);
        return ebm_error_set(err, st, NULL, "cannot read the stored jobs");
    }
    *out = j;
    return EBM_OK;
}

void ebmd_jobs_close(ebmd_jobs *j)
{
    if (!j)
        return;
    ebmd__table_clear(&j->table);
    j->backend->ops->close(j->backend);
    ebm_free(j);
}

void ebmd_jobs_listen(ebmd_jobs *j, ebmd_listener fn, void *arg)
{
    j->listener = fn;
    j->listener_arg = arg;
}

bool ebmd_jobs_broken(const ebmd_jobs *j)
{
    return j->broken;
}

/* --- accepting ---------------------------------------------------------------------------- */

static bool copy_text(char *out, size_t room, const char *text)
{
    size_t n = strlen(text);

    if (n >= room)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool row_of(const ebmd_jobs *j, const ebmd_spec *s, ebmd_row *row)
{
    int64_t wall = ebmd__jobs_wall(j);

    *row = (ebmd_row){.seq = j->next_seq,
                      .work = s->work,
                      .created_ms = s->created_ms,
                      .deadline_ms = s->timeout_ms > 0 ? wall + s->timeout_ms : 0,
                      .vtime = ebmd__table_start_tag(&j->table, s->owner),
                      .priority = s->priority,
                      .parts = s->parts,
                      .state = EBMD_JOB_QUEUED};
    return copy_text(row->id, sizeof(row->id), s->id) &&
           copy_text(row->kind, sizeof(row->kind), s->kind) &&
           copy_text(row->owner, sizeof(row->owner), s->owner) &&
           copy_text(row->model, sizeof(row->model), s->model ? s->model : "") &&
           copy_text(row->idem, sizeof(row->idem), s->idem) &&
           copy_text(row->digest, sizeof(row->digest), s->digest) && s->timeout_ms >= 0 &&
           ebmd_row_valid(row);
}

/* Is there an earlier job of this Idempotency-Key? Then it is the answer. */
static bool replay(ebmd_jobs *j, const ebmd_spec *s, ebmd_submit_outcome *how,
                   char id[EBMD_ID_SIZE])
{
    ebmd__node *n = s->idem[0] ? ebmd__table_find_idem(&j->table, s->idem) : NULL;

    if (n && n->idem_until <= ebmd__jobs_mono(j)) {
        ebmd__table_drop_idem(&j->table, n);
        n = NULL;
    }
    if (!n)
        return false;
    *how = strcmp(n->row.digest, s->digest) == 0 ? EBMD_SUBMIT_REPLAYED : EBMD_SUBMIT_CONFLICT;
    memcpy(id, n->row.id, EBMD_ID_SIZE);
    return true;
}

static int64_t live_bytes(const ebmd_jobs *j)
{
    return j->table.bytes - j->table.kept;
}

/* A single job may be larger than all that may wait, or it could never run. */
static bool is_full(const ebmd_jobs *j, const ebmd_spec *s)
{
    int64_t size = (int64_t)(s->request_size + s->document_size + s->checkpoint_size);

    if (j->table.queued >= j->limits.queued)
        return true;
    if (j->table.live && size > j->limits.live_bytes - live_bytes(j))
        return true;
    return j->table.queued > 0 && s->work > j->limits.queued_work - j->table.queued_work;
}

static ebmd_submit_outcome has_room(const ebmd_jobs *j, const ebmd_spec *s)
{
    if (j->limits.owner_live > 0 && ebmd__table_live(&j->table, s->owner) >= j->limits.owner_live)
        return EBMD_SUBMIT_OWNER_FULL;
    return is_full(j, s) ? EBMD_SUBMIT_FULL : EBMD_SUBMIT_ACCEPTED;
}

static ebm_status accept(ebmd_jobs *j, const ebmd_spec *s, ebmd__node *n, ebm_error *err)
{
    const ebmd_blob blobs[] = {{EBMD_BLOB_REQUEST, 0, s->request, s->request_size},
                               {EBMD_BLOB_DOCUMENT, 0, s->document, s->document_size},
                               {EBMD_BLOB_CHECKPOINT, 0, s->checkpoint, s->checkpoint_size}};
    ebmd_change change = {.row = &n->row, .blobs = blobs, .n_blobs = s->checkpoint ? 3 : 2};

    ebmd__jobs_count_bytes(&n->row, &change);
    if (!ebmd__table_insert(&j->table, n))
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a job");
    return ebmd__jobs_judge(j, j->backend->ops->write(j->backend, &change, err));
}

ebm_status ebmd_jobs_submit(ebmd_jobs *j, const ebmd_spec *spec, ebmd_submit_outcome *how,
                            char id[EBMD_ID_SIZE], ebm_error *err)
{
    ebm_status st = ebmd__jobs_check(j, err);
    ebmd__node *n;
    ebmd_row row;

    if (st != EBM_OK)
        return st;
    if (!row_of(j, spec, &row))
        return ebm_error_set(err, EBM_ERR_ARG, spec->id, "not a valid job");
    if (replay(j, spec, how, id))
        return EBM_OK;
    if (spec->known_only) {
        *how = EBMD_SUBMIT_UNKNOWN;
        return EBM_OK;
    }
    if (ebmd__table_find(&j->table, spec->id))
        return ebm_error_set(err, EBM_ERR_BAD_STATE, spec->id, "job id is taken");
    *how = has_room(j, spec);
    if (*how != EBMD_SUBMIT_ACCEPTED)
        return EBM_OK;
    n = node_of(j, &row);
    if (!n)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a job");
    n->deadline = spec->timeout_ms > 0 ? ebmd__jobs_mono(j) + spec->timeout_ms : INT64_MAX;
    n->idem_until = ebmd__jobs_mono(j) + j->limits.idem_ttl_ms;
    st = accept(j, spec, n, err);
    if (st != EBM_OK) {
        if (ebmd__table_find(&j->table, row.id) == n) {
            ebmd__table_remove(&j->table, n);
            ebmd__table_give_back(&j->table, row.owner, row.work);
        } else {
            ebm_free(n);
        }
        return st;
    }
    j->next_seq++;
    memcpy(id, row.id, sizeof(row.id));
    ebmd__jobs_tell(j, EBMD_EVENT_QUEUED, &row);
    return EBM_OK;
}

/* --- looking ------------------------------------------------------------------------------ */

bool ebmd__jobs_before(const ebmd_row *a, const ebmd_row *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->vtime < b->vtime || (a->vtime == b->vtime && a->seq < b->seq);
}

static void place(const ebmd_jobs *j, ebmd_view *v)
{
    v->position = 0;
    v->work_left = v->row.work;
    for (const ebmd__node *n = j->table.live; n; n = n->next) {
        if (n->row.state != EBMD_JOB_QUEUED || !ebmd__jobs_before(&n->row, &v->row))
            continue;
        v->position++;
        v->work_left += n->row.work;
    }
}

ebm_status ebmd_jobs_get(ebmd_jobs *j, const char *id, const char *owner, ebmd_view *out)
{
    const ebmd__node *n = ebmd__table_find(&j->table, id);

    if (!n || (owner && strcmp(n->row.owner, owner) != 0))
        return EBM_ERR_NOT_FOUND;
    *out = (ebmd_view){.row = n->row, .progress = n->progress};
    if (n->row.state == EBMD_JOB_QUEUED)
        place(j, out);
    return EBM_OK;
}

static bool admits(const ebmd_filter *f, const ebmd_row *r)
{
    return !r->purged && (f->before == 0 || r->seq < f->before) && r->created_ms >= f->since &&
           (f->states == 0 || (f->states & (1u << r->state))) &&
           (!f->owner || strcmp(f->owner, r->owner) == 0) &&
           (!f->kind || strcmp(f->kind, r->kind) == 0) &&
           (!f->model || strcmp(f->model, r->model) == 0);
}

void ebmd_jobs_list(ebmd_jobs *j, const ebmd_filter *filter, ebmd_list_fn fn, void *arg)
{
    size_t shown = 0;

    for (const ebmd__node *n = j->table.newest; n && shown < filter->limit; n = n->older) {
        if (!admits(filter, &n->row))
            continue;
        fn(arg, &n->row);
        shown++;
    }
}

ebm_status ebmd_jobs_blob(ebmd_jobs *j, const char *id, ebmd_blob_type type, int32_t index,
                          char **data, size_t *size, ebm_error *err)
{
    ebm_status st;

    *data = NULL;
    *size = 0;
    if (!ebmd__table_find(&j->table, id))
        return ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "no such job");
    st = j->backend->ops->read(j->backend, id, type, index, data, size, err);
    /* what cannot be read, or is damaged, cannot be trusted to be written either */
    if (st == EBM_ERR_IO || st == EBM_ERR_FORMAT)
        j->broken = true;
    return st;
}

void ebmd_jobs_stats(ebmd_jobs *j, ebmd_stats *out)
{
    int64_t now = ebmd__jobs_mono(j);

    *out = (ebmd_stats){.queued = j->table.queued,
                        .running = j->table.running,
                        .rows = j->table.rows,
                        .queued_work = j->table.queued_work,
                        .bytes = j->table.bytes,
                        .live_bytes = live_bytes(j),
                        .recovered = j->recovered,
                        .damaged = j->damaged,
                        .leases_lost = j->leases_lost,
                        .redelivered = j->redelivered};
    for (const ebmd__node *n = j->table.live; n; n = n->next) {
        if (n->row.state == EBMD_JOB_QUEUED && now - n->queued_at > out->oldest_wait_ms)
            out->oldest_wait_ms = now - n->queued_at;
    }
}
