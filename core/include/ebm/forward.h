/* The forward process on images, and whose noise a chain uses. Knows level tables and counters;
 * has never heard of densities, chains or files. */
#ifndef EBM_FORWARD_H
#define EBM_FORWARD_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/levels.h"
#include "ebm/rng.h"
#include "ebm/status.h"

/* Names the noise of a run. Between two seeds every draw is a mix of the draws of both, so that
 * its marginal stays N(0,1); lambda = 0 is the first alone, 1 the second alone, bit for bit. With
 * seed_b = seed and index_b = index there is one stream, and all of lambda have its draws.
 * @range lambda 0..1
 * @eq    n = cos(lambda pi/2) n_a + sin(lambda pi/2) n_b; docs/math/interpolation.md */
typedef struct ebm_noise {
    uint64_t seed;
    uint32_t index; /* number of the chain in its run: first_index + k */
    uint64_t seed_b;
    uint32_t index_b;
    double lambda;
} ebm_noise;

/* Which draws of a run's noise are wanted. */
typedef struct ebm_draw {
    ebm_purpose purpose;
    int32_t level;
    int64_t step;
} ebm_draw;

/* Fills out[0..n) with draws first .. first+n-1. @shape out [n]; first a multiple of 4
 * @range step below 2^32 @thread pure function */
EBM_API void ebm_noise_normal(const ebm_noise *noise, ebm_draw draw, uint32_t first, size_t n,
                              float *out);

/* Makes one forward path of an image down to level `last`.
 * @shape image [dim], path [last+1, dim]: row i is x_i
 * @eq    x_0 = abar_0 x + sbar_0 e_0; x_{i+1} = a_{i+1} x_i + sigma_{i+1} e_{i+1}.
 *        docs/math/recovery_likelihood.md
 * @thread pure function of image and noise */
EBM_API void ebm_forward_path(const ebm_levels *levels, const ebm_noise *noise, size_t dim,
                              const float *image, int32_t last, float *path);

/* The state of that path at level `level` alone. @shape image, x [dim]; they may be the same */
EBM_API void ebm_forward_state(const ebm_levels *levels, const ebm_noise *noise, size_t dim,
                               const float *image, int32_t level, float *x);

/* The same from the path's state at level 0, in place. @shape x [dim] */
EBM_API void ebm_forward_on(const ebm_levels *levels, const ebm_noise *noise, size_t dim,
                            int32_t level, float *x);

/* One step of the forward process: x_{level-1} to x_level, with the noise of `draw`.
 * @shape from, to [dim]; they may be the same @range level 1..T */
EBM_API void ebm_forward_step(const ebm_levels *levels, const ebm_noise *noise, ebm_draw draw,
                              size_t dim, const float *from, float *to);

/* Spherical interpolation: the angle between a and b is divided in the ratio lambda.
 * @shape a, b, out [dim]; out may be a or b
 * @eq    (sin((1-lambda) w) a + sin(lambda w) b) / sin w, cos w = <a,b>/(|a||b|); linear when
 *        sin w < 1e-4. Shoemake 1985; docs/math/interpolation.md */
EBM_API void ebm_slerp(const float *a, const float *b, double lambda, size_t dim, float *out);

#endif
