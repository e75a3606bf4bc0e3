/* Which web pages may read our replies: an exact list of origins, empty by default.
 * Knows strings; adds no header itself. */
#ifndef EBMD_CORS_H
#define EBMD_CORS_H

#include <stdbool.h>

#define EBMD_CORS_METHODS "GET, HEAD, POST, DELETE, OPTIONS"
#define EBMD_CORS_HEADERS                                                                          \
    "Accept, Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, Prefer, " \
    "Traceparent, X-Request-Id"
#define EBMD_CORS_EXPOSE                                                                           \
    "ETag, X-Request-Id, X-Job-Id, X-Seed, X-Energy, Location, Preference-Applied, "               \
    "Idempotency-Replayed, Retry-After, Server-Timing, WWW-Authenticate"
#define EBMD_CORS_MAX_AGE "600"

/* True if origin is in the comma-separated list, byte for byte. "null" never is. */
bool ebmd_cors_allows(const char *list, const char *origin);
/* True if every entry is scheme://host[:port] without path; "*" is refused, an empty list is
 * fine. */
bool ebmd_cors_list_valid(const char *list);

#endif
