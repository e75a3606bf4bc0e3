/* Accepting jobs, see submit.h. */
#include "routes/submit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebma/op_request.h"
#include "http/media.h"
#include "http/query.h"
#include "routes/idem_key.h"
#include "routes/job_stream.h"
#include "routes/jobview.h"
#include "routes/submit_cost.h"

/* --- refusals ----------------------------------------------------------------------------- */

/* 0..1, another for each request. */
static double spread_of(const ebmd_request *r)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (const char *c = r->id; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return (double)h / UINT32_MAX;
}

/* Seconds until the backlog should be gone, give or take a quarter: who was refused together
 * should not come back together. @range 1..60 */
static int retry_after(const ebmd_app *app, const ebmd_request *r)
{
    ebmd_stats stats;
    double seconds;

    app->store->ops->stats(app->store, &stats);
    seconds = fmin(60.0, fmax(1.0, ebmd_sched_seconds(app->sched, stats.queued_work)));
    return (int)fmin(60.0, ceil(seconds * (0.75 + 0.5 * spread_of(r))));
}

bool ebmd_submit_full(const ebmd_app *app)
{
    ebmd_stats stats;

    app->store->ops->stats(app->store, &stats);
    return stats.queued >= app->queue_max;
}

void ebmd_submit_refuse_full(const ebmd_app *app, ebmd_request *r)
{
    ebmd_reply_code(r, EBMA_QUEUE_FULL);
    ebmd_reply_addf(r, "Retry-After", "%d", retry_after(app, r));
}

static void refuse_error(const ebmd_app *app, ebmd_request *r, ebm_status st, const ebm_error *err)
{
    ebmd_field field = {.key = "text", .text = err->text};

    ebmd_metrics_count(app->metrics, EBMD_COUNT_STORE_ERRORS, 1);
    ebmd_log_event(app->log, EBMD_ERROR, "submit_failed", &field, 1);
    if (st == EBM_ERR_IO)
        ebmd_state_set(app->state, EBMD_BROKEN);
    if (st == EBM_ERR_LIMIT || st == EBM_ERR_IO)
        ebmd_reply_code(r, EBMA_STORE_UNAVAILABLE);
    else
        ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_INTERNAL);
    ebmd_reply_add(r, "Retry-After", "5");
}

/* --- accepting ---------------------------------------------------------------------------- */

/* Everything that a job needs before it can be written down. */
typedef struct draft {
    char id[EBMD_ID_SIZE];
    int64_t created_ms;
    char *request, *document;
    size_t request_size, document_size;
} draft;

static void draft_clear(draft *d)
{
    ebm_free(d->request);
    ebm_free(d->document);
}

static ebm_status draft_make(const ebmd_app *app, const ebmd_plan *plan, draft *d, ebm_error *err)
{
    ebmd_facts facts = {.id = d->id, .build = app->build};
    ebm_status st;

    memset(d, 0, sizeof(*d));
    facts.created_ms = d->created_ms = ebmd_clock_wall_ms();
    if (!ebmd_id_make("job_", d->created_ms, d->id))
        return ebm_error_set(err, EBM_ERR_INTERNAL, NULL, "no randomness for a job id");
    st = plan->kind->canon(plan, &d->request, &d->request_size, err);
    if (st == EBM_OK)
        st = plan->kind->document(plan, &facts, &d->document, &d->document_size, err);
    return st;
}

/* What a request leaves open is as high as its key may go, and not above the default. */
static int32_t priority_of(const ebmd_app *app, const ebmd_request *r, const ebmd_plan *plan)
{
    if (plan->priority >= 0)
        return plan->priority;
    return app->keys && r->grant.priority < EBMA_PRIORITY_DEFAULT ? r->grant.priority
                                                                  : EBMA_PRIORITY_DEFAULT;
}

static ebmd_spec spec_of(const ebmd_app *app, const ebmd_request *r, const ebmd_plan *plan,
                         const draft *d, const ebmd_idem *key)
{
    return (ebmd_spec){.id = d->id,
                       .kind = plan->kind->name,
                       .owner = r->grant.owner,
                       .model = ebm_model_describe(plan->model[0])->id,
                       .idem = key->key,
                       .digest = key->body,
                       .created_ms = d->created_ms,
                       .timeout_ms = plan->timeout_ms,
                       .work = ebmd_plan_work(plan),
                       .parts = plan->parts,
                       .priority = priority_of(app, r, plan),
                       .request = d->request,
                       .request_size = d->request_size,
                       .document = d->document,
                       .document_size = d->document_size};
}

/* respond-async with wait=N means: wait so long, then answer 202 (RFC 7240, section 4.3). */
static bool will_wait(const ebmd_request *r)
{
    return r->prefer.wait_s > 0 || (r->prefer.wait_s < 0 && !r->prefer.async && !r->later);
}

static double wait_seconds(const ebmd_app *app, const ebmd_request *r)
{
    return r->prefer.wait_s >= 0 ? (double)r->prefer.wait_s : (double)app->sync_limit_s;
}

static void say_preference(ebmd_request *r)
{
    if (r->prefer.wait_s >= 0)
        ebmd_reply_addf(r, "Preference-Applied", "wait=%d", r->prefer.wait_s);
    else if (r->prefer.async)
        ebmd_reply_add(r, "Preference-Applied", "respond-async");
}

static void reply_accepted(const ebmd_app *app, ebmd_request *r, const char *id, bool replayed)
{
    ebm_error err = {0};
    char *json = NULL;
    size_t size = 0;
    ebmd_view view;
    ebm_status st = app->store->ops->get(app->store, id, ebmd_request_owner(r), &view);

    if (st == EBM_OK)
        st = ebmd_jobview_json(app, &view, &json, &size, &err);
    if (st == EBM_ERR_NOT_FOUND)
        ebmd_reply_code(r, EBMA_JOB_GONE);
    else
        ebmd_reply_json(r, st, json, size);
    /* a new job may have ended already; an old one that has is simply there */
    if (r->reply.status == 200 && !(replayed && ebmd_job_state_final(view.row.state)))
        r->reply.status = 202;
    ebmd_reply_addf(r, "Location", "/v1/jobs/%s", id);
    ebmd_reply_add(r, "Retry-After", "1");
}

static void reply_async(const ebmd_app *app, ebmd_request *r, const char *id, bool replayed)
{
    reply_accepted(app, r, id, replayed);
    say_preference(r);
    ebmd_reply_add(r, "X-Job-Id", id);
}

/* The job may end between the look and the wait. */
void ebmd_submit_await(const ebmd_app *app, ebmd_request *r, const char *id)
{
    ebmd_view view;

    memcpy(r->waiter.id, id, EBMD_ID_SIZE);
    ebmd_waiters_add(app->waiters, &r->waiter);
    if (app->store->ops->get(app->store, id, ebmd_request_owner(r), &view) != EBM_OK ||
        ebmd_job_state_final(view.row.state))
        ebmd_waiters_end(app->waiters, id);
}

/* The key of a retry may have made a job whose result is gone by now: its stream would tell of an
 * end without what it came to. */
static bool is_gone(const ebmd_app *app, const ebmd_request *r, const char *id)
{
    ebmd_view view;

    return app->store->ops->get(app->store, id, ebmd_request_owner(r), &view) != EBM_OK ||
           view.row.purged;
}

static void answer_events(const ebmd_app *app, ebmd_request *r, const char *id, bool replayed)
{
    if (replayed && is_gone(app, r, id)) {
        ebmd_reply_code(r, EBMA_JOB_GONE);
        return;
    }
    ebmd_reply_addf(r, "Location", "/v1/jobs/%s", id);
    ebmd_job_stream_join(app, r, id);
}

static void answer(const ebmd_app *app, ebmd_request *r, ebmd_submit_outcome how, const char *id,
                   int seconds)
{
    const bool replayed = how == EBMD_SUBMIT_REPLAYED;

    if (how == EBMD_SUBMIT_FULL) {
        ebmd_submit_refuse_full(app, r);
    } else if (how == EBMD_SUBMIT_UNKNOWN) {
        ebmd_cost_refuse(app, r, seconds);
    } else if (how == EBMD_SUBMIT_OWNER_FULL) {
        ebmd_metrics_denied(app->metrics, EBMD_DENIED_JOBS);
        ebmd_reply_code(r, EBMA_QUOTA_EXCEEDED);
        ebmd_reply_addf(r, "Retry-After", "%d", retry_after(app, r));
    } else if (how == EBMD_SUBMIT_CONFLICT) {
        ebmd_reply_code(r, EBMA_IDEMPOTENCY_MISMATCH);
    } else {
        if (replayed)
            ebmd_reply_add(r, "Idempotency-Replayed", "true");
        if (r->wants_events)
            answer_events(app, r, id, replayed);
        else if (!will_wait(r))
            reply_async(app, r, id, replayed);
        else
            r->waits = true;
    }
}

static ebm_status hand_in(const ebmd_app *app, const ebmd_spec *spec, ebmd_submit_outcome *how,
                          char id[EBMD_ID_SIZE], ebm_error *err)
{
    double start = ebmd_clock_ms();
    ebm_status st = app->store->ops->submit(app->store, spec, how, id, err);

    ebmd_metrics_observe(app->metrics, EBMD_TIME_STORE_ACCEPT, (ebmd_clock_ms() - start) / 1e3);
    return st;
}

/* Work that was paid for is not done after all. */
static void refund(const ebmd_app *app, const ebmd_request *r, const ebmd_cost *cost)
{
    if (app->keys && cost->paid)
        ebmd_keys_refund(app->keys, r->grant.owner, cost->work);
}

/* Writes the job down. One that will be waited for is listened to before it exists, or its end
 * could be missed. */
static void write_down(const ebmd_app *app, ebmd_request *r, const ebmd_spec *spec,
                       const ebmd_cost *cost)
{
    bool waits = will_wait(r) || r->wants_events;
    ebmd_submit_outcome how = EBMD_SUBMIT_FULL;
    char id[EBMD_ID_SIZE] = "";
    ebm_error err = {0};
    ebm_status st;

    r->waiter.keep_job = spec->idem[0] != '\0' || r->prefer.async;
    r->waiter.until = r->wants_events ? 0.0 : ebmd_clock_ms() + 1e3 * wait_seconds(app, r);
    memcpy(r->waiter.id, spec->id, strlen(spec->id) + 1);
    if (waits)
        ebmd_waiters_add(app->waiters, &r->waiter);
    st = hand_in(app, spec, &how, id, &err);
    if (waits && (st != EBM_OK || how != EBMD_SUBMIT_ACCEPTED)) {
        r->waiter.keep_job = true; /* there is no such job: nothing to cancel */
        ebmd_waiters_remove(&r->waiter);
    }
    if (st != EBM_OK || how != EBMD_SUBMIT_ACCEPTED)
        refund(app, r, cost);
    if (!waits || how != EBMD_SUBMIT_ACCEPTED) /* else somebody may be reading it */
        memcpy(r->waiter.id, id, sizeof(id));
    if (st != EBM_OK) {
        refuse_error(app, r, st, &err);
        return;
    }
    answer(app, r, how, id, cost->seconds);
    if (r->waits && how == EBMD_SUBMIT_REPLAYED)
        ebmd_submit_await(app, r, id);
}

static void accept_ready(const ebmd_app *app, ebmd_request *r, const ebmd_ready *ready)
{
    const ebmd_plan *plan = ready->plan;
    ebm_error err = {0};
    ebmd_idem key;
    draft d;
    ebm_status st;
    ebmd_cost cost;

    if (!ebmd_cost_fits(app, r, plan) || !ebmd_cost_can_be_saved(app, r, plan) ||
        !ebmd_cost_may_rank(app, r, plan) ||
        !ebmd_idem_read(r, plan->kind->name, ready->subject, &key) ||
        (r->wants_events && !ebmd_job_stream_admit(app, r)))
        return;
    cost = ebmd_cost_charge(app, r, plan);
    if (!cost.paid && key.key[0] == '\0') {
        ebmd_cost_refuse(app, r, cost.seconds);
        return;
    }
    st = draft_make(app, plan, &d, &err);
    if (st == EBM_OK) {
        ebmd_spec spec = spec_of(app, r, plan, &d, &key);

        spec.checkpoint = ready->checkpoint;
        spec.checkpoint_size = ready->checkpoint_size;
        spec.known_only = !cost.paid; /* a retry costs nothing */
        write_down(app, r, &spec, &cost);
    } else {
        refund(app, r, &cost);
        refuse_error(app, r, st, &err);
    }
    draft_clear(&d);
}

/* Puts the JSON in the place of a form that says the same. */
static ebm_status unfold(ebmd_request *r, const ebmd_kind *kind, ebm_arena *arena,
                         ebma_problem *problem)
{
    const ebma_form form = {ebmd_request_header(r, "Content-Type"), r->body ? r->body : "",
                            r->body_size};
    char *json;
    size_t size;
    ebm_status st;

    if (!ebmd_media_is_form(form.content_type))
        return EBM_OK;
    st = ebma_form_decode(ebm_operation_of(kind->operation), &form, arena, &json, &size, problem);
    if (st != EBM_OK)
        return st;
    ebm_free(r->body);
    r->body = json;
    r->body_size = r->body_room = size;
    return EBM_OK;
}

static ebm_status read_plan(const ebmd_engine *engine, ebmd_request *r, ebm_arena *arena,
                            ebmd_plan *plan, ebma_problem *problem)
{
    ebm_status st = unfold(r, plan->kind, arena, problem);

    if (st != EBM_OK)
        return st;
    return plan->kind->parse(engine, r->body ? r->body : "", r->body_size, arena, plan, problem);
}

/* What the client wants back. @err false: what we cannot give; it is answered */
static bool read_wishes(ebmd_request *r, const ebmd_kind *kind)
{
    ebmd_media media = ebmd_media_accept(ebmd_request_list(r, "Accept"));

    if (media == EBMD_MEDIA_NONE) {
        ebmd_reply_code(r, EBMA_NOT_ACCEPTABLE);
        return false;
    }
    r->prefer = ebmd_prefer_read(ebmd_request_list(r, "Prefer"));
    r->wants_events = media == EBMD_MEDIA_EVENTS;
    r->later = kind->lasts && media == EBMD_MEDIA_JSON;
    r->wants_png = media == EBMD_MEDIA_PNG && will_wait(r);
    return r->wants_events ? ebmd_job_stream_query(r) : ebmd_query_read(r, NULL, 0);
}

static void give(const ebmd_app *app, ebmd_request *r, const ebmd_ready *ready)
{
    if (r->wants_png && ready->plan->images != 1)
        ebmd_reply_code(r, EBMA_NOT_ACCEPTABLE);
    else
        accept_ready(app, r, ready);
    ebmd_request_drop_body(r); /* a request may wait for long: without its pictures */
}

void ebmd_submit_ready(const ebmd_app *app, ebmd_request *r, const ebmd_ready *ready)
{
    if (read_wishes(r, ready->plan->kind))
        give(app, r, ready);
}

/* With the models that are served at this moment. */
static void check_and_give(const ebmd_app *app, const ebmd_engine *engine, ebmd_request *r,
                           const ebmd_kind *kind)
{
    ebm_arena *arena = ebm_arena_create(EBMD_PLAN_ARENA);
    ebmd_plan plan = {.kind = kind};
    const ebmd_ready ready = {.plan = &plan, .subject = ""};
    ebma_problem problem = {.code = EBMA_OUT_OF_MEMORY};

    if (arena && read_plan(engine, r, arena, &plan, &problem) == EBM_OK)
        give(app, r, &ready);
    else
        ebmd_reply_problem(r, &problem);
    ebm_arena_free(arena);
}

void ebmd_submit(const ebmd_app *app, ebmd_request *r, const ebmd_kind *kind)
{
    ebmd_engine *engine;

    if (!read_wishes(r, kind))
        return;
    engine = ebmd_catalog_take(app->catalog);
    check_and_give(app, engine, r, kind);
    ebmd_engine_unref(engine);
}

/* --- the end ------------------------------------------------------------------------------ */

static ebm_status reply_png(const ebmd_app *app, ebmd_request *r, const ebmd_row *row)
{
    uint64_t seed = 0;
    double energy = 0.0;
    char *document = NULL, *png = NULL;
    size_t document_size, size;
    ebm_status st = app->store->ops->blob(app->store, row->id, EBMD_BLOB_DOCUMENT, 0, &document,
                                          &document_size, NULL);

    if (st == EBM_OK)
        st = ebma_job_read(document, document_size, &seed, &energy, NULL);
    if (st == EBM_OK)
        st = app->store->ops->blob(app->store, row->id, EBMD_BLOB_PART, 0, &png, &size, NULL);
    ebm_free(document);
    if (st != EBM_OK)
        return st;
    ebmd_reply_body(r, 200, "image/png", png, size);
    ebmd_reply_addf(r, "X-Seed", "%llu", (unsigned long long)seed);
    ebmd_reply_addf(r, "X-Energy", "%.9g", energy);
    return EBM_OK;
}

static void reply_failure(const ebmd_app *app, ebmd_request *r, ebma_problem_code code)
{
    ebmd_reply_code(r, code);
    if (ebma_problem_describe(code)->retryable)
        ebmd_reply_addf(r, "Retry-After", "%d", retry_after(app, r));
}

static void reply_end(const ebmd_app *app, ebmd_request *r, const ebmd_view *view)
{
    const ebmd_row *row = &view->row;
    char *json = NULL;
    size_t size = 0;
    ebm_status st;

    if (row->state == EBMD_JOB_FAILED || (row->state != EBMD_JOB_SUCCEEDED && r->wants_png)) {
        reply_failure(app, r, ebma_problem_find(row->code));
    } else if (r->wants_png) {
        st = reply_png(app, r, row);
        if (st == EBM_ERR_NOT_FOUND)
            ebmd_reply_code(r, EBMA_JOB_GONE);
        else if (st != EBM_OK)
            ebmd_reply_code(r, st == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_INTERNAL);
    } else {
        st = ebmd_jobview_json(app, view, &json, &size, NULL);
        if (st == EBM_ERR_NOT_FOUND)
            ebmd_reply_code(r, EBMA_JOB_GONE);
        else
            ebmd_reply_json(r, st, json, size);
    }
    ebmd_reply_addf(r, "Server-Timing", "queue;dur=%.1f, compute;dur=%.1f, encode;dur=%.1f",
                    row->timings.queue_ms, row->timings.compute_ms, row->timings.encode_ms);
}

void ebmd_submit_done(const ebmd_app *app, ebmd_request *r)
{
    ebmd_view view;

    if (app->store->ops->get(app->store, r->waiter.id, ebmd_request_owner(r), &view) != EBM_OK)
        ebmd_reply_code(r, EBMA_JOB_GONE);
    else if (ebmd_job_state_final(view.row.state))
        reply_end(app, r, &view);
    else if (r->waiter.lapsed)
        reply_accepted(app, r, r->waiter.id, false);
    else
        reply_failure(app, r, EBMA_INTERRUPTED); /* dismissed: we are going away */
    say_preference(r);
    ebmd_reply_add(r, "X-Job-Id", r->waiter.id);
}
