/* Who waits for what, see waiters.h. */
#include "http/waiters.h"

#include <pthread.h>
#include <string.h>

#include "ebm/memory.h"

#define BUCKETS  1024u
#define LEFT_MAX 256u /* jobs left by their last waiter that are not yet asked for */

struct ebmd_waiters {
    pthread_mutex_t lock;
    ebmd_waiter *bucket[BUCKETS];
    size_t count, polls; /* all, and those of them that only look */
    bool closed;
    char left[LEFT_MAX][EBMD_ID_SIZE];
    size_t n_left;
};

ebmd_waiters *ebmd_waiters_create(void)
{
    ebmd_waiters *w = ebm_alloc(1, sizeof(*w));

    if (w && pthread_mutex_init(&w->lock, NULL) == 0)
        return w;
    ebm_free(w);
    return NULL;
}

void ebmd_waiters_free(ebmd_waiters *w)
{
    if (!w)
        return;
    pthread_mutex_destroy(&w->lock);
    ebm_free(w);
}

static ebmd_waiter **bucket_of(ebmd_waiters *w, const char *id)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (const char *c = id; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return &w->bucket[h % BUCKETS];
}

static void unlink_one(ebmd_waiters *w, ebmd_waiter *one)
{
    if (one->prev)
        one->prev->next = one->next;
    else
        *bucket_of(w, one->id) = one->next;
    if (one->next)
        one->next->prev = one->prev;
    one->prev = one->next = NULL;
    one->waiting = false;
    w->count--;
    w->polls -= one->poll ? 1 : 0;
}

void ebmd_waiters_add(ebmd_waiters *w, ebmd_waiter *one)
{
    ebmd_waiter **slot;

    pthread_mutex_lock(&w->lock);
    if (w->closed) {
        one->dismissed = true;
        one->wake(one->arg);
        pthread_mutex_unlock(&w->lock);
        return;
    }
    slot = bucket_of(w, one->id);
    one->home = w;
    one->waiting = true;
    one->prev = NULL;
    one->next = *slot;
    if (*slot)
        (*slot)->prev = one;
    *slot = one;
    w->count++;
    w->polls += one->poll ? 1 : 0;
    pthread_mutex_unlock(&w->lock);
}

/* Does anybody still want this job? */
static bool is_wanted(ebmd_waiters *w, const char *id)
{
    for (const ebmd_waiter *o = *bucket_of(w, id); o; o = o->next) {
        if (strcmp(o->id, id) == 0 && (o->keep_job || !atomic_load(&o->gone)))
            return true;
    }
    return false;
}

bool ebmd_waiters_remove(ebmd_waiter *one)
{
    ebmd_waiters *w = one->home;

    if (!w)
        return false; /* never added */
    pthread_mutex_lock(&w->lock);
    if (!one->waiting) {
        pthread_mutex_unlock(&w->lock);
        return false;
    }
    unlink_one(w, one);
    if (!one->keep_job && !is_wanted(w, one->id) && w->n_left < LEFT_MAX)
        memcpy(w->left[w->n_left++], one->id, EBMD_ID_SIZE);
    pthread_mutex_unlock(&w->lock);
    return true;
}

void ebmd_waiters_keep(ebmd_waiter *one)
{
    if (!one->home)
        return;
    pthread_mutex_lock(&one->home->lock);
    one->keep_job = true;
    pthread_mutex_unlock(&one->home->lock);
}

void ebmd_waiters_end(ebmd_waiters *w, const char *id)
{
    ebmd_waiter *next;

    pthread_mutex_lock(&w->lock);
    for (ebmd_waiter *o = *bucket_of(w, id); o; o = next) {
        next = o->next;
        if (strcmp(o->id, id) != 0)
            continue;
        unlink_one(w, o);
        o->wake(o->arg);
    }
    pthread_mutex_unlock(&w->lock);
}

static void end_lapsed(ebmd_waiters *w, double now, bool polls)
{
    ebmd_waiter *next;

    pthread_mutex_lock(&w->lock);
    for (size_t b = 0; b < BUCKETS && w->count > 0; b++) {
        for (ebmd_waiter *o = w->bucket[b]; o; o = next) {
            next = o->next;
            if (!(polls && o->poll) && !(o->until > 0.0 && o->until <= now))
                continue;
            unlink_one(w, o);
            o->lapsed = true;
            o->wake(o->arg);
        }
    }
    pthread_mutex_unlock(&w->lock);
}

void ebmd_waiters_lapse(ebmd_waiters *w, double now)
{
    end_lapsed(w, now, false);
}

void ebmd_waiters_end_polls(ebmd_waiters *w)
{
    end_lapsed(w, 0.0, true);
}

void ebmd_waiters_dismiss(ebmd_waiters *w)
{
    pthread_mutex_lock(&w->lock);
    w->closed = true;
    for (size_t b = 0; b < BUCKETS; b++) {
        while (w->bucket[b]) {
            ebmd_waiter *o = w->bucket[b];

            unlink_one(w, o);
            o->dismissed = true;
            o->wake(o->arg);
        }
    }
    pthread_mutex_unlock(&w->lock);
}

bool ebmd_waiters_unwanted(ebmd_waiters *w, char id[EBMD_ID_SIZE])
{
    bool found = false;

    pthread_mutex_lock(&w->lock);
    if (w->n_left > 0) {
        memcpy(id, w->left[--w->n_left], EBMD_ID_SIZE);
        found = true;
    }
    for (size_t b = 0; b < BUCKETS && w->count > 0 && !found; b++) {
        for (ebmd_waiter *o = w->bucket[b]; o && !found; o = o->next) {
            if (o->keep_job || !atomic_load(&o->gone) || is_wanted(w, o->id))
                continue;
            memcpy(id, o->id, EBMD_ID_SIZE);
            o->keep_job = true; /* told once; what it waits for now is the job's end */
            found = true;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return found;
}

size_t ebmd_waiters_count(ebmd_waiters *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = w->count;
    pthread_mutex_unlock(&w->lock);
    return n;
}

size_t ebmd_waiters_expecting(ebmd_waiters *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = w->count - w->polls;
    pthread_mutex_unlock(&w->lock);
    return n;
}
