/* How likely an image is to a model, level by level, and how unusual that is among calibration
 * images. Knows densities, levels and one small file; has never heard of requests. */
#ifndef EBM_CALIBRATION_H
#define EBM_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/diagnostics.h"
#include "ebm/levels.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"
#include "ebm/spoil.h"
#include "ebm/status.h"

/* How images are scored. @own borrows density and levels @range draws 1..1000 */
typedef struct ebm_scoring {
    const ebm_density *density;
    const ebm_levels *levels;
    uint64_t seed;
    int32_t draws;
} ebm_scoring;

/* What is measured of an image at each level, averaged over noise draws. Rows of a score: */
typedef enum ebm_feature {
    EBM_FEATURE_LOGP, /* log density; nats, up to a constant of the model and the level */
    EBM_FEATURE_MISS, /* log |e - g|^2, g the model's guess of the noise e that was added */
    EBM_FEATURE_PULL  /* |g|^2 */
} ebm_feature;
#define EBM_FEATURES 3

/* Features of an image at every level.
 * @shape image [dim], work [3 dim], features [EBM_FEATURES,T]
 * @eq    y = A_t (abar_t x + sbar_t e); net(y, t)/step2_t, and g = -A_t sbar_t grad net(y,
 *        t)/step2_t, the mean of e behind y if the model is right; docs/math/energy.md
 * @thread pure function of (seed, index, image) */
EBM_API void ebm_score_image(const ebm_scoring *how, const float *image, uint32_t index,
                             float *work, double *features);

/* Gradient of the lowest level's log density, averaged over the same draws, in the image.
 * @shape image, grad [dim], work [3 dim] @unit nats per unit of x in [-1,1] */
EBM_API void ebm_score_gradient(const ebm_scoring *how, const float *image, uint32_t index,
                                float *work, float *grad);

/* Scores of one image on their way. @shape features [EBM_FEATURES,T]: what is not done yet is
 * undefined; grad [dim], or NULL: not wanted; single [T,draws], the log density of each draw, or
 * NULL @own the caller's, who begins with done = 0 */
typedef struct ebm_score {
    int64_t done; /* evaluations */
    double *features;
    float *grad;
    double *single;
} ebm_score;
/* Evaluations of a whole score. */
EBM_API int64_t ebm_score_evals(const ebm_scoring *how, bool gradient);
/* Goes on for at most max_evals evaluations: the results of ebm_score_image() and, where wanted,
 * ebm_score_gradient(), bit for bit, however the work is divided. @shape work [3 dim] */
EBM_API void ebm_score_advance(const ebm_scoring *how, const float *image, uint32_t index,
                               int64_t max_evals, float *work, ebm_score *score);
/* False if a feature is not finite. @shape features [EBM_FEATURES,levels] */
EBM_API bool ebm_score_is_finite(const double *features, int32_t levels);

#define EBM_QUANTILES             101 /* 0, 1, ..., 100 % */
#define EBM_CALIBRATION_FILE      "energy.json"
#define EBM_CALIBRATION_MAX_BYTES (4u << 20)

#define EBM_CALIBRATION_MIN 100 /* images */
#define EBM_BANDS_MAX       32

/* What calibration images score, and what tells them from spoiled copies. Of up to 32 levels each
 * is a band; of more, neighbours share one. Rows of quantile: the levels' log densities, then the
 * score.
 * @shape p = EBM_FEATURES*B; mean, sd [EBM_FEATURES,B], factor [p (p+1)/2], weight [2p + 2],
 *        quantile [T+1,EBM_QUANTILES], single [T,2]
 * @range the weight of the distance is never above 0
 * @eq    factor: the lower triangle L, row behind row, of L L' = C + 0.01 I, with the covariance C
 *        of the standardised features */
typedef struct ebm_calibration {
    int32_t levels, bands; /* T, B */
    int64_t count;
    int32_t draws;
    int64_t seed;
    double *mean, *sd;
    double *factor;
    double *weight; /* of the standardised features, of their squares, of the distance, constant */
    double *quantile;
    double *single;  /* of log densities of single draws the 1 % and 99 % quantiles */
    bool has_single; /* false: a file of earlier builds has none */
} ebm_calibration;

#define EBM_SCORED_COPIES 2 /* of each image */

/* Images and spoiled copies of them, scored. Copy j is of image j/EBM_SCORED_COPIES, of kind
 * ebm_scored_kind(j). @shape own [count,EBM_FEATURES,levels], spoiled [2 count, the same] */
typedef struct ebm_scored {
    int32_t levels;
    int64_t count;
    const double *own, *spoiled;
} ebm_scored;
EBM_API ebm_spoil_kind ebm_scored_kind(int64_t copy);

/* Makes the statistics.
 * @range count at least EBM_CALIBRATION_MIN
 * @eq    weights: logistic regression, ridge 1e-3, classes and kinds of copies weighing alike; an
 *        image's distance in it is by the covariance of the others; where the weight of the
 *        distance comes out above 0, without the distance, else 1.5 times of it. Quantiles of the
 *        score: of each image by weights and a covariance that were found without its quarter of
 *        the images, as an image that is new would have it. docs/math/energy.md
 * @own clear with ebm_calibration_clear()
 * @err RANGE (too few, not finite, a level without spread), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_of(const ebm_scored *set, ebm_calibration *out,
                                                     ebm_error *err);

/* Takes the band of every level from the log densities of single draws of the calibration images:
 * a state of a chain is one draw, and a mean of several spreads less. c->draws is set.
 * @shape single [c->count,T,c->draws]
 * @err RANGE (a level's middle 98 % have no spread), NOMEM; c is as before then, but for its band
 */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_take_band(ebm_calibration *c,
                                                            const double *single, ebm_error *err);

/* Tries what the score is worth against a kind of copies that it has never seen: scores of images
 * and of the copies of that kind, by weights found without the kind and, as the covariance, without
 * the quarter that an image, or the image of a copy, is of.
 * @shape own [count], spoiled [2 count]: filled for copies of that kind only @err as above */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_trial(const ebm_scored *set, ebm_spoil_kind kind,
                                                        double *own, double *spoiled,
                                                        ebm_error *err);
EBM_API void ebm_calibration_clear(ebm_calibration *c); /* safe on a zeroed or cleared struct */
/* Copies it into an arena. @own dies with the arena; never to be cleared @err false: no memory */
EBM_API EBM_MUST_CHECK bool ebm_calibration_copy(const ebm_calibration *c, ebm_arena *arena,
                                                 ebm_calibration *out);

/* The one score for how usual an image is: low is unusual. Finite for finite features.
 * @shape features [EBM_FEATURES,T]
 * @unit  log odds of the data against spoiled copies, in nats
 * @eq    u = (mean of the feature over its band - mean)/sd, clipped to -1e6..1e6; z the same,
 *        clipped to -6..6; d = u' (C + 0.01 I)^-1 u / p, Mahalanobis 1936;
 *        sum over z of weight z + weight' z^2, + weight'' d + constant */
EBM_API double ebm_calibration_score(const ebm_calibration *c, const double *features);

/* Share of calibration images with a lower value, 0..100, linear between quantiles; `row` is a
 * level for its log density, or T for the score. A value below all of them gives 0. */
EBM_API double ebm_calibration_percentile(const ebm_calibration *c, int32_t row, double value);

/* Where the middle 98 % of single draws of calibration images lie at a level: what traces are held
 * against. Empty, low = high = 0, where that is not known: a file of earlier builds has means of
 * several draws alone, which spread less than states of a chain. */
EBM_API ebm_band ebm_calibration_band(const ebm_calibration *c, int32_t level);

/* What a calibration is of. @own borrows both */
typedef struct ebm_calibrated {
    const char *model_sha256; /* of the weights */
    const ebm_levels *levels;
} ebm_calibrated;

/* Writes DIR/energy.json atomically, bound to the model's weights and to the tables of its levels
 * that densities depend on, and closed by a digest.
 * @err IO, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_write(const ebm_calibration *c,
                                                        const ebm_calibrated *of, const char *dir,
                                                        ebm_error *err);

/* Reads it; nothing in it is trusted. Files of earlier builds, which don't say what levels they are
 * of, are taken for those of the model's.
 * @own *out as above
 * @err NOT_FOUND (no file, or one of other weights or levels: training has gone on since), FORMAT
 *      (also an earlier format: calibrate again), LIMIT, RANGE (a number), SHAPE (another number of
 *      levels), DIGEST (damaged), NOMEM, IO; err->where names file or field */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_read(const char *dir, const ebm_calibrated *of,
                                                       ebm_calibration *out, ebm_error *err);
/* The same from bytes. */
EBM_API EBM_MUST_CHECK ebm_status ebm_calibration_parse(const char *text, size_t size,
                                                        const ebm_calibrated *of,
                                                        ebm_calibration *out, ebm_error *err);

#endif
