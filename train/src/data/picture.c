/* Chooses the decoder and holds the bounds they share. See picture.h. */
#include "data/picture.h"

#include <string.h>

#include "ebm/memory.h"

static bool is_jpeg(const unsigned char *data, size_t size)
{
    return size >= 3 && data[0] == 0xff && data[1] == 0xd8 && data[2] == 0xff;
}

static bool is_webp(const unsigned char *data, size_t size)
{
    return size >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0;
}

static bool is_png(const unsigned char *data, size_t size)
{
    return size >= 4 && memcmp(data, "\x89PNG", 4) == 0;
}

ebm_status ebmt__picture_decode(const unsigned char *data, size_t size, ebm_image *image,
                                ebm_error *err)
{
    *image = (ebm_image){0};
    if (size > EBMT_PICTURE_MAX_BYTES)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL, "picture has %zu bytes, limit %zu", size,
                             EBMT_PICTURE_MAX_BYTES);
    if (is_png(data, size))
        return ebm_png_decode(data, size, image, err);
    if (is_jpeg(data, size))
        return ebmt__jpeg_decode(data, size, image, err);
    if (is_webp(data, size))
        return ebmt__webp_decode(data, size, image, err);
    return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "neither PNG nor JPEG nor WebP");
}

ebm_status ebmt__picture_allocate(int64_t width, int64_t height, int32_t channels, ebm_image *image,
                                  ebm_error *err)
{
    *image = (ebm_image){0};
    if (width < 1 || height < 1)
        return ebm_error_set(err, EBM_ERR_FORMAT, NULL, "picture is empty");
    if (width > EBMT_PICTURE_MAX_SIDE || height > EBMT_PICTURE_MAX_SIDE ||
        width * height > EBMT_PICTURE_MAX_AREA)
        return ebm_error_set(err, EBM_ERR_LIMIT, NULL,
                             "picture is %lldx%lld, limit %d a side and %lld pixels",
                             (long long)width, (long long)height, EBMT_PICTURE_MAX_SIDE,
                             (long long)EBMT_PICTURE_MAX_AREA);
    image->pixels = ebm_alloc((size_t)height, (size_t)width * (size_t)channels);
    if (!image->pixels)
        return ebm_error_set(err, EBM_ERR_NOMEM, NULL, "no memory for a picture");
    image->width = (int32_t)width;
    image->height = (int32_t)height;
    image->channels = channels;
    return EBM_OK;
}
