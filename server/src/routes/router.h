/* The table of routes and how a path finds its row.
 * Knows methods, patterns and flags; what a route does is its handler's. */
#ifndef EBMD_ROUTER_H
#define EBMD_ROUTER_H

#include "app.h"
#include "http/request.h"

enum {
    EBMD_ON_MAIN = 1,      /* reachable on the main listener */
    EBMD_ON_ADMIN = 2,     /* reachable on the admin listener */
    EBMD_TAKES_JSON = 4,   /* the body must be application/json */
    EBMD_IS_WORK = 8,      /* refused with 503 unless the daemon is ready, with 429 when full */
    EBMD_IS_PUBLIC = 16,   /* needs no key; every other row does where keys are asked for */
    EBMD_IS_JOBS = 32,     /* needs a key of the scope jobs; a row that is work, one of sample */
    EBMD_TAKES_QUERY = 64, /* its handler reads the query; every other row is refused one */
    EBMD_IS_CHANGE = 128,  /* changes the daemon: not for web pages, 503 unless it is ready */
    EBMD_TAKES_PICTURES = 256, /* the body may be longer, and multipart/form-data */
    EBMD_TAKES_BYTES = 512     /* the body must be application/octet-stream */
};

/* A handler fills r->reply, or sets r->waits: then the request waits for the end of a job, and
 * `finish` fills the reply. Handlers never block for long. */
typedef void (*ebmd_handler)(const ebmd_app *app, ebmd_request *r);

typedef struct ebmd_route {
    unsigned methods;    /* ebmd_method bits; HEAD and OPTIONS are added where they belong */
    const char *pattern; /* "/v1/jobs/{id}" */
    unsigned flags;
    ebmd_handler handle;
    ebmd_handler finish;
} ebmd_route;

/* The daemon's routes. @own static table */
const ebmd_route *ebmd_routes(size_t *n);

/* What a {name} of a pattern matched. */
typedef struct ebmd_capture {
    const char *at; /* into the path; NULL: the pattern has no such name */
    size_t size;
} ebmd_capture;

#define EBMD_CAPTURES 2 /* most names in a pattern */

typedef struct ebmd_match {
    const ebmd_route *row; /* NULL: there is none */
    unsigned allowed;      /* without a row: methods that the path knows; 0: no such path */
    ebmd_capture capture[EBMD_CAPTURES];
} ebmd_match;

/* Finds the row for method and path (a query is ignored) on one listener. A {name} takes what is
 * left of one segment, "{k}.png" all of "7.png" but its end. */
ebmd_match ebmd_router_find(const ebmd_route *table, size_t n, unsigned listener,
                            ebmd_method method, const char *path);

/* Writes "GET, HEAD" for a set of methods. */
void ebmd_router_allow(unsigned methods, char out[64]);

/* The handlers of route_*.c. */
void ebmd_route_live(const ebmd_app *app, ebmd_request *r);
void ebmd_route_ready(const ebmd_app *app, ebmd_request *r);
void ebmd_route_started(const ebmd_app *app, ebmd_request *r);
void ebmd_route_version(const ebmd_app *app, ebmd_request *r);
void ebmd_route_metrics(const ebmd_app *app, ebmd_request *r);
void ebmd_route_playground(const ebmd_app *app, ebmd_request *r);
void ebmd_route_openapi(const ebmd_app *app, ebmd_request *r);
void ebmd_route_models(const ebmd_app *app, ebmd_request *r);
void ebmd_route_model(const ebmd_app *app, ebmd_request *r);
void ebmd_route_slots(const ebmd_app *app, ebmd_request *r);
void ebmd_route_queue(const ebmd_app *app, ebmd_request *r);
void ebmd_route_capabilities(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_list(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_waited(const ebmd_app *app, ebmd_request *r);
void ebmd_route_model_load(const ebmd_app *app, ebmd_request *r);
void ebmd_route_model_loaded(const ebmd_app *app, ebmd_request *r);
void ebmd_route_model_unload(const ebmd_app *app, ebmd_request *r);
void ebmd_route_model_unloaded(const ebmd_app *app, ebmd_request *r);
void ebmd_route_drain(const ebmd_app *app, ebmd_request *r);
void ebmd_route_pause(const ebmd_app *app, ebmd_request *r);
void ebmd_route_resume(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_cancel(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_preview(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_previewed(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_image(const ebmd_app *app, ebmd_request *r);
void ebmd_route_job_events(const ebmd_app *app, ebmd_request *r);
void ebmd_route_sample(const ebmd_app *app, ebmd_request *r);
void ebmd_route_inpaint(const ebmd_app *app, ebmd_request *r);
void ebmd_route_interpolate(const ebmd_app *app, ebmd_request *r);
void ebmd_route_energy(const ebmd_app *app, ebmd_request *r);
void ebmd_route_likelihood(const ebmd_app *app, ebmd_request *r);
void ebmd_route_mcmc(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_diagnostics(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_traces(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_checkpoint(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_pause(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_resume(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_extend(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_fork(const ebmd_app *app, ebmd_request *r);
void ebmd_route_chains_import(const ebmd_app *app, ebmd_request *r);

#endif
