/* Densities in the plane that are known in closed form, and data drawn from them: what a model of
 * points can be held against. They have never heard of models. */
#ifndef EBMT_TOY2D_H
#define EBMT_TOY2D_H

#include <stdint.h>

#include "ebm/status.h"
#include "ebmt/data.h"

typedef enum ebmt_toy {
    EBMT_TOY_CHECKERBOARD, /* the dark fields of 4x4 over [-1,1]^2, all alike */
    EBMT_TOY_RINGS,        /* radii 0.2, 0.4, 0.6, 0.8, one as likely as another, sd 0.02 */
    EBMT_TOY_PINWHEEL,     /* five Gaussian arms, turned by an angle that grows with the radius */
    EBMT_TOY_GAUSSIANS,    /* eight, sd 0.06, on a circle of radius 0.7 */
    EBMT_TOY_COUNT
} ebmt_toy;

/* Finds a density by its name, "checkerboard" for one.
 * @err NOT_FOUND: no such density; the text lists those there are */
EBM_API EBM_MUST_CHECK ebm_status ebmt_toy_find(const char *name, ebmt_toy *out, ebm_error *err);

/* The density at a point; integrates to 1. @thread pure function */
EBM_API double ebmt_toy_density(ebmt_toy toy, double x, double y);

/* Draws point number `index`. @shape point [2], nearly always within [-1,1]
 * @thread pure function of (toy, seed, index) */
EBM_API void ebmt_toy_draw(ebmt_toy toy, uint64_t seed, uint32_t index, double point[2]);

/* What rounding to 8 bits adds to the variance of each coordinate.
 * @eq s^2/12 with the step s = 2/255 */
#define EBMT_TOY_ROUNDING ((2.0 / 255.0) * (2.0 / 255.0) / 12.0)

/* Draws a data set of images of `beside` points each, in a row: image i has the points
 * i * beside ... (i + 1) * beside - 1 of the sequence, with their coordinates as two channels.
 * @shape out->pixels [count,2,1,beside]
 * @range count, beside 1 and more, count * beside to 2^24
 * @own   out: ebmt_dataset_clear()
 * @err   RANGE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_toy_dataset(ebmt_toy toy, int64_t count, int32_t beside,
                                                   uint64_t seed, ebmt_dataset *out,
                                                   ebm_error *err);

#endif
