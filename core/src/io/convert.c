/* Parts of images, and gray, colour and transparency. Knows pixels, no files. */
#include "ebm/io.h"

#include <string.h>

#include "ebm/memory.h"

ebm_rect ebm_image_centre(const ebm_image *in, int32_t width, int32_t height)
{
    const int64_t w = in->width, h = in->height;
    ebm_rect r = {0, 0, in->width, in->height};
    if (w * height > h * width)
        r.width = (int32_t)(h * width / height);
    else
        r.height = (int32_t)(w * height / width);
    r.width += r.width == 0;
    r.height += r.height == 0;
    r.x = (in->width - r.width) / 2;
    r.y = (in->height - r.height) / 2;
    return r;
}

static uint8_t on_white(uint8_t v, uint8_t alpha)
{
    const unsigned a = alpha;
    return (uint8_t)((a * v + (255 - a) * 255 + 127) / 255);
}

/* @shape from [C] of the picture, to [1 or 3], or to [C] */
static void convert_pixel(const uint8_t *from, int32_t c_in, uint8_t *to, int32_t c_out)
{
    const bool colour = c_in >= 3, transparent = c_in == 2 || c_in == 4;
    uint8_t rgb[3];
    if (c_in == c_out) {
        memcpy(to, from, (size_t)c_in);
        return;
    }
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

ebm_status ebm_image_cut(const ebm_image *in, const ebm_rect *part, int32_t channels,
                         ebm_image *out, ebm_error *err)
{
    const size_t c_in = (size_t)in->channels, c_out = (size_t)channels;
    *out = (ebm_image){.width = part->width, .height = part->height, .channels = channels};
    out->pixels = ebm_alloc((size_t)part->height, (size_t)part->width * c_out);
    if (!out->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for an image");
    uint8_t *to = out->pixels;
    for (int32_t y = 0; y < part->height; y++) {
        const uint8_t *from =
            in->pixels + ((size_t)(part->y + y) * (size_t)in->width + (size_t)part->x) * c_in;
        for (int32_t x = 0; x < part->width; x++, from += c_in, to += c_out)
            convert_pixel(from, in->channels, to, channels);
    }
    return EBM_OK;
}
