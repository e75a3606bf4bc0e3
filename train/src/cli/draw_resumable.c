/* See draw_resumable.h. */
#include "cli/draw_resumable.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "ebm/io.h"
#include "ebm/memory.h"

/* Images between two lines of progress and two writes. */
#define PIECE 200

typedef struct resumable {
    ebm_model *model;
    const ebmt_draw *how;
    ebmt_pool *pool;
    const char *file; /* NULL: nothing is kept */
    ebmt_dataset *out;
    int64_t done;
} resumable;

static size_t image_bytes(const ebmt_dataset *d)
{
    return (size_t)d->channels * (size_t)d->height * (size_t)d->width;
}

/* All that decides an image but its index. @shape text [512] */
static ebm_status settings_text(const resumable *r, char *text, ebm_error *err)
{
    const ebm_model_info *info = ebm_model_describe(r->model);
    char levels[65];
    ebm_status st = ebm_levels_digest(info->levels, levels, err);
    if (st == EBM_OK)
        (void)snprintf(text, 512,
                       "{\"model_sha256\": \"%s\", \"levels_sha256\": \"%s\", "
                       "\"kernel_class\": \"%s\", \"seed\": %llu, \"first_index\": %d, "
                       "\"steps_per_level\": %d, \"noise_scale\": %.17g, \"begin\": %d}\n",
                       info->sha256, levels, info->kernels->kernel_class,
                       (unsigned long long)r->how->seed, r->how->first_index,
                       r->how->steps_per_level, r->how->noise_scale, (int)r->how->begin);
    return st;
}

/* @own ebm_free(); NULL without memory */
static char *settings_path(const char *file)
{
    size_t room = strlen(file) + sizeof ".json";
    char *path = ebm_alloc(room, 1);
    if (path)
        (void)snprintf(path, room, "%s.json", file);
    return path;
}

static ebm_status same_settings(const char *path, const char *text, bool *same, ebm_error *err)
{
    unsigned char *data = NULL;
    size_t size = 0;
    ebm_error inner = {0};
    ebm_status st = ebm_file_read(NULL, path, 4096, &data, &size, &inner);
    *same = st == EBM_OK && size == strlen(text) && memcmp(data, text, size) == 0;
    ebm_free(data);
    return st == EBM_OK || st == EBM_ERR_NOT_FOUND
               ? EBM_OK
               : ebm_error_set(err, st, inner.where, "%s", inner.text);
}

/* Takes over the images of an earlier call, as many as are wanted. */
static ebm_status take_over(resumable *r, const ebmt_dataset *old, ebm_error *err)
{
    if (image_bytes(old) != image_bytes(r->out))
        return ebm_error_set(err, EBM_ERR_SHAPE, r->file, "holds images of another size");
    r->done = old->count < r->how->n ? old->count : r->how->n;
    memcpy(r->out->pixels, old->pixels, (size_t)r->done * image_bytes(old));
    (void)fprintf(stderr, "%s: going on after %lld images\n", r->file, (long long)r->done);
    return EBM_OK;
}

static ebm_status resume(resumable *r, ebm_error *err)
{
    char text[512], *path = settings_path(r->file);
    ebmt_dataset old = {0};
    ebm_error inner = {0};
    bool same = false;
    if (!path)
        return ebm_error_set(err, EBM_ERR_NOMEM, r->file, "no memory for a path");
    ebm_status st = settings_text(r, text, err);
    if (st == EBM_OK)
        st = same_settings(path, text, &same, err);
    if (st == EBM_OK) {
        st = ebmt_images_read(r->file, &old, &inner);
        if (st == EBM_ERR_NOT_FOUND)
            st = ebm_file_write(path, text, strlen(text), err);
        else if (st != EBM_OK)
            st = ebm_error_set(err, st, inner.where, "%s", inner.text);
        else if (!same)
            st = ebm_error_set(err, EBM_ERR_ARG, r->file,
                               "holds images of another model or of other settings");
        else
            st = take_over(r, &old, err);
    }
    ebmt_dataset_clear(&old);
    ebm_free(path);
    return st;
}

static ebm_status draw_piece(resumable *r, ebm_error *err)
{
    ebmt_draw part = *r->how;
    ebmt_dataset piece = {0};
    part.first_index += (int32_t)r->done;
    part.n = r->how->n - r->done < PIECE ? r->how->n - r->done : PIECE;
    ebm_status st = ebmt_draw_images(r->model, &part, r->pool, &piece, err);
    if (st == EBM_OK) {
        size_t bytes = image_bytes(&piece);
        memcpy(r->out->pixels + (size_t)r->done * bytes, piece.pixels, (size_t)part.n * bytes);
        r->done += part.n;
    }
    ebmt_dataset_clear(&piece);
    return st;
}

static ebm_status keep(const resumable *r, ebm_error *err)
{
    ebmt_dataset so_far = *r->out;
    so_far.count = r->done;
    return r->file ? ebmt_images_write_npy(r->file, &so_far, err) : EBM_OK;
}

static ebm_status draw_all(resumable *r, ebm_error *err)
{
    const double start = ebmt__cli_now();
    const int64_t before = r->done;
    ebm_status st = EBM_OK;
    while (r->done < r->how->n && st == EBM_OK) {
        st = draw_piece(r, err);
        if (st == EBM_OK)
            st = keep(r, err);
        if (st == EBM_OK)
            (void)fprintf(stderr, "drawn %lld of %lld, %.2f images/s\n", (long long)r->done,
                          (long long)r->how->n,
                          (double)(r->done - before) / (ebmt__cli_now() - start));
    }
    return st;
}

ebm_status ebmt__draw_resumable(ebm_model *m, const ebmt_draw *how, ebmt_pool *pool,
                                const char *file, ebmt_dataset *out, ebm_error *err)
{
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    resumable r = {.model = m, .how = how, .pool = pool, .file = file, .out = out};
    *out = (ebmt_dataset){
        .count = how->n, .channels = g->channels, .height = g->height, .width = g->width};
    out->pixels = ebm_alloc((size_t)how->n, image_bytes(out));
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "draw", "no memory for %lld images",
                             (long long)how->n);
    ebm_status st = file ? resume(&r, err) : EBM_OK;
    if (st == EBM_OK)
        st = draw_all(&r, err);
    if (st != EBM_OK)
        ebmt_dataset_clear(out);
    return st;
}
