/* Parses IDX image and label files that are complete in memory; nothing in them is trusted.
 * Has never heard of files, compression or training. */
#include <string.h>

#include "data/idx.h"
#include "ebm/memory.h"

#define MAGIC_IMAGES 0x00000803u /* unsigned bytes, 3 dimensions */
#define MAGIC_LABELS 0x00000801u /* unsigned bytes, 1 dimension */

static uint32_t big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static ebm_status check_magic(const unsigned char *head, uint32_t magic, ebm_error *err)
{
    if (big_endian(head) != magic)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                             "IDX magic number is 0x%08x, expected 0x%08x",
                             (unsigned)big_endian(head), (unsigned)magic);
    return EBM_OK;
}

/* A set bit 31 is what writers with signed integers produce for a negative dimension. */
static ebm_status check_dim(const char *name, uint32_t value, uint32_t max, ebm_error *err)
{
    if (value == 0 || value > INT32_MAX)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "IDX header: %s is %ld", name,
                             (long)(int32_t)value);
    if (value > max)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "IDX header: %s is %lu, limit %lu", name,
                             (unsigned long)value, (unsigned long)max);
    return EBM_OK;
}

ebm_status ebmt__idx_images_size(const unsigned char *head, size_t *total, ebm_error *err)
{
    uint32_t count = big_endian(head + 4), rows = big_endian(head + 8),
             cols = big_endian(head + 12);
    size_t bytes;
    ebm_status st = check_magic(head, MAGIC_IMAGES, err);
    if (st == EBM_OK)
        st = check_dim("number of images", count, EBMT_IDX_MAX_COUNT, err);
    if (st == EBM_OK)
        st = check_dim("number of rows", rows, EBMT_IDX_MAX_SIDE, err);
    if (st == EBM_OK)
        st = check_dim("number of columns", cols, EBMT_IDX_MAX_SIDE, err);
    if (st != EBM_OK)
        return st;
    if (!ebm_size_mul(rows, cols, &bytes) || !ebm_size_mul(bytes, count, &bytes) ||
        !ebm_size_add(bytes, EBMT_IDX_IMAGE_HEADER, &bytes) || bytes > EBMT_IDX_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "IDX header promises more than %zu bytes",
                             EBMT_IDX_MAX_BYTES);
    *total = bytes;
    return EBM_OK;
}

void ebmt__idx_shape(const unsigned char *head, int64_t *count, int32_t *height, int32_t *width)
{
    *count = big_endian(head + 4);
    *height = (int32_t)big_endian(head + 8);
    *width = (int32_t)big_endian(head + 12);
}

ebm_status ebmt__idx_labels_size(const unsigned char *head, int64_t count, size_t *total,
                                 ebm_error *err)
{
    uint32_t labels = big_endian(head + 4);
    ebm_status st = check_magic(head, MAGIC_LABELS, err);
    if (st == EBM_OK)
        st = check_dim("number of labels", labels, EBMT_IDX_MAX_COUNT, err);
    if (st != EBM_OK)
        return st;
    if ((int64_t)labels != count)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "IDX header: %lu labels for %lld images",
                             (unsigned long)labels, (long long)count);
    *total = EBMT_IDX_LABEL_HEADER + (size_t)labels;
    return EBM_OK;
}

static ebm_status check_size(size_t size, size_t total, ebm_error *err)
{
    if (size != total)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                             "IDX file has %zu bytes, its header promises %zu", size, total);
    return EBM_OK;
}

static ebm_status check_header(size_t size, size_t header, ebm_error *err)
{
    if (size < header)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "IDX file ends inside its header");
    return EBM_OK;
}

ebm_status ebmt_idx_images(const unsigned char *bytes, size_t size, ebmt_dataset *out,
                           ebm_error *err)
{
    size_t total = 0;
    memset(out, 0, sizeof *out);
    ebm_status st = check_header(size, EBMT_IDX_IMAGE_HEADER, err);
    if (st == EBM_OK)
        st = ebmt__idx_images_size(bytes, &total, err);
    if (st == EBM_OK)
        st = check_size(size, total, err);
    if (st != EBM_OK)
        return st;
    out->pixels = ebm_alloc(total - EBMT_IDX_IMAGE_HEADER, 1);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %zu bytes of images", total);
    memcpy(out->pixels, bytes + EBMT_IDX_IMAGE_HEADER, total - EBMT_IDX_IMAGE_HEADER);
    out->channels = 1;
    ebmt__idx_shape(bytes, &out->count, &out->height, &out->width);
    return EBM_OK;
}

static ebm_status check_labels(const unsigned char *label, size_t n, ebm_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (label[i] > EBMT_IDX_LABEL_MAX) {
            if (err && err->status == EBM_OK)
                err->index = (int64_t)i;
            return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "label %zu is %d, limit %d", i,
                                 label[i], EBMT_IDX_LABEL_MAX);
        }
    }
    return EBM_OK;
}

ebm_status ebmt__idx_labels(const unsigned char *bytes, size_t size, int64_t count,
                            uint8_t **labels, ebm_error *err)
{
    size_t total = 0, n = 0;
    *labels = NULL;
    ebm_status st = check_header(size, EBMT_IDX_LABEL_HEADER, err);
    if (st == EBM_OK)
        st = ebmt__idx_labels_size(bytes, count, &total, err);
    if (st == EBM_OK)
        st = check_size(size, total, err);
    if (st == EBM_OK) {
        n = total - EBMT_IDX_LABEL_HEADER;
        st = check_labels(bytes + EBMT_IDX_LABEL_HEADER, n, err);
    }
    if (st != EBM_OK)
        return st;
    *labels = ebm_alloc(n, 1);
    if (!*labels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for %zu labels", n);
    memcpy(*labels, bytes + EBMT_IDX_LABEL_HEADER, n);
    return EBM_OK;
}
