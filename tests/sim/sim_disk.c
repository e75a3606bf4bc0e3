/* The simulated disk and the draws of a schedule, see sim_world.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "sim_world.h"

uint64_t sim_draw(sim *s)
{
    uint64_t z = (s->state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int sim_below(sim *s, int n)
{
    return (int)(sim_draw(s) % (uint64_t)n);
}

_Noreturn void sim_violated(sim *s, const char *promise, const char *id)
{
    snprintf(s->why, sizeof(s->why), "%s: %s", promise, id);
    longjmp(s->violation, 1);
}

void sim_require(sim *s, bool holds, const char *promise, const char *id)
{
    if (!holds)
        sim_violated(s, promise, id);
}

static sim *sim_of(ebmd_backend *b)
{
    return (sim *)(void *)b;
}

disk_job *sim_on_disk(sim *s, const char *id)
{
    for (int i = 0; i < JOBS; i++) {
        if (s->disk[i].used && strcmp(s->disk[i].row.id, id) == 0)
            return &s->disk[i];
    }
    return NULL;
}

static disk_job *place_for(sim *s, const char *id)
{
    disk_job *d = sim_on_disk(s, id);

    for (int i = 0; i < JOBS && !d; i++) {
        if (!s->disk[i].used)
            d = &s->disk[i];
    }
    return d;
}

static void keep_blob(disk_job *d, const ebmd_blob *b)
{
    disk_blob *place = NULL;

    for (int i = 0; i < BLOBS; i++) {
        disk_blob *o = &d->blob[i];

        if (o->used && o->type == b->type && o->index == b->index)
            place = o;
        else if (!o->used && !place)
            place = o;
    }
    *place = (disk_blob){.used = true, .type = b->type, .index = b->index};
    memcpy(&place->value, b->data, sizeof(place->value));
}

int sim_index_of(const sim *s, const char *id)
{
    for (int i = 0; i < JOBS; i++) {
        if (strcmp(s->seen[i].id, id) == 0)
            return i;
    }
    return -1;
}

/* Notes what the disk says of a job: it may say more than the core could still tell anybody. */
static void watch(sim *s, const disk_job *old, const ebmd_change *c)
{
    int i = sim_index_of(s, c->row->id);
    witness *w = &s->seen[i];

    sim_require(s, i >= 0, "C1 only what was submitted is written", c->row->id);
    sim_require(s, !c->drop_row || ebmd_job_state_final(old->row.state),
                "C1 only what has ended is forgotten", c->row->id);
    if (c->row->fence > (old->used ? old->row.fence : 0))
        w->claims_since_save++;
    for (size_t k = 0; k < c->n_blobs; k++) {
        w->early = w->early || (c->blobs[k].type == EBMD_BLOB_PART && c->blobs[k].index == 1);
        if (c->blobs[k].type == EBMD_BLOB_CHECKPOINT)
            w->claims_since_save = c->row->state == EBMD_JOB_RUNNING ? 1 : 0;
    }
    w->ended = w->ended || ebmd_job_state_final(c->row->state);
}

static void put(sim *s, const ebmd_change *c)
{
    disk_job *d = place_for(s, c->row->id);

    watch(s, d, c);
    if (c->drop_row) {
        memset(d, 0, sizeof(*d));
        return;
    }
    d->used = true;
    d->row = *c->row;
    if (s->planted == PLANT_LOSE_CANCEL)
        d->row.cancel_requested = false;
    for (int i = 0; i < BLOBS; i++) {
        if (c->drop_blobs & (1u << d->blob[i].type))
            d->blob[i].used = false;
    }
    if (s->planted == PLANT_HALF_WRITE && c->n_blobs > 0 && sim_below(s, 4) == 0)
        return;
    for (size_t i = 0; i < c->n_blobs; i++)
        keep_blob(d, &c->blobs[i]);
}

static ebm_status sim_write(ebmd_backend *b, const ebmd_change *c, ebm_error *err)
{
    sim *s = sim_of(b);
    ending how = s->next_ending;

    s->next_ending = ENDS_WELL;
    if (s->planted == PLANT_ACCEPT_BEFORE_WRITE && c->row->fence == 0 && sim_below(s, 8) == 0)
        return EBM_OK;
    s->behind = s->behind || how == FAILS_CLEAN;
    if (how == FAILS_CLEAN)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "disk full");
    if (how != FAILS_BEFORE)
        put(s, c);
    if (how == ENDS_WELL || s->planted == PLANT_BELIEVE_FAILED)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_IO, NULL, "disk error");
}

static ebm_status sim_read(ebmd_backend *b, const char *id, ebmd_blob_type type, int32_t index,
                           char **data, size_t *size, ebm_error *err)
{
    const disk_job *d = sim_on_disk(sim_of(b), id);

    for (int i = 0; d && i < BLOBS; i++) {
        const disk_blob *o = &d->blob[i];

        if (!o->used || o->type != type || o->index != index)
            continue;
        *size = sizeof(o->value);
        *data = ebm_alloc(*size + 1, 1);
        if (!*data)
            return EBM_ERR_NOMEM;
        memcpy(*data, &o->value, *size);
        return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, id, "not there");
}

static int by_seq(const void *a, const void *b)
{
    int64_t x = ((const ebmd_row *)a)->seq, y = ((const ebmd_row *)b)->seq;

    return x < y ? -1 : x > y;
}

static ebm_status sim_load(ebmd_backend *b, ebm_status (*take)(void *arg, const ebmd_row *row),
                           void *arg, ebm_error *err)
{
    sim *s = sim_of(b);
    ebmd_row rows[JOBS];
    size_t n = 0;

    (void)err;
    for (int i = 0; i < JOBS; i++) {
        if (!s->disk[i].used)
            continue;
        rows[n] = s->disk[i].row;
        if (s->planted == PLANT_FORGET_ATTEMPTS)
            rows[n].attempts = 0;
        if (s->planted == PLANT_RESURRECT && ebmd_job_state_final(rows[n].state))
            rows[n].state = EBMD_JOB_QUEUED;
        n++;
    }
    qsort(rows, n, sizeof(rows[0]), by_seq);
    for (size_t i = 0; i < n; i++) {
        ebm_status st = take(arg, &rows[i]);

        if (st != EBM_OK)
            return st;
    }
    return EBM_OK;
}

static void sim_close(ebmd_backend *b)
{
    (void)b; /* the disk outlives the process */
}

const ebmd_backend_ops sim_ops = {sim_write, sim_read, sim_load, sim_close};
