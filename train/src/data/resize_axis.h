/* One axis of a change of size: which inputs each output adds up, and how much of each.
 * Knows positions and weights; has never heard of pixels. */
#ifndef EBMT_DATA_RESIZE_AXIS_H
#define EBMT_DATA_RESIZE_AXIS_H

#include <stdbool.h>
#include <stdint.h>

/* s = in/out; output i looks at the position c of the input, pixel j has its centre at j + 1/2. */
typedef enum ebmt__axis_kind {
    EBMT_AXIS_TRIANGLE, /* c = s (i + 1/2), weights max(0, 1 - |j + 1/2 - c| / max(s, 1)) over their
                           sum: tf.image.resize(antialias=True), torch's antialias=True */
    EBMT_AXIS_LINEAR,   /* the same c, the two pixels around it whatever s is: torch's
                           interpolate(mode="bilinear", align_corners=False) */
    EBMT_AXIS_CORNER    /* c - 1/2 = s i, the two pixels around it: TensorFlow 1's resize_bilinear,
                           which lines up the first pixels' centres */
} ebmt__axis_kind;

typedef struct ebmt__axis {
    int32_t in, out;
    int32_t room;   /* most inputs that one output can have */
    int32_t *first; /* [out] */
    int32_t *n;     /* [out] */
    double *weight; /* [out, room], each row sums to 1 */
} ebmt__axis;

/* @range in, out 1 or more @own clear with ebmt__axis_clear(), also after false @err false: no
 * memory */
bool ebmt__axis_init(ebmt__axis_kind kind, int32_t in, int32_t out, ebmt__axis *a);
void ebmt__axis_clear(ebmt__axis *a); /* safe on a zeroed struct */

#endif
