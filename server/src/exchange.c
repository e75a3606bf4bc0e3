/* The life of a request, see exchange.h. */
#include "exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "http/cors.h"
#include "ebm/memory.h"
#include "http/guard.h"
#include "http/media.h"
#include "routes/router.h"
#include "routes/submit.h"

/* What a client may go on sending after its body is too long, before the line is cut: enough
 * for an honest one to finish and read its 413. */
#define DISCARD_MAX (EBMA_CHAINS_MAX + 4u * 1024u * 1024u)
#define FIRST_ROOM  1024u

/* What never changes may be kept by whoever asked, but by nobody in between: it is not for all. */

static void take_id(ebmd_request *r)
{
    const char *theirs = ebmd_request_header(r, "X-Request-Id");
    size_t n = theirs ? strlen(theirs) : 0;
    char ours[EBMD_ID_SIZE];

    if (ebmd_id_is_request(theirs ? theirs : "", n))
        memcpy(r->id, theirs, n + 1);
    else if (ebmd_id_make("", ebmd_clock_wall_ms(), ours))
        memcpy(r->id, ours, sizeof(ours));
    else
        memcpy(r->id, "unknown", 8);
}

static bool is_hex(const char *text, size_t n)
{
    return strspn(text, "0123456789abcdef") >= n;
}

/* The trace that the caller's request is part of (W3C Trace Context, version 00): 00-TRACE-SPAN-FF.
 * What is none of that is left out, as the standard wants it. */
static void take_trace(ebmd_request *r)
{
    const char *header = ebmd_request_header(r, "traceparent");

    if (!header || strlen(header) != 55 || strncmp(header, "00-", 3) != 0 ||
        !is_hex(header + 3, 32) || header[35] != '-' || !is_hex(header + 36, 16) ||
        header[52] != '-' || !is_hex(header + 53, 2) || strspn(header + 3, "0") >= 32)
        return;
    memcpy(r->trace, header + 3, 32);
}

static void refuse(ebmd_request *r, ebma_problem_code code)
{
    ebmd_reply_code(r, code);
    r->reply.close = true;
}

static void answer_options(const ebmd_app *app, ebmd_request *r, unsigned allowed)
{
    const char *origin = ebmd_request_header(r, "Origin");
    char allow[64];

    ebmd_router_allow(allowed, allow);
    ebmd_reply_empty(r, 204);
    ebmd_reply_add(r, "Allow", allow);
    if (!origin || !ebmd_cors_allows(app->cors_origins, origin))
        return;
    ebmd_reply_add(r, "Access-Control-Allow-Methods", EBMD_CORS_METHODS);
    ebmd_reply_add(r, "Access-Control-Allow-Headers", EBMD_CORS_HEADERS);
    ebmd_reply_add(r, "Access-Control-Max-Age", EBMD_CORS_MAX_AGE);
}

static bool keep_capture(ebmd_request *r, const ebmd_capture *c, const char **out)
{
    *out = c->at ? ebm_arena_strndup(r->arena, c->at, c->size) : NULL;
    return !c->at || *out;
}

/* Sets r->route, or answers 404, 405 or a preflight. */
static void find_route(const ebmd_app *app, ebmd_request *r, unsigned listener)
{
    size_t n_routes;
    char allow[64];
    const ebmd_route *table = ebmd_routes(&n_routes);
    ebmd_match match = ebmd_router_find(table, n_routes, listener, r->method, r->head.target);

    r->route = match.row;
    if (r->route) {
        if (!keep_capture(r, &match.capture[0], &r->capture) ||
            !keep_capture(r, &match.capture[1], &r->item))
            refuse(r, EBMA_OUT_OF_MEMORY);
    } else if (match.allowed == 0) {
        refuse(r, EBMA_NOT_FOUND);
    } else if (r->method == EBMD_OPTIONS) {
        answer_options(app, r, match.allowed);
    } else {
        refuse(r, EBMA_METHOD_NOT_ALLOWED);
        ebmd_router_allow(match.allowed, allow);
        ebmd_reply_add(r, "Allow", allow);
    }
}

static ebma_problem_code phase_problem(const ebmd_app *app)
{
    switch (ebmd_state_get(app->state)) {
    case EBMD_READY:
    case EBMD_LEAVING:
        return EBMA_OK;
    case EBMD_STARTING:
        return EBMA_STARTING;
    case EBMD_DRAINING:
        return EBMA_SHUTTING_DOWN;
    default:
        return EBMA_STORE_UNAVAILABLE;
    }
}

static unsigned scope_of(const ebmd_route *route)
{
    if (!(route->flags & EBMD_ON_MAIN))
        return EBMD_SCOPE_ADMIN;
    if (route->flags & EBMD_IS_WORK)
        return EBMD_SCOPE_SAMPLE;
    return (route->flags & EBMD_IS_JOBS) ? EBMD_SCOPE_JOBS : 0;
}

static void refuse_scope(ebmd_request *r, unsigned scope)
{
    refuse(r, EBMA_FORBIDDEN);
    ebmd_reply_addf(r, "WWW-Authenticate",
                    "Bearer realm=\"ebmd\", error=\"insufficient_scope\", scope=\"%s\"",
                    scope == EBMD_SCOPE_ADMIN    ? "admin"
                    : scope == EBMD_SCOPE_SAMPLE ? "sample"
                                                 : "jobs");
}

/* A missing key and a wrong one get the same answer. */
static void check_key(const ebmd_app *app, ebmd_request *r)
{
    unsigned scope = scope_of(r->route);

    switch (ebmd_keys_check(app->keys, ebmd_request_header(r, "Authorization"), scope,
                            ebmd_clock_ms(), &r->grant)) {
    case EBMD_KEY_GOOD:
        return;
    case EBMD_KEY_MISSING:
    case EBMD_KEY_UNKNOWN:
        refuse(r, EBMA_UNAUTHORIZED);
        ebmd_reply_add(r, "WWW-Authenticate", "Bearer realm=\"ebmd\"");
        ebmd_metrics_denied(app->metrics, ebmd_request_header(r, "Authorization")
                                              ? EBMD_DENIED_UNKNOWN
                                              : EBMD_DENIED_MISSING);
        return;
    case EBMD_KEY_SCOPE:
        refuse_scope(r, scope);
        ebmd_metrics_denied(app->metrics, EBMD_DENIED_SCOPE);
        return;
    case EBMD_KEY_RATE:
        refuse(r, EBMA_QUOTA_EXCEEDED);
        ebmd_reply_addf(r, "Retry-After", "%d", r->grant.retry_after);
        ebmd_metrics_denied(app->metrics, EBMD_DENIED_RATE);
        return;
    }
}

static size_t body_max(const ebmd_request *r)
{
    if (r->route->flags & EBMD_TAKES_BYTES)
        return EBMA_CHAINS_MAX;
    return (r->route->flags & EBMD_TAKES_PICTURES) ? EBMA_UPLOAD_MAX : EBMA_BODY_MAX;
}

static bool media_fits(const ebmd_request *r)
{
    const char *type = ebmd_request_header(r, "Content-Type");

    if (r->route->flags & EBMD_TAKES_BYTES)
        return ebmd_media_is_bytes(type);
    return ebmd_media_is_json(type) ||
           ((r->route->flags & EBMD_TAKES_PICTURES) && ebmd_media_is_form(type));
}

/* Refusals that cost nothing, before the body is read. */
static void check_early(const ebmd_app *app, ebmd_request *r)
{
    unsigned long long length = 0;
    ebma_problem_code phase;

    if (r->route->flags & (EBMD_TAKES_JSON | EBMD_TAKES_BYTES)) {
        if (ebmd_guard_content_length(&r->head, &length) && length > body_max(r))
            refuse(r, EBMA_PAYLOAD_TOO_LARGE);
        else if (!media_fits(r))
            refuse(r, EBMA_UNSUPPORTED_MEDIA_TYPE);
    }
    /* browsers name the page that sends a POST; no page has business with the operator's routes */
    if ((r->route->flags & EBMD_IS_CHANGE) && ebmd_request_header(r, "Origin"))
        refuse(r, EBMA_FOREIGN_ORIGIN);
    if (r->reply.status != 0 || !(r->route->flags & (EBMD_IS_WORK | EBMD_IS_CHANGE)))
        return;
    phase = phase_problem(app);
    if (phase != EBMA_OK) {
        refuse(r, phase);
        ebmd_reply_add(r, "Retry-After", "5");
    } else if ((r->route->flags & EBMD_IS_WORK) && ebmd_submit_full(app) &&
               !ebmd_request_header(r, "Idempotency-Key")) { /* a retry takes no place */
        ebmd_submit_refuse_full(app, r);
        r->reply.close = true;
    }
}

void ebmd_exchange_head(const ebmd_app *app, ebmd_request *r, unsigned listener, bool overloaded)
{
    ebma_problem_code code = ebmd_guard_check(&r->head);

    r->method = ebmd_method_of(r->head.method);
    r->budget = app->bodies;
    r->replies = app->replies;
    take_id(r);
    take_trace(r);
    if (code != EBMA_OK) {
        refuse(r, code);
        return;
    }
    if (overloaded) {
        refuse(r, EBMA_OVERLOADED);
        ebmd_reply_add(r, "Retry-After", "1");
        return;
    }
    find_route(app, r, listener);
    if (r->reply.status == 0 && app->keys && (listener == EBMD_ON_MAIN || app->admin_keys) &&
        !(r->route->flags & EBMD_IS_PUBLIC))
        check_key(app, r);
    if (r->reply.status == 0 && strchr(r->head.target, '?') &&
        !(r->route->flags & EBMD_TAKES_QUERY))
        refuse(r, EBMA_BAD_QUERY);
    if (r->reply.status == 0)
        check_early(app, r);
}

static bool grow(ebmd_request *r, size_t need)
{
    size_t room = r->body_room > 0 ? r->body_room : FIRST_ROOM;
    char *bigger;

    while (room < need)
        room *= 2; /* need is at most EBMA_CHAINS_MAX: this ends there */
    if (room == r->body_room)
        return true;
    if (!ebmd_budget_take(r->budget, room - r->body_room)) {
        r->starved = true;
        ebmd_request_drop_body(r);
        return true;
    }
    r->budgeted += room - r->body_room;
    bigger = ebm_alloc(room, 1);
    if (!bigger)
        return false;
    if (r->body_size > 0)
        memcpy(bigger, r->body, r->body_size);
    ebm_free(r->body);
    r->body = bigger;
    r->body_room = room;
    return true;
}

bool ebmd_exchange_body(ebmd_request *r, const char *data, size_t n)
{
    if (!ebm_size_add(r->body_seen, n, &r->body_seen) || r->body_seen > DISCARD_MAX)
        return false;
    /* too long already, or becoming so: the rest is read and thrown away, because a reply can
     * only be given before the body or after it */
    if (r->body_seen > body_max(r))
        return true;
    if (r->starved)
        return true;
    if (!grow(r, r->body_size + n))
        return false;
    if (r->starved)
        return true;
    memcpy(r->body + r->body_size, data, n);
    r->body_size += n;
    return true;
}

/* Other bodies have all the memory that there is for them; in a moment they will be understood. */
static void refuse_starved(ebmd_request *r)
{
    refuse(r, EBMA_OVERLOADED);
    ebmd_reply_add(r, "Retry-After", "1");
}

void ebmd_exchange_run(const ebmd_app *app, ebmd_request *r)
{
    bool takes_body = (r->route->flags & (EBMD_TAKES_JSON | EBMD_TAKES_BYTES)) != 0;

    if (!takes_body && r->body_seen > 0)
        refuse(r, EBMA_UNEXPECTED_BODY);
    else if (r->body_seen > body_max(r))
        refuse(r, EBMA_PAYLOAD_TOO_LARGE);
    else if (r->starved)
        refuse_starved(r);
    else
        r->route->handle(app, r);
}

void ebmd_exchange_late(char *out, size_t room)
{
    const ebma_problem problem = {.code = EBMA_BODY_LATE};
    char *json;
    size_t size;

    out[0] = '\0';
    if (ebma_problem_encode(&problem, NULL, &json, &size, NULL) != EBM_OK)
        return;
    snprintf(out, room,
             "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nCache-Control: no-store\r\n"
             "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n%.*s",
             size, (int)size, json);
    ebm_free(json);
}

void ebmd_exchange_resume(const ebmd_app *app, ebmd_request *r)
{
    r->route->finish(app, r);
}

static void seal_cors(const ebmd_app *app, ebmd_request *r)
{
    const char *origin = ebmd_request_header(r, "Origin");

    if (app->cors_origins[0] == '\0')
        return;
    ebmd_reply_add(r, "Vary", "Origin");
    if (!origin || !ebmd_cors_allows(app->cors_origins, origin))
        return;
    ebmd_reply_add(r, "Access-Control-Allow-Origin", origin);
    ebmd_reply_add(r, "Access-Control-Expose-Headers", EBMD_CORS_EXPOSE);
}

void ebmd_exchange_seal(const ebmd_app *app, ebmd_request *r)
{
    ebmd_phase phase = ebmd_state_get(app->state);

    if (r->reply.status == 0)
        ebmd_reply_code(r, EBMA_INTERNAL); /* a handler that forgot to answer */
    ebmd_reply_add(r, "X-Request-Id", r->id);
    if (r->reply.status == 503 && !ebmd_reply_has(r, "Retry-After"))
        ebmd_reply_add(r, "Retry-After", "5");
    ebmd_reply_add(r, "X-Content-Type-Options", "nosniff");
    ebmd_reply_add(r, "Cache-Control",
                   r->reply.caching && r->reply.status < 400 ? r->reply.caching : "no-store");
    if (r->reply.content_type)
        ebmd_reply_add(r, "Content-Type", r->reply.content_type);
    seal_cors(app, r);
    /* a client that keeps its connection would keep asking the replica that is going away */
    if (r->reply.close || phase > EBMD_READY)
        ebmd_reply_add(r, "Connection", "close");
}

/* Which part of the exchange a client that left did not wait for. */
static ebmd_gone gone_in(const ebmd_request *r)
{
    if (r->reply.streams)
        return EBMD_GONE_STREAM;
    if (atomic_load(&r->waiter.gone))
        return EBMD_GONE_WAITING;
    return r->reply.status == 0 ? EBMD_GONE_READING : EBMD_GONE_REPLY;
}

static void count(const ebmd_app *app, const ebmd_request *r, bool complete)
{
    size_t n;
    const ebmd_route *table = ebmd_routes(&n);
    size_t row = r->route ? (size_t)(r->route - table) : n;

    ebmd_metrics_request(app->metrics, row, r->reply.status,
                         (ebmd_clock_ms() - r->started_at) / 1e3);
    ebmd_metrics_count(app->metrics, EBMD_COUNT_BYTES_RECEIVED, r->body_seen);
    if (complete)
        ebmd_metrics_count(app->metrics, EBMD_COUNT_BYTES_SENT, r->reply.size);
    /* the kernel takes a reply also for a client that closed its connection long ago */
    if (!complete || atomic_load(&r->waiter.gone))
        ebmd_metrics_client_gone(app->metrics, gone_in(r));
}

static void write_log(const ebmd_app *app, const ebmd_request *r, bool complete)
{
    size_t path_len = strcspn(r->head.target, "?"); /* a query may hold what is nobody's business */
    const char *path = ebm_arena_strndup(r->arena, r->head.target, path_len);
    ebmd_field fields[] = {
        {.key = "request_id", .text = r->id},
        {.key = "client", .text = r->client},
        {.key = "owner", .text = r->grant.owner},
        {.key = "method", .text = r->head.method ? r->head.method : "?"},
        {.key = "path", .text = path ? path : "?"},
        {.key = "status", .number = r->reply.status},
        {.key = "ms", .number = ebmd_clock_ms() - r->started_at},
        {.key = "bytes", .number = (double)r->reply.size},
        {.key = "end", .text = complete ? "sent" : "cut"},
        {.key = NULL},
        {.key = NULL},
    };
    size_t n = sizeof(fields) / sizeof(fields[0]) - 2;

    if (r->waiter.id[0])
        fields[n++] = (ebmd_field){.key = "job", .text = r->waiter.id};
    if (r->trace[0])
        fields[n++] = (ebmd_field){.key = "trace", .text = r->trace};
    ebmd_log_event(app->log, EBMD_INFO, "request", fields, n);
}

void ebmd_exchange_end(const ebmd_app *app, const ebmd_request *r, bool complete)
{
    count(app, r, complete);
    write_log(app, r, complete);
}
