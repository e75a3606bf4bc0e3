/* Streams and the jobs they watch, see live.h. */
#include "watch/live_internal.h"

#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"

#define KEEP_MS 60000.0 /* how long a feed stays that nobody watches */
#define OLD_MS  900e3   /* a stream ends after a quarter of an hour: lines get balanced anew */

ebmd_live *ebmd_live_create(const ebmd_live_options *opt)
{
    ebmd_live *l = ebm_alloc(1, sizeof(*l));

    if (l && pthread_mutex_init(&l->lock, NULL) == 0) {
        l->opt = *opt;
        return l;
    }
    ebm_free(l);
    return NULL;
}

/* --- topics: with the lock held --------------------------------------------------------------- */

ebmd_topic **ebmd__live_slot(ebmd_live *l, const char *id)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    ebmd_topic **slot;

    for (const char *c = id; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    slot = &l->bucket[h % EBMD__LIVE_BUCKETS];
    while (*slot && strcmp((*slot)->id, id) != 0)
        slot = &(*slot)->next;
    return slot;
}

static void drop_topic(ebmd_live *l, ebmd_topic **slot)
{
    ebmd_topic *t = *slot;

    *slot = t->next;
    ebmd_feed_clear(&t->feed);
    ebm_free(t->picture.png);
    ebm_free(t);
    l->n_topics--;
}

void ebmd__live_drop_idle(ebmd_live *l, double now, bool all)
{
    for (size_t b = 0; b < EBMD__LIVE_BUCKETS && l->n_topics > 0; b++) {
        for (ebmd_topic **slot = &l->bucket[b]; *slot;) {
            ebmd_topic *t = *slot;

            if (t->watches == 0 && (all || t->ended || now - t->idle_since > KEEP_MS))
                drop_topic(l, slot);
            else
                slot = &t->next;
        }
    }
}

ebmd_topic *ebmd__live_topic(ebmd_live *l, const char *id)
{
    ebmd_topic **slot = ebmd__live_slot(l, id), *t = *slot;

    if (t)
        return t;
    if (l->n_topics >= 2 * l->opt.streams) {
        ebmd__live_drop_idle(l, 0.0, true);
        slot = ebmd__live_slot(l, id);
    }
    t = *slot = ebm_alloc(1, sizeof(*t));
    if (!t)
        return NULL;
    memcpy(t->id, id, strlen(id) + 1);
    ebmd_feed_start(&t->feed, ebmd_clock_wall_ms());
    t->idle_since = ebmd_clock_ms();
    l->n_topics++;
    return t;
}

void ebmd__live_wake(const ebmd_live *l, const ebmd_topic *t)
{
    for (ebmd_watch *w = l->watches; w; w = w->next) {
        if (w->topic && (!t || w->topic == t))
            w->wake(w->arg);
    }
}

void ebmd__live_end(ebmd_topic *t)
{
    if (!t->ended)
        t->end_number = ebmd_feed_number(&t->feed, ebmd_clock_wall_ms());
    t->ended = true;
}

void ebmd_live_free(ebmd_live *l)
{
    if (!l)
        return;
    ebmd__live_drop_idle(l, 0.0, true);
    pthread_mutex_destroy(&l->lock);
    ebm_free(l);
}

/* --- watching --------------------------------------------------------------------------------- */

static size_t count_owner(const ebmd_live *l, const char *owner)
{
    size_t n = 0;

    for (const ebmd_watch *w = l->watches; w; w = w->next)
        n += strcmp(w->owner, owner) == 0 ? 1 : 0;
    return n;
}

static ebmd_admission judge(const ebmd_live *l, const ebmd_watch *w)
{
    if (l->n_watches >= l->opt.streams)
        return EBMD_LIVE_FULL;
    if (w->owner[0] && count_owner(l, w->owner) >= (l->opt.streams + 3) / 4)
        return EBMD_LIVE_OWNER_FULL;
    return EBMD_ADMITTED;
}

ebmd_admission ebmd_live_admit(ebmd_live *l, ebmd_watch *w)
{
    ebmd_admission how;

    pthread_mutex_lock(&l->lock);
    how = judge(l, w);
    if (how == EBMD_ADMITTED) {
        w->home = l;
        w->prev = NULL;
        w->next = l->watches;
        if (l->watches)
            l->watches->prev = w;
        l->watches = w;
        l->n_watches++;
        ebmd_metrics_move(l->opt.metrics, EBMD_GAUGE_STREAMS, 1);
    }
    pthread_mutex_unlock(&l->lock);
    return how;
}

/* Signs of life are spread over the interval, so that a thousand streams do not wake together. */
static double first_beat(const ebmd_live *l, const ebmd_watch *w)
{
    return l->opt.beat_ms * (0.5 + (double)((uintptr_t)w >> 6 & 63u) / 128.0);
}

bool ebmd_live_join(ebmd_watch *w, const ebmd_view *view)
{
    ebmd_live *l = w->home;
    double now = ebmd_clock_ms();
    ebmd_topic *t;

    pthread_mutex_lock(&l->lock);
    t = ebmd__live_topic(l, w->id);
    if (t) {
        t->watches++;
        w->topic = t;
        w->missed = w->last_seen >= 0 && !ebmd_feed_covers(&t->feed, w->last_seen);
        w->cursor = w->missed || w->last_seen < 0 ? 0 : w->last_seen;
        w->beat_at = now + first_beat(l, w);
        w->old_at = now + OLD_MS;
        ebmd__live_publish(l, t, view);
        t->look_at = 0.0; /* it may have changed since */
    }
    pthread_mutex_unlock(&l->lock);
    return t != NULL;
}

void ebmd_live_leave(ebmd_watch *w)
{
    ebmd_live *l = w->home;

    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    if (w->topic) {
        w->topic->watches--;
        w->topic->idle_since = ebmd_clock_ms();
    }
    if (w->prev)
        w->prev->next = w->next;
    else
        l->watches = w->next;
    if (w->next)
        w->next->prev = w->prev;
    l->n_watches--;
    ebmd_metrics_move(l->opt.metrics, EBMD_GAUGE_STREAMS, -1);
    pthread_mutex_unlock(&l->lock);
    w->home = NULL;
    w->topic = NULL;
}

size_t ebmd_live_limit(const ebmd_live *l)
{
    return l->opt.streams;
}

size_t ebmd_live_count(ebmd_live *l)
{
    size_t n;

    pthread_mutex_lock(&l->lock);
    n = l->n_watches;
    pthread_mutex_unlock(&l->lock);
    return n;
}

/* --- what a stream sends next ------------------------------------------------------------------
 */

static ebmd_next copy_item(ebmd_watch *w, const ebmd_feed_item *item)
{
    ebmd_next next = {.turn = EBMD_TURN_EVENT};

    next.item = ebm_alloc(sizeof(*item) + item->size, 1);
    if (!next.item)
        return (ebmd_next){.turn = EBMD_TURN_BROKEN};
    memcpy(next.item, item, sizeof(*item) + item->size);
    w->cursor = item->id;
    return next;
}

/* A preview is for those who asked for it. */
static const ebmd_feed_item *item_for(const ebmd_watch *w)
{
    const ebmd_feed_item *item = ebmd_feed_after(&w->topic->feed, w->cursor);

    while (item && item->type == EBMA_EVENT_PREVIEW && w->preview_every == 0)
        item = item->next;
    return item;
}

static ebmd_next next_of(ebmd_watch *w, double now)
{
    const ebmd_feed_item *item;
    ebmd_topic *t = w->topic;

    if (!w->begun) {
        w->begun = true;
        return (ebmd_next){.turn = EBMD_TURN_BEGIN};
    }
    if (w->missed && !t->ended) {
        w->missed = false;
        w->cursor = t->feed.newest;
        return (ebmd_next){.turn = EBMD_TURN_RESET, .number = w->cursor};
    }
    item = item_for(w);
    if (item)
        return copy_item(w, item);
    if (t->ended)
        return (ebmd_next){.turn = EBMD_TURN_END, .number = t->end_number};
    if (w->home->draining)
        return (ebmd_next){.turn = EBMD_TURN_DRAIN};
    if (now >= w->old_at)
        return (ebmd_next){.turn = EBMD_TURN_OLD};
    return (ebmd_next){.turn = now >= w->beat_at ? EBMD_TURN_BEAT : EBMD_TURN_NOTHING};
}

ebmd_next ebmd_live_next(ebmd_watch *w)
{
    double now = ebmd_clock_ms();
    ebmd_next next;

    pthread_mutex_lock(&w->home->lock);
    next = next_of(w, now);
    if (next.turn != EBMD_TURN_NOTHING) /* whatever is sent shows that the line stands */
        w->beat_at = now + w->home->opt.beat_ms;
    pthread_mutex_unlock(&w->home->lock);
    return next;
}

ebm_status ebmd_live_describe(const ebmd_live *l, const char *id, ebmd_job_state *state,
                              char **json, size_t *size)
{
    return l->opt.describe(l->opt.arg, id, state, json, size);
}
