/* Chains as resources, under the id of the job that made them: look, take away, bring, go on. */
#include <string.h>

#include "ebm/memory.h"
#include "kinds/chain_keep.h"
#include "kinds/kind_chains.h"
#include "routes/jobview.h"
#include "routes/route_chains.h"
#include "routes/submit.h"
#include "run/chains_open.h"

/* --- what is there ------------------------------------------------------------------------- */

bool ebmd_chains_find(const ebmd_app *app, ebmd_request *r, ebmd_view *view)
{
    bool ok = ebmd_id_is_job(r->capture, strlen(r->capture)) &&
              app->store->ops->get(app->store, r->capture, ebmd_request_owner(r), view) == EBM_OK &&
              (strcmp(view->row.kind, ebmd_kind_mcmc.name) == 0 ||
               strcmp(view->row.kind, ebmd_kind_chains.name) == 0);

    if (!ok)
        ebmd_reply_code(r, EBMA_JOB_NOT_FOUND);
    else if (view->row.purged)
        ebmd_reply_code(r, EBMA_JOB_GONE);
    return ok && !view->row.purged;
}

/* Finds chains of which something is kept, as there is once their job has ended. */
static bool is_kept(ebmd_request *r, const ebmd_view *view)
{
    if (view->row.bytes[EBMD_BLOB_PART] == 0)
        ebmd_reply_code(r, EBMA_NO_CHAINS);
    return view->row.bytes[EBMD_BLOB_PART] > 0;
}

static bool find_kept(const ebmd_app *app, ebmd_request *r, ebmd_view *view)
{
    if (!ebmd_chains_find(app, r, view))
        return false;
    if (!ebmd_job_state_final(view->row.state)) {
        ebmd_reply_code(r, EBMA_CHAINS_AT_WORK);
        ebmd_reply_add(r, "Retry-After", "1");
        return false;
    }
    return is_kept(r, view);
}

static void reply_view(const ebmd_app *app, ebmd_request *r, const ebmd_view *view)
{
    char *json = NULL;
    size_t size = 0;
    ebm_status st = ebmd_jobview_json(app, view, &json, &size, NULL);

    ebmd_reply_json(r, st == EBM_ERR_FORMAT ? EBM_ERR_INTERNAL : st, json, size);
}

void ebmd_route_chains(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (ebmd_chains_find(app, r, &view))
        reply_view(app, r, &view);
}

void ebmd_route_chains_diagnostics(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;
    char *job = NULL, *json = NULL;
    size_t job_size, size = 0;
    ebm_status st;

    if (!ebmd_chains_find(app, r, &view) ||
        (ebmd_job_state_final(view.row.state) && !is_kept(r, &view)))
        return;
    st = ebmd_jobview_json(app, &view, &job, &job_size, NULL);
    if (st == EBM_OK)
        st = ebma_chains_diagnostics(job, job_size, &json, &size, NULL);
    ebm_free(job);
    ebmd_reply_json(r, st == EBM_ERR_FORMAT ? EBM_ERR_INTERNAL : st, json, size);
}

/* --- sets ---------------------------------------------------------------------------------- */

typedef struct shelf {
    ebmd_output kept[EBM_CHAIN_SET_MAX];
    int32_t n;
} shelf;

static void clear(shelf *s)
{
    for (int32_t k = 0; k < s->n; k++)
        ebm_free(s->kept[k].data);
}

/* Reads the kept chains of a job: number (1 + keep) n + k of its outputs. */
static ebm_status read_kept(const ebmd_app *app, const char *id, shelf *s)
{
    const ebmd_store_ops *ops = app->store->ops;
    char *document = NULL, *data;
    size_t size;
    int32_t n = 0, keep = 0;
    ebm_status st = ops->blob(app->store, id, EBMD_BLOB_DOCUMENT, 0, &document, &size, NULL);

    s->n = 0;
    if (st == EBM_OK)
        st = ebma_chains_count(document, size, &n, &keep, NULL);
    ebm_free(document);
    while (st == EBM_OK && s->n < n) {
        st = ops->blob(app->store, id, EBMD_BLOB_PART, (1 + keep) * n + s->n, &data,
                       &s->kept[s->n].size, NULL);
        if (st == EBM_OK)
            s->kept[s->n++].data = (unsigned char *)data;
    }
    return st;
}

/* The file of all chains of a job. @own *data: ebm_free() */
static ebm_status read_set(const ebmd_app *app, const char *id, unsigned char **data, size_t *size)
{
    shelf *s = ebm_alloc(1, sizeof(*s));
    ebm_status st = EBM_ERR_NOMEM;

    *data = NULL;
    if (!s)
        return st;
    st = read_kept(app, id, s);
    if (st == EBM_OK)
        st = ebmd_kept_file(s->kept, s->n, data, size, NULL);
    clear(s);
    ebm_free(s);
    return st;
}

static void reply_failure(ebmd_request *r, ebm_status st)
{
    ebma_problem_code code = st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_INTERNAL;

    ebmd_reply_code(r, st == EBM_ERR_NOT_FOUND ? EBMA_JOB_GONE : code);
}

void ebmd_route_chains_checkpoint(const ebmd_app *app, ebmd_request *r)
{
    unsigned char *data;
    ebmd_view view;
    size_t size;
    ebm_status st;

    /* the file is no longer than what is kept of the chains, and their pictures */
    if (!find_kept(app, r, &view) || !ebmd_reply_reserve(r, (size_t)view.row.bytes[EBMD_BLOB_PART]))
        return;
    st = read_set(app, view.row.id, &data, &size);
    if (st == EBM_OK)
        ebmd_reply_body(r, 200, "application/octet-stream", (char *)data, size);
    else
        reply_failure(r, st);
}

/* --- going on ------------------------------------------------------------------------------ */

/* Makes a job of the order and submits it. `subject` tells requests of different chains apart. */
static void submit(const ebmd_app *app, ebmd_request *r, const ebmd_chains_order *order,
                   ebm_arena *arena, const char *subject)
{
    ebmd_engine *engine = ebmd_catalog_take(app->catalog);
    ebmd_plan plan = {.kind = &ebmd_kind_chains};
    unsigned char *checkpoint = NULL;
    ebma_problem problem;
    size_t size = 0;

    if (ebmd_chains_open(engine, order, arena, &plan, &checkpoint, &size, &problem) != EBM_OK ||
        ebmd_chains_check_keep(&plan, arena, &problem) != EBM_OK) {
        ebmd_reply_problem(r, &problem);
    } else {
        const ebmd_ready ready = {&plan, subject, checkpoint, size};

        ebmd_submit_ready(app, r, &ready);
    }
    ebmd_engine_unref(engine);
    ebm_free(checkpoint);
}

static void go_on_with(const ebmd_app *app, ebmd_request *r, ebmd_chains_order *order,
                       ebm_arena *arena, const ebmd_view *view)
{
    unsigned char *set = NULL;
    ebm_status st = read_set(app, view->row.id, &set, &order->size);

    const char *path = ebm_arena_strndup(arena, r->head.target, strcspn(r->head.target, "?"));

    order->set = set;
    if (st == EBM_OK && !path)
        st = EBM_ERR_NOMEM;
    if (st == EBM_OK)
        submit(app, r, order, arena, path);
    else
        reply_failure(r, st);
    ebm_free(set);
}

static void go_on(const ebmd_app *app, ebmd_request *r, ebma_chain_call call)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebma_op_request *asked = arena ? ebm_arena_alloc(arena, 1, sizeof(*asked)) : NULL;
    ebmd_chains_order order = {.asked = asked, .call = call};
    ebma_problem problem;
    ebmd_view view;

    if (!asked)
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    else if (ebma_chain_decode(call, r->body ? r->body : "", r->body_size, arena, asked,
                               &problem) != EBM_OK)
        ebmd_reply_problem(r, &problem);
    else if (find_kept(app, r, &view))
        go_on_with(app, r, &order, arena, &view);
    ebm_arena_free(arena);
}

void ebmd_route_chains_extend(const ebmd_app *app, ebmd_request *r)
{
    go_on(app, r, EBMA_CHAINS_EXTEND);
}

void ebmd_route_chains_fork(const ebmd_app *app, ebmd_request *r)
{
    go_on(app, r, EBMA_CHAINS_FORK);
}

void ebmd_route_chains_resume(const ebmd_app *app, ebmd_request *r)
{
    go_on(app, r, EBMA_CHAINS_RESUME);
}

/* Their job ends, and what its chains have come to is kept. */
void ebmd_route_chains_pause(const ebmd_app *app, ebmd_request *r)
{
    ebm_error err = {0};
    ebmd_view view;
    ebm_status st;

    if (!ebmd_chains_find(app, r, &view))
        return;
    st = app->store->ops->cancel(app->store, r->capture, ebmd_request_owner(r), &view, &err);
    if (st != EBM_OK) {
        ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_STORE_UNAVAILABLE);
        return;
    }
    reply_view(app, r, &view);
    if (r->reply.status == 200 && !ebmd_job_state_final(view.row.state))
        r->reply.status = 202; /* it stops within a quantum */
}

void ebmd_route_chains_import(const ebmd_app *app, ebmd_request *r)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    const ebmd_chains_order order = {.set = (const unsigned char *)(r->body ? r->body : ""),
                                     .size = r->body_size};

    if (arena)
        submit(app, r, &order, arena, "");
    else
        ebmd_reply_code(r, EBMA_OUT_OF_MEMORY);
    ebm_arena_free(arena);
}
