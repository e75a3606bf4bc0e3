/* A request and its reply as plain data, and the functions that fill the reply.
 * Knows HTTP's nouns; has never heard of the HTTP library or of tensors. */
#ifndef EBMD_REQUEST_H
#define EBMD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/ids.h"
#include "ebma/api.h"
#include "base/budget.h"
#include "http/keys.h"
#include "http/prefer.h"
#include "http/proxies.h"
#include "http/waiters.h"
#include "watch/stream.h"

#define EBMD_HEADERS_MAX       64
#define EBMD_HEADER_BYTES_MAX  16384
#define EBMD_TARGET_MAX        2048
#define EBMD_REPLY_HEADERS_MAX 24

/* What a client may keep: a body that never changes; one that it asks about each time (ETag). */
#define EBMD_KEEP_FOR_EVER "private, max-age=31536000, immutable"
#define EBMD_KEEP_AND_ASK  "no-cache"

typedef enum ebmd_method {
    EBMD_OTHER = 0, /* anything we have no route for */
    EBMD_GET = 1,
    EBMD_HEAD = 2,
    EBMD_POST = 4,
    EBMD_OPTIONS = 8,
    EBMD_DELETE = 16
} ebmd_method;

/* One header line as it arrived. @own the HTTP library's, valid as long as the request */
typedef struct ebmd_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
} ebmd_header;

/* Everything the client said before the body. */
typedef struct ebmd_head {
    const char *method;
    const char *version;
    const char *target; /* raw, not decoded; at most EBMD_TARGET_MAX + 1 bytes are kept */
    size_t n_headers;   /* counts lines beyond the array too */
    size_t header_bytes;
    ebmd_header header[EBMD_HEADERS_MAX];
} ebmd_head;

typedef struct ebmd_reply_header {
    const char *name, *value; /* static, or in the request's arena */
} ebmd_reply_header;

typedef struct ebmd_reply {
    int status; /* 0: no reply yet */
    const char *content_type;
    char *body; /* ebm_free() */
    size_t size;
    bool close;          /* end the connection afterwards */
    const char *caching; /* EBMD_KEEP_...; NULL: the client must not keep it */
    bool streams;        /* the body comes from the request's stream, piece by piece */
    size_t n_headers;
    ebmd_reply_header header[EBMD_REPLY_HEADERS_MAX];
} ebmd_reply;

struct ebmd_route;

typedef struct ebmd_request {
    ebm_arena *arena; /* dies with the request */
    ebmd_head head;
    ebmd_method method;
    const struct ebmd_route *route;
    const char *capture; /* what {id} of the route's pattern matched, or NULL */
    const char *item;    /* and what its second name matched, e.g. {k} */
    char id[EBMD_REQUEST_ID_SIZE];
    char trace[33];              /* of the caller's traceparent, for the log; "": none */
    char client[EBMD_PEER_SIZE]; /* address, for the log; "" until the head is read */
    ebmd_grant grant;            /* who asks; owner "" while keys are off */
    double started_at;           /* ebmd_clock_ms() */
    char *body;                  /* ebm_free() */
    size_t body_size, body_room;
    size_t body_seen;     /* bytes the client sent, kept or not */
    ebmd_budget *budget;  /* of all bodies; NULL: none */
    size_t budgeted;      /* bytes taken from it */
    bool starved;         /* it had nothing left: the body is not kept */
    ebmd_budget *replies; /* of all large replies; NULL: none */
    size_t reserved;      /* bytes taken from it */
    bool waits;           /* for the end of the job waiter.id */
    ebmd_prefer prefer;
    bool wants_png, wants_events;
    bool later;         /* its job is long, and it does not say that it waits */
    ebmd_stream stream; /* watch.wake and watch.arg are set by the listener */
    ebmd_waiter waiter; /* wake and arg are set by the listener */
    ebmd_reply reply;
} ebmd_request;

/* Value of a header by name (any case), or NULL; of several lines the first. @own the request's
 * arena or the library's */
const char *ebmd_request_header(const ebmd_request *r, const char *name);
/* The same of a header that is a list, whose lines count as one with commas between them (RFC 9110,
 * section 5.3). Without memory it is the last line: the one that is nearest to us. */
const char *ebmd_request_list(const ebmd_request *r, const char *name);
/* Whose jobs this request may see, for the store: NULL means everybody's, because keys are off or
 * the key is an administrator's. */
const char *ebmd_request_owner(const ebmd_request *r);
ebmd_method ebmd_method_of(const char *method);

/* Adds a header to the reply; value is copied. Without memory or room it is left out. */
void ebmd_reply_add(ebmd_request *r, const char *name, const char *value);
void ebmd_reply_addf(ebmd_request *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool ebmd_reply_has(const ebmd_request *r, const char *name);
/* Takes memory for a reply of so many bytes from what all large replies share, if it is a large
 * one: before it is read, where its size is known by then. @err false: there is none left, and the
 * request is answered with 503 */
EBM_MUST_CHECK bool ebmd_reply_reserve(ebmd_request *r, size_t size);
/* Answers with a body; one for which there is no memory as above becomes a 503.
 * @own takes body (ebm_free()) */
void ebmd_reply_body(ebmd_request *r, int status, const char *content_type, char *body,
                     size_t size);
void ebmd_reply_empty(ebmd_request *r, int status);
/* Answers with application/problem+json; never fails: without memory the body is empty. */
void ebmd_reply_problem(ebmd_request *r, const ebma_problem *problem);
void ebmd_reply_code(ebmd_request *r, ebma_problem_code code);
/* Answers with what an api encoder gave, or with the problem of its failure. */
void ebmd_reply_json(ebmd_request *r, ebm_status st, char *json, size_t size);

/* Frees the body; nobody needs it any more. */
void ebmd_request_drop_body(ebmd_request *r);
/* Frees what lies outside the arena, then the arena, with the request in it. */
void ebmd_request_free(ebmd_request *r);

#endif
