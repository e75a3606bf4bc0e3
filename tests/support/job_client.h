/* Jobs that are sent, looked at and waited for, for tests. Knows the routes of jobs; not what a job
 * does. */
#ifndef EBM_TEST_JOB_CLIENT_H
#define EBM_TEST_JOB_CLIENT_H

#include "json_client.h"

/* Sends a body of JSON that is to be done later, with further headers ("", or lines that end in
 * "\r\n"). id receives the job's id, "" if there is none. Returns the status. */
int job_send(int port, const char *path, const char *headers, const char *body, char id[64]);
/* job_send() without further headers, which must be accepted. */
void job_begin(int port, const char *path, const char *body, char id[64]);
/* Returns the status. */
int job_cancel(int port, const char *id);

/* The functions below fail the test if there is no such job. */

/* The job object. @own json_decref() */
json_t *job_look(int port, const char *id);
bool job_is(int port, const char *id, const char *status);
/* Looks until the job has this status; fails the test if it never has. */
void job_wait(int port, const char *id, const char *status);
/* Waits for the end of the job, on the route that waits. @own json_decref() */
json_t *job_end(int port, const char *id);

#endif
