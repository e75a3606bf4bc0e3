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

void ebma_sample_effective(const ebma_sample_request *request, const ebm_levels *levels,
                           ebma_sample_request *out)
{
    bool same = levels->count > 0;

    *out = *request;
    for (int32_t t = 1; t < levels->count; t++)
        same = same && levels->steps[t] == levels->steps[0];
    if (out->steps_per_level == 0 && same)
        out->steps_per_level = levels->steps[0];
    if (!out->has_noise_scale) {
        out->noise_scale = levels->noise_scale;
        out->has_noise_scale = true;
    }
}

static json_t *model_object(const ebm_model_info *m)
{
    return json_pack("{s:s, s:s, s:s}", "id", m->id, "version", m->version, "sha256", m->sha256);
}

static json_t *params_object(const ebma_sample_request *p, const ebm_model_info *model)
{
    /* a model whose levels differ in their steps has no single number: null asks for the same */
    json_t *steps = p->steps_per_level > 0 ? json_integer(p->steps_per_level) : json_null();

    return json_pack("{s:s, s:i, s:I, s:I, s:o, s:f, s:s}", "model", model->id, "n", p->n, "seed",
                     (json_int_t)p->seed, "first_index", (json_int_t)p->first_index,
                     "steps_per_level", steps, "noise_scale", p->noise_scale, "response_format",
                     p->format == EBMA_FORMAT_NONE ? "none" : "b64_json");
}

ebm_status ebma_sample_encode(const ebma_sample_request *request, const ebm_model_info *model,
                              char **json, size_t *size, ebm_error *err)
{
    return ebma__json_write(params_object(request, model), json, size, err);
}

/* --- what is fixed ------------------------------------------------------------------------ */

static json_t *image_object(const ebma_job *job, int32_t k)
{
    const ebma_image *image = &job->images[k];
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "index", json_integer((json_int_t)job->request->first_index + k), &ok);
    if (job->request->format == EBMA_FORMAT_B64_JSON)
        ebma__set(o, "b64_json", json_null(), &ok); /* the place where the bytes will go */
    ebma__set(o, "energy", json_real(ebma_energy(image->logp)), &ok);
    ebma__set(o, "sha256", json_string(image->sha256), &ok);
    if (!ok) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *data_array(const ebma_job *job)
{
    json_t *data = json_array();

    for (int32_t k = 0; data && k < job->request->n; k++) {
        if (json_array_append_new(data, image_object(job, k)) != 0) {
            json_decref(data);
            return NULL;
        }
    }
    return data;
}

static json_t *usage_object(const ebma_usage *u)
{
    return json_pack("{s:I, s:I, s:I, s:f}", "grad_evals", (json_int_t)u->grad_evals,
                     "energy_evals", (json_int_t)u->energy_evals, "langevin_steps",
                     (json_int_t)u->grad_evals, "batch_mean", ebma__digits(u->batch_mean, 100.0));
}

static void set_head(json_t *root, const ebma_job *job, bool *ok)
{
    ebma__set(root, "id", json_string(job->id), ok);
    ebma__set(root, "object", json_string("job"), ok);
    ebma__set(root, "kind", json_string(job->kind), ok);
    ebma__set(root, "status", json_string(status_names[EBMA_JOB_QUEUED]), ok);
    ebma__set(root, "model", model_object(job->model), ok);
    ebma__set(root, "created_at", ebma__time(job->created_ms), ok);
    ebma__set(root, "started_at", json_null(), ok);
    ebma__set(root, "completed_at", json_null(), ok);
    ebma__set(root, "queue", json_null(), ok);
    ebma__set(root, "progress", json_null(), ok);
}

ebm_status ebma_job_encode(const ebma_job *job, char **json, size_t *size, ebm_error *err)
{
    json_t *root = json_object();
    bool ok = root != NULL;
    ebma_sample_request p;

    ebma_sample_effective(job->request, job->model->levels, &p);
    set_head(root, job, &ok);
    ebma__set(root, "seed", json_integer((json_int_t)p.seed), &ok);
    ebma__set(root, "params", params_object(&p, job->model), &ok);
    ebma__set(root, "data", job->images ? data_array(job) : json_null(), &ok);
    ebma__set(root, "usage", job->images ? usage_object(&job->usage) : json_null(), &ok);
    ebma__set(root, "timings", json_null(), &ok);
    ebma__set(root, "reproducibility",
              json_pack("{s:s, s:s, s:s}", "rng", "philox4x32-10", "kernel_class",
                        job->model->kernels->kernel_class, "build", job->build),
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

static void present_data(json_t *root, const ebma_job_state *s, bool *ok)
{
    const json_t *data = json_object_get(root, "data");

    for (size_t k = 0; k < s->n_payloads && k < json_array_size(data); k++) {
        json_t *item = json_array_get(data, k);

        if (json_object_get(item, "b64_json"))
            ebma__set(item, "b64_json", ebma__base64(s->payloads[k].data, s->payloads[k].size), ok);
    }
}

ebm_status ebma_job_present(const char *json, size_t size, const ebma_job_state *state, char **out,
                            size_t *out_size, ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    bool ok = true;

    *out = NULL;
    *out_size = 0;
    if (!json_is_object(root)) {
        json_decref(root);
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object");
    }
    present_times(root, state, &ok);
    present_wait(root, state, &ok);
    present_end(root, state, &ok);
    present_data(root, state, &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, out, out_size, err);
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
