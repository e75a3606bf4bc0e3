/* POST /v1/sample and /sample: from a body to a job, from a finished job to a reply. */
#include <string.h>

#include "clock.h"
#include "ebm/memory.h"
#include "media.h"
#include "router.h"

#define RESULT_BYTES_MAX (16u * 1024u * 1024u) /* of pixels, all images of a request */

static bool too_large(const ebm_model *model, int32_t n)
{
    const ebm_graph_info *g = ebm_model_describe(model)->graph;
    size_t bytes = (size_t)n;

    return !ebm_size_mul(bytes, (size_t)g->channels, &bytes) ||
           !ebm_size_mul(bytes, (size_t)g->height, &bytes) ||
           !ebm_size_mul(bytes, (size_t)g->width, &bytes) || bytes > RESULT_BYTES_MAX;
}

static void refuse_field(ebmd_request *r, const char *field, const char *code, const char *detail)
{
    ebma_problem problem = {0};
    ebma_field_error e = {.code = code, .detail = detail};

    ebma_problem_field(&problem, r->arena, field, &e);
    ebmd_reply_problem(r, &problem);
}

static void refuse_full(const ebmd_app *app, ebmd_request *r)
{
    ebmd_reply_code(r, EBMA_QUEUE_FULL);
    ebmd_reply_addf(r, "Retry-After", "%d", ebmd_queue_retry_after(app->queue, app->workers));
}

static void enqueue(const ebmd_app *app, ebmd_request *r, ebmd_job *job)
{
    job->on_done = r->wake;
    job->on_done_arg = r->wake_arg;
    switch (ebmd_queue_push(app->queue, job)) {
    case EBMD_PUSH_OK:
        r->job = job; /* the reference moves to the request */
        return;
    case EBMD_PUSH_FULL:
        refuse_full(app, r);
        break;
    case EBMD_PUSH_CLOSED:
        ebmd_reply_code(r, EBMA_SHUTTING_DOWN);
        ebmd_reply_add(r, "Retry-After", "5");
        break;
    }
    ebmd_job_unref(job);
}

/* Takes the job's work from its owner's quota, or refuses. */
static bool charge(const ebmd_app *app, ebmd_request *r, const ebmd_job *job)
{
    double work = (double)job->total_steps * job->request.n;
    int retry_after = 1;

    if (!app->keys ||
        ebmd_keys_spend(app->keys, r->grant.owner, work, ebmd_clock_ms(), &retry_after))
        return true;
    ebmd_metrics_denied(app->metrics, EBMD_DENIED_WORK);
    ebmd_reply_code(r, EBMA_QUOTA_EXCEEDED);
    ebmd_reply_addf(r, "Retry-After", "%d", retry_after);
    return false;
}

static void submit(const ebmd_app *app, ebmd_request *r, const ebma_sample_request *request)
{
    ebmd_job *job = NULL;
    ebm_error err = {0};
    ebm_model *model;
    size_t index;

    if (!ebmd_engine_find(app->engine, request->model, &index)) {
        ebmd_reply_code(r, EBMA_MODEL_NOT_FOUND);
        return;
    }
    model = ebmd_engine_at(app->engine, index);
    if (too_large(model, request->n))
        refuse_field(r, "n", "result_too_large", "n images of this model are more than 16 MiB");
    else if (ebmd_job_create(model, index, request, &job, &err) != EBM_OK)
        ebmd_reply_code(r, err.status == EBM_ERR_NOMEM ? EBMA_OUT_OF_MEMORY : EBMA_INTERNAL);
    else if (charge(app, r, job))
        enqueue(app, r, job);
    else
        ebmd_job_unref(job);
}

void ebmd_route_sample(const ebmd_app *app, ebmd_request *r)
{
    ebmd_media media = ebmd_media_accept(ebmd_request_header(r, "Accept"));
    ebma_sample_request request;
    ebma_problem problem;

    if (media == EBMD_MEDIA_NONE) {
        ebmd_reply_code(r, EBMA_NOT_ACCEPTABLE);
        return;
    }
    if (ebma_sample_decode(r->body ? r->body : "", r->body_size, r->arena, &request, &problem) !=
        EBM_OK) {
        ebmd_reply_problem(r, &problem);
        return;
    }
    r->wants_png = media == EBMD_MEDIA_PNG;
    if (r->wants_png && request.n != 1) {
        ebmd_reply_code(r, EBMA_NOT_ACCEPTABLE);
        return;
    }
    submit(app, r, &request);
}

static void reply_png(ebmd_request *r, ebmd_job *job)
{
    ebma_image *image = &job->images[0];

    /* nobody else reads the job any more: the bytes move instead of being copied */
    ebmd_reply_body(r, 200, "image/png", (char *)(uintptr_t)image->png, image->size);
    image->png = NULL;
    ebmd_reply_addf(r, "X-Seed", "%llu", (unsigned long long)job->request.seed);
    ebmd_reply_addf(r, "X-Energy", "%.9g", ebma_energy(image->logp));
}

static void reply_job(ebmd_request *r, ebmd_job *job)
{
    ebmd_reply_body(r, 200, "application/json", job->json, job->json_size);
    job->json = NULL;
}

void ebmd_route_sample_done(const ebmd_app *app, ebmd_request *r)
{
    ebmd_job *job = r->job;

    if (job->status != EBMA_JOB_SUCCEEDED) {
        ebmd_reply_code(r, job->error);
        if (ebma_problem_describe(job->error)->retryable)
            ebmd_reply_addf(r, "Retry-After", "%d",
                            ebmd_queue_retry_after(app->queue, app->workers));
    } else if (r->wants_png) {
        reply_png(r, job);
    } else {
        reply_job(r, job);
    }
    if (job->recorded)
        ebmd_reply_add(r, "X-Job-Id", job->id);
    ebmd_reply_addf(r, "Server-Timing", "queue;dur=%.1f, compute;dur=%.1f, encode;dur=%.1f",
                    job->queue_ms, job->compute_ms, job->encode_ms);
}
