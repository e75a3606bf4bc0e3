/* Connection deadlines, see reaper.h. */
#include "reaper.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"
#include "ebm/memory.h"

struct ebmd_conn {
    ebmd_conn *prev, *next;
    int fd;
    ebmd_conn_phase phase;
    double since;
    atomic_bool *gone;  /* NULL: nobody asks */
    double ended_since; /* when the end of the stream was seen first; 0: not seen */
};

struct ebmd_reaper {
    pthread_mutex_t lock;
    pthread_cond_t stop_cond;
    pthread_t thread;
    bool stop;
    ebmd_conn *first;
    size_t n;
};

static const double limit_ms[] = {
    [EBMD_CONN_HEAD] = 5e3,   [EBMD_CONN_BODY] = 30e3, [EBMD_CONN_WORK] = 1e300,
    [EBMD_CONN_REPLY] = 60e3, [EBMD_CONN_IDLE] = 15e3,
};

#define HALF_CLOSED_MS 10e3

/* The HTTP library does not look at a connection that waits for a job, so we do. Peeking takes
 * nothing away; bytes that are there belong to the next request. */
static void look_for_leavers(ebmd_conn *c, double now)
{
    char byte;
    ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        atomic_store(c->gone, true);
    } else if (n == 0) {
        if (c->ended_since == 0.0)
            c->ended_since = now;
        if (now - c->ended_since > HALF_CLOSED_MS)
            atomic_store(c->gone, true);
    }
}

/* shutdown(), not close(): the descriptor stays the HTTP library's, which sees the end of the
 * stream and cleans up. Entries leave before their descriptor is closed, so no other connection
 * can have taken its number. */
static void reap(ebmd_reaper *r)
{
    double now = ebmd_clock_ms();

    for (ebmd_conn *c = r->first; c; c = c->next) {
        if (now - c->since > limit_ms[c->phase])
            shutdown(c->fd, SHUT_RDWR);
        if (c->gone)
            look_for_leavers(c, now);
    }
}

static void *reaper_main(void *arg)
{
    ebmd_reaper *r = arg;
    struct timespec until;

    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&r->stop_cond, &r->lock, &until);
        reap(r);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

static bool init_sync(ebmd_reaper *r)
{
    pthread_condattr_t attr;
    bool ok;

    if (pthread_condattr_init(&attr) != 0)
        return false;
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(&r->stop_cond, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (ok && pthread_mutex_init(&r->lock, NULL) != 0) {
        pthread_cond_destroy(&r->stop_cond);
        ok = false;
    }
    return ok;
}

ebm_status ebmd_reaper_start(ebmd_reaper **out, ebm_error *err)
{
    ebmd_reaper *r = ebm_alloc(1, sizeof(*r));

    *out = NULL;
    if (!r || !init_sync(r)) {
        ebm_free(r);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the connection table");
    }
    if (pthread_create(&r->thread, NULL, reaper_main, r) != 0) {
        pthread_cond_destroy(&r->stop_cond);
        pthread_mutex_destroy(&r->lock);
        ebm_free(r);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "cannot start a thread");
    }
    *out = r;
    return EBM_OK;
}

void ebmd_reaper_stop(ebmd_reaper *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->stop_cond);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->stop_cond);
    pthread_mutex_destroy(&r->lock);
    ebm_free(r);
}

ebmd_conn *ebmd_reaper_add(ebmd_reaper *r, int fd)
{
    ebmd_conn *c = ebm_alloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->fd = fd;
    c->phase = EBMD_CONN_HEAD;
    c->since = ebmd_clock_ms();
    pthread_mutex_lock(&r->lock);
    c->next = r->first;
    if (r->first)
        r->first->prev = c;
    r->first = c;
    r->n++;
    pthread_mutex_unlock(&r->lock);
    return c;
}

void ebmd_reaper_remove(ebmd_reaper *r, ebmd_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        r->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    r->n--;
    pthread_mutex_unlock(&r->lock);
    ebm_free(c);
}

void ebmd_reaper_phase(ebmd_reaper *r, ebmd_conn *c, ebmd_conn_phase phase)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->lock);
    c->phase = phase;
    c->since = ebmd_clock_ms();
    pthread_mutex_unlock(&r->lock);
}

void ebmd_reaper_watch(ebmd_reaper *r, ebmd_conn *c, atomic_bool *gone)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->lock);
    c->gone = gone;
    c->ended_since = 0.0;
    pthread_mutex_unlock(&r->lock);
}

size_t ebmd_reaper_count(ebmd_reaper *r)
{
    size_t n;

    pthread_mutex_lock(&r->lock);
    n = r->n;
    pthread_mutex_unlock(&r->lock);
    return n;
}
