/* The text format of Prometheus (0.0.4) from the cells of metrics_cells.h. Knows names and help;
 * counts nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"
#include "base/metrics_cells.h"

#define FIRST_ROOM 16384u
#define PUT_MAX    512u

/* Text that grows; after a failure it stays as it is and `ok` is false. */
typedef struct text {
    char *data;
    size_t used, room;
    bool ok;
} text;

static bool make_room(text *t, size_t need)
{
    size_t room = t->room ? t->room : FIRST_ROOM;
    char *bigger;

    if (!ebm_size_add(t->used, need, &need))
        return false;
    while (room < need) {
        if (!ebm_size_mul(room, 2, &room))
            return false;
    }
    if (room == t->room)
        return true;
    bigger = ebm_alloc(room, 1);
    if (!bigger)
        return false;
    if (t->used > 0)
        memcpy(bigger, t->data, t->used);
    ebm_free(t->data);
    t->data = bigger;
    t->room = room;
    return true;
}

EBM_PRINTF(2, 3) static void put(text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    t->ok = t->ok && make_room(t, PUT_MAX);
    if (!t->ok)
        return;
    va_start(ap, fmt);
    n = vsnprintf(t->data + t->used, PUT_MAX, fmt, ap);
    va_end(ap);
    t->ok = n >= 0 && (size_t)n < PUT_MAX;
    t->used += t->ok ? (size_t)n : 0;
}

static unsigned long long get(const ebmd__cell *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

static void head(text *t, const char *name, const char *type, const char *help)
{
    put(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* --- histograms --------------------------------------------------------------------------- */

/* label is "" or `route="x"`. */
static void put_histogram(text *t, const char *name, const char *label, const double *bounds,
                          const ebmd__histogram *h)
{
    const char *comma = label[0] ? "," : "";
    const char *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";
    unsigned long long sum = 0;

    for (size_t i = 0; i < EBMD__BUCKETS; i++) {
        sum += get(&h->bucket[i]);
        put(t, "%s_bucket{%s%sle=\"%g\"} %llu\n", name, label, comma, bounds[i], sum);
    }
    sum += get(&h->bucket[EBMD__BUCKETS]);
    put(t, "%s_bucket{%s%sle=\"+Inf\"} %llu\n", name, label, comma, sum);
    put(t, "%s_sum%s%s%s %.6f\n", name, open, label, close, (double)get(&h->micros) / 1e6);
    put(t, "%s_count%s%s%s %llu\n", name, open, label, close, sum);
}

static void put_timers(text *t, const ebmd_metrics *m)
{
    static const struct {
        const char *name, *label, *help; /* help NULL: another series of the family before */
        ebmd_timer timer;
    } rows[] = {
        {"ebm_queue_seconds", "", "How long jobs waited before they started.", EBMD_TIME_QUEUED},
        {"ebm_run_seconds", "", "How long jobs took from start to end.", EBMD_TIME_RUN},
        {"ebm_cancel_seconds", "", "From the wish to cancel to the end of work.", EBMD_TIME_CANCEL},
        {"ebm_store_seconds", "op=\"accept\"", "How long calls of the job store took.",
         EBMD_TIME_STORE_ACCEPT},
        {"ebm_store_seconds", "op=\"finish\"", NULL, EBMD_TIME_STORE_FINISH},
        {"ebm_store_seconds", "op=\"get\"", NULL, EBMD_TIME_STORE_GET},
        {"ebm_batch_rows", "", "Chains stepped together.", EBMD_BATCH_ROWS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool count = rows[i].timer == EBMD_BATCH_ROWS;

        if (rows[i].help)
            head(t, rows[i].name, "histogram", rows[i].help);
        put_histogram(t, rows[i].name, rows[i].label, count ? ebmd__rows : ebmd__seconds,
                      &m->timer[rows[i].timer]);
    }
}

/* --- counters and gauges ------------------------------------------------------------------ */

static void put_counters(text *t, const ebmd_metrics *m)
{
    static const struct {
        const char *name, *help;
    } rows[EBMD_COUNTERS] = {
        [EBMD_COUNT_ENERGY_EVALS] = {"ebm_energy_evals_total",
                                     "Evaluations of an energy, with its gradient or without."},
        [EBMD_COUNT_LANGEVIN_STEPS] = {"ebm_langevin_steps_total",
                                       "Gradients that chains have taken, whatever the sampler."},
        [EBMD_COUNT_LEASES_LOST] = {"ebm_lease_lost_total", "Leases that ran out under a worker."},
        [EBMD_COUNT_REDELIVERED] = {"ebm_redelivered_total", "Jobs given to a worker once more."},
        [EBMD_COUNT_DETERMINISM_MISMATCHES] = {"ebm_determinism_mismatch_total",
                                               "Jobs run twice with different bytes."},
        [EBMD_COUNT_STORE_ERRORS] = {"ebm_store_errors_total", "Failed calls of the job store."},
        [EBMD_COUNT_BYTES_RECEIVED] = {"ebm_http_received_bytes_total",
                                       "Bytes of request bodies received."},
        [EBMD_COUNT_BYTES_SENT] = {"ebm_http_sent_bytes_total",
                                   "Bytes of reply bodies given to clients."},
    };

    for (size_t i = 0; i < EBMD_COUNTERS; i++) {
        head(t, rows[i].name, "counter", rows[i].help);
        put(t, "%s %llu\n", rows[i].name, get(&m->counter[i]));
    }
}

static void put_gauges(text *t, const ebmd_metrics *m)
{
    static const struct {
        const char *name, *label, *help;
    } rows[EBMD_GAUGES] = {
        [EBMD_GAUGE_QUEUE_DEPTH] = {"ebm_queue_depth", "", "Jobs that wait."},
        [EBMD_GAUGE_QUEUE_OLDEST] = {"ebm_queue_oldest_seconds", "",
                                     "How long the first job in the queue has waited."},
        [EBMD_GAUGE_BACKLOG] = {"ebm_backlog_work_seconds", "", "Seconds of work that wait."},
        [EBMD_GAUGE_PAUSED] = {"ebm_paused", "", "1 while the operator lets no job begin."},
        [EBMD_GAUGE_SLOTS_BUSY] = {"ebm_slots", "{state=\"busy\"}",
                                   "Places for jobs that are worked on."},
        [EBMD_GAUGE_SLOTS_IDLE] = {"ebm_slots", "{state=\"idle\"}", NULL},
        [EBMD_GAUGE_ACCEPT_RATIO] = {"ebm_accept_ratio", "",
                                     "Accepted share of the proposals of adjusted samplers."},
        [EBMD_GAUGE_IN_FLIGHT] = {"ebm_http_requests_in_flight", "",
                                  "Requests between their head and their end."},
        [EBMD_GAUGE_CONNECTIONS] = {"ebm_http_connections", "", "Open connections."},
        [EBMD_GAUGE_STREAMS] = {"ebm_streams", "", "Open event streams."},
        [EBMD_GAUGE_MODELS_RETIRED] = {"ebm_models_retired", "",
                                       "Models replaced or unloaded that jobs still work with."},
    };

    for (size_t i = 0; i < EBMD_GAUGES; i++) {
        double value = (double)atomic_load_explicit(&m->gauge[i], memory_order_relaxed) / 1e6;

        if (rows[i].help)
            head(t, rows[i].name, "gauge", rows[i].help);
        put(t, "%s%s %.10g\n", rows[i].name, rows[i].label, value);
    }
}

/* --- labelled counters: a series appears with its first event ------------------------------ */

static void put_requests(text *t, const ebmd_metrics *m)
{
    char label[160];

    head(t, "ebm_http_requests_total", "counter", "Requests by route and status.");
    for (size_t r = 0; r <= m->n_routes; r++) {
        for (size_t s = 0; s < EBMD__STATUSES; s++) {
            unsigned long long n = get(&m->requests[r][s]);
            char code[12] = "other";

            if (ebmd__statuses[s] != 0)
                snprintf(code, sizeof(code), "%d", ebmd__statuses[s]);
            if (n > 0)
                put(t, "ebm_http_requests_total{route=\"%s\",code=\"%s\"} %llu\n", m->route[r],
                    code, n);
        }
    }
    head(t, "ebm_http_request_seconds", "histogram", "From the request line to the end, by route.");
    for (size_t r = 0; r <= m->n_routes; r++) {
        unsigned long long n = 0;

        for (size_t i = 0; i <= EBMD__BUCKETS; i++)
            n += get(&m->latency[r].bucket[i]);
        snprintf(label, sizeof(label), "route=\"%.120s\"", m->route[r]);
        if (n > 0)
            put_histogram(t, "ebm_http_request_seconds", label, ebmd__seconds, &m->latency[r]);
    }
}

static void put_jobs(text *t, const ebmd_metrics *m)
{
    static const char *const kinds[EBMD_KINDS] = {"sample", "inpaint",    "mcmc",  "interpolate",
                                                  "energy", "likelihood", "chains"};

    head(t, "ebm_jobs_total", "counter", "Jobs that ended, by kind, status and reason.");
    for (size_t k = 0; k < EBMD_KINDS; k++) {
        for (size_t s = 0; s < EBMD__OUTCOMES; s++) {
            for (size_t c = 0; c < EBMA_PROBLEM_COUNT; c++) {
                unsigned long long n = get(&m->jobs[k][s][c]);

                if (n > 0)
                    put(t, "ebm_jobs_total{kind=\"%s\",status=\"%s\",reason=\"%s\"} %llu\n",
                        kinds[k], ebma_job_status_name((ebma_job_status)s),
                        ebma_problem_describe((ebma_problem_code)c)->code, n);
            }
        }
    }
}

static void put_set(text *t, const char *name, const char *label, const char *const *values,
                    const ebmd__cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(t, "%s{%s=\"%s\"} %llu\n", name, label, values[i], get(&cells[i]));
}

static void put_sets(text *t, const ebmd_metrics *m)
{
    static const char *const phases[EBMD_GONE_PHASES] = {"reading", "waiting", "reply", "stream"};
    static const char *const denials[EBMD_DENIALS] = {"missing", "unknown", "scope",   "rate",
                                                      "work",    "jobs",    "priority"};
    static const char *const changes[EBMD_MODEL_CHANGES] = {"loaded", "unloaded", "refused"};

    head(t, "ebm_client_gone_total", "counter",
         "Clients that left, by what they were waiting for. One that closes while it waits counts "
         "after 10 s: until then it may still read.");
    put_set(t, "ebm_client_gone_total", "phase", phases, m->gone, EBMD_GONE_PHASES);
    head(t, "ebm_denied_total", "counter", "Requests refused for their API key, by reason.");
    put_set(t, "ebm_denied_total", "reason", denials, m->denied, EBMD_DENIALS);
    head(t, "ebm_model_changes_total", "counter", "Wishes to load or unload a model, by result.");
    put_set(t, "ebm_model_changes_total", "result", changes, m->model_change, EBMD_MODEL_CHANGES);
}

/* --- infos -------------------------------------------------------------------------------- */

/* Backslash, quote and line feed are escaped, as the format asks; what is too long is cut. */
static void escape(const char *value, char out[128])
{
    size_t n = 0;

    for (; *value && n < 124; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            out[n++] = '\\';
        out[n++] = *value == '\n' ? 'n' : *value;
    }
    out[n] = '\0';
}

static void put_info(text *t, const ebmd_info *info, bool first)
{
    char value[128];

    if (first)
        head(t, info->family, "gauge", info->help);
    put(t, "%s{", info->family);
    for (size_t i = 0; i < 3 && info->label[i]; i++) {
        escape(info->value[i], value);
        put(t, "%s%s=\"%s\"", i ? "," : "", info->label[i], value);
    }
    put(t, "} 1\n");
}

ebm_status ebmd_metrics_write(const ebmd_metrics *m, const ebmd_info *info, size_t n_info,
                              char **out, size_t *size, ebm_error *err)
{
    text t = {.ok = true};

    for (size_t i = 0; i < n_info; i++)
        put_info(&t, &info[i], i == 0 || strcmp(info[i].family, info[i - 1].family) != 0);
    put_requests(&t, m);
    put_sets(&t, m);
    put_jobs(&t, m);
    put_counters(&t, m);
    put_gauges(&t, m);
    put_timers(&t, m);
    if (!t.ok) {
        ebm_free(t.data);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for the metrics");
    }
    *out = t.data;
    *size = t.used;
    return EBM_OK;
}
