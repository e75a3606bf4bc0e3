/* See image_sets.h; and the two sets that are made of other sets: a choice and the Gaussian fit. */
#include "eval/image_sets.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmt/eval.h"
#include "eval/classifier_internal.h"

size_t ebmt__image_bytes(const ebmt_dataset *set)
{
    return (size_t)set->channels * (size_t)set->height * (size_t)set->width;
}

ebm_status ebmt__images_alike(const ebmt_dataset *set, const char *name, const ebmt_dataset *like,
                              const char *like_name, ebm_error *err)
{
    if (set->channels == like->channels && set->height == like->height && set->width == like->width)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_SHAPE, name, "%dx%dx%d, but %dx%dx%d %s", set->width,
                         set->height, set->channels, like->width, like->height, like->channels,
                         like_name);
}

ebm_status ebmt__images_init(const ebmt_dataset *like, int64_t n, ebmt_dataset *out, ebm_error *err)
{
    memset(out, 0, sizeof *out);
    if (n < 1 || n > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_RANGE, "images", "%lld of them", (long long)n);
    out->count = n;
    out->channels = like->channels;
    out->height = like->height;
    out->width = like->width;
    out->pixels = ebm_alloc((size_t)n, ebmt__image_bytes(like));
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "images", "no memory for %lld", (long long)n);
    return EBM_OK;
}

ebm_status ebmt__images_spread(const ebmt_dataset *images, int64_t n, ebmt_dataset *out,
                               ebm_error *err)
{
    const size_t bytes = ebmt__image_bytes(images);
    if (n > images->count)
        n = images->count;
    ebm_status st = ebmt__images_init(images, n, out, err);
    for (int64_t i = 0; i < n && st == EBM_OK; i++)
        memcpy(out->pixels + (size_t)i * bytes,
               images->pixels + (size_t)(i * images->count / n) * bytes, bytes);
    return st;
}

ebm_status ebmt__images_turned(const ebmt_dataset *images, ebmt__turn turn, ebmt_dataset *out,
                               ebm_error *err)
{
    const size_t w = (size_t)images->width, h = (size_t)images->height, map = w * h;
    const size_t maps = (size_t)images->count * (size_t)images->channels;
    ebm_status st = ebmt__images_init(images, images->count, out, err);
    for (size_t k = 0; k < maps && st == EBM_OK; k++)
        for (size_t i = 0; i < h; i++)
            for (size_t j = 0; j < w; j++) {
                const size_t from =
                    turn == EBMT__UPSIDE_DOWN ? (h - 1 - i) * w + j : i * w + w - 1 - j;
                out->pixels[k * map + i * w + j] = images->pixels[k * map + from];
            }
    return st;
}

void ebmt__image_from_hwc(const uint8_t *hwc, ebmt_dataset *set, int64_t index)
{
    const size_t c = (size_t)set->channels, pixels = ebmt__image_bytes(set) / c;
    uint8_t *to = set->pixels + (size_t)index * pixels * c;
    for (size_t k = 0; k < c; k++)
        for (size_t p = 0; p < pixels; p++)
            to[k * pixels + p] = hwc[p * c + k];
}

void ebmt__image_to_hwc(const ebmt_dataset *set, int64_t index, uint8_t *hwc)
{
    const size_t c = (size_t)set->channels, pixels = ebmt__image_bytes(set) / c;
    const uint8_t *from = set->pixels + (size_t)index * pixels * c;
    for (size_t k = 0; k < c; k++)
        for (size_t p = 0; p < pixels; p++)
            hwc[p * c + k] = from[k * pixels + p];
}

ebm_status ebmt_choose_images(const ebmt_dataset *images, int64_t n, uint64_t seed,
                              ebmt_dataset *out, ebm_error *err)
{
    const size_t bytes = ebmt__image_bytes(images);
    ebmt_order *order = NULL;
    memset(out, 0, sizeof *out);
    if (n < 1 || n > images->count)
        return ebm_error_set(err, EBM_ERR_RANGE, "images", "%lld of %lld", (long long)n,
                             (long long)images->count);
    ebm_status st = ebmt_order_create(images->count, seed, &order, err);
    if (st == EBM_OK)
        st = ebmt__images_init(images, n, out, err);
    for (int64_t i = 0; i < n && st == EBM_OK; i++) {
        int64_t index;
        ebmt_order_batch(order, i, 1, &index);
        memcpy(out->pixels + (size_t)i * bytes, images->pixels + (size_t)index * bytes, bytes);
    }
    ebmt_order_free(order);
    return st;
}

/* --- the Gaussian fit ---------------------------------------------------------------------- */

#define DRAWS   64  /* of one task */
#define SOURCES 512 /* images combined at a time; a multiple of 4, as the noise needs */

/* @shape noise [DRAWS,SOURCES]; centred [SOURCES,dim]; sum [DRAWS,dim] */
typedef struct fit_scratch {
    float *noise, *centred, *sum;
} fit_scratch;

typedef struct gaussian_fit {
    const ebmt_dataset *images;
    float *mean; /* [dim] */
    size_t dim;
    uint64_t seed;
    fit_scratch *scratch; /* [workers] */
    ebmt_dataset *out;
} gaussian_fit;

static void mean_image(const ebmt_dataset *images, size_t dim, float *mean)
{
    for (size_t j = 0; j < dim; j++) {
        uint64_t sum = 0;
        for (int64_t i = 0; i < images->count; i++)
            sum += images->pixels[(size_t)i * dim + j];
        mean[j] = (float)((double)sum / (double)images->count);
    }
}

/* Centred images first .. first+n-1; rows beyond n are zero, so that every product has one shape.
 */
static void centre(const gaussian_fit *f, int64_t first, int64_t n, float *out)
{
    memset(out, 0, SOURCES * f->dim * sizeof *out);
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *from = f->images->pixels + (size_t)(first + i) * f->dim;
        for (size_t j = 0; j < f->dim; j++)
            out[(size_t)i * f->dim + j] = (float)from[j] - f->mean[j];
    }
}

static void combine(const gaussian_fit *f, int64_t first_draw, fit_scratch *s)
{
    const int dim = (int)f->dim;
    memset(s->sum, 0, DRAWS * f->dim * sizeof *s->sum);
    for (int64_t at = 0; at < f->images->count; at += SOURCES) {
        int64_t left = f->images->count - at;
        centre(f, at, left < SOURCES ? left : SOURCES, s->centred);
        for (int64_t k = 0; k < DRAWS; k++) {
            const ebm_stream stream = {
                .seed = f->seed, .purpose = EBM_PURPOSE_DATA, .chain = (uint32_t)(first_draw + k)};
            ebm_rng_normal(&stream, (uint32_t)at, SOURCES, s->noise + k * SOURCES);
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, DRAWS, dim, SOURCES, 1.0f, s->noise,
                    SOURCES, s->centred, dim, 1.0f, s->sum, dim);
    }
}

static uint8_t to_pixel(float value)
{
    if (!(value > 0.0f))
        return 0;
    return value >= 255.0f ? 255 : (uint8_t)(value + 0.5f);
}

static void fit_task(void *user, int32_t i, int32_t worker)
{
    gaussian_fit *f = user;
    fit_scratch *s = &f->scratch[worker];
    const int64_t first = (int64_t)i * DRAWS;
    const float scale = (float)(1.0 / sqrt((double)f->images->count - 1.0));
    combine(f, first, s);
    for (int64_t k = 0; k < DRAWS && first + k < f->out->count; k++) {
        uint8_t *to = f->out->pixels + (size_t)(first + k) * f->dim;
        for (size_t j = 0; j < f->dim; j++)
            to[j] = to_pixel(f->mean[j] + scale * s->sum[(size_t)k * f->dim + j]);
    }
}

static ebm_status fit_init(gaussian_fit *f, int32_t workers, ebm_error *err)
{
    f->mean = ebm_alloc(f->dim, sizeof *f->mean);
    f->scratch = ebm_alloc((size_t)workers, sizeof *f->scratch);
    bool ok = f->mean && f->scratch;
    for (int32_t i = 0; i < workers && ok; i++) {
        fit_scratch *s = &f->scratch[i];
        s->noise = ebm_alloc(DRAWS, SOURCES * sizeof(float));
        s->centred = ebm_alloc(SOURCES, f->dim * sizeof(float));
        s->sum = ebm_alloc(DRAWS, f->dim * sizeof(float));
        ok = s->noise && s->centred && s->sum;
    }
    return ok ? EBM_OK : ebm_error_set(err, EBM_ERR_NOMEM, "gaussian", "no memory");
}

static void fit_clear(gaussian_fit *f, int32_t workers)
{
    for (int32_t i = 0; f->scratch && i < workers; i++) {
        ebm_free(f->scratch[i].noise);
        ebm_free(f->scratch[i].centred);
        ebm_free(f->scratch[i].sum);
    }
    ebm_free(f->scratch);
    ebm_free(f->mean);
}

ebm_status ebmt_gaussian_images(const ebmt_dataset *images, int64_t n, uint64_t seed,
                                ebmt_pool *pool, ebmt_dataset *out, ebm_error *err)
{
    const int32_t workers = ebmt_pool_threads(pool);
    gaussian_fit f = {.images = images, .dim = ebmt__image_bytes(images), .seed = seed, .out = out};
    memset(out, 0, sizeof *out);
    if (images->count < 2)
        return ebm_error_set(err, EBM_ERR_RANGE, "gaussian", "needs at least two images");
    ebm_status st = fit_init(&f, workers, err);
    if (st == EBM_OK)
        st = ebmt__images_init(images, n, out, err);
    if (st == EBM_OK) {
        ebmt__blas_single_thread();
        mean_image(images, f.dim, f.mean);
        ebmt_pool_run(pool, (int32_t)((n + DRAWS - 1) / DRAWS), fit_task, &f);
    }
    fit_clear(&f, workers);
    return st;
}
