/* Bodies of multipart/form-data for tests, and the requests that carry them.
 * Knows the format from RFC 7578 alone: nothing is shared with the reader under test. */
#ifndef EBM_TEST_HTTP_FORM_H
#define EBM_TEST_HTTP_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "http_client.h"

#define HTTP_FORM_BOUNDARY "----form7a1c"

typedef struct http_form {
    char *body; /* free() */
    size_t size, room;
} http_form;

/* Appends a field; text if data has no file name (NULL). */
void http_form_add(http_form *f, const char *name, const char *file, const void *data, size_t size);
void http_form_text(http_form *f, const char *name, const char *value);
/* Appends bytes as they are, to break the format. */
void http_form_raw(http_form *f, const void *data, size_t size);
/* Writes the closing boundary. */
void http_form_close(http_form *f);
void http_form_clear(http_form *f);

/* Sends a request with any bytes as its body and reads the reply. type: Content-Type; more: further
 * lines that end in "\r\n", or "". @err false: no complete reply */
bool http_send_body(int port, const char *path, const char *type, const char *more,
                    const void *body, size_t size, http_reply *out);
/* Sends a form. */
bool http_send_form(int port, const char *path, const char *more, const http_form *f,
                    http_reply *out);

#endif
