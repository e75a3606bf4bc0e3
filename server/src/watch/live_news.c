/* What streams are told about jobs, see live.h: turns of their lives, progress, pictures. */
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "ebma/op_results.h"
#include "watch/live_internal.h"

#define RUN_MS     250.0  /* between two looks at a job at work */
#define QUEUE_MS   2000.0 /* and at one that waits */
#define PREVIEW_MS 500.0  /* between two pictures of a job */

/* --- what is said ------------------------------------------------------------------------------
 */

static void push_queued(ebmd_live *l, ebmd_topic *t, const ebmd_view *v)
{
    ebma_event e = {.type = EBMA_EVENT_QUEUED, .id = t->id, .position = v->position};

    if (t->known && t->state == EBMD_JOB_QUEUED && t->position == v->position)
        return;
    e.eta_s = l->opt.seconds(l->opt.arg, v->work_left);
    ebmd_feed_push(&t->feed, &e, ebmd_clock_wall_ms());
}

static bool same_progress(const ebmd_progress *a, const ebmd_progress *b)
{
    return a->fraction == b->fraction && a->parts_done == b->parts_done && a->level == b->level &&
           a->step == b->step && a->told == b->told;
}

static void push_diagnostics(ebmd_topic *t, const ebmd_progress *p)
{
    const ebma_chains chains = {.report = &p->chains, .metropolis = true, .partial = true};
    const ebma_event e = {.type = EBMA_EVENT_DIAGNOSTICS, .chains = &chains};

    if (p->told > 0 && p->told != t->progress.told)
        ebmd_feed_push(&t->feed, &e, ebmd_clock_wall_ms());
}

static void push_running(ebmd_live *l, ebmd_topic *t, const ebmd_view *v)
{
    const ebmd_progress *p = &v->progress;
    double left = (1.0 - p->fraction) * (double)v->row.work;
    ebma_event started = {
        .type = EBMA_EVENT_STARTED, .id = t->id, .kind = v->row.kind, .model = v->row.model};
    ebma_event progress = {.type = EBMA_EVENT_PROGRESS,
                           .progress = {p->fraction, p->parts_done, p->level, p->levels, p->step,
                                        p->steps, p->has_logp, p->has_accept, p->logp,
                                        p->accept_rate}};

    if (!t->known || t->state != EBMD_JOB_RUNNING)
        ebmd_feed_push(&t->feed, &started, ebmd_clock_wall_ms());
    else if (same_progress(&t->progress, p))
        return;
    progress.eta_s = l->opt.seconds(l->opt.arg, (int64_t)left);
    ebmd_feed_push(&t->feed, &progress, ebmd_clock_wall_ms());
    push_diagnostics(t, p);
}

void ebmd__live_publish(ebmd_live *l, ebmd_topic *t, const ebmd_view *v)
{
    int64_t before = t->feed.newest;

    if (t->ended)
        return;
    if (!v || ebmd_job_state_final(v->row.state)) {
        ebmd__live_end(t);
    } else {
        if (v->row.state == EBMD_JOB_QUEUED)
            push_queued(l, t, v);
        else
            push_running(l, t, v);
        t->known = true;
        t->state = v->row.state;
        t->position = v->position;
        t->progress = v->progress;
        t->look_at = ebmd_clock_ms() + (v->row.state == EBMD_JOB_QUEUED ? QUEUE_MS : RUN_MS);
    }
    if (t->feed.newest != before)
        ebmd__live_wake(l, t);
}

/* --- what happens ----------------------------------------------------------------------------- */

void ebmd_live_ended(ebmd_live *l, const char *id)
{
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t) {
        ebmd__live_end(t);
        ebmd__live_wake(l, t);
    }
    pthread_mutex_unlock(&l->lock);
}

void ebmd_live_drain(ebmd_live *l)
{
    pthread_mutex_lock(&l->lock);
    l->draining = true;
    ebmd__live_wake(l, NULL);
    pthread_mutex_unlock(&l->lock);
}

/* The first look at a job that is queued again comes at the next tick. */
void ebmd_live_queued(ebmd_live *l, const char *id)
{
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t)
        t->look_at = 0.0;
    pthread_mutex_unlock(&l->lock);
}

void ebmd_live_started(ebmd_live *l, const ebmd_row *row)
{
    const ebmd_view view = {.row = *row};
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, row->id);
    if (t)
        ebmd__live_publish(l, t, &view);
    pthread_mutex_unlock(&l->lock);
}

/* --- pictures --------------------------------------------------------------------------------- */

bool ebmd_live_watched(ebmd_live *l, const char *id)
{
    const ebmd_topic *t;
    bool watched;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    watched = t && (t->watches > 0 || t->picture.asked);
    pthread_mutex_unlock(&l->lock);
    return watched;
}

static bool somebody_wants(const ebmd_live *l, const ebmd_topic *t, int32_t distance)
{
    for (const ebmd_watch *w = l->watches; w; w = w->next) {
        if (w->topic == t && w->preview_every > 0 && distance >= w->preview_every)
            return true;
    }
    return false;
}

unsigned ebmd_live_wants(ebmd_live *l, const char *id, int32_t level, int32_t shown)
{
    int32_t distance = shown < 0 ? INT32_MAX : level > shown ? level - shown : shown - level;
    double now = ebmd_clock_ms();
    unsigned wanted = 0;
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t && t->state == EBMD_JOB_RUNNING && now >= t->preview_at) {
        wanted |= t->watches > 0 && somebody_wants(l, t, distance) ? EBMD_WANTED_EVENT : 0u;
        wanted |= t->picture.asked ? EBMD_WANTED_PICTURE : 0u;
    }
    if (wanted)
        t->preview_at = now + PREVIEW_MS;
    pthread_mutex_unlock(&l->lock);
    return wanted;
}

void ebmd_live_show(ebmd_live *l, const char *id, const ebma_event *event)
{
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t && !t->ended && t->known && t->state == EBMD_JOB_RUNNING) {
        ebmd_feed_push(&t->feed, event, ebmd_clock_wall_ms());
        ebmd__live_wake(l, t);
    }
    pthread_mutex_unlock(&l->lock);
}

/* --- the tick --------------------------------------------------------------------------------- */

typedef char job_id[EBMD_ID_SIZE];

static void look(ebmd_live *l, const char *id, const ebmd_view *view)
{
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = *ebmd__live_slot(l, id);
    if (t)
        ebmd__live_publish(l, t, view);
    pthread_mutex_unlock(&l->lock);
}

/* Lists the jobs whose time to be looked at has come. */
static size_t list_due(ebmd_live *l, double now, job_id **out)
{
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    *out = l->n_topics > 0 ? ebm_alloc(l->n_topics, sizeof(**out)) : NULL;
    for (size_t b = 0; b < EBMD__LIVE_BUCKETS && *out; b++) {
        for (const ebmd_topic *t = l->bucket[b]; t; t = t->next) {
            if (t->watches > 0 && !t->ended && now >= t->look_at)
                memcpy((*out)[n++], t->id, sizeof(t->id));
        }
    }
    pthread_mutex_unlock(&l->lock);
    return n;
}

static void wake_those_due(ebmd_live *l, double now)
{
    pthread_mutex_lock(&l->lock);
    for (ebmd_watch *w = l->watches; w; w = w->next) {
        if (w->topic && (now >= w->beat_at || now >= w->old_at || atomic_load(w->gone)))
            w->wake(w->arg);
    }
    ebmd__live_drop_idle(l, now, false);
    pthread_mutex_unlock(&l->lock);
}

void ebmd_live_tick(ebmd_live *l)
{
    double now = ebmd_clock_ms();
    job_id *due;
    size_t n = list_due(l, now, &due);

    for (size_t i = 0; i < n; i++) {
        ebmd_view view = {.position = 0};
        ebm_status st = l->opt.store->ops->get(l->opt.store, due[i], NULL, &view);

        look(l, due[i], st == EBM_OK ? &view : NULL);
    }
    ebm_free(due);
    wake_those_due(l, now);
}
