/* From a picture of any size and kind to the fixed block of bytes that a network takes.
 * Knows pixels; has never heard of files. */
#ifndef EBMT_DATA_FRAME_H
#define EBMT_DATA_FRAME_H

#include "ebm/io.h"
#include "ebmt/data.h"

/* What every image of a data set becomes. @range channels 1 or 3, sides 1 or more */
typedef struct ebmt__frame {
    ebmt_crop crop;
    int32_t channels, height, width;
} ebmt__frame;

/* Bytes of one framed image. */
size_t ebmt__frame_bytes(const ebmt__frame *frame);

/* Crops, puts transparent pixels on white, converts between gray and colour, resizes.
 * @eq    white: (a v + (255 - a) 255)/255; gray: (299 R + 587 G + 114 B)/1000 (Rec. 601); both
 *        rounded half up
 * @shape out [C,H,W]
 * @err SHAPE (EBMT_CROP_CELEBA and not 178x218), NOMEM */
EBM_MUST_CHECK ebm_status ebmt__frame_apply(const ebmt__frame *frame, const ebm_image *in,
                                            uint8_t *out, ebm_error *err);

#endif
