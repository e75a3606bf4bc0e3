/* The job object: what a client gets back for a request, and what the store keeps.
 * Knows names and units of its members; not where a job runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_internal.h"
#include "ebm/sampler.h"

static const char *const status_names[] = {
    [EBMA_JOB_QUEUED] = "queued",       [EBMA_JOB_RUNNING] = "running",
    [EBMA_JOB_SUCCEEDED] = "succeeded", [EBMA_JOB_FAILED] = "failed",
    [EBMA_JOB_CANCELED] = "canceled",
};

const char *ebma_job_status_name(ebma_job_status status)
{
    if ((unsigned)status > EBMA_JOB_CANCELED)
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

static json_t *params_object(const ebma_job *job, const ebma_sample_request *p)
{
    /* a model whose levels differ in their steps has no single number: null asks for the same */
    json_t *steps = p->steps_per_level > 0 ? json_integer(p->steps_per_level) : json_null();

    return json_pack("{s:s, s:i, s:I, s:I, s:o, s:f, s:s}", "model", job->model->id, "n", p->n,
                     "seed", (json_int_t)p->seed, "first_index", (json_int_t)p->first_index,
                     "steps_per_level", steps, "noise_scale", p->noise_scale, "response_format",
                     p->format == EBMA_FORMAT_NONE ? "none" : "b64_json");
}

static json_t *image_object(const ebma_job *job, int32_t k)
{
    const ebma_image *image = &job->images[k];
    json_t *o = json_object();
    bool ok = o != NULL;

    ebma__set(o, "index", json_integer((json_int_t)job->request->first_index + k), &ok);
    if (job->request->format == EBMA_FORMAT_B64_JSON)
        ebma__set(o, "b64_json", ebma__base64(image->png, image->size), &ok);
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

static json_t *usage_object(const ebma_job *job, const ebma_sample_request *p)
{
    const ebm_langevin how = {.steps_per_level = p->steps_per_level};
    const json_int_t steps = ebm_chain_total_steps(job->model->levels, &how) * p->n;

    return json_pack("{s:I, s:I, s:I}", "grad_evals", steps, "energy_evals", (json_int_t)p->n,
                     "langevin_steps", steps);
}

static double tenths(double ms)
{
    return ms > 0.0 && ms < 1e12 ? (double)(int64_t)(ms * 10.0 + 0.5) / 10.0 : 0.0;
}

static void set_result(json_t *root, const ebma_job *job, const ebma_sample_request *p, bool *ok)
{
    if (job->status != EBMA_JOB_SUCCEEDED) {
        ebma__set(root, "data", json_null(), ok);
        ebma__set(root, "usage", json_null(), ok);
        ebma__set(root, "timings", json_null(), ok);
        return;
    }
    ebma__set(root, "data", data_array(job), ok);
    ebma__set(root, "usage", usage_object(job, p), ok);
    ebma__set(root, "timings",
              json_pack("{s:f, s:f, s:f}", "queue_ms", tenths(job->queue_ms), "compute_ms",
                        tenths(job->compute_ms), "encode_ms", tenths(job->encode_ms)),
              ok);
}

static void set_head(json_t *root, const ebma_job *job, bool *ok)
{
    ebma__set(root, "id", json_string(job->id), ok);
    ebma__set(root, "object", json_string("job"), ok);
    ebma__set(root, "kind", json_string("sample"), ok);
    ebma__set(root, "status", json_string(ebma_job_status_name(job->status)), ok);
    ebma__set(root, "model", model_object(job->model), ok);
    ebma__set(root, "created_at", ebma__time(job->created_ms), ok);
    ebma__set(root, "started_at", ebma__time(job->started_ms), ok);
    ebma__set(root, "completed_at", ebma__time(job->completed_ms), ok);
}

ebm_status ebma_job_encode(const ebma_job *job, char **json, size_t *size, ebm_error *err)
{
    json_t *root = json_object();
    bool ok = root != NULL;
    bool failed = job->status == EBMA_JOB_FAILED || job->status == EBMA_JOB_CANCELED;
    ebma_sample_request p;

    ebma_sample_effective(job->request, job->model->levels, &p);
    set_head(root, job, &ok);
    ebma__set(root, "seed", json_integer((json_int_t)p.seed), &ok);
    ebma__set(root, "params", params_object(job, &p), &ok);
    set_result(root, job, &p, &ok);
    ebma__set(root, "reproducibility",
              json_pack("{s:s, s:s, s:s}", "rng", "philox4x32-10", "kernel_class",
                        job->model->kernels->kernel_class, "build", job->build),
              &ok);
    ebma__set(root, "error", failed ? ebma__problem_object(job->error) : json_null(), &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, json, size, err);
}

ebm_status ebma_job_restate(const char *json, size_t size, ebma_job_status status, int64_t when_ms,
                            ebma_problem_code error, char **out, size_t *out_size, ebm_error *err)
{
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    bool running = status == EBMA_JOB_RUNNING;
    bool ok = true;

    *out = NULL;
    *out_size = 0;
    if (!json_is_object(root)) {
        json_decref(root);
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "not a job object");
    }
    ebma__set(root, "status", json_string(ebma_job_status_name(status)), &ok);
    if (when_ms != 0)
        ebma__set(root, running ? "started_at" : "completed_at", ebma__time(when_ms), &ok);
    if (!running)
        ebma__set(root, "error", ebma__problem_object(error), &ok);
    if (!ok) {
        json_decref(root);
        root = NULL;
    }
    return ebma__json_write(root, out, out_size, err);
}
