/* Connection deadlines, see reaper.h. */
#include "http/reaper.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "base/timedcond.h"

struct ebmd_conn {
    ebmd_conn *prev, *next;
    int fd;
    ebmd_conn_phase phase;
    double since;
    bool ended;         /* its time was over: nothing more is said */
    atomic_bool *gone;  /* NULL: nobody asks */
    double ended_since; /* when the end of the stream was seen first; 0: not seen */
};

struct ebmd_reaper {
    ebmd_timedcond sync;
    pthread_t thread;
    bool stop;
    ebmd_reaper_options opt;
    char late[EBMD_LATE_MAX];
    ebmd_conn *first;
    size_t n;
};

static double limit_ms(const ebmd_reaper *r, ebmd_conn_phase phase)
{
    const double table[] = {
        [EBMD_CONN_HEAD] = 5e3,   [EBMD_CONN_BODY] = r->opt.body_ms,
        [EBMD_CONN_WORK] = 1e300, [EBMD_CONN_REPLY] = r->opt.reply_ms,
        [EBMD_CONN_IDLE] = 15e3,
    };

    return table[phase];
}

#define HALF_CLOSED_MS 10e3

/* True when the client has sent its last byte, and all have been read, for so long. Peeking takes
 * nothing away; bytes that are there belong to this request or the next one. */
static bool ended_for(ebmd_conn *c, double now, double ms)
{
    char byte;

    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        return false;
    if (c->ended_since == 0.0)
        c->ended_since = now;
    return now - c->ended_since > ms;
}

/* The HTTP library does not look at a connection that waits, so we do. A reset shows as an error or
 * as hung up on both sides, also after a farewell, where reading would only tell of that. */
static void look_for_leavers(ebmd_conn *c, double now)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    if (poll(&p, 1, 0) <= 0)
        return;
    if ((p.revents & (POLLERR | POLLHUP)) || ended_for(c, now, HALF_CLOSED_MS))
        atomic_store(c->gone, true);
}

/* A client that leaves in the middle of a body: the library does not notice if its farewell comes
 * with the last bytes, and would keep what there is of the body until the deadline. */
static bool is_cut_off(const ebmd_reaper *r, ebmd_conn *c, double now)
{
    return c->phase == EBMD_CONN_BODY && ended_for(c, now, r->opt.cut_off_ms);
}

/* While a body is on its way no reply has begun, and none begins before we let go of the lock: the
 * bytes stand alone. Whether they fit into the kernel's buffer at once is the client's luck. */
static void tell_late(const ebmd_reaper *r, const ebmd_conn *c)
{
    if (c->phase == EBMD_CONN_BODY && r->late[0] != '\0')
        (void)!send(c->fd, r->late, strlen(r->late), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* shutdown(), not close(): the descriptor stays the HTTP library's, which sees the end of the
 * stream and cleans up. Entries leave before their descriptor is closed, so no other connection
 * can have taken its number. */
static void end(ebmd_conn *c)
{
    shutdown(c->fd, SHUT_RDWR);
    c->ended = true;
}

static void reap(ebmd_reaper *r)
{
    double now = ebmd_clock_ms();

    for (ebmd_conn *c = r->first; c; c = c->next) {
        if (!c->ended && now - c->since > limit_ms(r, c->phase)) {
            tell_late(r, c);
            end(c);
        } else if (!c->ended && is_cut_off(r, c, now)) {
            end(c);
        }
        if (c->gone)
            look_for_leavers(c, now);
    }
}

static void *reaper_main(void *arg)
{
    ebmd_reaper *r = arg;
    struct timespec until;

    pthread_mutex_lock(&r->sync.lock);
    while (!r->stop) {
        until = ebmd_timedcond_in(r->opt.look_ms);
        if (!ebmd_timedcond_wait(&r->sync, &until))
            reap(r);
    }
    pthread_mutex_unlock(&r->sync.lock);
    return NULL;
}

ebm_status ebmd_reaper_start(const ebmd_reaper_options *opt, ebmd_reaper **out, ebm_error *err)
{
    ebmd_reaper *r = ebm_alloc(1, sizeof(*r));

    *out = NULL;
    if (!r || !ebmd_timedcond_init(&r->sync)) {
        ebm_free(r);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the connection table");
    }
    r->opt = *opt;
    if (opt->late)
        snprintf(r->late, sizeof(r->late), "%s", opt->late);
    if (pthread_create(&r->thread, NULL, reaper_main, r) != 0) {
        ebmd_timedcond_clear(&r->sync);
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
    pthread_mutex_lock(&r->sync.lock);
    r->stop = true;
    pthread_cond_signal(&r->sync.cond);
    pthread_mutex_unlock(&r->sync.lock);
    pthread_join(r->thread, NULL);
    ebmd_timedcond_clear(&r->sync);
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
    pthread_mutex_lock(&r->sync.lock);
    c->next = r->first;
    if (r->first)
        r->first->prev = c;
    r->first = c;
    r->n++;
    pthread_mutex_unlock(&r->sync.lock);
    return c;
}

void ebmd_reaper_remove(ebmd_reaper *r, ebmd_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->sync.lock);
    if (c->prev)
        c->prev->next = c->next;
    else
        r->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    r->n--;
    pthread_mutex_unlock(&r->sync.lock);
    ebm_free(c);
}

void ebmd_reaper_phase(ebmd_reaper *r, ebmd_conn *c, ebmd_conn_phase phase)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->sync.lock);
    if (c->phase != phase) {
        c->since = ebmd_clock_ms();
        c->ended_since = 0.0;
    }
    c->phase = phase;
    pthread_mutex_unlock(&r->sync.lock);
}

void ebmd_reaper_renew(ebmd_reaper *r, ebmd_conn *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->sync.lock);
    c->since = ebmd_clock_ms();
    pthread_mutex_unlock(&r->sync.lock);
}

void ebmd_reaper_watch(ebmd_reaper *r, ebmd_conn *c, atomic_bool *gone)
{
    if (!c)
        return;
    pthread_mutex_lock(&r->sync.lock);
    c->gone = gone;
    c->ended_since = 0.0;
    pthread_mutex_unlock(&r->sync.lock);
}

void ebmd_reaper_bound(const ebmd_conn *c, int bytes, unsigned patience_ms)
{
    if (!c)
        return;
    setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
}

static bool has_bytes(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static bool expects_head(ebmd_reaper *r)
{
    bool found = false;

    pthread_mutex_lock(&r->sync.lock);
    for (const ebmd_conn *c = r->first; c && !found; c = c->next)
        found = c->phase == EBMD_CONN_HEAD || (c->phase == EBMD_CONN_IDLE && has_bytes(c->fd));
    pthread_mutex_unlock(&r->sync.lock);
    return found;
}

void ebmd_reaper_wait_heads(ebmd_reaper *r, int listener, double most_ms)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    double until = ebmd_clock_ms() + most_ms;
    bool accepted = false; /* all who came before this wait */

    while (ebmd_clock_ms() < until) {
        accepted = accepted || !has_bytes(listener);
        if (accepted && !expects_head(r))
            return;
        nanosleep(&moment, NULL);
    }
}

size_t ebmd_reaper_count(ebmd_reaper *r)
{
    size_t n;

    pthread_mutex_lock(&r->sync.lock);
    n = r->n;
    pthread_mutex_unlock(&r->sync.lock);
    return n;
}
