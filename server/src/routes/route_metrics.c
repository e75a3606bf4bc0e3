/* GET /metrics on the admin listener. */
#include "base/metrics.h"
#include "routes/router.h"

#define INFOS_MAX (EBMD_MODELS_MAX + 1)

static void measure(const ebmd_app *app)
{
    size_t open = ebmd_sched_open(app->sched), slots = ebmd_sched_slots(app->sched);
    ebmd_stats stats;

    app->store->ops->stats(app->store, &stats);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_MODELS_RETIRED,
                     (double)ebmd_catalog_prune(app->catalog));
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_QUEUE_DEPTH, (double)stats.queued);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_QUEUE_OLDEST, (double)stats.oldest_wait_ms / 1e3);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_BACKLOG,
                     ebmd_sched_seconds(app->sched, stats.queued_work));
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_PAUSED, ebmd_sched_paused(app->sched) ? 1.0 : 0.0);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_SLOTS_BUSY, (double)open);
    ebmd_metrics_set(app->metrics, EBMD_GAUGE_SLOTS_IDLE,
                     open < slots ? (double)(slots - open) : 0.0);
    ebmd_metrics_total(app->metrics, EBMD_COUNT_LEASES_LOST, stats.leases_lost);
    ebmd_metrics_total(app->metrics, EBMD_COUNT_REDELIVERED, stats.redelivered);
}

/* engine NULL: the daemon is starting */
static size_t describe(const ebmd_app *app, const ebmd_engine *engine, ebmd_info info[INFOS_MAX])
{
    size_t n = 0;

    info[n++] = (ebmd_info){"ebm_build_info",
                            "What runs here.",
                            {"version", "kernel_class", NULL},
                            {app->version, app->kernel_class, NULL}};
    for (size_t i = 0; engine && i < ebmd_engine_count(engine) && n < INFOS_MAX; i++) {
        const ebm_model_info *m = ebm_model_describe(ebmd_engine_at(engine, i));

        info[n++] = (ebmd_info){"ebm_model_info",
                                "Models that are loaded.",
                                {"model", "version", "sha256"},
                                {m->id, m->version, m->sha256}};
    }
    return n;
}

void ebmd_route_metrics(const ebmd_app *app, ebmd_request *r)
{
    ebmd_info info[INFOS_MAX];
    /* models and queue are there once the daemon has started */
    bool started = ebmd_state_get(app->state) != EBMD_STARTING;
    ebmd_engine *engine = started ? ebmd_catalog_take(app->catalog) : NULL;
    size_t n = describe(app, engine, info);
    char *text = NULL;
    size_t size = 0;

    if (started)
        measure(app);
    if (ebmd_metrics_write(app->metrics, info, n, &text, &size, NULL) != EBM_OK)
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    else
        ebmd_reply_body(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, size);
    ebmd_engine_unref(engine);
}
