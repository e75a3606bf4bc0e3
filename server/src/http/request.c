/* Requests and replies, see request.h. */
#include "http/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ebm/memory.h"

/* The first line of this name from line *at on, which moves behind it; NULL: there is none. */
static const ebmd_header *next_line(const ebmd_head *head, const char *name, size_t *at)
{
    size_t len = strlen(name);
    size_t n = head->n_headers < EBMD_HEADERS_MAX ? head->n_headers : EBMD_HEADERS_MAX;

    while (*at < n) {
        const ebmd_header *h = &head->header[(*at)++];

        if (h->name_len == len && strncasecmp(h->name, name, len) == 0)
            return h;
    }
    return NULL;
}

const char *ebmd_request_header(const ebmd_request *r, const char *name)
{
    size_t at = 0;
    const ebmd_header *h = next_line(&r->head, name, &at);

    return h ? h->value : NULL;
}

const char *ebmd_request_list(const ebmd_request *r, const char *name)
{
    size_t at = 0, lines = 0, room = 0, n = 0;
    const ebmd_header *h, *last = NULL;
    char *list;

    for (; (h = next_line(&r->head, name, &at)) != NULL; last = h, lines++)
        room += strlen(h->value) + 2;
    if (lines < 2)
        return last ? last->value : NULL;
    list = ebm_arena_alloc(r->arena, room, 1);
    if (!list)
        return last->value;
    for (at = 0; (h = next_line(&r->head, name, &at)) != NULL;)
        n += (size_t)snprintf(list + n, room - n, "%s%s", n > 0 ? ", " : "", h->value);
    return list;
}

const char *ebmd_request_owner(const ebmd_request *r)
{
    if (r->grant.owner[0] == '\0' || (r->grant.scopes & EBMD_SCOPE_ADMIN))
        return NULL;
    return r->grant.owner;
}

ebmd_method ebmd_method_of(const char *method)
{
    static const struct {
        const char *name;
        ebmd_method method;
    } known[] = {{"GET", EBMD_GET},
                 {"HEAD", EBMD_HEAD},
                 {"POST", EBMD_POST},
                 {"OPTIONS", EBMD_OPTIONS},
                 {"DELETE", EBMD_DELETE}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(known[i].name, method) == 0)
            return known[i].method;
    }
    return EBMD_OTHER;
}

void ebmd_reply_add(ebmd_request *r, const char *name, const char *value)
{
    ebmd_reply *p = &r->reply;
    const char *copy = ebm_arena_strndup(r->arena, value, strlen(value));

    if (copy && p->n_headers < EBMD_REPLY_HEADERS_MAX)
        p->header[p->n_headers++] = (ebmd_reply_header){name, copy};
}

bool ebmd_reply_has(const ebmd_request *r, const char *name)
{
    for (size_t i = 0; i < r->reply.n_headers; i++) {
        if (strcasecmp(r->reply.header[i].name, name) == 0)
            return true;
    }
    return false;
}

void ebmd_reply_addf(ebmd_request *r, const char *name, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ebmd_reply_add(r, name, text);
}

bool ebmd_reply_reserve(ebmd_request *r, size_t size)
{
    if (size <= EBMD_REPLY_SMALL || size <= r->reserved)
        return true;
    if (!ebmd_budget_take(r->replies, size - r->reserved)) {
        ebmd_reply_code(r, EBMA_OVERLOADED);
        return false;
    }
    r->reserved = size;
    return true;
}

void ebmd_reply_body(ebmd_request *r, int status, const char *content_type, char *body, size_t size)
{
    if (!ebmd_reply_reserve(r, size)) {
        ebm_free(body);
        return;
    }
    ebm_free(r->reply.body);
    r->reply.status = status;
    r->reply.content_type = content_type;
    r->reply.body = body;
    r->reply.size = size;
}

void ebmd_reply_empty(ebmd_request *r, int status)
{
    ebmd_reply_body(r, status, NULL, NULL, 0);
}

void ebmd_reply_problem(ebmd_request *r, const ebma_problem *problem)
{
    char *json = NULL;
    size_t size = 0;

    if (ebma_problem_encode(problem, r->id, &json, &size, NULL) != EBM_OK)
        size = 0;
    ebmd_reply_body(r, ebma_problem_describe(problem->code)->status, "application/problem+json",
                    json, size);
}

void ebmd_reply_code(ebmd_request *r, ebma_problem_code code)
{
    ebma_problem problem = {.code = code};

    ebmd_reply_problem(r, &problem);
}

void ebmd_reply_json(ebmd_request *r, ebm_status st, char *json, size_t size)
{
    if (st == EBM_OK)
        ebmd_reply_body(r, 200, "application/json", json, size);
    else
        ebmd_reply_code(r, ebma_problem_of(st));
}

void ebmd_request_drop_body(ebmd_request *r)
{
    ebm_free(r->body);
    r->body = NULL;
    r->body_size = r->body_room = 0;
    ebmd_budget_give(r->budget, r->budgeted);
    r->budgeted = 0;
}

void ebmd_request_free(ebmd_request *r)
{
    ebm_arena *arena = r->arena;

    ebmd_request_drop_body(r);
    ebm_free(r->reply.body);
    ebmd_budget_give(r->replies, r->reserved);
    if (r->stream.stays)
        ebmd_waiters_keep(&r->waiter);
    ebmd_waiters_remove(&r->waiter);
    ebmd_stream_clear(&r->stream);
    ebm_arena_free(arena);
}
