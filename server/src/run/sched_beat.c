/* Leases of open jobs are renewed while their workers come back, see sched.h. */
#include "run/sched_internal.h"

#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"

#define HANG_MS 30000.0 /* a quantum that takes longer has hung: its lease may run out */

/* A worker has had one of its parts for longer than any quantum takes. */
static bool hangs(const ebmd_run *run, double now)
{
    for (int32_t k = run->first_open; run->busy > 0 && k < run->plan.parts; k++) {
        if (run->part[k].busy && now - run->part[k].taken_at > HANG_MS)
            return true;
    }
    return false;
}

bool ebmd_sched_hung(ebmd_sched *s, double now, char id[EBMD_ID_SIZE])
{
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (const ebmd_run *run = s->runs; run && !found; run = run->next) {
        found = hangs(run, now);
        if (found)
            memcpy(id, run->lease.id, EBMD_ID_SIZE);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

typedef struct beat {
    ebmd_lease lease;
    ebmd_progress progress;
} beat;

static size_t collect_beats(ebmd_sched *s, beat *beats, size_t room)
{
    double now = ebmd_clock_ms();
    size_t n = 0;

    pthread_mutex_lock(&s->lock);
    for (const ebmd_run *run = s->runs; run && n < room; run = run->next) {
        if (hangs(run, now))
            continue;
        beats[n].lease = run->lease;
        beats[n++].progress = ebmd_run_progress(run);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void apply_verdict(ebmd_sched *s, const ebmd_lease *lease, ebmd_beat_verdict verdict)
{
    pthread_mutex_lock(&s->lock);
    for (ebmd_run *run = s->runs; run; run = run->next) {
        if (strcmp(run->lease.id, lease->id) != 0 || run->lease.fence != lease->fence)
            continue;
        if (verdict == EBMD_LOST && !run->in_service)
            run->lost = true;
        if (verdict == EBMD_STOP)
            ebmd_run_stop(run);
    }
    pthread_cond_broadcast(&s->more);
    pthread_mutex_unlock(&s->lock);
}

void ebmd_sched_heartbeat(ebmd_sched *s)
{
    size_t room = ebmd_sched_open(s) + s->workers;
    beat *beats = ebm_alloc(room, sizeof(*beats));
    size_t n = beats ? collect_beats(s, beats, room) : 0;

    for (size_t i = 0; i < n; i++) {
        ebmd_beat_verdict verdict =
            s->env->store->ops->heartbeat(s->env->store, &beats[i].lease, &beats[i].progress);

        if (verdict != EBMD_KEEP)
            apply_verdict(s, &beats[i].lease, verdict);
    }
    ebm_free(beats);
}
