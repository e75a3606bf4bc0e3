/* HTTP requests with limits. Knows URLs, methods and bytes; has never heard of models or jobs. */
#ifndef EBMT_CLI_HTTP_CALL_H
#define EBMT_CLI_HTTP_CALL_H

#include <stddef.h>

#include "ebm/status.h"

/* Fetches a URL (http or https, no redirects), throws the body away and stores the status.
 * @unit timeout_seconds: for everything together, name look-up included
 * @err ARG (URL), UNSUPPORTED (no answer: refused, timed out, unknown host), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__http_get(const char *url, double timeout_seconds, long *status,
                                         ebm_error *err);

#define EBMT_HTTP_HEADERS_MAX 6

typedef struct ebmt__http_request {
    const char *method, *url;
    const char *header[EBMT_HTTP_HEADERS_MAX]; /* "Name: value"; unused ones NULL */
    const char *body;                          /* NULL: none */
    size_t size;
    size_t reply_max; /* bytes of a reply's body; a longer one is an error */
    double timeout_seconds;
} ebmt__http_request;

typedef struct ebmt__http_reply {
    long status;
    double retry_after; /* seconds; 0: the reply does not say */
    char *body;         /* ebm_free(); a zero byte follows */
    size_t size;
} ebmt__http_reply;

/* Sends a request and reads the reply whatever its status. No redirects; certificates are checked.
 * @own out->body: ebm_free(), NULL on errors @err as ebmt__http_get(); LIMIT: the reply is too
 *      long */
EBM_MUST_CHECK ebm_status ebmt__http_call(const ebmt__http_request *request, ebmt__http_reply *out,
                                          ebm_error *err);

#endif
