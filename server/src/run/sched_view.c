/* What the scheduler is asked about its open jobs, see sched.h. Changes nothing. */
#include <string.h>

#include "run/sched_internal.h"

bool ebmd_sched_uses(ebmd_sched *s, const ebm_model *model)
{
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (const ebmd_run *run = s->runs; run && !found; run = run->next)
        found = ebmd_run_uses(run, model);
    pthread_mutex_unlock(&s->lock);
    return found;
}

size_t ebmd_sched_slots(const ebmd_sched *s)
{
    return s->slots;
}

size_t ebmd_sched_open(ebmd_sched *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->n_runs;
    pthread_mutex_unlock(&s->lock);
    return n;
}

bool ebmd_sched_paused(ebmd_sched *s)
{
    bool paused;

    pthread_mutex_lock(&s->lock);
    paused = s->paused;
    pthread_mutex_unlock(&s->lock);
    return paused;
}

double ebmd_sched_seconds(ebmd_sched *s, int64_t work)
{
    double seconds;

    pthread_mutex_lock(&s->lock);
    seconds = (double)work * s->ms_per_work / 1e3 / s->workers;
    pthread_mutex_unlock(&s->lock);
    return seconds;
}

static ebmd_slot slot_of(const ebmd_run *run)
{
    ebmd_slot slot = {.priority = run->lease.priority,
                      .parts = run->plan.parts,
                      .busy = run->busy,
                      .progress = ebmd_run_progress(run)};

    memcpy(slot.id, run->lease.id, sizeof(slot.id));
    memcpy(slot.kind, run->lease.kind, sizeof(slot.kind));
    memcpy(slot.owner, run->lease.owner, sizeof(slot.owner));
    return slot;
}

size_t ebmd_sched_list(ebmd_sched *s, ebmd_slot *out, size_t room)
{
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (const ebmd_run *run = s->runs; run && n < room; run = run->next)
        out[n++] = slot_of(run);
    pthread_mutex_unlock(&s->lock);
    return n;
}
