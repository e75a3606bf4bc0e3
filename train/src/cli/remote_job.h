/* A job of a daemon, from its request to its images as files. Knows job objects; has never heard of
 * flags or parameters. */
#ifndef EBMT_CLI_REMOTE_JOB_H
#define EBMT_CLI_REMOTE_JOB_H

#include "cli/remote.h"

#define EBMT_JOB_ID_MAX 64

/* Sends a request that makes a job. `path` is "/v1/sample" and so on.
 * @err those of ebmt__remote_ask(); FORMAT */
EBM_MUST_CHECK ebm_status ebmt__job_start(const ebmt__remote *r, const char *path,
                                          const json_t *body, char id[EBMT_JOB_ID_MAX],
                                          ebm_error *err);

/* Waits for the end of a job, with a bar on stderr if that is a terminal. An interrupt (Ctrl-C)
 * asks the daemon to cancel the job when `owned`, and ends the waiting.
 * @own *job: json_decref(), in its final state
 * @err those of ebmt__remote_ask(); UNSUPPORTED: it did not succeed (the text says why), and *job
 *      is set; CANCELLED: interrupted */
EBM_MUST_CHECK ebm_status ebmt__job_wait(const ebmt__remote *r, const char *id, bool owned,
                                         json_t **job, ebm_error *err);

/* True for what may be put into a path: letters, digits, "_". */
bool ebmt__job_id_valid(const char *id);

/* Writes data[k] of a finished job as DIR/NNNNNN.png, numbered from `first`, and prints one line
 * for each like `ebm sample` does. Digests are checked. dir NULL: only prints. Items without an
 * image have no file.
 * @err FORMAT, DIGEST, IO, NOMEM; UNSUPPORTED: images that were asked for as addresses */
EBM_MUST_CHECK ebm_status ebmt__job_save(const json_t *job, const char *dir, int64_t first,
                                         ebm_error *err);
/* Prints a job object without the bytes of its images, which are taken out of it. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__job_print(json_t *job, ebm_error *err);

#endif
