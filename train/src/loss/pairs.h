/* One training sample on its way: a clean image noised to two neighbouring levels.
 * A pure function of (data, seed, iteration, slot): no generator, no order. */
#ifndef EBMT_PAIRS_H
#define EBMT_PAIRS_H

#include <stdbool.h>

#include "ebm/levels.h"
#include "ebmt/data.h"

/* @shape clean, y_plus, x_next, y_minus [D]
 * @eq    x_t = abar_t x + sbar_t e1; x_{t+1} = a_{t+1} x_t + sigma_{t+1} e2 (a_{t+1} also at the
 *        top); y_plus = scale_t x_t. Gao et al. 2021, section 3.2, reference code q_sample_pairs.
 *        With shared noise x_{t+1} has the same distribution and so has x_t, but the two are
 *        closer: positives and negatives differ by less noise. Zhu et al. 2024 (CDRL) */
typedef struct ebmt__pair {
    int32_t level;
    double mix;     /* uniform in [0,1): where between y_plus and x_next matching looks */
    float *clean;   /* the image in [-1,1] */
    float *y_plus;  /* positive sample, scaled */
    float *x_next;  /* what the chain starts from and is tethered to */
    float *y_minus; /* the chain's end */
} ebmt__pair;

/* The seed of everything random in one iteration. */
uint64_t ebmt__iteration_seed(uint64_t seed, int64_t iteration);

/* What all pairs of an iteration share. */
typedef struct ebmt__draw {
    const ebmt_dataset *data;
    const ebm_levels *levels;
    int32_t lowest, highest; /* levels that are drawn, all as often */
    uint64_t seed;           /* ebmt__iteration_seed() */
    bool flip;               /* mirror half of the images */
    bool shared;             /* one noise for both levels: x_{t+1} = abar_{t+1} x + sbar_{t+1} e1 */
} ebmt__draw;

/* Draws level, noise and flip for slot `slot` of an iteration and fills the pair (not y_minus).
 * @shape work [D] @err as ebmt_dataset_get() */
EBM_MUST_CHECK ebm_status ebmt__pair_make(const ebmt__draw *draw, int64_t index, uint32_t slot,
                                          float *work, ebmt__pair *pair, ebm_error *err);

#endif
