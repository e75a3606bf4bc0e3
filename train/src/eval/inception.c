/* The Inception network as a ruler: sets of images through it, one image a task. Has never heard of
 * files. */
#include "ebmt/inception.h"

#include <cblas.h>
#include <string.h>

#include "ebm/memory.h"
#include "eval/classifier_internal.h"
#include "eval/embedding.h"
#include "eval/inception_internal.h"
#include "eval/inception_pass.h"

const char *ebmt_inception_graph_name(ebmt_inception_graph graph)
{
    return graph == EBMT_INCEPTION_FID ? "fid" : "torchvision";
}

const ebmt_inception_info *ebmt_inception_describe(const ebmt_inception *net)
{
    return &net->info;
}

void ebmt__inception_logits(const ebmt_inception *net, const float *features, float *logits)
{
    const int classes = net->info.classes, dim = net->info.features;
    memcpy(logits, net->fc_bias, (size_t)classes * sizeof *logits);
    cblas_sgemv(CblasRowMajor, CblasNoTrans, classes, dim, 1.0f, net->fc_weight, dim, features, 1,
                net->info.graph == EBMT_INCEPTION_FID ? 0.0f : 1.0f, logits, 1);
}

/* --- sets ---------------------------------------------------------------------------------- */

typedef struct embed_worker {
    ebmt__inception_scratch scratch;
    float *features, *logits;
    ebm_error error; /* the first one it met */
} embed_worker;

typedef struct embedding_job {
    const ebmt_inception *net;
    const ebmt_dataset *images;
    embed_worker *workers;
    ebmt_embedding *out;
} embedding_job;

static void embed_one(void *user, int32_t i, int32_t worker)
{
    embedding_job *job = user;
    embed_worker *w = &job->workers[worker];
    const ebmt_inception *net = job->net;
    double *features = job->out->features + (ptrdiff_t)i * net->info.features;
    if (w->error.status != EBM_OK ||
        ebmt__inception_image(net->info.input, job->images, i, w->scratch.maps[EBMT_MAP_IN],
                              &w->error) != EBM_OK)
        return;
    ebmt__inception_pass(&net->plan, net->params, &w->scratch, NULL, NULL, w->features);
    for (int32_t k = 0; k < net->info.features; k++)
        features[k] = (double)w->features[k];
    ebmt__inception_logits(net, w->features, w->logits);
    ebmt__softmax(w->logits, net->info.classes, job->out->probs + (ptrdiff_t)i * net->info.classes);
}

static ebm_status init_workers(embedding_job *job, int32_t n, ebm_error *err)
{
    const ebmt_inception_info *info = &job->net->info;
    ebm_status st = EBM_OK;
    job->workers = ebm_alloc((size_t)n, sizeof *job->workers);
    if (!job->workers)
        return ebm_error_set(err, EBM_ERR_NOMEM, "inception", "no memory for %d threads", n);
    for (int32_t i = 0; i < n && st == EBM_OK; i++) {
        embed_worker *w = &job->workers[i];
        w->features = ebm_alloc((size_t)info->features, sizeof(float));
        w->logits = ebm_alloc((size_t)info->classes, sizeof(float));
        st = w->features && w->logits
                 ? ebmt__inception_scratch_init(&job->net->plan, &w->scratch, err)
                 : ebm_error_set(err, EBM_ERR_NOMEM, "inception", "no memory for features");
    }
    return st;
}

static ebm_status finish_workers(embedding_job *job, int32_t n, ebm_status st, ebm_error *err)
{
    for (int32_t i = 0; job->workers && i < n; i++) {
        embed_worker *w = &job->workers[i];
        if (st == EBM_OK && w->error.status != EBM_OK)
            st = ebm_error_set(err, w->error.status, w->error.where, "%s", w->error.text);
        ebmt__inception_scratch_clear(&w->scratch);
        ebm_free(w->features);
        ebm_free(w->logits);
    }
    ebm_free(job->workers);
    return st;
}

static ebm_status embed(const void *self, const ebmt_dataset *images, ebmt_pool *pool,
                        ebmt_embedding *out, ebm_error *err)
{
    const ebmt_inception *net = self;
    const int32_t threads = ebmt_pool_threads(pool);
    embedding_job job = {.net = net, .images = images, .out = out};
    memset(out, 0, sizeof *out);
    if (images->count < 1 || images->count > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_SHAPE, "inception", "%lld images",
                             (long long)images->count);
    ebm_status st =
        ebmt__embedding_init(images->count, net->info.features, net->info.classes, out, err);
    if (st == EBM_OK)
        st = init_workers(&job, threads, err);
    if (st == EBM_OK) {
        ebmt__blas_single_thread();
        ebmt_pool_run(pool, (int32_t)images->count, embed_one, &job);
    }
    st = finish_workers(&job, threads, st, err);
    if (st != EBM_OK)
        ebmt_embedding_clear(out);
    return st;
}

ebmt_ruler ebmt_inception_ruler(const ebmt_inception *net)
{
    return (ebmt_ruler){.name = "inception", .self = net, .embed = embed};
}
