/* The only file that includes microhttpd.h. It moves bytes and parks connections; what a request
 * means is exchange.c's business.
 *
 * Parking: a request that waits for a job is suspended, and the job's end resumes it. Both happen
 * under `sync`, so no wake-up is lost and none comes twice; a suspended connection cannot be
 * freed, so the pointer is good exactly as long as the request is parked. */
#include "http.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/timedcond.h"
#include "ebm/memory.h"
#include "exchange.h"
#include "http/listen.h"
#include "http/reaper.h"
#include "routes/router.h"

#define REQUEST_ARENA_LIMIT   (1024u * 1024u)
#define MEMORY_PER_CONNECTION (32u * 1024u)
#define IDLE_TIMEOUT_S        15u
#define BODY_MS               30e3
#define REPLY_MS              60e3
#define BODY_TIMEOUT_S        60u /* beyond that: the reaper comes first */
#define BACKLOG               1024u
#define ARRIVING_MS           300.0
#define STREAM_BLOCK          8192u
#define STREAM_BUFFER         65536 /* what the kernel may hold back for a slow reader */

struct ebmd_http {
    const ebmd_app *app;
    struct MHD_Daemon *daemon;
    ebmd_reaper *reaper;
    int fd;      /* the library's: closed by it */
    bool sealed; /* nobody is parked, nor will be */
    unsigned listener, connections;
    ebmd_timedcond sync; /* parking and the counts */
    size_t live;         /* requests between their first line and their end */
    size_t busy;         /* those of them that are complete: somebody waits for our answer */
    size_t parked;
    ebmd_log_limit library_lines;
};

typedef enum stage { STAGE_HEAD, STAGE_BODY, STAGE_WAIT, STAGE_DONE } stage;

/* One request and its place in the library's state machine. Lies in its own arena. */
typedef struct exchange {
    ebmd_request r; /* first: freeing the request frees this */
    ebmd_http *http;
    struct MHD_Connection *conn;
    stage stage;
    bool busy, woken, parked; /* under http->sync */
} exchange;

static ebmd_conn *conn_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* --- waiting for a job -------------------------------------------------------------------- */

static void wake(void *arg)
{
    exchange *x = arg;
    ebmd_http *h = x->http;

    pthread_mutex_lock(&h->sync.lock);
    x->woken = true;
    if (x->parked) {
        x->parked = false;
        h->parked--;
        MHD_resume_connection(x->conn);
    }
    pthread_mutex_unlock(&h->sync.lock);
}

static bool is_sealed(ebmd_http *h)
{
    bool sealed;

    pthread_mutex_lock(&h->sync.lock);
    sealed = h->sealed;
    pthread_mutex_unlock(&h->sync.lock);
    return sealed;
}

/* Suspends the connection unless the job is done already, or nobody may wait any more. */
static bool park(exchange *x)
{
    ebmd_http *h = x->http;
    bool parked;

    ebmd_reaper_watch(h->reaper, conn_of(x->conn), &x->r.waiter.gone);
    ebmd_reaper_phase(h->reaper, conn_of(x->conn), EBMD_CONN_WORK);
    pthread_mutex_lock(&h->sync.lock);
    parked = !x->woken && !h->sealed;
    if (parked) {
        x->parked = true;
        h->parked++;
        MHD_suspend_connection(x->conn);
    }
    pthread_mutex_unlock(&h->sync.lock);
    return parked;
}

static void count_busy(exchange *x)
{
    pthread_mutex_lock(&x->http->sync.lock);
    if (!x->busy)
        x->http->busy++;
    x->busy = true;
    pthread_mutex_unlock(&x->http->sync.lock);
}

/* --- streams ------------------------------------------------------------------------------ */

/* Gives the library the next bytes of a stream, or parks the connection until there are some. The
 * library would ask again at once if it got none from a connection that is not suspended. */
static ssize_t read_stream(void *cls, uint64_t at, char *out, size_t room)
{
    exchange *x = cls;
    ebmd_http *h = x->http;
    ssize_t n;

    (void)at;
    if (atomic_load(&x->r.waiter.gone))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    do {
        pthread_mutex_lock(&h->sync.lock);
        x->woken = false;
        pthread_mutex_unlock(&h->sync.lock);
        n = ebmd_stream_read(&x->r.stream, out, room);
    } while (n == 0 && !park(x) && !is_sealed(h));
    if (n > 0) {
        x->r.reply.size += (size_t)n;
        ebmd_reaper_phase(h->reaper, conn_of(x->conn), EBMD_CONN_REPLY);
        /* we are asked for more when the kernel has taken the last piece */
        if (x->r.stream.strides)
            ebmd_reaper_renew(h->reaper, conn_of(x->conn));
    }
    return n == EBMD_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

/* A client that does not take what is there within two heartbeats is let go; so is one whose
 * machine has not confirmed a heartbeat when the next one is due. */
static struct MHD_Response *make_stream(exchange *x)
{
    unsigned beat_s = x->http->app->stream_heartbeat_s;

    MHD_set_connection_option(x->conn, MHD_CONNECTION_OPTION_TIMEOUT, 2 * beat_s);
    ebmd_reaper_bound(conn_of(x->conn), STREAM_BUFFER, 1000 * beat_s);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x, NULL);
}

/* --- replies ------------------------------------------------------------------------------ */

static struct MHD_Response *make_response(ebmd_reply *p)
{
    struct MHD_Response *response;
    char *body = p->body;

    if (!body)
        return MHD_create_response_from_buffer_with_free_callback(0, NULL, NULL);
    response = MHD_create_response_from_buffer_with_free_callback(p->size, body, ebm_free);
    if (response)
        p->body = NULL; /* the response frees it */
    return response;
}

static enum MHD_Result send_reply(exchange *x)
{
    ebmd_reply *p = &x->r.reply;
    struct MHD_Response *response;
    enum MHD_Result result = MHD_NO;

    count_busy(x);
    MHD_set_connection_option(x->conn, MHD_CONNECTION_OPTION_TIMEOUT, IDLE_TIMEOUT_S);
    ebmd_exchange_seal(x->http->app, &x->r);
    x->stage = STAGE_DONE;
    ebmd_reaper_phase(x->http->reaper, conn_of(x->conn), EBMD_CONN_REPLY);
    response = p->streams ? make_stream(x) : make_response(p);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < p->n_headers; i++) {
        if (MHD_add_response_header(response, p->header[i].name, p->header[i].value) != MHD_YES)
            goto out;
    }
    result = MHD_queue_response(x->conn, (unsigned)p->status, response);
out:
    MHD_destroy_response(response);
    return result;
}

/* --- the library's callbacks -------------------------------------------------------------- */

/* Called with the raw target as soon as the request line is read: the only place where it can be
 * seen undecoded. What it returns follows the request to the end. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *conn)
{
    ebmd_http *h = cls;
    ebm_arena *arena = ebm_arena_create(REQUEST_ARENA_LIMIT);
    exchange *x = arena ? ebm_arena_alloc(arena, 1, sizeof(*x)) : NULL;
    const char *target =
        x ? ebm_arena_strndup(arena, uri, strnlen(uri, EBMD_TARGET_MAX + 1)) : NULL;

    if (!target) {
        ebm_arena_free(arena);
        return NULL;
    }
    x->r.arena = arena;
    x->r.started_at = ebmd_clock_ms();
    x->r.head.target = target;
    x->r.waiter.wake = wake;
    x->r.waiter.arg = x;
    x->r.stream.watch.wake = wake;
    x->r.stream.watch.arg = x;
    x->http = h;
    x->conn = conn;
    ebmd_reaper_phase(h->reaper, conn_of(conn), EBMD_CONN_HEAD);
    ebmd_metrics_move(h->app->metrics, EBMD_GAUGE_IN_FLIGHT, 1);
    pthread_mutex_lock(&h->sync.lock);
    h->live++;
    pthread_mutex_unlock(&h->sync.lock);
    return x;
}

static enum MHD_Result take_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    ebmd_head *head = cls;

    (void)kind;
    if (head->n_headers < EBMD_HEADERS_MAX)
        head->header[head->n_headers] =
            (ebmd_header){name, name_len, value ? value : "", value ? value_len : 0};
    head->n_headers++;
    head->header_bytes += name_len + value_len + 4;
    return MHD_YES;
}

static enum MHD_Result on_head(exchange *x, const char *method, const char *version)
{
    ebmd_http *h = x->http;
    ebmd_head *head = &x->r.head;
    char *copy = ebm_arena_strndup(x->r.arena, method, strnlen(method, 64));
    const union MHD_ConnectionInfo *info;
    /* the last tenth of the connections is for telling people that we are full */
    bool overloaded = ebmd_reaper_count(h->reaper) > h->connections - h->connections / 10;

    if (!copy)
        return MHD_NO;
    head->method = copy;
    head->version = version;
    MHD_get_connection_values_n(x->conn, MHD_HEADER_KIND, take_header, head);
    info = MHD_get_connection_info(x->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    ebmd_proxies_client(h->app->proxies, info ? info->client_addr : NULL,
                        ebmd_request_list(&x->r, "X-Forwarded-For"), x->r.client);
    ebmd_exchange_head(h->app, &x->r, h->listener, overloaded);
    if (x->r.reply.status != 0)
        return send_reply(x);
    x->stage = STAGE_BODY;
    ebmd_reaper_phase(h->reaper, conn_of(x->conn), EBMD_CONN_BODY);
    /* the reaper answers one that stops; the library would just close */
    MHD_set_connection_option(x->conn, MHD_CONNECTION_OPTION_TIMEOUT, BODY_TIMEOUT_S);
    return MHD_YES;
}

static enum MHD_Result on_complete_body(exchange *x)
{
    count_busy(x);
    ebmd_reaper_phase(x->http->reaper, conn_of(x->conn), EBMD_CONN_WORK);
    ebmd_exchange_run(x->http->app, &x->r);
    if (x->r.reply.status != 0 || !x->r.waits)
        return send_reply(x);
    /* Not parked yet: after this call without an answer the library stops reading from the
     * connection and calls again at once. Parked right here, it would read first when resumed,
     * and take a client that has closed its sending half for one that has left. */
    x->stage = STAGE_WAIT;
    return MHD_YES;
}

static enum MHD_Result on_wait(exchange *x)
{
    if (park(x))
        return MHD_YES;
    if (is_sealed(x->http))
        return MHD_NO;
    ebmd_reaper_watch(x->http->reaper, conn_of(x->conn), NULL);
    ebmd_exchange_resume(x->http->app, &x->r);
    return send_reply(x);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    exchange *x = *con_cls;

    (void)cls;
    (void)conn;
    (void)url; /* decoded by the library; the raw target is what counts */
    if (!x)
        return MHD_NO;
    switch (x->stage) {
    case STAGE_HEAD:
        return on_head(x, method, version);
    case STAGE_BODY:
        if (*size > 0) {
            bool go_on = ebmd_exchange_body(&x->r, data, *size);
            *size = 0;
            return go_on ? MHD_YES : MHD_NO;
        }
        return on_complete_body(x);
    case STAGE_WAIT:
        return on_wait(x);
    case STAGE_DONE:
        break;
    }
    return MHD_YES;
}

static void on_end(void *cls, struct MHD_Connection *conn, void **con_cls,
                   enum MHD_RequestTerminationCode why)
{
    ebmd_http *h = cls;
    exchange *x = *con_cls;
    bool busy;

    *con_cls = NULL;
    if (!x)
        return;
    ebmd_reaper_watch(h->reaper, conn_of(conn), NULL); /* the connection may outlive x */
    busy = x->busy;                                    /* no other thread has x any more */
    ebmd_metrics_move(h->app->metrics, EBMD_GAUGE_IN_FLIGHT, -1);
    ebmd_exchange_end(h->app, &x->r, why == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    ebmd_reaper_phase(h->reaper, conn_of(conn), EBMD_CONN_IDLE);
    ebmd_request_free(&x->r);
    pthread_mutex_lock(&h->sync.lock);
    h->live--;
    h->busy -= busy ? 1 : 0;
    pthread_cond_broadcast(&h->sync.cond);
    pthread_mutex_unlock(&h->sync.lock);
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    ebmd_http *h = cls;
    const union MHD_ConnectionInfo *info;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        ebmd_metrics_move(h->app->metrics, EBMD_GAUGE_CONNECTIONS, 1);
        *context = info ? ebmd_reaper_add(h->reaper, info->connect_fd) : NULL;
    } else {
        ebmd_metrics_move(h->app->metrics, EBMD_GAUGE_CONNECTIONS, -1);
        ebmd_reaper_remove(h->reaper, *context);
        *context = NULL;
    }
}

/* We decode nothing before routing: "%00" or "%2f" must stay visible. */
static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *text)
{
    (void)cls;
    (void)conn;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_library_message(void *cls, const char *fmt,
                                                                     va_list ap)
{
    ebmd_http *h = cls;

    ebmd_log_foreign(h->app->log, &h->library_lines, fmt, ap);
}

/* --- start and stop ----------------------------------------------------------------------- */

/* No TLS before 1.2, the server's order of ciphers, no early data (the library offers none). */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

/* What the library does not take as const, it copies or only reads. */
static void *unconst(const char *text)
{
    return (void *)(uintptr_t)text;
}

static bool start_daemon(ebmd_http *h, unsigned threads, const ebmd_tls *tls)
{
    const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, tls ? tls->cert : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, tls ? tls->key : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, unconst(TLS_PRIORITIES)},
        {MHD_OPTION_END, 0, NULL}};
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    /* a pool starts at two threads; one is asked for by leaving the option out */
    enum MHD_OPTION pool = threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END;

    if (tls)
        flags |= MHD_USE_TLS;

    /* clang-format off */
    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h,
        MHD_OPTION_EXTERNAL_LOGGER, on_library_message, h, /* first, or it is not used */
        MHD_OPTION_LISTEN_SOCKET, h->fd,
        MHD_OPTION_CONNECTION_LIMIT, h->connections,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, BACKLOG,
        MHD_OPTION_STRICT_FOR_CLIENT, 0, /* the guard is stricter and answers properly */
        MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, h,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, tls ? secure : plain,
        pool, threads, MHD_OPTION_END);
    /* clang-format on */
    return h->daemon != NULL;
}

static void http_free(ebmd_http *h)
{
    ebmd_reaper_stop(h->reaper);
    ebmd_timedcond_clear(&h->sync);
    ebm_free(h);
}

ebm_status ebmd_http_start(const ebmd_http_options *opt, ebmd_http **out, ebm_error *err)
{
    ebmd_http *h = ebm_alloc(1, sizeof(*h));
    char late[EBMD_LATE_MAX] = "";
    const ebmd_reaper_options reaper = {.look_ms = 1e3,
                                        .body_ms = BODY_MS,
                                        .reply_ms = opt->reply_ms > 0 ? opt->reply_ms : REPLY_MS,
                                        .cut_off_ms = 2e3,
                                        .late = late};

    *out = NULL;
    if (!opt->tls)
        ebmd_exchange_late(late, sizeof(late));
    if (!h || !ebmd_timedcond_init(&h->sync)) {
        ebm_free(h);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a listener");
    }
    h->app = opt->app;
    h->fd = opt->fd;
    h->listener = opt->listener;
    h->connections = opt->connections;
    if (ebmd_reaper_start(&reaper, &h->reaper, err) != EBM_OK ||
        !start_daemon(h, opt->threads, opt->tls)) {
        http_free(h);
        if (opt->tls)
            return ebm_error_set(err, EBM_ERR_FORMAT, "--tls-cert",
                                 "certificate and key do not belong together, or are damaged");
        return ebm_error_set(err, EBM_ERR_IO, NULL, "cannot start the HTTP listener");
    }
    *out = h;
    return EBM_OK;
}

/* Not by MHD_quiesce_daemon(): it takes the listener out of the library's epoll sets at the same
 * time as the threads that wait there, and whoever comes second ends the process. */
void ebmd_http_refuse(ebmd_http *h)
{
    ebmd_listen_refuse(h->fd);
}

static bool wait_zero(ebmd_http *h, const size_t *count, double timeout_ms)
{
    struct timespec until = ebmd_timedcond_in(timeout_ms);
    bool zero, early = true;

    pthread_mutex_lock(&h->sync.lock);
    while (*count > 0 && early)
        early = ebmd_timedcond_wait(&h->sync, &until);
    zero = *count == 0;
    pthread_mutex_unlock(&h->sync.lock);
    return zero;
}

bool ebmd_http_wait_idle(ebmd_http *h, double timeout_ms)
{
    /* a request that is still arriving may just make it; one that dribbles, or whose sender has
     * vanished unnoticed, is not waited for */
    ebmd_reaper_wait_heads(h->reaper, h->fd, ARRIVING_MS);
    return wait_zero(h, &h->live, ARRIVING_MS) || wait_zero(h, &h->busy, timeout_ms);
}

bool ebmd_http_seal(ebmd_http *h)
{
    bool sealed;

    pthread_mutex_lock(&h->sync.lock);
    sealed = h->sealed = h->parked == 0;
    pthread_mutex_unlock(&h->sync.lock);
    return sealed;
}

void ebmd_http_stop(ebmd_http *h)
{
    if (!h)
        return;
    MHD_stop_daemon(h->daemon);
    http_free(h);
}
