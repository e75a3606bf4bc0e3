/* The triangle filter, one axis after the other. Knows pixels, no files. */
#include "ebm/io.h"

#include <math.h>

#include "ebm/resize_axis.h"
#include "ebm/memory.h"

static double weighted_sum(const double *w, const uint8_t *from, size_t n, size_t stride)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += w[j] * (double)from[j * stride];
    return sum;
}

/* @shape in [H,W,C] bytes, out [H,out,C] */
static void filter_rows(const ebm_axis *a, const ebm_image *in, double *out)
{
    const size_t c = (size_t)in->channels, stride = (size_t)in->width * c;
    for (size_t y = 0; y < (size_t)in->height; y++) {
        for (size_t i = 0; i < (size_t)a->out; i++, out += c) {
            const uint8_t *from = in->pixels + y * stride + (size_t)a->first[i] * c;
            const double *w = a->weight + i * (size_t)a->room;
            for (size_t k = 0; k < c; k++)
                out[k] = weighted_sum(w, from + k, (size_t)a->n[i], c);
        }
    }
}

/* The weights are positive and sum to 1 within rounding, so only 255 + 1e-13 can stick out. */
static uint8_t to_byte(double v)
{
    v = floor(v + 0.5);
    return v > 255 ? 255 : (uint8_t)v;
}

/* @shape in [H,stride], out [out,stride] bytes */
static void filter_columns(const ebm_axis *a, const double *in, size_t stride, uint8_t *out)
{
    for (size_t i = 0; i < (size_t)a->out; i++, out += stride) {
        const double *from = in + (size_t)a->first[i] * stride;
        const double *w = a->weight + i * (size_t)a->room;
        for (size_t x = 0; x < stride; x++) {
            double sum = 0;
            for (size_t j = 0; j < (size_t)a->n[i]; j++)
                sum += w[j] * from[j * stride + x];
            out[x] = to_byte(sum);
        }
    }
}

ebm_status ebm_image_resize(const ebm_image *in, int32_t width, int32_t height, ebm_image *out,
                            ebm_error *err)
{
    ebm_status st = EBM_ERR_NOMEM;
    ebm_axis across = {0}, down = {0};
    double *half = NULL;
    size_t stride;
    *out = (ebm_image){.width = width, .height = height, .channels = in->channels};
    if (!ebm_size_mul((size_t)width, (size_t)in->channels, &stride))
        goto out;
    if (!ebm_axis_init(EBM_AXIS_TRIANGLE, in->width, width, &across) ||
        !ebm_axis_init(EBM_AXIS_TRIANGLE, in->height, height, &down))
        goto out;
    half = ebm_alloc((size_t)in->height, stride * sizeof *half);
    out->pixels = ebm_alloc((size_t)height, stride);
    if (!half || !out->pixels)
        goto out;
    filter_rows(&across, in, half);
    filter_columns(&down, half, stride, out->pixels);
    st = EBM_OK;
out:
    if (st != EBM_OK) {
        ebm_free(out->pixels);
        *out = (ebm_image){0};
        (void)ebm_error_set(err, st, NULL, "no memory to resize an image");
    }
    ebm_free(half);
    ebm_axis_clear(&across);
    ebm_axis_clear(&down);
    return st;
}
