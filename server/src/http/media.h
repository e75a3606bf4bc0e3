/* Content-Type and Accept: which of our formats a header value means.
 * Knows header syntax, no route. */
#ifndef EBMD_MEDIA_H
#define EBMD_MEDIA_H

#include <stdbool.h>

typedef enum ebmd_media {
    EBMD_MEDIA_NONE,
    EBMD_MEDIA_JSON,
    EBMD_MEDIA_PNG,
    EBMD_MEDIA_EVENTS
} ebmd_media;

/* True for application/json, alone or with charset=utf-8. */
bool ebmd_media_is_json(const char *content_type);
/* True for application/octet-stream. */
bool ebmd_media_is_bytes(const char *content_type);
/* True for multipart/form-data, whatever its parameters. */
bool ebmd_media_is_form(const char *content_type);
/* The format an Accept value likes best, by q, then by order; JSON for NULL or "". */
ebmd_media ebmd_media_accept(const char *accept);

#endif
