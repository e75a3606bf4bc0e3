/* IDX files of a directory as a source: plain ones are read record by record, gzipped ones are
 * inflated into memory. Has never heard of batches or networks. */
#include <stdio.h>
#include <string.h>

#include "data/gunzip.h"
#include "data/idx.h"
#include "data/records.h"
#include "ebm/memory.h"

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
    return ebmt__name_file(st, &inner, dir, name, err);
}

/* Reads DIR/STEM, or DIR/STEM.gz if there is no such file. */
static ebm_status read_idx(const char *dir, const char *stem, const idx_kind *kind, bytes *out,
                           ebm_error *err)
{
    ebm_error inner = {0};
    ebm_status st = ebm_file_read(dir, stem, EBMT_IDX_MAX_BYTES, &out->data, &out->size, &inner);
    if (st == EBM_ERR_NOT_FOUND)
        return read_packed(dir, stem, kind, out, err);
    return ebmt__name_file(st, &inner, dir, stem, err);
}

/* Fills in count and shape from a header that has been found to be right. */
static void take_header(const unsigned char *head, ebmt__records *r)
{
    ebmt__records_part *part = &r->part[0];
    ebmt__idx_shape(head, &part->count, &r->height, &r->width);
    part->header = EBMT_IDX_IMAGE_HEADER;
    r->channels = 1;
}

static ebm_status open_plain(const char *dir, const char *name, ebmt__records *r, ebm_error *err)
{
    unsigned char head[EBMT_IDX_IMAGE_HEADER];
    size_t total = 0;
    ebm_error inner = {0};
    ebm_status st = ebmt__records_add(r, dir, name, err);
    if (st != EBM_OK)
        return st;
    const ebmt__input *in = &r->part[0].in;
    if (in->size < sizeof head)
        st = ebm_error_set(&inner, EBM_ERR_FORMAT, NULL, "IDX file ends inside its header");
    if (st == EBM_OK)
        st = ebmt__input_read(in, r->part[0].name, 0, head, sizeof head, &inner);
    if (st == EBM_OK)
        st = ebmt__idx_images_size(head, &total, &inner);
    if (st == EBM_OK && in->size != total)
        st = ebm_error_set(&inner, EBM_ERR_FORMAT, NULL,
                           "IDX file has %zu bytes, its header promises %zu", in->size, total);
    if (st == EBM_OK)
        take_header(head, r);
    return ebmt__name_file(st, &inner, dir, name, err);
}

static ebm_status open_packed(const char *dir, const char *stem, ebmt__records *r, ebm_error *err)
{
    const idx_kind kind = {EBMT_IDX_IMAGE_HEADER, 0};
    bytes file = {NULL, 0};
    ebm_status st = read_packed(dir, stem, &kind, &file, err);
    if (st != EBM_OK) {
        ebm_free(file.data);
        return st;
    }
    r->bytes = file.data;
    r->n_parts = 1;
    take_header(file.data, r);
    return EBM_OK;
}

/* Labels are welcome but not needed: only their absence is forgiven. */
static ebm_status read_labels(const char *dir, const char *stem, ebmt__source *out, ebm_error *err)
{
    const idx_kind kind = {EBMT_IDX_LABEL_HEADER, out->count};
    bytes file = {NULL, 0};
    ebm_error inner = {0};
    ebm_status st = read_idx(dir, stem, &kind, &file, &inner);
    if (st == EBM_OK) {
        ebm_error parse = {0};
        st = ebmt__idx_labels(file.data, file.size, out->count, &out->labels, &parse);
        st = ebmt__name_file(st, &parse, dir, stem, err);
    } else if (st == EBM_ERR_NOT_FOUND) {
        st = EBM_OK;
    } else if (err && err->status == EBM_OK) {
        *err = inner;
    }
    ebm_free(file.data);
    return st;
}

ebm_status ebmt__idx_open(const char *path, ebmt_split split, ebmt__source *out, ebm_error *err)
{
    const char *part = split == EBMT_TRAIN ? "train" : "t10k";
    char images[64], labels[64];
    (void)snprintf(images, sizeof images, "%s-images-idx3-ubyte", part);
    (void)snprintf(labels, sizeof labels, "%s-labels-idx1-ubyte", part);
    ebmt__records *r = ebmt__records_create();
    if (!r)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a data set");
    const bool packed = !ebmt__input_exists(path, images);
    ebm_status st = packed ? open_packed(path, images, r, err) : open_plain(path, images, r, err);
    if (st != EBM_OK) {
        ebmt__records_free(r);
        return st;
    }
    ebmt__records_source(r, out);
    return read_labels(path, labels, out, err);
}
