/* Reads a safetensors image: every length, offset and name is checked before it is used.
 * Knows names, types and bytes; never what a tensor is for. */
#include "ebm/io.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "ebm/memory.h"
#include "io/bytes.h"
#include "io/json_scan.h"

#define PREFIX_BYTES 8 /* the header's length, little-endian */
#define MAX_DEPTH    8
/* A tensor of the highest rank costs 24 parts; the rest is for metadata. */
#define MAX_TOKENS (32u * EBM_SAFETENSORS_MAX_TENSORS)
#define METADATA   "__metadata__"

struct ebm_safetensors {
    json_t *header; /* owns every name */
    const json_t *metadata;
    const unsigned char *base; /* the data section */
    size_t base_bytes;
    ebm_st_tensor *tensors; /* in the order of their data */
    const ebm_st_tensor **by_name;
    size_t count;
};

typedef struct dtype_row {
    const char *name;
    ebm_dtype dtype;
    size_t width;
} dtype_row;

static const dtype_row dtypes[] = {
    {"F32", EBM_F32, 4},
    {"F64", EBM_F64, 8},
    {"BF16", EBM_BF16, 2},
    {"I64", EBM_I64, 8},
};

/* --- one tensor --------------------------------------------------------------------------- */

static ebm_status read_dtype(const json_t *value, ebm_st_tensor *t, size_t *width, ebm_error *err)
{
    const char *name = json_string_value(value);
    if (name == NULL) {
        return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "dtype is not a string");
    }
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        if (strcmp(name, dtypes[i].name) == 0) {
            t->dtype = dtypes[i].dtype;
            *width = dtypes[i].width;
            return EBM_OK;
        }
    }
    return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "dtype %.16s is not supported", name);
}

static ebm_status read_shape(const json_t *value, ebm_st_tensor *t, ebm_error *err)
{
    if (!json_is_array(value)) {
        return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "shape is not an array");
    }
    const size_t rank = json_array_size(value);
    if (rank > EBM_SAFETENSORS_MAX_RANK) {
        return ebm_error_set(err, EBM_ERR_LIMIT, t->name, "shape has %zu dimensions, at most %d",
                             rank, EBM_SAFETENSORS_MAX_RANK);
    }
    t->rank = (int32_t)rank;
    t->count = 1;
    for (size_t i = 0; i < rank; i++) {
        const json_t *dim = json_array_get(value, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 1) {
            return ebm_error_set(err, EBM_ERR_FORMAT, t->name,
                                 "dimension %zu is not a positive integer", i);
        }
        t->dim[i] = json_integer_value(dim);
        if (!ebm_size_mul(t->count, (size_t)t->dim[i], &t->count)) {
            return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "shape overflows");
        }
    }
    return EBM_OK;
}

/* Reads data_offsets and holds them against the data section and against shape times dtype. */
static ebm_status read_offsets(const json_t *value, const ebm_safetensors *st, size_t width,
                               ebm_st_tensor *t, ebm_error *err)
{
    const json_t *first = json_array_get(value, 0), *second = json_array_get(value, 1);
    size_t bytes;
    if (json_array_size(value) != 2 || !json_is_integer(first) || !json_is_integer(second)) {
        return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "data_offsets are not two integers");
    }
    const json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    if (begin < 0 || end < begin || (uintmax_t)end > st->base_bytes) {
        return ebm_error_set(err, EBM_ERR_FORMAT, t->name,
                             "data_offsets are reversed or outside the file");
    }
    if (!ebm_size_mul(t->count, width, &bytes) || bytes != (size_t)(end - begin)) {
        return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "shape and dtype do not give %zu bytes",
                             (size_t)(end - begin));
    }
    t->data = st->base + begin;
    t->bytes = bytes;
    return EBM_OK;
}

static ebm_status check_name(const char *name, ebm_error *err)
{
    const size_t length = strlen(name);
    if (length == 0) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "safetensors", "tensor without a name");
    }
    if (length > EBM_SAFETENSORS_MAX_NAME) {
        return ebm_error_set(err, EBM_ERR_LIMIT, name, "tensor name longer than %d bytes",
                             EBM_SAFETENSORS_MAX_NAME);
    }
    return EBM_OK;
}

static ebm_status read_tensor(const ebm_safetensors *st, const char *name, const json_t *entry,
                              ebm_st_tensor *t, ebm_error *err)
{
    const json_t *dtype = json_object_get(entry, "dtype");
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t width = 0;
    ebm_status status = check_name(name, err);
    if (status != EBM_OK) {
        return status;
    }
    t->name = name;
    if (dtype == NULL || shape == NULL || offsets == NULL || json_object_size(entry) != 3) {
        return ebm_error_set(err, EBM_ERR_FORMAT, name,
                             "entry does not have exactly dtype, shape and data_offsets");
    }
    status = read_dtype(dtype, t, &width, err);
    if (status == EBM_OK) {
        status = read_shape(shape, t, err);
    }
    if (status == EBM_OK) {
        status = read_offsets(offsets, st, width, t, err);
    }
    return status;
}

/* --- all tensors -------------------------------------------------------------------------- */

static ebm_status read_metadata(ebm_safetensors *st, json_t *value, ebm_error *err)
{
    const char *key;
    json_t *text;
    if (!json_is_object(value)) {
        return ebm_error_set(err, EBM_ERR_FORMAT, METADATA, "not an object");
    }
    json_object_foreach(value, key, text)
    {
        if (!json_is_string(text)) {
            return ebm_error_set(err, EBM_ERR_FORMAT, METADATA, "value of \"%.64s\" is no string",
                                 key);
        }
    }
    st->metadata = value;
    return EBM_OK;
}

static int compare_data(const void *a, const void *b)
{
    const ebm_st_tensor *x = a, *y = b;
    return (x->data > y->data) - (x->data < y->data);
}

static int compare_name(const void *a, const void *b)
{
    const ebm_st_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* No tensor is empty, so sorted data either follow each other without gap to the end of the file,
 * or there is a hole, an overlap or a tail that nothing accounts for. */
static ebm_status check_contiguous(const ebm_safetensors *st, ebm_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < st->count; i++) {
        const ebm_st_tensor *t = &st->tensors[i];
        const size_t begin = (size_t)(t->data - st->base);
        if (begin != at) {
            return ebm_error_set(err, EBM_ERR_FORMAT, t->name, "%s before byte %zu of the data",
                                 begin > at ? "hole" : "overlap", begin);
        }
        at += t->bytes; /* begin + bytes <= base_bytes: checked by read_offsets() */
    }
    if (at != st->base_bytes) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "safetensors", "%zu bytes after the last tensor",
                             st->base_bytes - at);
    }
    return EBM_OK;
}

static ebm_status read_entries(ebm_safetensors *st, ebm_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(st->header, key, value)
    {
        ebm_status status;
        if (strcmp(key, METADATA) == 0) {
            status = read_metadata(st, value, err);
        } else {
            status = read_tensor(st, key, value, &st->tensors[st->count], err);
            st->count++;
        }
        if (status != EBM_OK) {
            return status;
        }
    }
    return EBM_OK;
}

static ebm_status read_tensors(ebm_safetensors *st, ebm_error *err)
{
    const size_t n = json_object_size(st->header);
    const size_t n_metadata = json_object_get(st->header, METADATA) != NULL;
    if (n - n_metadata > EBM_SAFETENSORS_MAX_TENSORS) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "safetensors", "more than %d tensors",
                             EBM_SAFETENSORS_MAX_TENSORS);
    }
    st->tensors = ebm_alloc(n, sizeof(*st->tensors));
    st->by_name = ebm_alloc(n, sizeof(*st->by_name));
    if (st->tensors == NULL || st->by_name == NULL) {
        return ebm_error_set(err, EBM_ERR_NOMEM, "safetensors", "no memory for %zu tensors", n);
    }
    const ebm_status status = read_entries(st, err);
    if (status != EBM_OK) {
        return status;
    }
    qsort(st->tensors, st->count, sizeof(*st->tensors), compare_data);
    for (size_t i = 0; i < st->count; i++) {
        st->by_name[i] = &st->tensors[i];
    }
    qsort(st->by_name, st->count, sizeof(*st->by_name), compare_name);
    return check_contiguous(st, err);
}

/* Finds the header's length. A length above our limit is LIMIT even when the file is too short:
 * the answer must not depend on how much of a file arrived. */
static ebm_status read_prefix(const unsigned char *data, size_t size, size_t *length,
                              ebm_error *err)
{
    if (size < PREFIX_BYTES) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "safetensors", "file has only %zu bytes", size);
    }
    const uint64_t n = ebm__load_le64(data);
    if (n > EBM_SAFETENSORS_MAX_HEADER) {
        return ebm_error_set(err, EBM_ERR_LIMIT, "safetensors", "header longer than %u bytes",
                             EBM_SAFETENSORS_MAX_HEADER);
    }
    if (n > size - PREFIX_BYTES) {
        return ebm_error_set(err, EBM_ERR_FORMAT, "safetensors", "header runs past the file's end");
    }
    *length = (size_t)n;
    return EBM_OK;
}

ebm_status ebm_safetensors_parse(const unsigned char *data, size_t size, ebm_safetensors **out,
                                 ebm_error *err)
{
    size_t length = 0;
    *out = NULL;
    ebm_status status = read_prefix(data, size, &length, err);
    if (status != EBM_OK) {
        return status;
    }
    ebm_safetensors *st = ebm_alloc(1, sizeof(*st));
    if (st == NULL) {
        return ebm_error_set(err, EBM_ERR_NOMEM, "safetensors", "no memory");
    }
    const unsigned char *text = data + PREFIX_BYTES;
    st->base = text + length;
    st->base_bytes = size - PREFIX_BYTES - length;
    status = ebm__json_parse((const char *)text, length, MAX_DEPTH, MAX_TOKENS, "safetensors",
                             &st->header, err);
    if (status == EBM_OK) {
        status = read_tensors(st, err);
    }
    if (status != EBM_OK) {
        ebm_safetensors_free(st);
        return status;
    }
    *out = st;
    return EBM_OK;
}

size_t ebm_safetensors_count(const ebm_safetensors *st)
{
    return st->count;
}

const ebm_st_tensor *ebm_safetensors_at(const ebm_safetensors *st, size_t i)
{
    return i < st->count ? &st->tensors[i] : NULL;
}

const ebm_st_tensor *ebm_safetensors_find(const ebm_safetensors *st, const char *name)
{
    const ebm_st_tensor key = {.name = name}, *wanted = &key;
    const ebm_st_tensor **found =
        bsearch(&wanted, st->by_name, st->count, sizeof(*st->by_name), compare_name);
    return found != NULL ? *found : NULL;
}

const char *ebm_safetensors_metadata(const ebm_safetensors *st, const char *key)
{
    return json_string_value(json_object_get(st->metadata, key));
}

void ebm_safetensors_free(ebm_safetensors *st)
{
    if (st == NULL) {
        return;
    }
    json_decref(st->header);
    ebm_free(st->tensors);
    ebm_free(st->by_name);
    ebm_free(st);
}
