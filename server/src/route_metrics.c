/* GET /metrics on the admin listener. */
#include "metrics.h"
#include "router.h"

#define INFOS_MAX (EBMD_MODELS_MAX + 1)

static void measure(const ebmd_app *app)
{
    size_t open = ebmd_sched_open(app->sched), slots = ebmd_sched_slots(app->sched);
    ebmd_stats stats;

    app->store->ops->stats(app->store, &stats);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_QUEUE_DEPTH, (double)stats.queued);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_QUEUE_OLDEST, (double)stats.oldest_wait_ms / 1e3);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_BACKLOG,
                     ebmd_sched_seconds(app->sched, stats.queued_work));
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_SLOTS_BUSY, (double)open);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_SLOTS_IDLE,
                     open < slots ? (double)(slots - open) : 0.0);
    ebmd_metrics_total(app->metrics, EBMD_COUNT_LEASES_LOST, stats.leases_lost);
    ebmd_metrics_total(app->metrics, EBMD_COUNT_REDELIVERED, stats.redelivered);
}

static size_t describe(const ebmd_app *app, ebmd_info info[INFOS_MAX])
{
    size_t n = 0;

    info[n++] = (ebmd_info){"ebm_build_info",
                            "What runs here.",
                            {"version", "kernel_class", NULL},
                            {app->version, app->kernel_class, NULL}};
    /* models and queue are there once the daemon has started */
    if (ebmd_state_get(app->state) == EBMD_STARTING)
        return n;
    for (size_t i = 0; i < ebmd_engine_count(app->engine) && n < INFOS_MAX; i++) {
        const ebm_model_info *m = ebm_model_describe(ebmd_engine_at(app->engine, i));

        info[n++] = (ebmd_info){"ebm_model_info",
                                "Models that are loaded.",
                                {"model", "version", "sha256"},
                                {m->id, m->version, m->sha256}};
    }
    measure(app);
    return n;
}

void ebmd_route_metrics(const ebmd_app *app, ebmd_request *r)
{
    ebmd_info info[INFOS_MAX];
    size_t n = describe(app, info);
    char *text = NULL;
    size_t size = 0;

    if (ebmd_metrics_write(app->metrics, info, n, &text, &size, NULL) != EBM_OK)
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    else
        ebmd_reply_body(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
}
