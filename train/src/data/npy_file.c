/* A NumPy array of unsigned bytes [N,H,W] or [N,H,W,C] as a source. Has never heard of Python. */
#include <string.h>

#include "data/npy.h"
#include "data/records.h"
#include "ebm/memory.h"

#define PREFIX 12 /* tells the length of every version; no valid file is shorter */

static ebm_status read_header(const ebmt__input *in, const char *path, ebmt__npy *out,
                              ebm_error *err)
{
    unsigned char prefix[PREFIX];
    unsigned char *head = NULL;
    size_t n = 0;
    if (in->size < PREFIX)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "NumPy file ends inside its header");
    ebm_status st = ebmt__input_read(in, path, 0, prefix, PREFIX, err);
    if (st == EBM_OK)
        st = ebmt__npy_length(prefix, &n, err);
    if (st == EBM_OK && (n < PREFIX || n > in->size))
        st = ebm_error_set(err, EBM_ERR_FORMAT, NULL, "NumPy file ends inside its header");
    if (st != EBM_OK)
        return st;
    head = ebm_alloc(n, 1);
    if (!head)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a header");
    st = ebmt__input_read(in, path, 0, head, n, err);
    if (st == EBM_OK)
        st = ebmt__npy_parse(head, n, out, err);
    ebm_free(head);
    return st;
}

static ebm_status check_sides(const ebmt__npy *a, int64_t channels, ebm_error *err)
{
    for (int32_t i = 0; i < a->rank; i++) {
        if (a->dim[i] == 0)
            return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "dimension %d is 0", i);
    }
    if (channels > 4)
        return ebm_error_set(err, EBM_ERR_SHAPE, NULL, "%lld channels, allowed 1..4 in [N,H,W,C]",
                             (long long)channels);
    if (a->dim[1] > EBMT_DATA_MAX_SIDE || a->dim[2] > EBMT_DATA_MAX_SIDE)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "images are %lldx%lld, limit %d a side",
                             (long long)a->dim[2], (long long)a->dim[1], EBMT_DATA_MAX_SIDE);
    return EBM_OK;
}

static ebm_status take_shape(const ebmt__npy *a, ebmt__records *r, ebm_error *err)
{
    size_t total;
    if (a->rank < 3)
        return ebm_error_set(err, EBM_ERR_SHAPE, NULL,
                             "array has %d dimensions, [N,H,W] or [N,H,W,C] is needed", a->rank);
    const int64_t channels = a->rank == 4 ? a->dim[3] : 1;
    ebm_status st = check_sides(a, channels, err);
    if (st != EBM_OK)
        return st;
    ebmt__records_part *part = &r->part[0];
    part->header = a->header;
    part->count = a->dim[0];
    r->height = (int32_t)a->dim[1];
    r->width = (int32_t)a->dim[2];
    r->channels = (int32_t)channels;
    if (!ebm_size_mul((size_t)part->count, ebmt__records_stride(r), &total) ||
        !ebm_size_add(total, a->header, &total) || total != part->in.size)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL,
                             "NumPy file has %zu bytes, its header promises another number",
                             part->in.size);
    return EBM_OK;
}

ebm_status ebmt__npy_open(const char *path, ebmt_split split, ebmt__source *out, ebm_error *err)
{
    ebmt__npy array = {0};
    ebm_error inner = {0};
    (void)split;
    ebmt__records *r = ebmt__records_create();
    if (!r)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a data set");
    ebm_status st = ebmt__records_add(r, NULL, path, &inner);
    if (st == EBM_OK)
        st = read_header(&r->part[0].in, path, &array, &inner);
    if (st == EBM_OK)
        st = take_shape(&array, r, &inner);
    if (st == EBM_OK)
        ebmt__records_source(r, out);
    else
        ebmt__records_free(r);
    return ebmt__name_file(st, &inner, NULL, path, err);
}
