/* How a request comes to be answered with a stream of events about a job.
 * Knows headers, queries and refusals; not what a stream says (watch/stream.h). */
#ifndef EBMD_JOB_STREAM_H
#define EBMD_JOB_STREAM_H

#include "app.h"
#include "http/request.h"

/* Reads the query ?preview_every=N. @err false: answered 422 */
EBM_MUST_CHECK bool ebmd_job_stream_query(ebmd_request *r);
/* Takes a place and begins to answer with a stream about the job `id`. Refuses with 429 or 503.
 * A job that was asked for by this very request is admitted before it is made, and joined after.
 * @err false: refused, r->reply says how */
EBM_MUST_CHECK bool ebmd_job_stream_admit(const ebmd_app *app, ebmd_request *r);
void ebmd_job_stream_join(const ebmd_app *app, ebmd_request *r, const char *id);

#endif
