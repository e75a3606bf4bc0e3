/* The only file that sees webp/decode.h: decodes WebP that nobody vouches for. */
#include "data/picture.h"

#include <webp/decode.h>

#include "ebm/memory.h"

static ebm_status check_features(const unsigned char *data, size_t size,
                                 WebPBitstreamFeatures *features, ebm_error *err)
{
    if (WebPGetFeatures(data, size, features) != VP8_STATUS_OK)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "WebP header is damaged");
    if (features->has_animation)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "WebP file is an animation");
    return EBM_OK;
}

ebm_status ebmt__webp_decode(const unsigned char *data, size_t size, ebm_image *image,
                             ebm_error *err)
{
    WebPBitstreamFeatures features;
    *image = (ebm_image){0};
    ebm_status st = check_features(data, size, &features, err);
    if (st == EBM_OK)
        st = ebmt__picture_allocate(features.width, features.height, features.has_alpha ? 4 : 3,
                                    image, err);
    if (st != EBM_OK)
        return st;
    const int stride = image->width * image->channels;
    const size_t room = (size_t)stride * (size_t)image->height;
    const uint8_t *done = features.has_alpha
                              ? WebPDecodeRGBAInto(data, size, image->pixels, room, stride)
                              : WebPDecodeRGBInto(data, size, image->pixels, room, stride);
    if (done)
        return EBM_OK;
    ebm_free(image->pixels);
    *image = (ebm_image){0};
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "WebP data are damaged or cut short");
}
