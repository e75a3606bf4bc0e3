/* A classifier as an object, and applying it to sets of images. Knows pixels; has never heard of
 * files or of how it was trained. */
#include "ebmt/classifier.h"

#include <cblas.h>
#include <string.h>

#include "ebm/memory.h"
#include "eval/classifier_internal.h"
#include "eval/embedding.h"

void ebmt__blas_single_thread(void)
{
    openblas_set_num_threads(1);
}

static ebm_status check_size(const char *name, int64_t value, int64_t min, int64_t max,
                             ebm_error *err)
{
    if (value < min || value > max)
        return ebm_error_set(err, EBM_ERR_RANGE, name, "%lld, allowed %lld..%lld", (long long)value,
                             (long long)min, (long long)max);
    return EBM_OK;
}

ebm_status ebmt__classifier_create(const ebmt_classifier_info *info, ebmt_classifier **out,
                                   ebm_error *err)
{
    *out = NULL;
    ebm_status st = check_size("channels", info->channels, 1, 4, err);
    if (st == EBM_OK)
        st = check_size("height", info->height, 1, EBMT_CLASSIFIER_MAX_SIDE, err);
    if (st == EBM_OK)
        st = check_size("width", info->width, 1, EBMT_CLASSIFIER_MAX_SIDE, err);
    if (st == EBM_OK)
        st = check_size("classes", info->classes, 2, EBMT_CLASSIFIER_MAX_CLASSES, err);
    if (st != EBM_OK)
        return st;
    ebmt_classifier *c = ebm_alloc(1, sizeof *c);
    if (!c)
        return ebm_error_set(err, EBM_ERR_NOMEM, "classifier", "no memory");
    c->info = *info;
    c->info.features = EBMT_CLASSIFIER_FEATURES;
    ebmt__net_plan(info->channels, info->height, info->width, info->classes, &c->net);
    c->params = ebm_alloc(c->net.n_params, sizeof *c->params);
    if (!c->params) {
        st = ebm_error_set(err, EBM_ERR_NOMEM, "classifier", "no memory for %zu parameters",
                           c->net.n_params);
        ebmt_classifier_free(c);
        return st;
    }
    *out = c;
    return EBM_OK;
}

const ebmt_classifier_info *ebmt_classifier_describe(const ebmt_classifier *c)
{
    return &c->info;
}

void ebmt_classifier_free(ebmt_classifier *c)
{
    if (!c)
        return;
    ebm_free(c->params);
    ebm_free(c);
}

static int32_t clamp(int32_t at, int32_t size)
{
    return at < 0 ? 0 : at >= size ? size - 1 : at;
}

void ebmt__classifier_input(const ebmt_classifier *c, const ebmt_dataset *images, int64_t index,
                            ebmt__shift shift, float *x)
{
    const int32_t channels = images->channels, h = images->height, w = images->width;
    const uint8_t *map = images->pixels + index * channels * h * w;
    for (int32_t k = 0; k < channels; k++, map += h * w) {
        const float mean = c->info.mean[k], scale = 1.0f / c->info.std[k];
        for (int32_t i = 0; i < h; i++) {
            const uint8_t *row = map + clamp(i - shift.down, h) * w;
            for (int32_t j = 0; j < w; j++)
                x[(i * w + j) * channels + k] =
                    ((float)row[clamp(j - shift.right, w)] / 255.0f - mean) * scale;
        }
    }
}

/* --- embedding ----------------------------------------------------------------------------- */

typedef struct embedding_job {
    const ebmt_classifier *c;
    const ebmt_dataset *images;
    ebmt__net_scratch *scratch; /* [workers] */
    double *probs;              /* [workers, 16, classes] */
    ebmt_embedding *out;
} embedding_job;

static void embed_sixteen(void *user, int32_t i, int32_t worker)
{
    embedding_job *job = user;
    ebmt__net_scratch *s = &job->scratch[worker];
    const size_t dim = (size_t)job->out->dim, k = (size_t)job->out->classes;
    const size_t floats =
        (size_t)job->images->channels * (size_t)job->images->height * (size_t)job->images->width;
    double *probs = job->probs + (size_t)worker * EBMT_NET_IMAGES * k;
    int64_t first = (int64_t)i * EBMT_NET_IMAGES, left = job->images->count - first;
    size_t n = left < EBMT_NET_IMAGES ? (size_t)left : EBMT_NET_IMAGES;
    for (size_t j = 0; j < n; j++)
        ebmt__classifier_input(job->c, job->images, first + (int64_t)j, (ebmt__shift){0, 0},
                               s->x + j * floats);
    ebmt__net_forward(&job->c->net, job->c->params, s);
    ebmt__net_softmax(&job->c->net, s, probs);
    memcpy(job->out->probs + (size_t)first * k, probs, n * k * sizeof *probs);
    for (size_t j = 0; j < n * dim; j++)
        job->out->features[(size_t)first * dim + j] = (double)s->hidden[j];
}

ebm_status ebmt_classifier_fits(const ebmt_classifier *c, const ebmt_dataset *images,
                                ebm_error *err)
{
    if (images->channels != c->info.channels || images->height != c->info.height ||
        images->width != c->info.width)
        return ebm_error_set(err, EBM_ERR_SHAPE, "classifier",
                             "was made for %dx%dx%d, the images are %dx%dx%d", c->info.width,
                             c->info.height, c->info.channels, images->width, images->height,
                             images->channels);
    return EBM_OK;
}

static ebm_status init_job(embedding_job *job, int32_t workers, ebm_error *err)
{
    size_t per_worker = EBMT_NET_IMAGES * (size_t)job->c->info.classes;
    ebm_status st = EBM_OK;
    job->scratch = ebm_alloc((size_t)workers, sizeof *job->scratch);
    job->probs = ebm_alloc((size_t)workers, per_worker * sizeof(double));
    if (!job->scratch || !job->probs)
        return ebm_error_set(err, EBM_ERR_NOMEM, "classifier", "no memory for a pass");
    for (int32_t i = 0; i < workers && st == EBM_OK; i++)
        st = ebmt__net_scratch_init(&job->c->net, &job->scratch[i], err);
    return st;
}

ebm_status ebmt_classifier_embed(const ebmt_classifier *c, const ebmt_dataset *images,
                                 ebmt_pool *pool, ebmt_embedding *out, ebm_error *err)
{
    embedding_job job = {.c = c, .images = images, .out = out};
    int32_t workers = ebmt_pool_threads(pool);
    memset(out, 0, sizeof *out);
    ebm_status st = ebmt_classifier_fits(c, images, err);
    if (st == EBM_OK)
        st = ebmt__embedding_init(images->count, c->info.features, c->info.classes, out, err);
    if (st == EBM_OK)
        st = init_job(&job, workers, err);
    if (st == EBM_OK) {
        ebmt__blas_single_thread();
        ebmt_pool_run(pool, (int32_t)((images->count + EBMT_NET_IMAGES - 1) / EBMT_NET_IMAGES),
                      embed_sixteen, &job);
    } else {
        ebmt_embedding_clear(out);
    }
    for (int32_t i = 0; job.scratch && i < workers; i++)
        ebmt__net_scratch_clear(&job.scratch[i]);
    ebm_free(job.scratch);
    ebm_free(job.probs);
    return st;
}

static ebm_status embed(const void *self, const ebmt_dataset *images, ebmt_pool *pool,
                        ebmt_embedding *out, ebm_error *err)
{
    return ebmt_classifier_embed(self, images, pool, out, err);
}

ebmt_ruler ebmt_classifier_ruler(const ebmt_classifier *c)
{
    return (ebmt_ruler){.name = "classifier", .of_the_data = true, .self = c, .embed = embed};
}
