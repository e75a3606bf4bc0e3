/* POST /v1/models/{id}/load, /v1/models/{id}/unload and /v1/admin/drain, pause, resume on the admin
 * listener. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ebm/memory.h"
#include "routes/router.h"

/* Hands the order to the loader and waits for it like others wait for a job. */
static void order(const ebmd_app *app, ebmd_request *r, ebmd_order what)
{
    if (!ebm_model_id_valid(r->capture)) {
        ebmd_reply_code(r, EBMA_MODEL_NOT_FOUND);
        return;
    }
    if (!ebmd_id_make("mod_", ebmd_clock_wall_ms(), r->waiter.id)) {
        ebmd_reply_code(r, EBMA_INTERNAL);
        return;
    }
    r->waiter.keep_job = true; /* there is no job to cancel when the client leaves */
    ebmd_waiters_add(app->waiters, &r->waiter);
    r->waits = ebmd_loader_ask(app->loader, what, r->capture, r->waiter.id);
    if (r->waits)
        return;
    ebmd_waiters_remove(&r->waiter);
    ebmd_reply_code(r, EBMA_OVERLOADED);
    ebmd_reply_add(r, "Retry-After", "5");
}

void ebmd_route_model_load(const ebmd_app *app, ebmd_request *r)
{
    order(app, r, EBMD_ORDER_LOAD);
}

void ebmd_route_model_unload(const ebmd_app *app, ebmd_request *r)
{
    order(app, r, EBMD_ORDER_UNLOAD);
}

/* The reason goes to the operator, whose files they are. */
static void refuse_model(ebmd_request *r, const ebm_error *err)
{
    ebma_problem problem = {.code = EBMA_OK};
    char detail[sizeof(err->where) + sizeof(err->text) + 3];
    ebma_field_error e = {.code = ebm_status_name(err->status), .detail = detail};

    snprintf(detail, sizeof(detail), "%s: %s", err->where, err->text);
    ebma_problem_field(&problem, r->arena, NULL, &e);
    problem.code = EBMA_MODEL_REFUSED; /* a field error alone would be invalid_params */
    ebmd_reply_problem(r, &problem);
}

/* False if there is nothing to tell but a problem, which is told. */
static bool went_well(const ebmd_app *app, ebmd_request *r)
{
    ebm_error err = {0};

    if (!ebmd_loader_result(app->loader, r->waiter.id, &err))
        ebmd_reply_code(r, EBMA_INTERRUPTED); /* dismissed: we are going away */
    else if (err.status == EBM_ERR_NOT_FOUND)
        ebmd_reply_code(r, EBMA_MODEL_NOT_FOUND);
    else if (err.status == EBM_ERR_BAD_STATE)
        ebmd_reply_code(r, EBMA_LAST_MODEL);
    else if (err.status == EBM_ERR_NOMEM)
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    else if (err.status != EBM_OK)
        refuse_model(r, &err);
    return r->reply.status == 0;
}

void ebmd_route_model_loaded(const ebmd_app *app, ebmd_request *r)
{
    if (went_well(app, r))
        ebmd_route_model(app, r);
}

void ebmd_route_model_unloaded(const ebmd_app *app, ebmd_request *r)
{
    if (went_well(app, r))
        ebmd_reply_empty(r, 204);
}

static void answer_status(ebmd_request *r, const char *status, int code)
{
    const ebma_pair pair = {"status", status};
    char *json = NULL;
    size_t size = 0;
    ebm_status st = ebma_pairs_encode(&pair, 1, &json, &size, NULL);

    ebmd_reply_json(r, st, json, size);
    if (st == EBM_OK)
        r->reply.status = code;
}

/* What SIGTERM does, for those who cannot send one. May be repeated: unlike a second signal a
 * second request does not cut short what waits for clients. */
void ebmd_route_drain(const ebmd_app *app, ebmd_request *r)
{
    ebmd_state_ask_stop(app->state);
    answer_status(r, "draining", 202);
}

/* Nothing that waits is begun: for the time of a look at the machine, say. It is forgotten with the
 * process, so that a restart serves. */
void ebmd_route_pause(const ebmd_app *app, ebmd_request *r)
{
    ebmd_sched_pause(app->sched, true);
    ebmd_log_event(app->log, EBMD_INFO, "paused", NULL, 0);
    answer_status(r, "paused", 200);
}

void ebmd_route_resume(const ebmd_app *app, ebmd_request *r)
{
    ebmd_sched_pause(app->sched, false);
    ebmd_log_event(app->log, EBMD_INFO, "resumed", NULL, 0);
    answer_status(r, "running", 200);
}
