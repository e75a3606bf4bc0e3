/* The CIFAR-10 batches of a directory as a source: data_batch_1.bin and on, or test_batch.bin.
 * Has never heard of batches in the sense of training. */
#include <stdio.h>

#include "data/cifar.h"
#include "data/records.h"
#include "ebm/memory.h"

#define CHUNK 256 /* records read at once for their labels */

static ebm_status add_batch(const char *dir, const char *name, ebmt__records *r, ebm_error *err)
{
    ebm_error inner = {0};
    ebm_status st = ebmt__records_add(r, dir, name, err);
    if (st != EBM_OK)
        return st;
    ebmt__records_part *part = &r->part[r->n_parts - 1];
    st = ebmt__cifar_count(part->in.size, &part->count, &inner);
    return ebmt__name_file(st, &inner, dir, name, err);
}

/* A hole in the numbers would go unnoticed if the search stopped at it. */
static ebm_status add_batches(const char *dir, ebmt__records *r, ebm_error *err)
{
    ebm_status st = EBM_OK;
    for (int k = 1; k <= EBMT_RECORDS_MAX_PARTS && st == EBM_OK; k++) {
        char name[32];
        (void)snprintf(name, sizeof name, "data_batch_%d.bin", k);
        if (k > 1 && !ebmt__input_exists(dir, name))
            continue;
        st = r->n_parts == k - 1 ? add_batch(dir, name, r, err)
                                 : ebm_error_set(err, EBM_ERR_NOT_FOUND, dir,
                                                 "%s is there, the batch before it is not", name);
    }
    return st;
}

static ebm_status read_part_labels(const ebmt__records_part *part, unsigned char *chunk,
                                   uint8_t *labels, ebm_error *err)
{
    ebm_status st = EBM_OK;
    ebm_error inner = {0};
    for (int64_t i = 0; i < part->count && st == EBM_OK; i += CHUNK) {
        const size_t n = (size_t)(part->count - i < CHUNK ? part->count - i : CHUNK);
        st = ebmt__input_read(&part->in, part->name, (size_t)i * EBMT_CIFAR_RECORD, chunk,
                              n * EBMT_CIFAR_RECORD, &inner);
        if (st == EBM_OK)
            st = ebmt__cifar_labels(chunk, n, labels + i, &inner);
        if (st != EBM_OK)
            inner.index += i;
    }
    return ebmt__name_file(st, &inner, NULL, part->name, err);
}

static ebm_status read_labels(const ebmt__records *r, ebmt__source *out, ebm_error *err)
{
    unsigned char *chunk = ebm_alloc(CHUNK, EBMT_CIFAR_RECORD);
    out->labels = ebm_alloc((size_t)out->count, 1);
    ebm_status st = EBM_OK;
    int64_t at = 0;
    if (!chunk || !out->labels)
        st = ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for labels");
    for (int32_t k = 0; k < r->n_parts && st == EBM_OK; at += r->part[k++].count)
        st = read_part_labels(&r->part[k], chunk, out->labels + at, err);
    ebm_free(chunk);
    return st;
}

ebm_status ebmt__cifar_open(const char *path, ebmt_split split, ebmt__source *out, ebm_error *err)
{
    ebmt__records *r = ebmt__records_create();
    if (!r)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a data set");
    r->channels = 3;
    r->height = r->width = EBMT_CIFAR_SIDE;
    r->planar = true;
    r->skip = 1;
    ebm_status st =
        split == EBMT_TRAIN ? add_batches(path, r, err) : add_batch(path, "test_batch.bin", r, err);
    if (st != EBM_OK) {
        ebmt__records_free(r);
        return st;
    }
    ebmt__records_source(r, out);
    return read_labels(r, out, err);
}
