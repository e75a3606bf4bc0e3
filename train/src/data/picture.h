/* Compressed pictures in memory: PNG, JPEG, WebP, told apart by their first bytes. Nothing in
 * them is trusted. Knows pixels; has never heard of data sets. */
#ifndef EBMT_DATA_PICTURE_H
#define EBMT_DATA_PICTURE_H

#include "ebm/io.h"

/* Bounds of JPEG and WebP; PNG has those of ebm/io.h. One decoded picture takes at most
 * EBMT_PICTURE_MAX_AREA * 4 bytes. */
#define EBMT_PICTURE_MAX_BYTES ((size_t)16 << 20)
#define EBMT_PICTURE_MAX_SIDE  8192
#define EBMT_PICTURE_MAX_AREA  ((int64_t)1 << 24)

/* Decodes one picture. Its orientation tag and colour profile are not looked at.
 * @own image->pixels: ebm_free()
 * @err FORMAT (no picture, damaged or cut short, CMYK, animated), LIMIT, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__picture_decode(const unsigned char *data, size_t size,
                                               ebm_image *image, ebm_error *err);

/* The decoders behind it; the first bytes are known to be right. */
EBM_MUST_CHECK ebm_status ebmt__jpeg_decode(const unsigned char *data, size_t size,
                                            ebm_image *image, ebm_error *err);
EBM_MUST_CHECK ebm_status ebmt__webp_decode(const unsigned char *data, size_t size,
                                            ebm_image *image, ebm_error *err);

/* Checks the sides that a header promises and makes room for the pixels.
 * @own image->pixels: ebm_free() @err FORMAT (a side of 0), LIMIT, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__picture_allocate(int64_t width, int64_t height, int32_t channels,
                                                 ebm_image *image, ebm_error *err);

#endif
