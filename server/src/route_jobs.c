/* GET /v1/jobs/{id} and POST /v1/jobs/{id}/cancel. */
#include <string.h>

#include "jobview.h"
#include "router.h"

static void reply_view(const ebmd_app *app, ebmd_request *r, const ebmd_view *view)
{
    ebm_error err = {0};
    char *json = NULL;
    size_t size = 0;
    ebm_status st;

    if (view->row.purged) {
        ebmd_reply_code(r, EBMA_JOB_GONE);
        return;
    }
    st = ebmd_jobview_json(app, view, &json, &size, &err);
    /* what is damaged is our fault, not the client's */
    ebmd_reply_json(r, st == EBM_ERR_FORMAT ? EBM_ERR_INTERNAL : st, json, size);
}

void ebmd_route_job(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (ebmd_id_is_job(r->capture, strlen(r->capture)) &&
        app->store->ops->get(app->store, r->capture, ebmd_request_owner(r), &view) == EBM_OK)
        reply_view(app, r, &view);
    else
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
}

void ebmd_route_job_cancel(const ebmd_app *app, ebmd_request *r)
{
    ebm_error err = {0};
    ebm_status st = EBM_ERR_NOT_FOUND;
    ebmd_view view;

    if (ebmd_id_is_job(r->capture, strlen(r->capture)))
        st = app->store->ops->cancel(app->store, r->capture, ebmd_request_owner(r), &view, &err);
    if (st == EBM_OK) {
        reply_view(app, r, &view);
        if (r->reply.status == 200 && !ebmd_job_state_final(view.row.state))
            r->reply.status = 202; /* it stops within a quantum */
    } else if (st == EBM_ERR_NOT_FOUND) {
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
    } else {
        ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_STORE_UNAVAILABLE);
    }
}
