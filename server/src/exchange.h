/* The life of a request between its head and its reply, without the HTTP library: guard, route,
 * early refusals, body, handler, common headers, log line. */
#ifndef EBMD_EXCHANGE_H
#define EBMD_EXCHANGE_H

#include "app.h"
#include "http/request.h"

/* Looks at the head. Afterwards r->reply.status != 0 means: answer now, read no body.
 * @range listener EBMD_ON_MAIN or EBMD_ON_ADMIN; overloaded: too many connections are open */
void ebmd_exchange_head(const ebmd_app *app, ebmd_request *r, unsigned listener, bool overloaded);
/* Takes a piece of the body. @err false: hopelessly long, cut the connection */
EBM_MUST_CHECK bool ebmd_exchange_body(ebmd_request *r, const char *data, size_t n);
/* The body is complete: runs the handler. Afterwards either there is a reply, or r->job is set
 * and its end will call r->wake. */
void ebmd_exchange_run(const ebmd_app *app, ebmd_request *r);
/* Writes the whole reply to a body that has not come in time; without memory an empty one. */
void ebmd_exchange_late(char *out, size_t room);
/* The job is done: makes the reply. */
void ebmd_exchange_resume(const ebmd_app *app, ebmd_request *r);
/* Adds what every reply carries. Call once, before sending. */
void ebmd_exchange_seal(const ebmd_app *app, ebmd_request *r);
/* The end: counts the request and writes the access log. `complete`: the client got all of it. */
void ebmd_exchange_end(const ebmd_app *app, const ebmd_request *r, bool complete);

#endif
