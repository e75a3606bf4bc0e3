/* One HTTP GET with a deadline. Knows URLs; has never heard of models. */
#ifndef EBMT_CLI_HTTP_GET_H
#define EBMT_CLI_HTTP_GET_H

#include "ebm/status.h"

/* Fetches a URL (http or https, no redirects), throws the body away and stores the status.
 * @unit timeout_seconds: for everything together, name look-up included
 * @err ARG (URL), UNSUPPORTED (no answer: refused, timed out, unknown host), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__http_get(const char *url, double timeout_seconds, long *status,
                                         ebm_error *err);

#endif
