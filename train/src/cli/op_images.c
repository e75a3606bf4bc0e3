/* One picture or many. See op_images.h. */
#include "cli/op_images.h"

#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"

#define MAX_IMAGES 1000000

static bool is_png(const char *path)
{
    const size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".png") == 0;
}

static ebm_status no_parts(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_ARG, "--part", "these images have no parts");
}

static ebm_status open_one(const ebmt__op_run *run, const char *flag, const char *path,
                           ebmt__op_images *out, ebm_error *err)
{
    if (run->args->part_given)
        return no_parts(err);
    out->count = 1;
    out->one = ebm_alloc(run->dim, sizeof *out->one);
    if (!out->one)
        return ebm_error_set(err, EBM_ERR_NOMEM, flag, "no memory for a picture");
    return ebmt__op_picture(run, flag, path, out->one, err);
}

/* A number of images that the model was trained on is another one than that of new images: what is
 * printed says which part they are from. */
static ebm_status find_part(const ebmt__op_args *args, const ebmt_data_options *opt,
                            const char **part, ebm_error *err)
{
    bool has = false;
    ebm_status st = ebmt_data_has_parts(opt, &has, err);
    if (st == EBM_OK && has)
        *part = args->part == EBMT_TEST ? "test" : "train";
    return st;
}

static ebm_status open_data(const ebmt__op_run *run, const char *flag, const char *path,
                            ebmt__op_images *out, ebm_error *err)
{
    const ebm_shape *s = &run->shape;
    const ebm_fit rule = (ebm_fit)run->args->params.fit;
    ebmt_data_options opt = {.path = path,
                             .split = (ebmt_split)run->args->part,
                             .crop = rule == EBM_FIT_CROP ? EBMT_CROP_CENTER : EBMT_CROP_NONE,
                             .single = true,
                             .cache_bytes = EBMT_DATA_CACHE_DEFAULT};
    if (rule != EBM_FIT_EXACT && s->width == s->height) {
        opt.image_size = s->width;
        opt.channels = s->channels;
    }
    if (s->channels % 2 == 0) /* coordinates of points, not transparency */
        opt.channels = s->channels;
    ebm_error inner = {0};
    ebm_status st = find_part(run->args, &opt, &out->part, &inner);
    if (st == EBM_OK && run->args->part_given && !out->part)
        return no_parts(err);
    if (st == EBM_OK)
        st = ebmt_dataset_open(&opt, &out->data, &inner);
    if (st == EBM_ERR_ARG)
        return ebm_error_set(err, st, flag,
                             "pictures in a folder have no common size: give --fit resize or crop");
    if (st != EBM_OK)
        return ebm_error_set(err, st, flag, "%s: %.200s", inner.where, inner.text);
    const ebmt_dataset *d = &out->data;
    out->count = d->count;
    if (d->channels == s->channels && d->height == s->height && d->width == s->width)
        return EBM_OK;
    return ebm_error_set(err, EBM_ERR_SHAPE, flag,
                         "images are %dx%d with %d channels, the model's %dx%d with %d; see --fit",
                         d->width, d->height, d->channels, s->width, s->height, s->channels);
}

static void take(ebmt__op_images *images, ebmt__op_pick pick)
{
    const int64_t wanted = pick.first > 0 ? pick.first : pick.spread;
    if (wanted == 0 || wanted >= images->count)
        return;
    images->of = pick.first > 0 ? 0 : images->count;
    images->count = wanted;
}

ebm_status ebmt__op_images_open(const ebmt__op_run *run, const char *flag, const char *path,
                                ebmt__op_pick pick, ebmt__op_images *out, ebm_error *err)
{
    *out = (ebmt__op_images){.dim = run->dim};
    ebm_status st =
        is_png(path) ? open_one(run, flag, path, out, err) : open_data(run, flag, path, out, err);
    if (st == EBM_OK)
        take(out, pick);
    if (st == EBM_OK && out->count > MAX_IMAGES)
        st = ebm_error_set(err, EBM_ERR_LIMIT, flag, "over %d images: give --limit", MAX_IMAGES);
    return st;
}

void ebmt__op_images_clear(ebmt__op_images *images)
{
    ebmt_dataset_clear(&images->data);
    ebm_free(images->one);
}

ebm_status ebmt__op_images_get(const ebmt__op_images *images, int64_t index, float *x,
                               ebm_error *err)
{
    if (images->of > 0)
        index = index * images->of / images->count;
    if (!images->one)
        return ebmt_dataset_get(&images->data, index, 0, x, err);
    memcpy(x, images->one, images->dim * sizeof *x);
    return EBM_OK;
}

void ebmt__op_print_part(const ebmt__op_images *images)
{
    if (images->part)
        (void)printf(",\"part\":\"%s\"", images->part);
}
