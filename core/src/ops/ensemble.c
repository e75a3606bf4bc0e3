/* Several images of one shape as one: statistics of each pixel, sprite sheets. Knows bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ebm/memory.h"
#include "ebm/ops.h"

#define MAX_SIDE 16384

static int compare(const void *a, const void *b)
{
    return (int)*(const uint8_t *)a - (int)*(const uint8_t *)b;
}

static uint8_t to_byte(double v)
{
    v = floor(v + 0.5);
    return v > 255 ? 255 : (uint8_t)v;
}

static size_t rank_of(double q, size_t n)
{
    size_t rank = (size_t)ceil(q * (double)n);
    return rank > 0 ? rank - 1 : 0;
}

/* @shape column [n], will be sorted */
static void summarise(uint8_t *column, size_t n, size_t at, const ebm_ensemble *out)
{
    static const double q[3] = {0.05, 0.5, 0.95};
    double sum = 0, squares = 0;
    for (size_t k = 0; k < n; k++)
        sum += column[k];
    const double mean = sum / (double)n;
    for (size_t k = 0; k < n; k++)
        squares += ((double)column[k] - mean) * ((double)column[k] - mean);
    qsort(column, n, 1, compare);
    out->mean[at] = to_byte(mean);
    out->sd[at] = to_byte(sqrt(squares / (double)(n - 1)));
    for (int i = 0; i < 3; i++)
        out->quantile[i][at] = column[rank_of(q[i], n)];
}

ebm_status ebm_ensemble_of(const uint8_t *images, size_t n, size_t bytes, const ebm_ensemble *out,
                           ebm_error *err)
{
    if (n < 2)
        return ebm_error_set(err, EBM_ERR_RANGE, "ensemble", "needs at least two images");
    uint8_t *column = ebm_alloc(n, 1);
    if (!column)
        return ebm_error_set(err, EBM_ERR_NOMEM, "ensemble", "no memory for %zu images", n);
    for (size_t i = 0; i < bytes; i++) {
        for (size_t k = 0; k < n; k++)
            column[k] = images[k * bytes + i];
        summarise(column, n, i, out);
    }
    ebm_free(column);
    return EBM_OK;
}

ebm_status ebm_sprite_sheet(const uint8_t *images, size_t n, const ebm_shape *shape, ebm_image *out,
                            ebm_error *err)
{
    const size_t row = (size_t)shape->width * (size_t)shape->channels;
    const size_t height = (size_t)shape->height;
    *out = (ebm_image){0};
    if (n < 1 || n > MAX_SIDE / (size_t)shape->width)
        return ebm_error_set(err, EBM_ERR_LIMIT, "sprite", "%zu images do not fit on %d pixels", n,
                             MAX_SIDE);
    *out = (ebm_image){.width = (int32_t)n * shape->width,
                       .height = shape->height,
                       .channels = shape->channels,
                       .pixels = ebm_alloc(n * height, row)};
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, "sprite", "no memory for %zu images", n);
    for (size_t k = 0; k < n; k++)
        for (size_t y = 0; y < height; y++)
            memcpy(out->pixels + (y * n + k) * row, images + (k * height + y) * row, row);
    return EBM_OK;
}
