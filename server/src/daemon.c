/* Start and end of the daemon, see daemon.h.
 * Up: descriptors, signals, kernels, admin listener, models, store, workers, main listener.
 * Down: accepted work ends (daemon_drain.c), then everything in reverse. */
#include "daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon_internal.h"
#include "ebm/memory.h"
#include "http/listen.h"
#include "routes/job_events.h"
#include "routes/jobview.h"
#include "routes/router.h"

#define ADMIN_CONNECTIONS 64u
#define MAIN_THREADS      2u

static int code_of(ebm_status st)
{
    switch (st) {
    case EBM_OK:
        return EBMD_EX_OK;
    case EBM_ERR_NOMEM:
        return EBMD_EX_OS;
    case EBM_ERR_IO:
        return EBMD_EX_IO;
    default:
        return EBMD_EX_DATA;
    }
}

static int store_code(ebm_status st)
{
    switch (st) {
    case EBM_ERR_NOT_FOUND:
        return EBMD_EX_CANTCREATE;
    case EBM_ERR_BAD_STATE: /* another process has it, */
    case EBM_ERR_LIMIT:     /* or the disk is full: worth another start */
        return EBMD_EX_TEMPFAIL;
    case EBM_ERR_FORMAT:
    case EBM_ERR_UNSUPPORTED:
    case EBM_ERR_ARG:
        return EBMD_EX_CONFIG;
    default:
        return code_of(st);
    }
}

/* One series for each pattern of the route table. */
static ebmd_metrics *make_metrics(void)
{
    const char *name[EBMD_METRICS_ROUTES_MAX];
    size_t n;
    const ebmd_route *rows = ebmd_routes(&n);

    for (size_t i = 0; i < n && i < EBMD_METRICS_ROUTES_MAX; i++)
        name[i] = rows[i].pattern;
    return ebmd_metrics_create(name, n);
}

static int start_basics(ebmd_parts *d, ebm_error *err)
{
    umask(S_IRWXG | S_IRWXO); /* the store holds what all clients sent and got */
    if (ebmd_listen_keep_std(err) != EBM_OK)
        return EBMD_EX_OS;
    if (ebmd_listen_budget(d->opt->connections, err) != EBM_OK)
        return EBMD_EX_CONFIG;
    if (ebmd_signals_open(&d->signals, err) != EBM_OK)
        return EBMD_EX_OS;
    d->state.wake_fd = d->signals.wake_fd;
    d->app.log = ebmd_log_open(STDERR_FILENO);
    d->app.metrics = make_metrics();
    if (!d->app.log || !d->app.metrics) {
        ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for log and metrics");
        return EBMD_EX_OS;
    }
    ebma_setup();
    if (ebm_kernels_select(d->opt->kernels, &d->kernels, err) != EBM_OK)
        return EBMD_EX_CONFIG;
    d->app.kernel_class = d->kernels->kernel_class;
    return EBMD_EX_OK;
}

/* Keys are read before any listener opens: a server that wants keys is never open without them. */
static int start_keys(ebmd_parts *d, ebm_error *err)
{
    ebm_status st;

    d->app.proxies = &d->opt->proxies;
    if (d->opt->api_keys[0] == '\0')
        return EBMD_EX_OK;
    st = ebmd_keys_open(d->opt->api_keys, &d->app.keys, err);
    return st == EBM_OK ? EBMD_EX_OK : st == EBM_ERR_NOMEM ? EBMD_EX_OS : EBMD_EX_CONFIG;
}

/* The whole new key file, or the old keys and a line that says what is wrong. */
static void reload_keys(ebmd_parts *d)
{
    ebm_error err = {0};
    ebmd_field good = {.key = "keys"};
    ebmd_field bad[] = {{.key = "where", .text = err.where}, {.key = "text", .text = err.text}};

    if (!d->app.keys)
        return;
    if (ebmd_keys_reload(d->app.keys, &err) != EBM_OK) {
        ebmd_log_event(d->app.log, EBMD_ERROR, "keys_kept", bad, 2);
        return;
    }
    good.number = (double)ebmd_keys_count(d->app.keys);
    ebmd_log_event(d->app.log, EBMD_INFO, "keys_reloaded", &good, 1);
}

/* SIGHUP: what is on disk counts now, as far as it is good. */
static void reload(ebmd_parts *d)
{
    reload_keys(d);
    /* if too many orders wait, one of them reads what is there just as well */
    if (!ebmd_loader_ask(d->app.loader, EBMD_ORDER_REFRESH, "", ""))
        ebmd_log_event(d->app.log, EBMD_WARN, "reload_skipped", NULL, 0);
}

static int start_tls(ebmd_parts *d, ebm_error *err)
{
    ebm_status st;

    if (d->opt->tls_cert[0] == '\0')
        return EBMD_EX_OK;
    st = ebmd_tls_read(d->opt->tls_cert, d->opt->tls_key, &d->tls, err);
    return st == EBM_OK ? EBMD_EX_OK : st == EBM_ERR_NOMEM ? EBMD_EX_OS : EBMD_EX_CONFIG;
}

static int start_listener(ebmd_parts *d, const ebmd_address *address, unsigned listener,
                          ebmd_http **out, ebm_error *err)
{
    bool main = listener == EBMD_ON_MAIN;
    ebmd_http_options opt = {.app = &d->app,
                             .listener = listener,
                             .threads = main ? MAIN_THREADS : 1,
                             .tls = main && d->tls.cert ? &d->tls : NULL,
                             .connections = main ? d->opt->connections : ADMIN_CONNECTIONS};

    if (address->none)
        return EBMD_EX_OK;
    if (ebmd_listen_open(address, &opt.fd, err) != EBM_OK)
        return EBMD_EX_UNAVAILABLE;
    if (ebmd_http_start(&opt, out, err) == EBM_OK)
        return EBMD_EX_OK;
    close(opt.fd);
    return err->status == EBM_ERR_FORMAT ? EBMD_EX_CONFIG : EBMD_EX_OS;
}

static int start_models(ebmd_parts *d, ebm_error *err)
{
    ebm_status st = ebmd_catalog_open(d->opt->models, d->kernels, &d->app.catalog, err);

    if (st == EBM_OK)
        return EBMD_EX_OK;
    /* a missing directory and an empty one are "no input"; a missing file of a model is bad data,
     * and its error names the file behind a slash */
    if (st == EBM_ERR_NOT_FOUND && strcmp(err->where, d->opt->models) == 0)
        return EBMD_EX_NOINPUT;
    return st == EBM_ERR_NOMEM ? EBMD_EX_OS : EBMD_EX_DATA;
}

static void report_recovery(const ebmd_parts *d)
{
    ebmd_stats stats;
    ebmd_field fields[3] = {{.key = "running"}, {.key = "queued"}, {.key = "damaged"}};

    d->app.store->ops->stats(d->app.store, &stats);
    fields[0].number = (double)stats.recovered;
    fields[1].number = (double)stats.queued;
    fields[2].number = (double)stats.damaged;
    if (stats.recovered > 0 || stats.queued > 0 || stats.damaged > 0)
        ebmd_log_event(d->app.log, EBMD_WARN, "recovered_jobs", fields, 3);
}

/* Whoever has a key can fill his half of the places, and no more. */
static size_t owner_share(const ebmd_options *o)
{
    return o->jobs_per_key > 0 ? o->jobs_per_key : (o->queue + o->slots + 1) / 2;
}

static int start_store(ebmd_parts *d, ebm_error *err)
{
    ebmd_limits limits = ebmd_limits_default();
    ebm_status st;

    limits.queued = d->app.queue_max = d->opt->queue;
    limits.queued_work = d->app.queue_work = d->opt->queue_work;
    limits.live_bytes = (int64_t)d->opt->queue_mib << 20;
    d->app.request_work = d->opt->request_work;
    if (d->app.keys)
        limits.owner_live = owner_share(d->opt);
    limits.result_ttl_ms = (int64_t)d->opt->result_ttl * 1000;
    limits.bytes = (int64_t)d->opt->result_mib << 20;
    st = ebmd_store_open(d->opt->store, &limits, &d->app.store, err);
    if (st != EBM_OK)
        return store_code(st);
    report_recovery(d);
    return EBMD_EX_OK;
}

static double seconds_of(void *arg, int64_t work)
{
    const ebmd_app *app = arg;

    return ebmd_sched_seconds(app->sched, work);
}

static ebmd_live *make_live(ebmd_parts *d)
{
    ebmd_live_options opt = {.store = d->app.store,
                             .metrics = d->app.metrics,
                             .seconds = seconds_of,
                             .pictured = ebmd_job_pictured,
                             .describe = ebmd_jobview_describe,
                             .arg = &d->app,
                             .streams = ebmd_options_streams(d->opt),
                             .beat_ms = d->opt->stream_heartbeat * 1e3};

    return d->app.sched ? ebmd_live_create(&opt) : NULL;
}

static void models_changed(void *arg)
{
    const ebmd_app *app = arg;

    ebmd_sched_models_changed(app->sched);
}

static void order_done(void *arg, const char *id)
{
    const ebmd_app *app = arg;

    ebmd_waiters_end(app->waiters, id);
}

static ebm_status start_loader(ebmd_parts *d, ebm_error *err)
{
    ebmd_loader_options opt = {.catalog = d->app.catalog,
                               .changed = models_changed,
                               .done = order_done,
                               .arg = &d->app,
                               .log = d->app.log,
                               .metrics = d->app.metrics};

    return ebmd_loader_start(&opt, &d->app.loader, err);
}

static int start_workers(ebmd_parts *d, ebm_error *err)
{
    ebmd_workers_options workers = {.n = d->opt->workers, .env = &d->env, .state = &d->state};
    ebmd_keeper_options keeper = {.store = d->app.store, .state = &d->state, .log = d->app.log};
    ebm_status st;

    d->env = (ebmd_run_env){.store = d->app.store,
                            .catalog = d->app.catalog,
                            .log = d->app.log,
                            .metrics = d->app.metrics,
                            .build = d->app.build};
    d->app.waiters = ebmd_waiters_create();
    d->app.sched =
        ebmd_sched_create(&d->env, d->opt->workers, d->opt->slots, (size_t)d->opt->slots_mib << 20);
    d->app.live = d->env.live = make_live(d);
    if (!d->app.waiters || !d->app.sched || !d->app.live) {
        ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the scheduler");
        return EBMD_EX_OS;
    }
    workers.sched = keeper.sched = d->app.sched;
    keeper.waiters = d->app.waiters;
    keeper.live = d->app.live;
    keeper.catalog = d->app.catalog;
    d->app.store->ops->listen(d->app.store, ebmd_job_event, &d->app);
    st = ebmd_workers_start(&workers, &d->workers, err);
    if (st == EBM_OK)
        st = ebmd_keeper_start(&keeper, &d->keeper, err);
    if (st == EBM_OK)
        st = start_loader(d, err);
    return code_of(st);
}

static size_t count_models(const ebmd_parts *d)
{
    ebmd_engine *engine = ebmd_catalog_take(d->app.catalog);
    size_t n = ebmd_engine_count(engine);

    ebmd_engine_unref(engine);
    return n;
}

static void announce(const ebmd_parts *d)
{
    const ebmd_options *o = d->opt;
    ebmd_field fields[] = {
        {.key = "host", .text = o->listen.host},
        {.key = "port", .text = o->listen.port},
        {.key = "version", .text = d->app.version},
        {.key = "kernel_class", .text = d->app.kernel_class},
        {.key = "models", .number = (double)count_models(d)},
        {.key = "workers", .number = o->workers},
        {.key = "durability", .text = d->app.store->durability},
    };

    ebmd_log_event(d->app.log, EBMD_INFO, "ready", fields, sizeof(fields) / sizeof(fields[0]));
}

static int start_all(ebmd_parts *d, ebm_error *err)
{
    int rc = start_basics(d, err);

    if (rc == EBMD_EX_OK)
        rc = start_keys(d, err);
    if (rc == EBMD_EX_OK)
        rc = start_tls(d, err);
    if (rc == EBMD_EX_OK)
        rc = start_listener(d, &d->opt->admin, EBMD_ON_ADMIN, &d->admin, err);
    if (rc == EBMD_EX_OK)
        rc = start_models(d, err);
    if (rc == EBMD_EX_OK)
        rc = start_store(d, err);
    if (rc == EBMD_EX_OK)
        rc = start_workers(d, err);
    if (rc == EBMD_EX_OK) {
        /* ready before the door opens: the first request must not find us starting */
        ebmd_state_set(&d->state, EBMD_READY);
        rc = start_listener(d, &d->opt->listen, EBMD_ON_MAIN, &d->main, err);
    }
    if (rc == EBMD_EX_OK) {
        announce(d);
        ebmd_notify_say(&d->notify, "READY=1");
    }
    return rc;
}

/* True once the daemon is to stop; *number is the signal that says how. */
static bool has_to_stop(const ebmd_parts *d, ebmd_wakeup why, int *number)
{
    if (why == EBMD_WAKE_EVENT && ebmd_state_get(&d->state) == EBMD_BROKEN)
        return true;
    if (why == EBMD_WAKE_EVENT && ebmd_state_stop_asked(&d->state)) {
        *number = SIGTERM;
        return true;
    }
    return why == EBMD_WAKE_SIGNAL && *number != SIGHUP;
}

static int serve(ebmd_parts *d, bool *abrupt)
{
    ebmd_wakeup why;
    int number = 0;

    do {
        ebmd_notify_beat(&d->notify, ebmd_clock_ms(), !ebmd_state_hung(&d->state));
        why = ebmd_signals_wait(&d->signals, ebmd_notify_wait_ms(&d->notify, ebmd_clock_ms()),
                                &number);
        if (why == EBMD_WAKE_SIGNAL && number == SIGHUP)
            reload(d);
    } while (!has_to_stop(d, why, &number));
    ebmd__daemon_leave(d, number);
    *abrupt = !ebmd__daemon_drain(d, number);
    ebmd_log_event(d->app.log, EBMD_INFO, "stopped", NULL, 0);
    return ebmd_state_get(&d->state) == EBMD_BROKEN ? EBMD_EX_IO : EBMD_EX_OK;
}

static void stop_all(ebmd_parts *d)
{
    ebmd_http_stop(d->main);
    ebmd_http_stop(d->admin);
    ebmd_loader_stop(d->app.loader);
    ebmd_keeper_stop(d->keeper);
    if (d->app.sched)
        ebmd_sched_close(d->app.sched);
    ebmd_workers_join(d->workers);
    ebmd_sched_free(d->app.sched);
    ebmd_waiters_free(d->app.waiters);
    ebmd_live_free(d->app.live);
    if (d->app.store)
        d->app.store->ops->close(d->app.store);
    ebmd_catalog_close(d->app.catalog);
    ebmd_keys_close(d->app.keys);
    ebmd_tls_clear(&d->tls);
    ebmd_notify_close(&d->notify);
    ebmd_metrics_free(d->app.metrics);
    ebmd_log_close(d->app.log);
    ebmd_signals_close(&d->signals);
}

int ebmd_daemon_check(const ebmd_options *options, ebm_error *err)
{
    const ebm_kernels *kernels;
    ebmd_keys *keys = NULL;
    ebmd_tls tls = {NULL, NULL};

    if (ebm_kernels_select(options->kernels, &kernels, err) != EBM_OK ||
        ebmd_listen_budget(options->connections, err) != EBM_OK)
        return EBMD_EX_CONFIG;
    if (options->api_keys[0] != '\0' && ebmd_keys_open(options->api_keys, &keys, err) != EBM_OK)
        return EBMD_EX_CONFIG;
    ebmd_keys_close(keys);
    if (options->tls_cert[0] != '\0' &&
        ebmd_tls_read(options->tls_cert, options->tls_key, &tls, err) != EBM_OK)
        return EBMD_EX_CONFIG;
    ebmd_tls_clear(&tls);
    return EBMD_EX_OK;
}

static void lay_out(ebmd_parts *d, const ebmd_options *options)
{
    d->opt = options;
    d->signals.signal_fd = d->signals.wake_fd = -1;
    atomic_init(&d->state.phase, EBMD_STARTING);
    atomic_init(&d->state.stop, false);
    d->state.wake_fd = -1;
    d->app.state = &d->state;
    d->app.cors_origins = options->cors_origins;
    d->app.playground = options->playground;
    d->app.admin_keys = !ebmd_address_is_loopback(&options->admin);
    d->bodies.max = EBMD_BODIES_MAX;
    d->app.bodies = &d->bodies;
    d->replies.max = EBMD_REPLIES_MAX;
    d->app.replies = &d->replies;
    d->app.build = "ebmd " EBMD_VERSION;
    d->app.version = EBMD_VERSION;
    d->app.workers = options->workers;
    d->app.sync_limit_s = options->sync_limit;
    d->app.stream_heartbeat_s = options->stream_heartbeat;
}

int ebmd_daemon_run(const ebmd_options *options, bool *abrupt, ebm_error *err)
{
    /* not in this frame: after an abrupt end threads go on with it until the process is gone */
    ebmd_parts *d = ebm_alloc(1, sizeof(*d));
    int rc;

    *abrupt = false;
    if (!d) {
        ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the daemon");
        return EBMD_EX_OS;
    }
    lay_out(d, options);
    ebmd_notify_open(&d->notify, getenv);
    rc = start_all(d, err);
    if (rc == EBMD_EX_OK)
        rc = serve(d, abrupt);
    if (!*abrupt) {
        stop_all(d);
        ebm_free(d);
    }
    return rc;
}
