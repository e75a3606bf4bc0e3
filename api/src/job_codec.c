/* The job object: what a client gets back for a request, and what the store keeps.
 * Knows names and units of its members; not where a job runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"

static const char *const status_names[] = {
    [EBMA_JOB_QUEUED] = "queued",       [EBMA_JOB_RUNNING] = "running",
    [EBMA_JOB_SUCCEEDED] = "succeeded", [EBMA_JOB_FAILED] = "failed",
    [EBMA_JOB_CANCELED] = "canceled",   [EBMA_JOB_EXPIRED] = "expired",
};

const char *ebma_job_status_name(ebma_job_status status)
{
    if ((unsigned)status > EBMA_JOB_EXPIRED)
        return "unknown";
    return status_names[status];
}

double ebma_energy(double logp)
{
    char text[32];

    /* The network computes in float32, so digits after the ninth are noise; cutting them here
     * makes body, header and any copy of the number agree. */
    snprintf(text, sizeof(text), "%.9g", -logp);
    return strtod(text, NULL) + 0.0;
}

static json_t *model_object(const ebm_model_info *m)
{
    return json_pack("{s:s, s:s, s:s}", "id", m->id, "version", m->version, "sha256", m->sha256);
}

/* All models of a composition, with their weights. */
static json_t *models_array(const ebma_job *job)
{
    json_t *list = json_array();
    bool ok = list != NULL;

    for (int32_t i = 0; i < job->request->n_models && ok; i++) {
        json_t *one = model_object(job->models[i]);

        ebma__set(one, "weight", json_real(job->request->model[i].weight), &ok);
        ok = json_array_append_new(list, one) == 0 && ok;
    }
    if (!ok) {
        json_decref(list);
        return NULL;
    }
    return list;
}

/* --- what is fixed ------------------------------------------------------------------------ */

static json_t *usage_object(const ebma_usage *u)
{
    return json_pack("{s:I, s:I, s:I, s:f}", "grad_evals", (json_int_t)u->grad_evals,
                     "energy_evals", (json_int_t)u->energy_evals, "langevin_steps",
                     (json_int_t)u->langevin_steps, "batch_mean",
                     ebma__digits(u->batch_mean, 100.0));
}

static void set_head(json_t *root, const ebma_job *job, bool *ok)
{
    ebma__set(root, "id", json_string(job->id), ok);
    ebma__set(root, "object", json_string("job"), ok);
    ebma__set(root, "kind", json_string(job->kind), ok);
    ebma__set(root, "status", json_string(status_names[EBMA_JOB_QUEUED]), ok);
    ebma__set(root, "model", model_object(job->models[0]), ok);
    if (job->request->n_models > 1 || job->request->model[0].weight != 1.0)
        ebma__set(root, "models", models_array(job), ok);
    if (job->request->metadata)
        ebma__set(root, "metadata", ebma__metadata(job->request->metadata), ok);
    ebma__set(root, "created_at", ebma__time(job->created_ms), ok);
    ebma__set(root, "started_at", json_null(), ok);
    ebma__set(root, "completed_at", json_null(), ok);
    ebma__set(root, "queue", json_null(), ok);
    ebma__set(root, "progress", json_null(), ok);
}

ebm_status ebma_job_encode(const ebma_job *job, char **json, size_t *size, ebm_error *err)
{
    const ebma_op_request *r = job->request;
    json_t *root = json_object();
    bool ok = root != NULL;

    set_head(root, job, &ok);
    ebma__set(root, "seed", json_integer((json_int_t)r->params.seed), &ok);
    ebma__set(root, "params", ebma__op_object(r, false), &ok);
    if (job->forked)
        ebma__set(root, "forked", json_true(), &ok);
    ebma__set(root, "data", json_null(), &ok);
    ebma__set(root, "usage", job->results ? usage_object(&job->usage) : json_null(), &ok);
    if (job->results)
        ebma__set_results(root, job, &ok);
    ebma__set(root, "timings", json_null(), &ok);
    ebma__set(root, "reproducibility",
              json_pack("{s:s, s:s, s:s}", "rng", "philox4x32-10", "kernel_class",
                        job->kernel_class, "build", job->build),
              &ok);
    ebma__set(root, "error", json_null(), &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}

/* --- what changes ------------------------------------------------------------------------- */

static void present_times(json_t *root, const ebma_job_state *s, bool *ok)
{
    ebma__set(root, "status", json_string(ebma_job_status_name(s->status)), ok);
    ebma__set(root, "started_at", ebma__time(s->started_ms), ok);
    ebma__set(root, "completed_at", ebma__time(s->completed_ms), ok);
    if (s->cancel_requested)
        ebma__set(root, "cancel_requested", json_true(), ok);
}

static void present_wait(json_t *root, const ebma_job_state *s, bool *ok)
{
    if (s->status == EBMA_JOB_QUEUED)
        ebma__set(root, "queue",
                  json_pack("{s:I, s:f}", "position", (json_int_t)s->position, "eta_s",
                            ebma__digits(s->eta_s, 10.0)),
                  ok);
    else if (s->status == EBMA_JOB_RUNNING)
        ebma__set(root, "progress", ebma__progress_object(&s->progress, s->eta_s), ok);
    if (s->status == EBMA_JOB_RUNNING && s->chains)
        ebma__set(root, "diagnostics", ebma__report_object(s->chains), ok);
}

static void present_end(json_t *root, const ebma_job_state *s, bool *ok)
{
    if (s->status == EBMA_JOB_SUCCEEDED)
        ebma__set(root, "timings",
                  json_pack("{s:f, s:f, s:f}", "queue_ms", ebma__digits(s->queue_ms, 10.0),
                            "compute_ms", ebma__digits(s->compute_ms, 10.0), "encode_ms",
                            ebma__digits(s->encode_ms, 10.0)),
                  ok);
    else if (s->status != EBMA_JOB_QUEUED && s->status != EBMA_JOB_RUNNING)
        ebma__set(root, "error", ebma__problem_object(s->error), ok);
}

/* Reads one image and makes it a string; NULL: *st says why not. */
static json_t *image_value(const ebma_images *images, int32_t index, ebm_status *st, ebm_error *err)
{
    char *data = NULL;
    size_t size = 0;
    json_t *value = NULL;

    if (*st == EBM_OK)
        *st = images->read(images->self, index, &data, &size, err);
    if (*st == EBM_OK)
        value = ebma__base64((const unsigned char *)data, size);
    if (*st == EBM_OK && !value)
        *st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    ebm_free(data);
    return value;
}

static void present_levels(json_t *levels, const ebma_images *images, int32_t k, ebm_status *st,
                           ebm_error *err)
{
    int32_t count = (int32_t)json_array_size(levels);

    for (int32_t t = 0; t < count && *st == EBM_OK; t++) {
        json_t *value = image_value(images, (1 + t) * images->n + k, st, err);

        if (value && json_array_set_new(levels, (size_t)t, value) != 0)
            *st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    }
}

static ebm_status present_data(json_t *root, const ebma_job_state *s, ebm_error *err)
{
    const json_t *data = json_object_get(root, "data");
    int32_t n = (int32_t)json_array_size(data);
    ebm_status st = EBM_OK;

    for (int32_t k = 0; s->images && k < n && st == EBM_OK; k++) {
        json_t *item = json_array_get(data, (size_t)k);
        json_t *value = NULL;

        if (json_object_get(item, "b64_json"))
            value = image_value(s->images, k, &st, err);
        if (value && json_object_set_new(item, "b64_json", value) != 0)
            st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
        present_levels(json_object_get(item, "levels"), s->images, k, &st, err);
        present_levels(json_object_get(item, "snapshots"), s->images, k, &st, err);
    }
    return st;
}

/* Where a reader goes on from here; pictures are linked once they are there. */
static json_t *links_object(const json_t *root, const ebma_job_state *s)
{
    const char *id = json_string_value(json_object_get(root, "id"));
    const json_t *first = json_array_get(json_object_get(root, "data"), 0);
    json_t *links = json_object();
    bool ok = links != NULL;

    ebma__set(links, "self", json_sprintf("/v1/jobs/%s", id), &ok);
    ebma__set(links, "events", json_sprintf("/v1/jobs/%s/events", id), &ok);
    ebma__set(links, "cancel", json_sprintf("/v1/jobs/%s/cancel", id), &ok);
    if (s->previews)
        ebma__set(links, "preview", json_sprintf("/v1/jobs/%s/preview.png", id), &ok);
    if (s->images && json_object_get(first, "sha256"))
        ebma__set(links, "images", json_sprintf("/v1/jobs/%s/images/{k}.png", id), &ok);
    if (!ok) {
        json_decref(links);
        return NULL;
    }
    return links;
}

ebm_status ebma_job_present(const char *json, size_t size, const ebma_job_state *state, char **out,
                            size_t *out_size, ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    ebm_status st;
    bool ok = true;

    *out = NULL;
    *out_size = 0;
    if (!json_is_string(json_object_get(root, "id"))) {
        json_decref(root);
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object");
    }
    present_times(root, state, &ok);
    present_wait(root, state, &ok);
    present_end(root, state, &ok);
    ebma__set(root, "links", links_object(root, state), &ok);
    st = present_data(root, state, err);
    if (st != EBM_OK) {
        json_decref(root);
        return st;
    }
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, out, out_size, err);
}

ebm_status ebma_job_image_digest(const char *json, size_t size, int32_t k, char sha256[65],
                                 ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *data = json_object_get(root, "data");
    const json_t *digest = json_object_get(json_array_get(data, (size_t)k), "sha256");
    ebm_status st = EBM_OK;

    if (!json_is_object(root))
        st = ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object");
    else if (!digest)
        st = ebm_error_set(err, EBM_ERR_NOT_FOUND, NULL, "no image %d", (int)k);
    else if (json_string_length(digest) != 64)
        st = ebm_error_set(err, EBM_ERR_FORMAT, "sha256", "not a digest");
    else
        memcpy(sha256, json_string_value(digest), 65);
    json_decref(root);
    return st;
}

ebm_status ebma_job_read(const char *json, size_t size, uint64_t *seed, double *energy,
                         ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *s = json_object_get(root, "seed");
    const json_t *e = json_object_get(json_array_get(json_object_get(root, "data"), 0), "energy");
    bool ok = json_is_integer(s) && json_integer_value(s) >= 0 && json_is_number(e);

    if (ok) {
        *seed = (uint64_t)json_integer_value(s);
        *energy = json_number_value(e);
    }
    json_decref(root);
    return ok ? EBM_OK : ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object");
}
