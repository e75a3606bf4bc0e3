/* Crop, white ground, channels, size, layout, in this order. See frame.h. */
#include "data/frame.h"

#include "ebm/memory.h"

/* CelebA's aligned images lose 20 rows at the top and 20 at the bottom, which leaves a square
 * (reference code of DRL, datasets.py). */
#define CELEBA_WIDTH  178
#define CELEBA_HEIGHT 218
#define CELEBA_DROP   20

size_t ebmt__frame_bytes(const ebmt__frame *frame)
{
    return (size_t)frame->channels * (size_t)frame->height * (size_t)frame->width;
}

static ebm_status crop_of(const ebmt__frame *frame, const ebm_image *in, ebm_rect *out,
                          ebm_error *err)
{
    *out = (ebm_rect){0, 0, in->width, in->height};
    if (frame->crop == EBMT_CROP_CENTER)
        *out = ebm_image_centre(in, frame->width, frame->height);
    if (frame->crop != EBMT_CROP_CELEBA)
        return EBM_OK;
    if (in->width != CELEBA_WIDTH || in->height != CELEBA_HEIGHT)
        return ebm_error_set(err, EBM_ERR_SHAPE, NULL, "image is %dx%d, those of CelebA are %dx%d",
                             in->width, in->height, CELEBA_WIDTH, CELEBA_HEIGHT);
    *out = (ebm_rect){0, CELEBA_DROP, CELEBA_WIDTH, CELEBA_HEIGHT - 2 * CELEBA_DROP};
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
    ebm_rect part;
    ebm_image opaque = {0}, sized = {0};
    ebm_status st = crop_of(frame, in, &part, err);
    if (st == EBM_OK)
        st = ebm_image_cut(in, &part, frame->channels, &opaque, err);
    if (st != EBM_OK)
        return st;
    if (opaque.width == frame->width && opaque.height == frame->height) {
        to_planes(&opaque, out);
    } else {
        st = ebm_image_resize(&opaque, frame->width, frame->height, &sized, err);
        if (st == EBM_OK)
            to_planes(&sized, out);
    }
    ebm_free(opaque.pixels);
    ebm_free(sized.pixels);
    return st;
}
