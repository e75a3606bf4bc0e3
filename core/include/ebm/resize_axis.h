/* One axis of a change of size: which inputs each output adds up, and how much of each.
 * Knows positions and weights; has never heard of pixels. */
#ifndef EBM_RESIZE_AXIS_H
#define EBM_RESIZE_AXIS_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/status.h"

/* s = in/out; output i looks at the position c of the input, pixel j has its centre at j + 1/2. */
typedef enum ebm_axis_kind {
    EBM_AXIS_TRIANGLE, /* c = s (i + 1/2), weights max(0, 1 - |j + 1/2 - c| / max(s, 1)) over their
                           sum: tf.image.resize(antialias=True), torch's antialias=True */
    EBM_AXIS_LINEAR,   /* the same c, the two pixels around it whatever s is: torch's
                           interpolate(mode="bilinear", align_corners=False) */
    EBM_AXIS_CORNER    /* c - 1/2 = s i, the two pixels around it: TensorFlow 1's resize_bilinear,
                           which lines up the first pixels' centres */
} ebm_axis_kind;

typedef struct ebm_axis {
    int32_t in, out;
    int32_t room;   /* most inputs that one output can have */
    int32_t *first; /* [out] */
    int32_t *n;     /* [out] */
    double *weight; /* [out, room], each row sums to 1 */
} ebm_axis;

/* @range in, out 1 or more @own clear with ebm_axis_clear(), also after false @err false: no
 * memory */
EBM_API bool ebm_axis_init(ebm_axis_kind kind, int32_t in, int32_t out, ebm_axis *a);
EBM_API void ebm_axis_clear(ebm_axis *a); /* safe on a zeroed struct */

#endif
