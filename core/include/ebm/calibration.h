/* How likely an image is to a model, level by level, and how unusual that is among calibration
 * images. Knows densities, levels and one small file; has never heard of requests. */
#ifndef EBM_CALIBRATION_H
#define EBM_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/diagnostics.h"
#include "ebm/levels.h"
#include "ebm/sampler.h"
#include "ebm/status.h"

/* How images are scored. @own borrows density and levels @range draws 1..1000 */
typedef struct ebm_scoring {
    const ebm_density *density;
    const ebm_levels *levels;
    uint64_t seed;
    int32_t draws;
} ebm_scoring;

/* Log density of an image at every level, averaged over noise draws.
 * @shape image [dim], work [3 dim], logp [T]
 * @unit  nats, up to a constant of the model and the level
 * @eq    mean over draws e of net(A_t (abar_t x + sbar_t e), t)/step2_t; docs/math/energy.md
 * @thread pure function of (seed, index, image) */
EBM_API void ebm_score_image(const ebm_scoring *how, const float *image, uint32_t index,
                             float *work, double *logp);

/* Gradient of the lowest level's log density, averaged over the same draws, in the image.
 * @shape image, grad [dim], work [3 dim] @unit nats per unit of x in [-1,1] */
EBM_API void ebm_score_gradient(const ebm_scoring *how, const float *image, uint32_t index,
                                float *work, float *grad);

/* Scores of one image on their way. @shape logp [T]: what is not done yet is undefined; grad [dim],
 * or NULL: not wanted @own the caller's, who begins with done = 0 */
typedef struct ebm_score {
    int64_t done; /* evaluations */
    double *logp;
    float *grad;
} ebm_score;
/* Evaluations of a whole score. */
EBM_API int64_t ebm_score_evals(const ebm_scoring *how, bool gradient);
/* Goes on for at most max_evals evaluations: the results of ebm_score_image() and, where wanted,
 * ebm_score_gradient(), bit for bit, however the work is divided. @shape work [3 dim] */
EBM_API void ebm_score_advance(const ebm_scoring *how, const float *image, uint32_t index,
                               int64_t max_evals, float *work, ebm_score *score);

#define EBM_QUANTILES             101 /* 0, 1, ..., 100 % */
#define EBM_CALIBRATION_FILE      "energy.json"
#define EBM_CALIBRATION_MAX_BYTES (4u << 20)

/* What calibration images score. Rows of quantile: the levels, then the standardised sum.
 * @shape mean, sd [T], quantile [T+1, EBM_QUANTILES] */
typedef struct ebm_calibration {
    int32_t levels; /* T */
    int64_t count;
    int32_t draws;
    int64_t seed;
    double *mean, *sd, *quantile;
} ebm_calibration;

/* Makes the statistics. @shape logp [count, levels] @range count at least 100
 * @own clear with ebm_calibration_clear() @err RANGE (too few, a level without spread), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_of(const double *logp, int64_t count,
                                                     int32_t levels, ebm_calibration *out,
                                                     ebm_error *err);
EBM_API void ebm_calibration_clear(ebm_calibration *c); /* safe on a zeroed or cleared struct */

/* The one score for how usual an image is: low is unusual. @shape logp [T]
 * @eq sum_t (logp_t - mean_t)/sd_t / sqrt(T) */
EBM_API double ebm_calibration_score(const ebm_calibration *c, const double *logp);

/* Share of calibration images that score lower, 0..100, linear between quantiles; `row` is a
 * level, or T for the standardised sum. A value below all of them gives 0. */
EBM_API double ebm_calibration_percentile(const ebm_calibration *c, int32_t row, double value);

/* Where the middle 98 % of calibration images lie at a level: what traces are held against. */
EBM_API ebm_band ebm_calibration_band(const ebm_calibration *c, int32_t level);

/* Writes DIR/energy.json atomically, bound to the model's weights and closed by a digest.
 * @err IO, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_write(const ebm_calibration *c,
                                                        const char *model_sha256, const char *dir,
                                                        ebm_error *err);

/* Reads it; nothing in it is trusted.
 * @own *out as above
 * @err NOT_FOUND (no file, or one of other weights: training has gone on since), FORMAT, LIMIT,
 *      RANGE (a number), SHAPE (another number of levels), DIGEST (damaged), NOMEM, IO; err->where
 *      names file or field */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_read(const char *dir, const char *model_sha256,
                                                       int32_t levels, ebm_calibration *out,
                                                       ebm_error *err);
/* The same from bytes. */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_parse(const char *text, size_t size,
                                                        const char *model_sha256, int32_t levels,
                                                        ebm_calibration *out, ebm_error *err);

#endif
