/* GET /v1/jobs/{id}/preview.png: what a chain of a running job looks like at this moment.
 * Knows the store's calls and who waits; not how a picture is made. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "routes/job_events.h"
#include "kinds/kind.h"
#include "routes/router.h"

#define FRESH_MS 500.0  /* a picture that is not older is as good as a new one */
#define WAIT_MS  2000.0 /* for a new one: chains take turns */

/* Finds a job of the caller whose result is not gone, or answers why not. */
static bool find_job(const ebmd_app *app, ebmd_request *r, ebmd_view *view)
{
    if (!ebmd_id_is_job(r->capture, strlen(r->capture)) ||
        app->store->ops->get(app->store, r->capture, ebmd_request_owner(r), view) != EBM_OK) {
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
        return false;
    }
    if (view->row.purged) {
        ebmd_reply_code(r, EBMA_JOB_GONE);
        return false;
    }
    return true;
}

static bool makes_pictures(const ebmd_view *view)
{
    const ebmd_kind *kind = ebmd_kind_find(view->row.kind);

    return kind && kind->preview;
}

/* There is none now, and none will come of a job that has ended or makes none. */
static void reply_none(ebmd_request *r, const ebmd_view *view)
{
    const bool alive = view->row.state == EBMD_JOB_QUEUED || view->row.state == EBMD_JOB_RUNNING;
    const ebma_problem problem = {.code = EBMA_NO_PREVIEW,
                                  .final = !alive || !makes_pictures(view)};

    ebmd_reply_problem(r, &problem);
    if (!problem.final)
        ebmd_reply_add(r, "Retry-After", "1");
}

/* @err false: there is none that is young enough; nothing is answered */
static bool reply_picture(const ebmd_app *app, ebmd_request *r, double age_ms)
{
    char *png = NULL;
    size_t size = 0;
    ebm_status st = ebmd_live_picture_get(app->live, r->capture, age_ms, &png, &size);

    if (st == EBM_ERR_NOT_FOUND)
        return false;
    if (st == EBM_OK)
        ebmd_reply_body(r, 200, "image/png", png, size);
    else
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    return true;
}

/* Waits before it asks: the picture may be there at once. */
static void ask(const ebmd_app *app, ebmd_request *r, const ebmd_view *view)
{
    ebmd_job_picture_id(view->row.id, r->waiter.id);
    r->waiter.keep_job = r->waiter.poll = true;
    r->waiter.until = ebmd_clock_ms() + WAIT_MS;
    ebmd_waiters_add(app->waiters, &r->waiter);
    r->waits = ebmd_live_picture_ask(app->live, view);
    if (r->waits)
        return;
    ebmd_waiters_remove(&r->waiter);
    ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
}

void ebmd_route_job_preview(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (!find_job(app, r, &view))
        return;
    if (view.row.state != EBMD_JOB_RUNNING || !makes_pictures(&view))
        reply_none(r, &view);
    else if (!reply_picture(app, r, FRESH_MS))
        ask(app, r, &view);
}

/* An old picture is better than none; whoever gets none may ask again, and it is being made. */
void ebmd_route_job_previewed(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (!reply_picture(app, r, INFINITY) && find_job(app, r, &view))
        reply_none(r, &view);
}
