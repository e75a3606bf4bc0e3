/* Crop, white ground, channels, size, layout, in this order. See frame.h. */
#include "data/frame.h"

#include <string.h>

#include "data/resize.h"
#include "ebm/memory.h"

/* CelebA's aligned images lose 20 rows at the top and 20 at the bottom, which leaves a square
 * (reference code of DRL, datasets.py). */
#define CELEBA_WIDTH  178
#define CELEBA_HEIGHT 218
#define CELEBA_DROP   20

typedef struct rectangle {
    int32_t x, y, width, height;
} rectangle;

size_t ebmt__frame_bytes(const ebmt__frame *frame)
{
    return (size_t)frame->channels * (size_t)frame->height * (size_t)frame->width;
}

/* The largest part in the middle that has the frame's proportions. */
static rectangle centre_of(const ebmt__frame *frame, const ebm_image *in)
{
    const int64_t w = in->width, h = in->height;
    rectangle r = {0, 0, in->width, in->height};
    if (w * frame->height > h * frame->width)
        r.width = (int32_t)(h * frame->width / frame->height);
    else
        r.height = (int32_t)(w * frame->height / frame->width);
    r.width += r.width == 0;
    r.height += r.height == 0;
    r.x = (in->width - r.width) / 2;
    r.y = (in->height - r.height) / 2;
    return r;
}

static ebm_status crop_of(const ebmt__frame *frame, const ebm_image *in, rectangle *out,
                          ebm_error *err)
{
    *out = (rectangle){0, 0, in->width, in->height};
    if (frame->crop == EBMT_CROP_CENTER)
        *out = centre_of(frame, in);
    if (frame->crop != EBMT_CROP_CELEBA)
        return EBM_OK;
    if (in->width != CELEBA_WIDTH || in->height != CELEBA_HEIGHT)
        return ebm_error_set(err, EBM_ERR_SHAPE, NULL, "image is %dx%d, those of CelebA are %dx%d",
                             in->width, in->height, CELEBA_WIDTH, CELEBA_HEIGHT);
    *out = (rectangle){0, CELEBA_DROP, CELEBA_WIDTH, CELEBA_HEIGHT - 2 * CELEBA_DROP};
    return EBM_OK;
}

static uint8_t on_white(uint8_t v, uint8_t alpha)
{
    const unsigned a = alpha;
    return (uint8_t)((a * v + (255 - a) * 255 + 127) / 255);
}

/* @shape from [C] of the picture, to [1 or 3] */
static void convert_pixel(const uint8_t *from, int32_t c_in, uint8_t *to, int32_t c_out)
{
    const bool colour = c_in >= 3, transparent = c_in == 2 || c_in == 4;
    uint8_t rgb[3];
    for (int k = 0; k < 3; k++) {
        rgb[k] = from[colour ? k : 0];
        if (transparent)
            rgb[k] = on_white(rgb[k], from[c_in - 1]);
    }
    if (c_out == 3)
        memcpy(to, rgb, 3);
    else if (colour)
        to[0] = (uint8_t)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500u) / 1000u);
    else
        to[0] = rgb[0];
}

/* Copies a part of a picture, opaque and with the frame's channels. */
static ebm_status cut(const ebm_image *in, const rectangle *r, int32_t channels, ebm_image *out,
                      ebm_error *err)
{
    const size_t c_in = (size_t)in->channels, c_out = (size_t)channels;
    *out = (ebm_image){.width = r->width, .height = r->height, .channels = channels};
    out->pixels = ebm_alloc((size_t)r->height, (size_t)r->width * c_out);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    uint8_t *to = out->pixels;
    for (int32_t y = 0; y < r->height; y++) {
        const uint8_t *from =
            in->pixels + ((size_t)(r->y + y) * (size_t)in->width + (size_t)r->x) * c_in;
        for (int32_t x = 0; x < r->width; x++, from += c_in, to += c_out)
            convert_pixel(from, in->channels, to, channels);
    }
    return EBM_OK;
}

static void to_planes(const ebm_image *in, uint8_t *out)
{
    const size_t c = (size_t)in->channels, area = (size_t)in->width * (size_t)in->height;
    for (size_t k = 0; k < c; k++) {
        for (size_t i = 0; i < area; i++)
            *out++ = in->pixels[i * c + k];
    }
}

ebm_status ebmt__frame_apply(const ebmt__frame *frame, const ebm_image *in, uint8_t *out,
                             ebm_error *err)
{
    rectangle part;
    ebm_image opaque = {0}, sized = {0};
    ebm_status st = crop_of(frame, in, &part, err);
    if (st == EBM_OK)
        st = cut(in, &part, frame->channels, &opaque, err);
    if (st != EBM_OK)
        return st;
    if (opaque.width == frame->width && opaque.height == frame->height) {
        to_planes(&opaque, out);
    } else {
        st = ebmt__resize(&opaque, frame->width, frame->height, &sized, err);
        if (st == EBM_OK)
            to_planes(&sized, out);
    }
    ebm_free(opaque.pixels);
    ebm_free(sized.pixels);
    return st;
}
