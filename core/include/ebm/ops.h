/* Operations: what a command and a route do in common. An operation is a table of parameters
 * (ebm/params.h), pictures, and chains or numbers made of them; each item is a function of
 * (parameters, index) alone, so items may be shared out, stopped and made again anywhere.
 * They have never heard of requests, flags, files or threads. */
#ifndef EBM_OPS_H
#define EBM_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/diagnostics.h"
#include "ebm/io.h"
#include "ebm/levels.h"
#include "ebm/mcmc.h"
#include "ebm/params.h"
#include "ebm/status.h"

/* --- pictures ------------------------------------------------------------------------------- */

/* What a model's images look like. */
typedef struct ebm_shape {
    int32_t channels, height, width;
} ebm_shape;

/* True if the channels are gray or colours. Others are numbers that a picture holds in place of
 * gray and transparency (2 channels) or of colours and transparency (4). */
EBM_API bool ebm_shape_has_colours(const ebm_shape *shape);

/* Turns a picture into a tensor in [-1,1] of the model's shape. EXACT takes pictures of the
 * model's size whose colours convert without loss, gray to colour or equal channels to gray;
 * RESIZE squeezes all of the picture, CROP the largest part in the middle; both convert colours.
 * Transparent pixels lie on white, whatever colour is stored under them. For a shape without
 * colours all take pictures of as many channels, and these as they are.
 * @shape x [C,H,W] @err SHAPE (names what is expected), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_fit_image(const ebm_image *picture, const ebm_shape *shape,
                                                ebm_fit fit, float *x, ebm_error *err);

typedef struct ebm_mask_rule {
    ebm_mask_mode mode;
    bool soft; /* grays blend; else 128 and above counts as white */
    ebm_fit fit;
} ebm_mask_rule;

/* Turns a mask into 1 for known pixels and 0 for those to repaint, the same in all channels.
 * @shape known [C,H,W]; coverage: share of pixels to repaint, 0..1
 * @err   SHAPE, ARG (mode ALPHA, and the mask has no transparency), NOMEM; RANGE: nothing or
 *        everything would be repainted */
EBM_API EBM_MUST_CHECK ebm_status ebm_fit_mask(const ebm_image *mask, const ebm_shape *shape,
                                               const ebm_mask_rule *rule, float *known,
                                               double *coverage, ebm_error *err);

/* What `n` images of one shape have at each byte: mean, standard deviation, quantiles.
 * @shape images [n,bytes]; mean, sd, quantile of 5, 50, 95 % [bytes] each
 * @unit  pixels 0..255; sd with n-1; quantiles are the ceil(q n)-th smallest values
 * @range n at least 2 @err RANGE, NOMEM */
typedef struct ebm_ensemble {
    uint8_t *mean, *sd, *quantile[3];
} ebm_ensemble;
EBM_API EBM_MUST_CHECK ebm_status ebm_ensemble_of(const uint8_t *images, size_t n, size_t bytes,
                                                  const ebm_ensemble *out, ebm_error *err);

/* Puts n images of one shape side by side, without gaps: a sprite sheet.
 * @shape images [n,H,W,C] @own out->pixels: ebm_free() @err LIMIT (over 16384 wide), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_sprite_sheet(const uint8_t *images, size_t n,
                                                   const ebm_shape *shape, ebm_image *out,
                                                   ebm_error *err);

/* --- operations that run chains: sample, inpaint, mcmc, interpolate --------------------------- */

/* One call of an operation.
 * @shape image, image_b, known [C,H,W] or NULL @own borrows them */
typedef struct ebm_call {
    const ebm_operation *operation;
    ebm_op_params params;
    const float *image, *image_b, *known;
} ebm_call;

/* Fills in what the model decides (noise_scale, begin, start_level, level) and checks what depends
 * on it; afterwards the parameters are the effective ones. params.seed is set by the caller.
 * @err RANGE (a level beyond the model's, a beginning that it cannot have, a warm-up as long as the
 *      chains, more snapshots than steps behind it, more rows of traces than a million), ARG */
EBM_API EBM_MUST_CHECK ebm_status ebm_call_resolve(ebm_call *op, const ebm_levels *levels,
                                                   ebm_error *err);

/* Number of items: images, chains or frames. */
EBM_API int32_t ebm_call_items(const ebm_call *op);

/* How the items' chains run. */
EBM_API ebm_mcmc_plan ebm_call_plan(const ebm_call *op);

/* The level of the first transition of each chain. */
EBM_API int32_t ebm_call_first_level(const ebm_call *op, const ebm_levels *levels);

/* For mcmc with init `samples`: the sampling whose item k gives the picture that chain k starts
 * from. Its seed is ebm_rng_seed(seed, EBM_SEED_SAMPLES, 0, 0), so that no chain meets the noise
 * again that its start is made of. @own borrows nothing */
EBM_API ebm_call ebm_call_sampling(const ebm_call *op);

/* Item k's draws: what chain->noise of a chain that was started holds. */
EBM_API ebm_noise ebm_call_noise(const ebm_call *op, int32_t k);

/* Starts the chain of item k; advance it with ebm_mcmc_advance(). setup->plan is ebm_call_plan().
 * `from`: with init samples, the result of the sampling's item k; else NULL.
 * @shape chain->y, chain->anchor [dim] set by the caller; path [T+1, dim] for inpaint, else NULL
 * @range k 0..ebm_call_items()-1 @err RANGE (a mask value) */
EBM_API EBM_MUST_CHECK ebm_status ebm_call_start(const ebm_call *op, const ebm_mcmc_setup *setup,
                                                 int32_t k, const float *from, float *path,
                                                 ebm_mcmc *chain, ebm_error *err);

/* The image a chain shows: x_0 of a finished ladder, else x_t. @shape x [dim] */
EBM_API void ebm_call_image(const ebm_levels *levels, size_t dim, const ebm_mcmc *chain, float *x);
/* Its log density up to a constant: of the state at the chain's level; of a finished ladder's x_0
 * at the lowest. @eq f(y_t, t) / step2_t, docs/math/energy.md @unit nats @shape work [2 dim] */
EBM_API double ebm_call_logp(const ebm_density *density, const ebm_levels *levels,
                             const ebm_mcmc *chain, float *work);

/* --- chains: diagnostics and stop rules --------------------------------------------------------
 */

#define EBM_TRACE_DIRECTIONS 8 /* fixed projections that are tracked beside logp */

/* What the traces of a run say. Draws before the run has settled are left out; chains count as far
 * as the shortest one. */
typedef struct ebm_chains_report {
    size_t chains, draws;
    ebm_convergence logp;
    double worst_rhat, least_ess; /* over logp and projections, bulk and tail; NaN: too few draws */
    double acceptance;
    bool banded; /* a band was given */
    ebm_drift drift;
    bool diverged;
} ebm_chains_report;

/* @shape traces [chains], all with the same thin and directions
 * settled: steps to leave out, ebm_mcmc_settled(): draws of several densities say nothing together
 * @range fewer than 8 draws: rhat and ess are NaN
 * @own   band may be NULL, or empty, low = high: then there is none @err RANGE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_chains_report_of(const ebm_trace *traces, size_t chains,
                                                       int64_t settled, const ebm_band *band,
                                                       ebm_chains_report *out, ebm_error *err);

/* Where a run of `total` steps that has come to `at` is looked at next: at one of 20 places between
 * warm-up and end if there is a rule in `until`, and at one of 20 in the warm-up with max_seconds,
 * which needs no draws; at each of the `keep` snapshots; at the end. The places do not depend on
 * where a run was stopped in between.
 * @range at < total; at < result <= total, whatever the warm-up; *snapshot receives whether it is
 *        one */
EBM_API int64_t ebm_until_next(const ebm_op_params *params, int64_t total, int64_t at,
                               bool *snapshot);
/* The same for chains that go on from step `from`: the `keep` snapshots divide what is ahead of
 * them. @range from 0..total; as many steps ahead as snapshots, or there are fewer of them */
EBM_API int64_t ebm_until_next_from(const ebm_op_params *params, int64_t from, int64_t total,
                                    int64_t at, bool *snapshot);

/* True when the rules of `until` are met: ess and rhat both where both are given, or max_seconds.
 * Without rules it is false. */
EBM_API bool ebm_until_met(const ebm_op_params *params, const ebm_chains_report *report,
                           double seconds);

#endif
