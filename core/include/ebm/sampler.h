/* Samplers on anything that gives a log density and its gradient. They know levels, chains and
 * noise; they have never heard of networks, files, requests or the time of day. */
#ifndef EBM_SAMPLER_H
#define EBM_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/levels.h"
#include "ebm/session.h"
#include "ebm/status.h"

/* What a sampler sees: net(y,t) and its gradient, in net units (logp = net/step2[t]).
 * @shape y, grad [dim]; net may be NULL when only the gradient is wanted */
typedef struct ebm_density {
    size_t dim;
    void *self;
    void (*gradient)(void *self, const float *y, int32_t level, float *net, float *grad);
} ebm_density;

/* The density of a session's model. @own borrows the session */
EBM_API ebm_density ebm_density_of_session(ebm_session *s);

/* One Markov chain between two steps; plain data, so it can be stopped, stored and continued.
 * @shape y, anchor [dim], owned by the caller */
typedef struct ebm_chain {
    uint64_t seed;
    uint32_t index; /* number of the chain in its run: first_index + k */
    int32_t level;  /* current transition, T-1 down to 0; -1 when finished */
    int32_t step;   /* Langevin steps done at this level */
    float *y;       /* state; x_0 when finished */
    float *anchor;  /* x_{t+1}, which the tether pulls towards */
} ebm_chain;

/* Where a chain begins at each level below the top. */
typedef enum ebm_begin {
    EBM_BEGIN_MODEL,    /* as levels->predict says */
    EBM_BEGIN_ABOVE,    /* at x_{t+1} */
    EBM_BEGIN_PREDICTED /* where ebm_predict_update() puts it; a normal transition has no such way,
                           and begins above all the same */
} ebm_begin;

/* Whether chains of these levels can begin so: where a level is drawn at once by its normal
 * approximation, nothing can be predicted. @err RANGE with err->where "begin" */
EBM_API EBM_MUST_CHECK ebm_status ebm_begin_check(const ebm_levels *levels, ebm_begin begin,
                                                  ebm_error *err);

/* How to run a chain. */
typedef struct ebm_langevin {
    int32_t steps_per_level; /* 0: the level's default; normal transitions take no other number */
    double noise_scale;      /* tau; 1 is the exact discretisation */
    ebm_begin begin;
} ebm_langevin;

/* Puts a chain at the top: y = anchor = N(0,I), level T-1, step 0.
 * @thread pure function of (seed, index) */
EBM_API void ebm_chain_start(ebm_chain *chain, const ebm_levels *levels, size_t dim, uint64_t seed,
                             uint32_t index);

/* Runs up to max_steps Langevin steps, moving down the levels; stops early when finished.
 * @eq    y <- y + grad net/2 - (step2/2) r (y - x~)/sigma_{t+1}^2 + sqrt(step2) tau e, then
 *        x_t = y/scale_t after the last step of a level. Gao et al. 2021, algorithm 2. A stride q
 *        multiplies drift and step2 by q; with paired noise e is the mean of this step's noise
 *        and the next one's. Where the table says EBM_STEPS_NORMAL, one ebm_normal_update()
 *        instead. With predicted beginnings, each level below the top takes one step more, an
 *        ebm_predict_update(); with levels->denoise, level 0 takes one more at its end, an
 *        ebm_denoise_update()
 * @shape work [2*dim]: gradient and noise
 * @note  the noise of a step is a function of (seed, index, level, step): a run split in parts
 *        equals the undivided run bit for bit
 * @err   DIVERGED if a value is not finite afterwards (err->index = chain index) */
EBM_API EBM_MUST_CHECK ebm_status ebm_chain_advance(ebm_chain *chain, const ebm_density *density,
                                                    const ebm_levels *levels,
                                                    const ebm_langevin *how, int64_t max_steps,
                                                    float *work, ebm_error *err);

/* One Langevin update of y at level t with the noise given; the arithmetic of the above.
 * @shape y, anchor, grad, noise [dim]; grad holds the gradient of net at y */
EBM_API void ebm_langevin_update(const ebm_levels *levels, int32_t level, double noise_scale,
                                 size_t dim, const float *anchor, const float *grad,
                                 const float *noise, float *y);

/* Draws y at level t from the normal approximation of p(y | x_{t+1}); y holds x_{t+1} before.
 * @shape y, grad, noise [dim]; grad holds the gradient of net at x_{t+1}
 * @eq    y = x~ + sigma_{t+1}^2 grad f(x~) + sigma_{t+1} tau e, f = net/step2: the first-order
 *        expansion of f at x~ makes the conditional normal. docs/math/langevin.md */
EBM_API void ebm_normal_update(const ebm_levels *levels, int32_t level, double noise_scale,
                               size_t dim, const float *grad, const float *noise, float *y);

/* Draws where a chain begins at a level t below the top: x_t as it would be behind x_{t+1} if the
 * clean image were its mean, which level t+1 tells. @range level 0..T-2
 * @shape anchor, grad, noise, y [dim]; anchor is x_{t+1}, grad is of net at A_{t+1} x_{t+1} and
 *        level t+1
 * @eq    m = (x_{t+1} + sbar_{t+1}^2 grad log p(x_{t+1}))/abar_{t+1} (Tweedie);
 *        y = A_t x_t, x_t ~ q(x_t | x_{t+1}, m), the posterior of Ho et al. 2020, equation 7.
 *        docs/math/langevin.md */
EBM_API void ebm_predict_update(const ebm_levels *levels, int32_t level, size_t dim,
                                const float *anchor, const float *grad, const float *noise,
                                float *y);

/* Moves y at level 0 to the mean of the clean images behind it, scaled so that y/scale_0 is that
 * image: level 0 still carries noise of sbar_0. @shape y, grad [dim]; grad is of net at y
 * @eq    x = (x_0 + sbar_0^2 grad log p(x_0))/abar_0 (Tweedie), y = scale_0 x_0; Zhu et al. 2024
 *        (CDRL). docs/math/langevin.md */
EBM_API void ebm_denoise_update(const ebm_levels *levels, size_t dim, const float *grad, float *y);

/* Steps, that is gradients, of a whole chain: sum over levels; a normal transition is one, and
 * so are a predicted beginning and the denoising at the end. */
EBM_API int64_t ebm_chain_total_steps(const ebm_levels *levels, const ebm_langevin *how);

#endif
