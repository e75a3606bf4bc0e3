/* GET /v1/queue and /v1/capabilities: how busy we are, and what we can do. */
#include "kinds/kind.h"
#include "http/prefer.h"
#include "routes/router.h"

#define KINDS_SHOWN 32

void ebmd_route_queue(const ebmd_app *app, ebmd_request *r)
{
    ebma_queue q = {.max_jobs = app->queue_max, .max_work = app->queue_work};
    char *json = NULL;
    size_t size = 0;
    ebmd_stats stats;
    ebm_status st;

    app->store->ops->stats(app->store, &stats);
    q.queued = stats.queued;
    q.running = stats.running;
    q.slots = ebmd_sched_slots(app->sched);
    q.workers = app->workers;
    q.work = stats.queued_work;
    q.backlog_s = ebmd_sched_seconds(app->sched, stats.queued_work);
    q.oldest_wait_s = (double)stats.oldest_wait_ms / 1e3;
    q.paused = ebmd_sched_paused(app->sched);
    q.accepting = ebmd_state_get(app->state) == EBMD_READY && stats.queued < app->queue_max;
    st = ebma_queue_encode(&q, &json, &size, NULL);
    ebmd_reply_json(r, st, json, size);
}

void ebmd_route_capabilities(const ebmd_app *app, ebmd_request *r)
{
    const char *kinds[KINDS_SHOWN];
    ebma_capabilities c = {.version = app->version,
                           .kernel_class = app->kernel_class,
                           .durability = app->store->durability,
                           .kinds = kinds,
                           .keys = app->keys != NULL,
                           .sync_limit_s = (int32_t)app->sync_limit_s,
                           .wait_max_s = EBMD_WAIT_MAX_S,
                           .streams = ebmd_live_limit(app->live),
                           .heartbeat_s = (int32_t)app->stream_heartbeat_s,
                           .request_work = app->request_work,
                           .queue = (int64_t)app->queue_max};
    char *json = NULL;
    size_t size = 0;
    ebm_status st;

    while (c.n_kinds < KINDS_SHOWN && ebmd_kind_at(c.n_kinds)) {
        kinds[c.n_kinds] = ebmd_kind_at(c.n_kinds)->name;
        c.n_kinds++;
    }
    st = ebma_capabilities_encode(&c, &json, &size, NULL);
    ebmd_reply_json(r, st, json, size);
}
