/* A daemon that is asked over HTTP: its address, the key, questions and answers in JSON.
 * Knows statuses and problem objects; has never heard of flags, files of images or operations. */
#ifndef EBMT_CLI_REMOTE_H
#define EBMT_CLI_REMOTE_H

#include <jansson.h>
#include <stdbool.h>

#include "ebm/status.h"

#define EBMT_REMOTE_KEY_MAX 512

typedef struct ebmt__remote {
    const char *url; /* "http://host:port", perhaps with a path before /v1 */
    char authorization[EBMT_REMOTE_KEY_MAX + 32]; /* header, or "" */
} ebmt__remote;

/* Takes the key from `key_file` (its first line), or, when that is NULL, from the environment's
 * EBM_API_KEY; without either none is sent. url is borrowed.
 * @err ARG (URL, key), and of the file; err->where names the flag */
EBM_MUST_CHECK ebm_status ebmt__remote_open(ebmt__remote *r, const char *url, const char *key_file,
                                            ebm_error *err);

/* One question. While the daemon says 429 or 503 with Retry-After it is asked again, for a minute
 * at most; a POST with a body carries an Idempotency-Key, so that this never makes two jobs of one.
 * later: prefer an answer at once to one with the result. @own *answer: json_decref(); NULL when
 * the reply has no body
 * @err NOT_FOUND (404, 410), RANGE (400, 413, 422: the text names the fields), UNSUPPORTED (no
 *      answer, not allowed, or not now), FORMAT (no JSON), NOMEM */
typedef struct ebmt__question {
    const char *method, *path; /* "/v1/jobs" */
    const json_t *body;        /* NULL: none */
    bool later;
} ebmt__question;
EBM_MUST_CHECK ebm_status ebmt__remote_ask(const ebmt__remote *r, const ebmt__question *q,
                                           json_t **answer, ebm_error *err);

/* The text of a member of an answer, "" if it is absent or no text. @own borrowed from object */
const char *ebmt__json_text(const json_t *object, const char *name);

#endif
