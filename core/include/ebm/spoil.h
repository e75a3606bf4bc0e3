/* Spoiled copies of images: near the data in every pixel's statistics, and yet none of it. What a
 * score of usualness learns to tell from the data when no foreign image is at hand. Knows pixels;
 * has never heard of models, scores or files. */
#ifndef EBM_SPOIL_H
#define EBM_SPOIL_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/ops.h"
#include "ebm/status.h"

/* The numbers are part of the reproducibility contract of calibrations: never renumber. */
typedef enum ebm_spoil_kind {
    EBM_SPOIL_TOP_BOTTOM, /* upper half of one image, lower half of its partner */
    EBM_SPOIL_LEFT_RIGHT, /* left half of one, right half of its partner */
    EBM_SPOIL_QUARTERS,   /* quarters exchanged across the middle */
    EBM_SPOIL_MEAN,       /* of the image and its partner */
    EBM_SPOIL_BLUR,       /* by a Gaussian with a standard deviation of 1/14 of the shorter side */
    EBM_SPOIL_MOVE,       /* down by 5/28 of the height; what leaves comes back at the top */
    EBM_SPOIL_INVERT,     /* light for dark */
    EBM_SPOIL_SALT_PEPPER /* one pixel in 20 inverted, all its channels together */
} ebm_spoil_kind;
#define EBM_SPOIL_KINDS 8

/* Of an unknown kind NULL. */
EBM_API const char *ebm_spoil_name(ebm_spoil_kind kind);

/* What a copy is made of. @shape image, partner [C,H,W] in [-1,1]
 * @own borrows both; a kind that needs no partner doesn't look at it */
typedef struct ebm_spoil_source {
    const ebm_shape *shape;
    const float *image, *partner;
    uint64_t seed;
    uint32_t index; /* of the copy: which pixels salt and pepper takes */
} ebm_spoil_source;

/* Makes one. Halves of an odd number of rows or columns: the second has one more.
 * @shape out [C,H,W], apart from the source
 * @eq    the blur is 2 sigma^2 passes of (1,2,1)/4 along both axes, whose variances add up to
 *        sigma^2; at the edges pixels repeat, so that the mean of the image stays
 * @thread pure function */
EBM_API void ebm_spoil(ebm_spoil_kind kind, const ebm_spoil_source *from, float *out);

#endif
