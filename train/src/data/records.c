/* See records.h. */
#include "data/records.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ebm/memory.h"

ebmt__records *ebmt__records_create(void)
{
    return ebm_alloc(1, sizeof(ebmt__records));
}

ebm_status ebmt__records_add(ebmt__records *r, const char *dir, const char *name, ebm_error *err)
{
    assert(r->n_parts < EBMT_RECORDS_MAX_PARTS);
    ebmt__records_part *part = &r->part[r->n_parts];
    ebm_status st = ebmt__input_open(dir, name, &part->in, err);
    if (st != EBM_OK)
        return st;
    r->n_parts++;
    /* names an error; a very long path keeps its beginning */
    const int n =
        snprintf(part->name, sizeof part->name, "%s%s%s", dir ? dir : "", dir ? "/" : "", name);
    (void)n;
    return EBM_OK;
}

void ebmt__records_free(void *records)
{
    ebmt__records *r = records;
    if (!r)
        return;
    for (int32_t i = 0; i < r->n_parts && !r->bytes; i++)
        ebmt__input_close(&r->part[i].in);
    ebm_free(r->bytes);
    ebm_free(r);
}

static size_t image_bytes(const ebmt__records *r)
{
    return (size_t)r->channels * (size_t)r->height * (size_t)r->width;
}

size_t ebmt__records_stride(const ebmt__records *r)
{
    return r->skip + image_bytes(r);
}

static ebm_status fetch(const ebmt__records *r, int64_t i, uint8_t *out, ebm_error *err)
{
    const ebmt__records_part *part = r->part;
    for (; i >= part->count; part++)
        i -= part->count;
    const size_t at = part->header + (size_t)i * ebmt__records_stride(r) + r->skip;
    if (!r->bytes)
        return ebmt__input_read(&part->in, part->name, at, out, image_bytes(r), err);
    memcpy(out, r->bytes + at, image_bytes(r));
    return EBM_OK;
}

static ebm_status interleave(ebm_image *image, ebm_error *err)
{
    const size_t c = (size_t)image->channels, area = (size_t)image->width * (size_t)image->height;
    uint8_t *pixels = ebm_alloc(area, c);
    if (!pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    for (size_t k = 0; k < c; k++) {
        for (size_t i = 0; i < area; i++)
            pixels[i * c + k] = image->pixels[k * area + i];
    }
    ebm_free(image->pixels);
    image->pixels = pixels;
    return EBM_OK;
}

static ebm_status read_record(void *self, int64_t i, ebm_image *image, ebm_error *err)
{
    const ebmt__records *r = self;
    *image = (ebm_image){.width = r->width,
                         .height = r->height,
                         .channels = r->channels,
                         .pixels = ebm_alloc(image_bytes(r), 1)};
    if (!image->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    ebm_status st = fetch(r, i, image->pixels, err);
    if (st == EBM_OK && r->planar && r->channels > 1)
        st = interleave(image, err);
    if (st != EBM_OK) {
        ebm_free(image->pixels);
        *image = (ebm_image){0};
    }
    return st;
}

void ebmt__records_source(ebmt__records *r, ebmt__source *out)
{
    for (int32_t i = 0; i < r->n_parts; i++)
        out->count += r->part[i].count;
    out->channels = r->channels;
    out->height = r->height;
    out->width = r->width;
    out->self = r;
    out->read = read_record;
    out->close = ebmt__records_free;
}
