/* Writes a safetensors image that our own reader accepts; the same input gives the same bytes.
 * Knows names, shapes and floats; never what a tensor is for. */
#include "ebm/io.h"

#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "ebm/memory.h"
#include "io/bytes.h"

#define PREFIX_BYTES 8
#define DATA_ALIGN   8
#define METADATA     "__metadata__"

static ebm_status no_memory(ebm_error *err)
{
    return ebm_error_set(err, EBM_ERR_NOMEM, "safetensors", "no memory for the image");
}

static ebm_status check_item(const ebm_st_item *item, size_t *bytes, ebm_error *err)
{
    const char *name = item->name;
    if (name == NULL || name[0] == '\0' || strlen(name) > EBM_SAFETENSORS_MAX_NAME ||
        !ebm__utf8_valid(name) || strcmp(name, METADATA) == 0) {
        return ebm_error_set(err, EBM_ERR_ARG, name, "not a tensor name");
    }
    if (item->values == NULL || item->rank < 0 || item->rank > EBM_SAFETENSORS_MAX_RANK) {
        return ebm_error_set(err, EBM_ERR_ARG, name, "no values or bad rank");
    }
    *bytes = sizeof(float);
    for (int32_t i = 0; i < item->rank; i++) {
        if (item->dim[i] < 1 || !ebm_size_mul(*bytes, (size_t)item->dim[i], bytes)) {
            return ebm_error_set(err, EBM_ERR_ARG, name, "bad dimension %d", (int)i);
        }
    }
    return EBM_OK;
}

/* {"dtype":"F32","shape":[..],"data_offsets":[begin,end]}; NULL: no memory. */
static json_t *entry_of(const ebm_st_item *item, size_t begin, size_t end)
{
    json_t *shape = json_array();
    for (int32_t i = 0; i < item->rank; i++) {
        if (json_array_append_new(shape, json_integer(item->dim[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)end);
}

static ebm_status add_metadata(json_t *header, const ebm_st_pair *pairs, size_t n, ebm_error *err)
{
    json_t *object = json_object();
    if (json_object_set_new(header, METADATA, object) != 0) {
        return no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        const char *key = pairs[i].key, *value = pairs[i].value;
        if (key == NULL || value == NULL || !ebm__utf8_valid(key) || !ebm__utf8_valid(value) ||
            json_object_get(object, key) != NULL) {
            return ebm_error_set(err, EBM_ERR_ARG, key, "bad or repeated metadata entry");
        }
        if (json_object_set_new(object, key, json_string(value)) != 0) {
            return no_memory(err);
        }
    }
    return EBM_OK;
}

/* Adds one entry per item, data in the order of the items; *total becomes their bytes. */
static ebm_status add_items(json_t *header, const ebm_st_item *items, size_t n, size_t *total,
                            ebm_error *err)
{
    *total = 0;
    for (size_t i = 0; i < n; i++) {
        size_t bytes = 0, end = 0;
        const ebm_status st = check_item(&items[i], &bytes, err);
        if (st != EBM_OK) {
            return st;
        }
        if (json_object_get(header, items[i].name) != NULL) {
            return ebm_error_set(err, EBM_ERR_ARG, items[i].name, "tensor given twice");
        }
        if (!ebm_size_add(*total, bytes, &end) || end > INT64_MAX) {
            return ebm_error_set(err, EBM_ERR_LIMIT, items[i].name, "image too large");
        }
        if (json_object_set_new(header, items[i].name, entry_of(&items[i], *total, end)) != 0) {
            return no_memory(err);
        }
        *total = end;
    }
    return EBM_OK;
}

static void copy_values(const ebm_st_item *items, size_t n, unsigned char *to)
{
    for (size_t i = 0; i < n; i++) {
        size_t count = 1;
        for (int32_t k = 0; k < items[i].rank; k++) {
            count *= (size_t)items[i].dim[k]; /* checked by check_item() */
        }
        for (size_t k = 0; k < count; k++, to += 4) {
            ebm__store_le32(to, ebm__bits_of_float(items[i].values[k]));
        }
    }
}

/* Lays out prefix, header text padded with spaces, and room for `data_bytes`.
 * @own *data: ebm_free() */
static ebm_status lay_out(const json_t *header, size_t data_bytes, unsigned char **data,
                          size_t *size, size_t *data_at, ebm_error *err)
{
    const size_t text = json_dumpb(header, NULL, 0, JSON_COMPACT);
    if (text == 0) {
        return no_memory(err);
    }
    const size_t padded = (text + DATA_ALIGN - 1) / DATA_ALIGN * DATA_ALIGN;
    *data_at = PREFIX_BYTES + padded;
    if (padded > EBM_SAFETENSORS_MAX_HEADER || !ebm_size_add(*data_at, data_bytes, size)) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "safetensors", "header or image too large");
    }
    unsigned char *image = ebm_alloc(*size, 1);
    if (image == NULL) {
        return no_memory(err);
    }
    ebm__store_le64(image, padded);
    if (json_dumpb(header, (char *)image + PREFIX_BYTES, text, JSON_COMPACT) != text) {
        ebm_free(image);
        return no_memory(err);
    }
    memset(image + PREFIX_BYTES + text, ' ', padded - text);
    *data = image;
    return EBM_OK;
}

ebm_status ebm_safetensors_build(const ebm_st_item *items, size_t n_items,
                                 const ebm_st_pair *metadata, size_t n_metadata,
                                 unsigned char **data, size_t *size, ebm_error *err)
{
    size_t total = 0, data_at = 0;
    *data = NULL;
    *size = 0;
    if (n_items > EBM_SAFETENSORS_MAX_TENSORS || n_metadata > EBM_SAFETENSORS_MAX_TENSORS) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "safetensors",
                             "more than %d tensors or metadata entries",
                             EBM_SAFETENSORS_MAX_TENSORS);
    }
    json_t *header = json_object();
    ebm_status st = header == NULL ? no_memory(err) : EBM_OK;
    if (st == EBM_OK && n_metadata > 0) {
        st = add_metadata(header, metadata, n_metadata, err);
    }
    if (st == EBM_OK) {
        st = add_items(header, items, n_items, &total, err);
    }
    if (st == EBM_OK) {
        st = lay_out(header, total, data, size, &data_at, err);
    }
    if (st == EBM_OK) {
        copy_values(items, n_items, *data + data_at);
    } else {
        *size = 0;
    }
    json_decref(header);
    return st;
}
