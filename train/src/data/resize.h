/* Changing the size of 8-bit images without aliasing.
 * Knows pixels; has never heard of files or data sets. */
#ifndef EBMT_DATA_RESIZE_H
#define EBMT_DATA_RESIZE_H

#include "ebm/io.h"

/* Resizes an image with a triangle filter, as wide as the reduction on each axis.
 * @eq   out(i) = sum_j w_ij in(j) / sum_j w_ij, w_ij = max(0, 1 - |j + 1/2 - s (i + 1/2)| / max(s,
 * 1)), s = in/out; rows after columns, in double, rounded half up once at the end. It is the filter
 * of tf.image.resize(antialias=True), which the DRL code uses for CelebA and LSUN.
 * @range every side 1 or more
 * @own  out->pixels: ebm_free() @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__resize(const ebm_image *in, int32_t width, int32_t height,
                                       ebm_image *out, ebm_error *err);

#endif
