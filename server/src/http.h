/* The HTTP listener: from connections to exchanges and back. */
#ifndef EBMD_HTTP_H
#define EBMD_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "app.h"
#include "ebm/status.h"
#include "http/tls.h"

typedef struct ebmd_http ebmd_http;

typedef struct ebmd_http_options {
    const ebmd_app *app; /* must outlive the listener */
    int fd;              /* a listening socket */
    unsigned listener;   /* EBMD_ON_MAIN or EBMD_ON_ADMIN */
    unsigned threads;
    unsigned connections;
    const ebmd_tls *tls; /* NULL: plain HTTP; must outlive the listener */
    double reply_ms; /* how long a client may take for a reply, or a stride of a stream; 0: 60 s */
} ebmd_http_options;

/* Starts the threads of a listener.
 * @own takes fd when it succeeds; ebmd_http_stop()
 * @err NOMEM, IO, FORMAT (certificate and key are not usable) */
EBM_MUST_CHECK ebm_status ebmd_http_start(const ebmd_http_options *opt, ebmd_http **out,
                                          ebm_error *err);
/* Lets no more clients in; connections that are open go on. */
void ebmd_http_refuse(ebmd_http *h);
/* Waits until every request that arrived completely has its answer.
 * @err false: some have not after the time */
EBM_MUST_CHECK bool ebmd_http_wait_idle(ebmd_http *h, double timeout_ms);
/* From here on no request waits for a job any more: one that would loses its connection, since the
 * library ends the process when it is stopped with a connection suspended.
 * @err false: one waits already, and nothing has changed; ebmd_http_stop() is then not allowed */
EBM_MUST_CHECK bool ebmd_http_seal(ebmd_http *h);
/* Ends all connections and frees everything; NULL allowed. */
void ebmd_http_stop(ebmd_http *h);

#endif
