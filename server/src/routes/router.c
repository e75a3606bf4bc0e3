/* The table of routes, see router.h. */
#include "routes/router.h"

#include <stdio.h>
#include <string.h>

#include "routes/submit.h"

#define OPEN   (EBMD_ON_MAIN | EBMD_ON_ADMIN | EBMD_IS_PUBLIC)
#define CHANGE (EBMD_ON_ADMIN | EBMD_IS_CHANGE)
#define JOBS   (EBMD_ON_MAIN | EBMD_IS_JOBS)
#define GO_ON  (EBMD_ON_MAIN | EBMD_TAKES_JSON | EBMD_IS_WORK | EBMD_TAKES_QUERY)
#define WORK   (GO_ON | EBMD_TAKES_PICTURES)
#define IMPORT (EBMD_ON_MAIN | EBMD_TAKES_BYTES | EBMD_IS_WORK | EBMD_TAKES_QUERY)

static const ebmd_route routes[] = {
    {EBMD_GET, "/healthz", OPEN, ebmd_route_live, NULL},
    {EBMD_GET, "/readyz", OPEN, ebmd_route_ready, NULL},
    {EBMD_GET, "/startupz", EBMD_ON_ADMIN | EBMD_IS_PUBLIC, ebmd_route_started, NULL},
    {EBMD_GET, "/version", OPEN, ebmd_route_version, NULL},
    {EBMD_GET, "/", EBMD_ON_MAIN | EBMD_IS_PUBLIC, ebmd_route_playground, NULL},
    {EBMD_GET, "/playground/{file}", EBMD_ON_MAIN | EBMD_IS_PUBLIC, ebmd_route_playground, NULL},
    {EBMD_GET, "/openapi.json", EBMD_ON_MAIN | EBMD_IS_PUBLIC, ebmd_route_openapi, NULL},
    {EBMD_GET, "/metrics", EBMD_ON_ADMIN | EBMD_IS_PUBLIC, ebmd_route_metrics, NULL},
    {EBMD_GET, "/v1/models", EBMD_ON_MAIN, ebmd_route_models, NULL},
    {EBMD_GET, "/v1/models/{id}", EBMD_ON_MAIN, ebmd_route_model, NULL},
    {EBMD_POST, "/v1/models/{id}/load", CHANGE, ebmd_route_model_load, ebmd_route_model_loaded},
    {EBMD_POST, "/v1/models/{id}/unload", CHANGE, ebmd_route_model_unload,
     ebmd_route_model_unloaded},
    {EBMD_GET, "/v1/slots", EBMD_ON_ADMIN, ebmd_route_slots, NULL},
    {EBMD_POST, "/v1/admin/drain", CHANGE, ebmd_route_drain, NULL},
    {EBMD_POST, "/v1/admin/pause", CHANGE, ebmd_route_pause, NULL},
    {EBMD_POST, "/v1/admin/resume", CHANGE, ebmd_route_resume, NULL},
    {EBMD_GET, "/v1/capabilities", EBMD_ON_MAIN, ebmd_route_capabilities, NULL},
    {EBMD_GET, "/v1/queue", EBMD_ON_MAIN, ebmd_route_queue, NULL},
    {EBMD_GET, "/v1/jobs", JOBS | EBMD_TAKES_QUERY, ebmd_route_job_list, NULL},
    {EBMD_GET | EBMD_DELETE, "/v1/jobs/{id}", JOBS | EBMD_TAKES_QUERY, ebmd_route_job,
     ebmd_route_job_waited},
    {EBMD_GET, "/v1/jobs/{id}/events", JOBS | EBMD_TAKES_QUERY, ebmd_route_job_events, NULL},
    {EBMD_GET, "/v1/jobs/{id}/images/{k}.png", JOBS, ebmd_route_job_image, NULL},
    {EBMD_GET, "/v1/jobs/{id}/preview.png", JOBS, ebmd_route_job_preview, ebmd_route_job_previewed},
    {EBMD_GET, "/v1/jobs/{id}/trace", JOBS | EBMD_TAKES_QUERY, ebmd_route_chains_traces, NULL},
    {EBMD_POST, "/v1/jobs/{id}/cancel", JOBS, ebmd_route_job_cancel, NULL},
    {EBMD_POST, "/v1/sample", WORK, ebmd_route_sample, ebmd_submit_done},
    {EBMD_POST, "/sample", WORK, ebmd_route_sample, ebmd_submit_done},
    {EBMD_POST, "/v1/inpaint", WORK, ebmd_route_inpaint, ebmd_submit_done},
    {EBMD_POST, "/inpaint", WORK, ebmd_route_inpaint, ebmd_submit_done},
    {EBMD_POST, "/v1/interpolate", WORK, ebmd_route_interpolate, ebmd_submit_done},
    {EBMD_POST, "/interpolate", WORK, ebmd_route_interpolate, ebmd_submit_done},
    {EBMD_POST, "/v1/energy", WORK, ebmd_route_energy, ebmd_submit_done},
    {EBMD_POST, "/energy", WORK, ebmd_route_energy, ebmd_submit_done},
    {EBMD_POST, "/v1/likelihood", WORK, ebmd_route_likelihood, ebmd_submit_done},
    {EBMD_POST, "/likelihood", WORK, ebmd_route_likelihood, ebmd_submit_done},
    {EBMD_POST, "/v1/mcmc", WORK, ebmd_route_mcmc, ebmd_submit_done},
    {EBMD_POST, "/mcmc", WORK, ebmd_route_mcmc, ebmd_submit_done},
    {EBMD_GET, "/v1/chains/{id}", JOBS, ebmd_route_chains, NULL},
    {EBMD_GET, "/v1/chains/{id}/diagnostics", JOBS, ebmd_route_chains_diagnostics, NULL},
    {EBMD_GET, "/v1/chains/{id}/traces", JOBS | EBMD_TAKES_QUERY, ebmd_route_chains_traces, NULL},
    {EBMD_GET, "/v1/chains/{id}/checkpoint", JOBS, ebmd_route_chains_checkpoint, NULL},
    {EBMD_POST, "/v1/chains/{id}/pause", JOBS, ebmd_route_chains_pause, NULL},
    {EBMD_POST, "/v1/chains/{id}/resume", GO_ON, ebmd_route_chains_resume, ebmd_submit_done},
    {EBMD_POST, "/v1/chains/{id}/extend", GO_ON, ebmd_route_chains_extend, ebmd_submit_done},
    {EBMD_POST, "/v1/chains/{id}/fork", GO_ON, ebmd_route_chains_fork, ebmd_submit_done},
    {EBMD_POST, "/v1/chains", IMPORT, ebmd_route_chains_import, ebmd_submit_done},
};

const ebmd_route *ebmd_routes(size_t *n)
{
    *n = sizeof(routes) / sizeof(routes[0]);
    return routes;
}

/* Lets "{name}", and what stands behind it in its segment, match a segment of the path. Returns
 * the length of what the name takes; 0: it does not fit. */
static size_t take_name(const char *behind, const char *path, const char *end)
{
    const char *stop = memchr(path, '/', (size_t)(end - path));
    size_t segment = (size_t)((stop ? stop : end) - path), tail = strcspn(behind, "/");

    return segment > tail ? segment - tail : 0;
}

static bool matches(const char *pattern, const char *path, size_t len,
                    ebmd_capture capture[EBMD_CAPTURES])
{
    const char *end = path + len;
    size_t n = 0;

    while (*pattern) {
        if (*pattern == '{') {
            pattern = strchr(pattern, '}') + 1;
            capture[n] = (ebmd_capture){path, take_name(pattern, path, end)};
            if (capture[n].size == 0)
                return false;
            path += capture[n++].size;
        } else {
            if (path == end || *path != *pattern)
                return false;
            path++;
            pattern++;
        }
    }
    return path == end;
}

ebmd_match ebmd_router_find(const ebmd_route *table, size_t n, unsigned listener,
                            ebmd_method method, const char *path)
{
    ebmd_match none = {.allowed = 0};
    size_t len = strcspn(path, "?");

    for (size_t i = 0; i < n; i++) {
        const ebmd_route *row = &table[i];
        unsigned methods = row->methods | ((row->methods & EBMD_GET) ? EBMD_HEAD : 0u);
        ebmd_match match = {.row = row};

        if (!(row->flags & listener) || !matches(row->pattern, path, len, match.capture))
            continue;
        if (methods & (unsigned)method)
            return match;
        none.allowed |= methods | EBMD_OPTIONS;
    }
    return none;
}

void ebmd_router_allow(unsigned methods, char out[64])
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{EBMD_GET, "GET"},
                 {EBMD_HEAD, "HEAD"},
                 {EBMD_POST, "POST"},
                 {EBMD_DELETE, "DELETE"},
                 {EBMD_OPTIONS, "OPTIONS"}};
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (methods & names[i].bit) {
            int k = snprintf(out + used, 64 - used, "%s%s", used ? ", " : "", names[i].name);
            used += k > 0 ? (size_t)k : 0;
        }
    }
}
