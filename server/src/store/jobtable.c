/* Lists and indexes of rows, see jobtable.h. */
#include "store/jobtable.h"

#include <string.h>

#include "ebm/memory.h"

#define FIRST_OWNERS 16u

static size_t bucket_of(const char *text)
{
    uint32_t h = 2166136261u; /* FNV-1a; ids and digests are ours, so nobody aims at a bucket */

    for (const char *c = text; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return h % EBMD__BUCKETS;
}

static ebmd__node **id_slot(ebmd__table *t, const char *id)
{
    ebmd__node **slot = &t->id_bucket[bucket_of(id)];

    while (*slot && strcmp((*slot)->row.id, id) != 0)
        slot = &(*slot)->by_id;
    return slot;
}

ebmd__node *ebmd__table_find(ebmd__table *t, const char *id)
{
    return *id_slot(t, id);
}

ebmd__node *ebmd__table_find_idem(ebmd__table *t, const char *idem)
{
    ebmd__node *n = t->idem_bucket[bucket_of(idem)];

    while (n && strcmp(n->row.idem, idem) != 0)
        n = n->by_idem;
    return n;
}

/* --- owners ------------------------------------------------------------------------------- */

static ebmd__owner *find_owner(const ebmd__table *t, const char *name)
{
    for (size_t i = 0; i < t->n_owners; i++) {
        if (strcmp(t->owners[i].name, name) == 0)
            return &t->owners[i];
    }
    return NULL;
}

/* An owner without jobs whose share is used up by now is like a new one. */
static void forget_idle_owners(ebmd__table *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->n_owners; i++) {
        if (t->owners[i].live > 0 || t->owners[i].finish > t->vtime)
            t->owners[kept++] = t->owners[i];
    }
    t->n_owners = kept;
}

static ebmd__owner *add_owner(ebmd__table *t, const char *name)
{
    if (t->n_owners == t->owner_room)
        forget_idle_owners(t);
    if (t->n_owners == t->owner_room) {
        size_t room = t->owner_room > 0 ? 2 * t->owner_room : FIRST_OWNERS;
        ebmd__owner *more = ebm_alloc(room, sizeof(*more));

        if (!more)
            return NULL;
        if (t->n_owners > 0)
            memcpy(more, t->owners, t->n_owners * sizeof(*more));
        ebm_free(t->owners);
        t->owners = more;
        t->owner_room = room;
    }
    t->owners[t->n_owners] = (ebmd__owner){.live = 0};
    memcpy(t->owners[t->n_owners].name, name, strlen(name) + 1);
    return &t->owners[t->n_owners++];
}

size_t ebmd__table_live(const ebmd__table *t, const char *owner)
{
    const ebmd__owner *o = find_owner(t, owner);

    return o ? o->live : 0;
}

double ebmd__table_start_tag(const ebmd__table *t, const char *owner)
{
    const ebmd__owner *o = find_owner(t, owner);

    return o && o->finish > t->vtime ? o->finish : t->vtime;
}

void ebmd__table_give_back(ebmd__table *t, const char *owner, int64_t work)
{
    ebmd__owner *o = find_owner(t, owner);
    double finish = o ? o->finish - (double)work : 0.0;

    for (const ebmd__node *n = t->live; n; n = n->next) {
        double end = n->row.vtime + (double)n->row.work;

        if (end > finish && strcmp(n->row.owner, owner) == 0)
            finish = end;
    }
    if (o && finish < o->finish)
        o->finish = finish;
}

/* --- linking ------------------------------------------------------------------------------ */

static bool is_live(const ebmd_row *r)
{
    return !ebmd_job_state_final(r->state);
}

static void link_live(ebmd__table *t, ebmd__node *n)
{
    n->prev = NULL;
    n->next = t->live;
    if (t->live)
        t->live->prev = n;
    t->live = n;
}

static void unlink_live(ebmd__table *t, ebmd__node *n)
{
    if (n->prev)
        n->prev->next = n->next;
    else
        t->live = n->next;
    if (n->next)
        n->next->prev = n->prev;
    n->prev = n->next = NULL;
}

/* Adds (sign 1) or takes away (-1) what a row counts for. */
static void count(ebmd__table *t, const ebmd_row *r, int sign)
{
    size_t one = sign > 0 ? 1 : (size_t)-1; /* unsigned arithmetic wraps back */
    ebmd__owner *o = is_live(r) ? find_owner(t, r->owner) : NULL;

    t->bytes += sign * ebmd_row_bytes(r);
    t->kept += is_live(r) ? 0 : sign * ebmd_row_bytes(r);
    if (r->state == EBMD_JOB_QUEUED) {
        t->queued += one;
        t->queued_work += sign * r->work;
    } else if (r->state == EBMD_JOB_RUNNING) {
        t->running += one;
    }
    if (o)
        o->live += one;
}

bool ebmd__table_insert(ebmd__table *t, ebmd__node *n)
{
    ebmd__node **slot = id_slot(t, n->row.id);
    double finish = n->row.vtime + (double)n->row.work;
    ebmd__owner *o = NULL;

    if (is_live(&n->row)) {
        o = find_owner(t, n->row.owner);
        if (!o)
            o = add_owner(t, n->row.owner);
        if (!o)
            return false;
        o->finish = finish > o->finish ? finish : o->finish;
        link_live(t, n);
    }
    *slot = n;
    if (n->row.idem[0]) {
        size_t b = bucket_of(n->row.idem);

        n->by_idem = t->idem_bucket[b];
        t->idem_bucket[b] = n;
    }
    n->older = t->newest;
    if (t->newest)
        t->newest->newer = n;
    else
        t->oldest = n;
    t->newest = n;
    t->rows++;
    count(t, &n->row, 1);
    return true;
}

void ebmd__table_drop_idem(ebmd__table *t, ebmd__node *n)
{
    ebmd__node **slot = &t->idem_bucket[bucket_of(n->row.idem)];

    if (!n->row.idem[0])
        return;
    while (*slot && *slot != n)
        slot = &(*slot)->by_idem;
    if (*slot)
        *slot = n->by_idem;
    n->by_idem = NULL;
    n->row.idem[0] = '\0';
}

void ebmd__table_remove(ebmd__table *t, ebmd__node *n)
{
    ebmd__table_drop_idem(t, n);
    if (is_live(&n->row))
        unlink_live(t, n);
    count(t, &n->row, -1);
    *id_slot(t, n->row.id) = n->by_id;
    if (n->older)
        n->older->newer = n->newer;
    else
        t->oldest = n->newer;
    if (n->newer)
        n->newer->older = n->older;
    else
        t->newest = n->older;
    t->rows--;
    ebm_free(n);
}

void ebmd__table_update(ebmd__table *t, ebmd__node *n, const ebmd_row *row)
{
    bool was_live = is_live(&n->row);

    count(t, &n->row, -1);
    n->row = *row;
    count(t, &n->row, 1);
    if (was_live && !is_live(row))
        unlink_live(t, n);
}

void ebmd__table_clear(ebmd__table *t)
{
    while (t->oldest) {
        ebmd__node *n = t->oldest;

        t->oldest = n->newer;
        ebm_free(n);
    }
    ebm_free(t->owners);
    memset(t, 0, sizeof(*t));
}
