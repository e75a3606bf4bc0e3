/* Recording, see metrics.h. */
#include "base/metrics.h"

#include "ebm/memory.h"
#include "base/metrics_cells.h"

#define MILLION 1e6

const double ebmd__seconds[EBMD__BUCKETS] = {0.001, 0.003, 0.01, 0.03, 0.1,   0.3,   1.0,
                                             3.0,   10.0,  30.0, 60.0, 120.0, 300.0, 900.0};
const double ebmd__rows[EBMD__BUCKETS] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256};
const int ebmd__statuses[EBMD__STATUSES] = {200, 202, 204, 304, 400, 401, 403, 404,
                                            405, 406, 408, 409, 410, 413, 414, 415,
                                            417, 422, 429, 431, 500, 501, 503, 0};

static void add(ebmd__cell *cell, uint64_t n)
{
    atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

static void observe(ebmd__histogram *h, const double *bounds, double value)
{
    size_t i = 0;

    if (!(value >= 0.0)) /* a clock that stood still, or NaN */
        value = 0.0;
    if (value > 1e9)
        value = 1e9; /* thirty years: the sum stays far from its end */
    while (i < EBMD__BUCKETS && value > bounds[i])
        i++;
    add(&h->bucket[i], 1);
    add(&h->micros, (uint64_t)(value * MILLION + 0.5));
}

ebmd_metrics *ebmd_metrics_create(const char *const *routes, size_t n)
{
    ebmd_metrics *m = n <= EBMD_METRICS_ROUTES_MAX ? ebm_alloc(1, sizeof(*m)) : NULL;

    if (!m)
        return NULL;
    for (size_t i = 0; i < n; i++)
        m->route[i] = routes[i];
    m->route[n] = "none";
    m->n_routes = n;
    return m;
}

void ebmd_metrics_free(ebmd_metrics *m)
{
    ebm_free(m);
}

static size_t status_index(int status)
{
    size_t i = 0;

    while (i < EBMD__STATUSES - 1 && ebmd__statuses[i] != status)
        i++;
    return i;
}

void ebmd_metrics_request(ebmd_metrics *m, size_t route, int status, double seconds)
{
    if (!m)
        return;
    if (route > m->n_routes)
        route = m->n_routes;
    add(&m->requests[route][status_index(status)], 1);
    observe(&m->latency[route], ebmd__seconds, seconds);
}

void ebmd_metrics_client_gone(ebmd_metrics *m, ebmd_gone phase)
{
    if (m && phase < EBMD_GONE_PHASES)
        add(&m->gone[phase], 1);
}

void ebmd_metrics_model(ebmd_metrics *m, ebmd_model_change what)
{
    if (m && what < EBMD_MODEL_CHANGES)
        add(&m->model_change[what], 1);
}

void ebmd_metrics_denied(ebmd_metrics *m, ebmd_denial why)
{
    if (m && why < EBMD_DENIALS)
        add(&m->denied[why], 1);
}

void ebmd_metrics_job_ended(ebmd_metrics *m, ebmd_job_kind kind, ebma_job_status status,
                            ebma_problem_code reason)
{
    if (m && kind < EBMD_KINDS && status < EBMD__OUTCOMES && reason < EBMA_PROBLEM_COUNT)
        add(&m->jobs[kind][status][reason], 1);
}

void ebmd_metrics_count(ebmd_metrics *m, ebmd_counter what, uint64_t n)
{
    if (m && what < EBMD_COUNTERS)
        add(&m->counter[what], n);
}

void ebmd_metrics_total(ebmd_metrics *m, ebmd_counter what, uint64_t sum)
{
    if (m && what < EBMD_COUNTERS)
        atomic_store_explicit(&m->counter[what], sum, memory_order_relaxed);
}

void ebmd_metrics_observe(ebmd_metrics *m, ebmd_timer what, double value)
{
    if (m && what < EBMD_TIMERS)
        observe(&m->timer[what], what == EBMD_BATCH_ROWS ? ebmd__rows : ebmd__seconds, value);
}

void ebmd_metrics_set(ebmd_metrics *m, ebmd_gauge what, double value)
{
    if (!m || what >= EBMD_GAUGES || !(value > -1e12 && value < 1e12))
        return;
    atomic_store_explicit(&m->gauge[what], (int_fast64_t)(value * MILLION), memory_order_relaxed);
}

void ebmd_metrics_move(ebmd_metrics *m, ebmd_gauge what, int by)
{
    if (m && what < EBMD_GAUGES)
        atomic_fetch_add_explicit(&m->gauge[what], by * (int_fast64_t)MILLION,
                                  memory_order_relaxed);
}
