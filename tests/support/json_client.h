/* Requests and replies in JSON, for tests. Every function fails the test if something else comes
 * back. Knows HTTP and JSON; not what is asked. */
#ifndef EBM_TEST_JSON_CLIENT_H
#define EBM_TEST_JSON_CLIENT_H

#include <jansson.h>

#include "http_client.h"

/* The JSON of a reply that has this status. @own json_decref() */
json_t *json_of_reply(const http_reply *r, int status);
/* Sends a request, with a body of JSON or without one (NULL), whose reply has this status.
 * 200 for work means its end, which is then waited for. @own json_decref() */
json_t *json_call(int port, const char *method, const char *path, const char *body, int status);

#endif
