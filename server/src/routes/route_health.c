/* Health and version: answers from the phase alone, so that they work when nothing else does. */
#include "routes/router.h"

static void answer_pairs(ebmd_request *r, const ebma_pair *pairs, size_t n)
{
    char *json = NULL;
    size_t size = 0;
    ebm_status st = ebma_pairs_encode(pairs, n, &json, &size, NULL);

    ebmd_reply_json(r, st, json, size);
}

void ebmd_route_live(const ebmd_app *app, ebmd_request *r)
{
    static const ebma_pair alive[] = {{"status", "ok"}};

    /* a full disk is no reason to restart us; a worker that is lost for good is */
    if (ebmd_state_hung(app->state))
        ebmd_reply_code(r, EBMA_WORKER_HUNG);
    else
        answer_pairs(r, alive, 1);
}

static void answer_ready(const ebmd_app *app, ebmd_request *r)
{
    ebma_pair ready[] = {{"status", "ready"},
                         {"durability", app->store->durability},
                         {"scheduler", ebmd_sched_paused(app->sched) ? "paused" : "running"}};

    answer_pairs(r, ready, 3);
}

void ebmd_route_ready(const ebmd_app *app, ebmd_request *r)
{
    switch (ebmd_state_get(app->state)) {
    case EBMD_READY:
        answer_ready(app, r);
        break;
    case EBMD_STARTING:
        ebmd_reply_code(r, EBMA_STARTING);
        break;
    case EBMD_LEAVING:
    case EBMD_DRAINING:
        ebmd_reply_code(r, EBMA_SHUTTING_DOWN);
        break;
    case EBMD_BROKEN:
        ebmd_reply_code(r, EBMA_STORE_UNAVAILABLE);
        break;
    }
}

void ebmd_route_started(const ebmd_app *app, ebmd_request *r)
{
    static const ebma_pair started[] = {{"status", "started"}};

    if (ebmd_state_get(app->state) == EBMD_STARTING)
        ebmd_reply_code(r, EBMA_STARTING);
    else
        answer_pairs(r, started, 1);
}

void ebmd_route_version(const ebmd_app *app, ebmd_request *r)
{
    ebma_pair pairs[] = {{"name", "ebmd"},
                         {"version", app->version},
                         {"build", app->build},
                         {"kernel_class", app->kernel_class}};

    answer_pairs(r, pairs, 4);
}
