/* Jobs, see job.h. */
#include "job.h"

#include <string.h>

#include "clock.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"

#define JOB_ARENA_LIMIT (64u * 1024u)

static void job_free(ebmd_job *job)
{
    for (int32_t k = 0; job->images && k < job->request.n; k++) {
        /* the codec only reads images, so it sees them const; they are ours to free */
        ebm_free((void *)(uintptr_t)job->images[k].png);
    }
    ebm_free(job->json);
    ebm_model_unref(job->model);
    pthread_mutex_destroy(&job->lock);
    ebm_arena_free(job->arena);
    ebm_free(job);
}

static int64_t steps_of(const ebm_levels *levels, const ebma_sample_request *r)
{
    ebm_langevin how = {.steps_per_level = r->steps_per_level, .noise_scale = r->noise_scale};

    return ebm_chain_total_steps(levels, &how);
}

ebm_status ebmd_job_create(ebm_model *model, size_t model_index, const ebma_sample_request *request,
                           ebmd_job **out, ebm_error *err)
{
    const ebm_levels *levels = ebm_model_describe(model)->levels;
    ebmd_job *job = ebm_alloc(1, sizeof(*job));

    *out = NULL;
    if (!job || pthread_mutex_init(&job->lock, NULL) != 0) {
        ebm_free(job);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a job");
    }
    atomic_init(&job->refs, 1);
    atomic_init(&job->cancel, false);
    job->model = ebm_model_ref(model);
    job->model_index = model_index;
    ebma_sample_effective(request, levels, &job->request);
    job->request.model = NULL; /* the model itself is held */
    job->total_steps = steps_of(levels, &job->request);
    job->created_ms = ebmd_clock_wall_ms();
    job->arena = ebm_arena_create(JOB_ARENA_LIMIT);
    if (job->arena)
        job->images = ebm_arena_alloc(job->arena, (size_t)job->request.n, sizeof(*job->images));
    if (!job->images) {
        job_free(job);
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a job");
    }
    if (!ebmd_id_make("job_", job->created_ms, job->id)) {
        job_free(job);
        return ebm_error_set(err, EBM_ERR_IO, NULL, "no randomness for a job id");
    }
    *out = job;
    return EBM_OK;
}

ebmd_job *ebmd_job_ref(ebmd_job *job)
{
    atomic_fetch_add(&job->refs, 1);
    return job;
}

void ebmd_job_unref(ebmd_job *job)
{
    if (job && atomic_fetch_sub(&job->refs, 1) == 1)
        job_free(job);
}

void ebmd_job_put(ebmd_job *job, int32_t k, unsigned char *png, size_t size, double logp,
                  double encode_ms)
{
    ebma_image *image = &job->images[k];

    image->png = png;
    image->size = size;
    image->logp = logp;
    ebm_sha256_hex(png, size, image->sha256);
    pthread_mutex_lock(&job->lock);
    job->encode_ms += encode_ms;
    pthread_mutex_unlock(&job->lock);
}

bool ebmd_job_count(ebmd_job *job, ebma_problem_code problem)
{
    bool last;

    pthread_mutex_lock(&job->lock);
    if (job->error == EBMA_OK)
        job->error = problem;
    last = ++job->finished == job->request.n;
    pthread_mutex_unlock(&job->lock);
    if (problem != EBMA_OK)
        atomic_store(&job->cancel, true);
    return last;
}

ebma_problem_code ebmd_job_error(ebmd_job *job)
{
    ebma_problem_code code;

    pthread_mutex_lock(&job->lock);
    code = job->error;
    pthread_mutex_unlock(&job->lock);
    return code;
}

void ebmd_job_complete(ebmd_job *job)
{
    if (job->on_done)
        job->on_done(job->on_done_arg);
}
