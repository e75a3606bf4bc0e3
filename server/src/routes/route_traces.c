/* GET /v1/chains/{id}/traces: what was recorded of one chain, page by page. Chains at work show
 * what their last checkpoint holds. */
#include <string.h>

#include "kinds/chain_traces.h"
#include "ebm/memory.h"
#include "ebma/op_results.h"
#include "run/job_checkpoint.h"
#include "routes/jobview.h"
#include "http/query.h"
#include "routes/route_chains.h"

#define ROWS_MAX 5000 /* of a page: about 1 MB */

typedef struct page {
    int64_t chain, from, limit;
} page;

static bool take_chain(const char *value, void *out)
{
    return ebmd_query_whole(value, EBM_CHAIN_SET_MAX - 1, out);
}

static bool take_from(const char *value, void *out)
{
    return ebmd_query_whole(value, EBM_MCMC_MAX_STEPS, out);
}

static bool take_limit(const char *value, void *out)
{
    return ebmd_query_whole(value, ROWS_MAX, out) && *(int64_t *)out > 0;
}

static bool read_page(ebmd_request *r, page *p)
{
    const ebmd_query_row rows[] = {{"chain", "must be 0..63", take_chain, &p->chain},
                                   {"from", "must be 0..2000000000 (rows)", take_from, &p->from},
                                   {"limit", "must be 1..5000 (rows)", take_limit, &p->limit}};

    *p = (page){.limit = 1000};
    return ebmd_query_read(r, rows, 3);
}

/* Answers with the page of a trace, whose numbers are `run`'s. */
static void reply_page(ebmd_request *r, const ebmd_view *view, const page *p,
                       const ebm_op_params *run, const ebm_trace *trace)
{
    const ebma_trace_page out = {.id = view->row.id,
                                 .status = ebmd_jobview_status(view->row.state),
                                 .params = run,
                                 .chain = (int32_t)p->chain,
                                 .from = (size_t)p->from,
                                 .limit = (size_t)p->limit,
                                 .trace = trace};
    char *json = NULL;
    size_t size = 0;
    ebm_status st = ebma_traces_encode(&out, &json, &size, NULL);

    ebmd_reply_json(r, st, json, size);
}

/* What was there a moment ago is not: the job has gone on, or ended. */
static void reply_failure(ebmd_request *r, ebm_status st)
{
    if (st == EBM_ERR_NOT_FOUND) {
        ebmd_reply_code(r, EBMA_CHAINS_AT_WORK);
        ebmd_reply_add(r, "Retry-After", "1");
        return;
    }
    ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_INTERNAL);
}

/* --- chains at work ------------------------------------------------------------------------- */

/* Puts a run that nobody works on to where the checkpoint of its job stands. */
static ebm_status stand(const ebmd_run_env *env, const ebmd_view *view, ebmd_run **out)
{
    ebmd_lease lease = {.created_ms = view->row.created_ms};
    char *bytes = NULL;
    size_t size = 0;
    ebm_status st;

    memcpy(lease.id, view->row.id, sizeof(lease.id));
    memcpy(lease.kind, view->row.kind, sizeof(lease.kind));
    st = ebmd_run_create(env, &lease, out, NULL);
    if (st != EBM_OK || view->row.bytes[EBMD_BLOB_CHECKPOINT] == 0)
        return st == EBM_OK && !(*out)->part ? EBM_ERR_FORMAT : st;
    st = (*out)->part ? env->store->ops->blob(env->store, lease.id, EBMD_BLOB_CHECKPOINT, 0, &bytes,
                                              &size, NULL)
                      : EBM_ERR_FORMAT;
    if (st == EBM_OK)
        st = ebmd_job_checkpoint_unpack(bytes, size, *out, NULL);
    if (st == EBM_OK)
        st = ebmd_run_load_results(env, *out);
    ebm_free(bytes);
    return st;
}

static ebm_status reply_standing(ebmd_request *r, const ebmd_view *view, const page *p,
                                 const ebmd_run *run)
{
    const size_t n = (size_t)run->plan.images;
    ebmd_standing *parts = ebm_alloc((size_t)run->plan.parts, sizeof(*parts));
    ebm_trace *traces = ebm_alloc(n, sizeof(*traces));
    ebm_status st = parts && traces ? EBM_OK : EBM_ERR_NOMEM;

    if (st == EBM_OK) {
        ebmd_run_standing(run, parts);
        st = ebmd_chain_traces(&run->plan, parts, traces, NULL);
    }
    if (st == EBM_OK && (size_t)p->chain >= n)
        ebmd_reply_code(r, EBMA_NOT_FOUND);
    else if (st == EBM_OK)
        reply_page(r, view, p, &ebmd_op_of(&run->plan)->call.params, &traces[p->chain]);
    ebm_free(parts);
    ebm_free(traces);
    return st;
}

/* Answers what went wrong with chains at work. A checkpoint of weights that are served no more says
 * nothing here: only those who work with it have the model. In the end everything is told. */
static void reply_no_standing(ebmd_request *r, ebm_status st)
{
    reply_failure(r, st == EBM_ERR_FORMAT ? EBM_ERR_NOT_FOUND : st);
}

static void reply_at_work(const ebmd_app *app, ebmd_request *r, const ebmd_view *view,
                          const page *p)
{
    const ebmd_run_env env = {.store = app->store, .catalog = app->catalog, .build = app->build};
    ebmd_run *run = NULL;
    ebm_status st = stand(&env, view, &run);

    if (st == EBM_OK)
        st = reply_standing(r, view, p, run);
    if (st != EBM_OK)
        reply_no_standing(r, st);
    ebmd_run_free(run);
}

/* --- chains that have stopped --------------------------------------------------------------- */

/* Number (1 + keep) n + k of the outputs is what is kept of chain k. */
static ebm_status read_kept(const ebmd_app *app, const char *id, int64_t k, ebmd_output *kept,
                            bool *there)
{
    const ebmd_store_ops *ops = app->store->ops;
    char *document = NULL, *data = NULL;
    int32_t n = 0, keep = 0;
    size_t size;
    ebm_status st = ops->blob(app->store, id, EBMD_BLOB_DOCUMENT, 0, &document, &size, NULL);

    if (st == EBM_OK)
        st = ebma_chains_count(document, size, &n, &keep, NULL);
    *there = k < n;
    if (st == EBM_OK && *there)
        st = ops->blob(app->store, id, EBMD_BLOB_PART, (1 + keep) * n + (int32_t)k, &data,
                       &kept->size, NULL);
    kept->data = (unsigned char *)data;
    ebm_free(document);
    return st;
}

static ebm_status reply_kept(ebmd_request *r, const ebmd_view *view, const page *p,
                             const ebmd_output *kept)
{
    ebmd_kept head;
    ebm_chain_part part;
    ebm_receipt run;
    bool forked;
    ebm_status st = ebmd_kept_read(kept->data, kept->size, &head, &part, NULL);

    if (st == EBM_OK)
        st = ebmd_kept_receipt(kept, &run, &forked, NULL);
    if (st == EBM_OK) {
        const ebm_trace trace = ebmd_kept_trace(kept, &run.params, &part);

        reply_page(r, view, p, &run.params, &trace);
    }
    return st;
}

void ebmd_route_chains_traces(const ebmd_app *app, ebmd_request *r)
{
    ebmd_output kept = {NULL, 0};
    ebmd_view view;
    bool there = true;
    ebm_status st = EBM_OK;
    page p;

    if (!read_page(r, &p) || !ebmd_chains_find(app, r, &view))
        return;
    if (!ebmd_job_state_final(view.row.state)) {
        reply_at_work(app, r, &view, &p);
        return;
    }
    if (view.row.bytes[EBMD_BLOB_PART] == 0) {
        ebmd_reply_code(r, EBMA_NO_CHAINS);
        return;
    }
    st = read_kept(app, view.row.id, p.chain, &kept, &there);
    if (st == EBM_OK && !there)
        ebmd_reply_code(r, EBMA_NOT_FOUND);
    else if (st == EBM_OK)
        st = reply_kept(r, &view, &p, &kept);
    if (st != EBM_OK)
        reply_failure(r, st);
    ebm_free(kept.data);
}
