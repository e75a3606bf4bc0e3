/* GET /v1/jobs/{id}: the job object as the store keeps it, with the queue's word on whether an
 * unfinished one has started. */
#include <string.h>

#include "ebm/memory.h"
#include "router.h"

/* Replaces the body of a stored, unfinished job by one that says "running" if it is. */
static ebm_status freshen(const ebmd_app *app, const char *id, char **body, size_t *size)
{
    int64_t started = 0;
    char *json;
    size_t json_size;
    ebm_status st;

    if (!ebmd_queue_find(app->queue, id, &started) || started == 0)
        return EBM_OK;
    st =
        ebma_job_restate(*body, *size, EBMA_JOB_RUNNING, started, EBMA_OK, &json, &json_size, NULL);
    if (st != EBM_OK)
        return st;
    ebm_free(*body);
    *body = json;
    *size = json_size;
    return EBM_OK;
}

void ebmd_route_job(const ebmd_app *app, ebmd_request *r)
{
    bool finished = false;
    char *body = NULL;
    size_t size = 0;
    ebm_status st = EBM_ERR_NOT_FOUND;

    if (ebmd_id_is_job(r->capture, strlen(r->capture)))
        st = app->store->ops->get(app->store, r->capture, &body, &size, &finished, NULL);
    if (st == EBM_OK && !finished)
        st = freshen(app, r->capture, &body, &size);
    if (st == EBM_ERR_NOT_FOUND)
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
    else
        ebmd_reply_json(r, st, body, size);
    if (st != EBM_OK)
        ebm_free(body);
}
