/* A data set from a directory: finds the files, plain or gzipped, and hands them to the parser;
 * gives out samples as tensors. Has never heard of batches or networks. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "data/gunzip.h"
#include "data/idx.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/data.h"

/* Says how long a file must be, from its first bytes. */
typedef struct idx_kind {
    size_t header;
    int64_t count; /* labels: how many images there are */
} idx_kind;

typedef struct bytes {
    unsigned char *data;
    size_t size;
} bytes;

static ebm_status promised_size(const idx_kind *kind, const unsigned char *head, size_t *total,
                                ebm_error *err)
{
    if (kind->header == EBMT_IDX_IMAGE_HEADER)
        return ebmt__idx_images_size(head, total, err);
    return ebmt__idx_labels_size(head, kind->count, total, err);
}

/* Inflates in two passes, header first: the header says how much memory the rest may take, so a
 * gzip bomb is noticed one byte after that. */
static ebm_status inflate_idx(const idx_kind *kind, const bytes *packed, bytes *out, ebm_error *err)
{
    unsigned char head[EBMT_IDX_IMAGE_HEADER];
    size_t total = 0;
    ebm_status st = ebmt__gunzip(packed->data, packed->size, head, kind->header, false, err);
    if (st == EBM_OK)
        st = promised_size(kind, head, &total, err);
    if (st != EBM_OK)
        return st;
    out->data = ebm_alloc(total, 1);
    if (!out->data)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %zu bytes", total);
    out->size = total;
    return ebmt__gunzip(packed->data, packed->size, out->data, total, true, err);
}

/* Names the file in an error that the parsers left without a place. */
static ebm_status name_file(ebm_status st, ebm_error *inner, const char *dir, const char *name,
                            ebm_error *err)
{
    char where[sizeof inner->where];
    if (st == EBM_OK)
        return st;
    (void)snprintf(where, sizeof where, "%s/%s", dir, name);
    if (err && err->status == EBM_OK)
        err->index = inner->index;
    return ebm_error_set(err, st, where, "%s", inner->text);
}

static ebm_status read_packed(const char *dir, const char *stem, const idx_kind *kind, bytes *out,
                              ebm_error *err)
{
    char name[64];
    bytes packed = {NULL, 0};
    ebm_error inner = {0};
    (void)snprintf(name, sizeof name, "%s.gz", stem);
    ebm_status st =
        ebm_file_read(dir, name, EBMT_IDX_MAX_BYTES, &packed.data, &packed.size, &inner);
    if (st == EBM_OK && !ebmt__is_gzip(packed.data, packed.size))
        st = ebm_error_set(&inner, EBM_ERR_FORMAT, NULL, "not a gzip file");
    if (st == EBM_OK)
        st = inflate_idx(kind, &packed, out, &inner);
    ebm_free(packed.data);
    return name_file(st, &inner, dir, name, err);
}

/* Reads DIR/STEM, or DIR/STEM.gz if there is no such file. */
static ebm_status read_idx(const char *dir, const char *stem, const idx_kind *kind, bytes *out,
                           ebm_error *err)
{
    ebm_error inner = {0};
    ebm_status st = ebm_file_read(dir, stem, EBMT_IDX_MAX_BYTES, &out->data, &out->size, &inner);
    if (st == EBM_ERR_NOT_FOUND)
        return read_packed(dir, stem, kind, out, err);
    return name_file(st, &inner, dir, stem, err);
}

static ebm_status read_images(const char *dir, const char *stem, ebmt_dataset *out, ebm_error *err)
{
    const idx_kind kind = {EBMT_IDX_IMAGE_HEADER, 0};
    bytes file = {NULL, 0};
    ebm_error inner = {0};
    ebm_status st = read_idx(dir, stem, &kind, &file, err);
    if (st == EBM_OK)
        st = name_file(ebmt_idx_images(file.data, file.size, out, &inner), &inner, dir, stem, err);
    ebm_free(file.data);
    return st;
}

/* Labels are welcome but not needed: only their absence is forgiven. */
static ebm_status read_labels(const char *dir, const char *stem, ebmt_dataset *out, ebm_error *err)
{
    const idx_kind kind = {EBMT_IDX_LABEL_HEADER, out->count};
    bytes file = {NULL, 0};
    ebm_error inner = {0};
    ebm_status st = read_idx(dir, stem, &kind, &file, &inner);
    if (st == EBM_OK) {
        ebm_error parse = {0};
        st = ebmt__idx_labels(file.data, file.size, out, &parse);
        st = name_file(st, &parse, dir, stem, err);
    } else if (st == EBM_ERR_NOT_FOUND) {
        st = EBM_OK;
    } else if (err && err->status == EBM_OK) {
        *err = inner;
    }
    ebm_free(file.data);
    return st;
}

ebm_status ebmt_dataset_read(const char *dir, ebmt_split split, ebmt_dataset *out, ebm_error *err)
{
    const char *part = split == EBMT_TRAIN ? "train" : "t10k";
    char images[64], labels[64];
    memset(out, 0, sizeof *out);
    (void)snprintf(images, sizeof images, "%s-images-idx3-ubyte", part);
    (void)snprintf(labels, sizeof labels, "%s-labels-idx1-ubyte", part);

    ebm_status st = read_images(dir, images, out, err);
    if (st == EBM_OK && out->count < 2)
        st = ebm_error_set(err, EBM_ERR_FORMAT, images, "a data set of one sample");
    if (st == EBM_OK)
        st = read_labels(dir, labels, out, err);
    if (st != EBM_OK)
        ebmt_dataset_clear(out);
    return st;
}

void ebmt_dataset_clear(ebmt_dataset *data)
{
    ebm_free(data->pixels);
    ebm_free(data->labels);
    memset(data, 0, sizeof *data);
}

void ebmt_dataset_get(const ebmt_dataset *data, int64_t index, int flip, float *x)
{
    const size_t w = (size_t)data->width;
    const size_t rows = (size_t)data->channels * (size_t)data->height;
    assert(index >= 0 && index < data->count);
    const uint8_t *pixel = data->pixels + (size_t)index * rows * w;
    for (size_t row = 0; row < rows; row++, pixel += w, x += w) {
        for (size_t j = 0; j < w; j++)
            x[j] = (float)pixel[flip ? w - 1 - j : j] / 127.5f - 1.0f;
    }
}
