/* Markov chains of every kind: Langevin, MALA, HMC; down the ladder or at one level; from noise,
 * from images, between two seeds, around known pixels. They know densities, levels and noise; they
 * have never heard of networks, files, requests or the time of day. */
#ifndef EBM_MCMC_H
#define EBM_MCMC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/forward.h"
#include "ebm/levels.h"
#include "ebm/sampler.h"
#include "ebm/status.h"

typedef enum ebm_sampler_kind {
    EBM_SAMPLER_LANGEVIN = 0, /* no accept test; its bias is part of what training sees */
    EBM_SAMPLER_MALA = 1,     /* one leapfrog step with a Metropolis test */
    EBM_SAMPLER_HMC = 2
} ebm_sampler_kind;

#define EBM_MCMC_MAX_STEPS    2000000000
#define EBM_MCMC_MAX_LEAPFROG 64
#define EBM_MCMC_MAX_REPEATS  100

/* What a chain does. Start from ebm_mcmc_plan_default().
 * @range checked by ebm_mcmc_plan_check() */
typedef struct ebm_mcmc_plan {
    ebm_sampler_kind sampler;
    bool ladder;             /* go down to x_0; false: stay at the level the chain starts at */
    bool tether;             /* at one level and in the polish: sample p(y | anchor); false: the
                                marginal exp f_t. Else the ladder's transitions have it */
    ebm_begin begin;         /* ladder: of every pass of a level below the top */
    int32_t leapfrog;        /* HMC: leapfrog steps of a move, 1..64 */
    int32_t steps_per_level; /* ladder: 0 takes the level's default, else up to 1,000,000; Langevin
                                chains draw a normal transition once whatever this says */
    int32_t repeats;         /* ladder: passes of each level, noised up again between, 1..100 */
    int32_t polish;          /* ladder: MALA steps more at the lowest level, 0..1,000,000 */
    int64_t steps;           /* at one level: length of the run, 1..2e9; raise it to extend */
    int64_t burn_in;         /* first Metropolis steps of a level, in which the step size adapts */
    double step_scale;       /* factor on the initial step size, 1e-6..1e6 */
    double noise_scale;      /* Langevin: tau, 0..2; 1 is the exact discretisation */
} ebm_mcmc_plan;

/* Ladder, one pass, the levels' own steps; leapfrog 2, burn_in 0, step_scale 1, noise_scale 1. */
EBM_API ebm_mcmc_plan ebm_mcmc_plan_default(ebm_sampler_kind sampler);
EBM_API EBM_MUST_CHECK ebm_status ebm_mcmc_plan_check(const ebm_mcmc_plan *plan, ebm_error *err);

/* What all calls on one chain share. @own borrows all three */
typedef struct ebm_mcmc_setup {
    const ebm_density *density;
    const ebm_levels *levels;
    const ebm_mcmc_plan *plan;
} ebm_mcmc_setup;

/* One chain between two steps: plain data, so it can be stopped, stored and continued elsewhere.
 * @shape y, anchor, image, mask [dim], path [T+1, dim]; owned by the caller, who sets `noise`, `y`
 *        and `anchor` before a start. image, mask and path are NULL unless pixels are known. */
typedef struct ebm_mcmc {
    ebm_noise noise;
    int32_t level;    /* current transition; -1 when a ladder is finished */
    int64_t step;     /* steps done at this level */
    int64_t total;    /* steps done in all */
    double step_size; /* of MALA and HMC; 0: not chosen yet at this level */
    double running;   /* running acceptance, which steers the step size in burn-in */
    int64_t moves;    /* Metropolis steps after burn-in, and the sum of their */
    double accept;    /* acceptance probabilities: accept/moves is the rate */
    float *y;         /* state; x_0 when a ladder is finished */
    float *anchor;    /* x_{t+1}, which the tether pulls towards */
    const float *image, *mask, *path;
} ebm_mcmc;

/* --- known pixels ------------------------------------------------------------------------- */

/* Makes a chain hold known pixels: call before a start. One forward path of the image is drawn,
 * and known values follow it, so that each level is the exact conditional of the same model.
 * @shape image, mask [dim], path [T+1, dim] (filled here); the chain keeps the pointers
 * @range mask 1 known, 0 unknown; between only with `soft`, then such a value is blended and
 *        no longer an exact conditional
 * @eq    algorithm of docs/math/inpainting.md
 * @err   RANGE: a mask value (err->index) is not allowed, or an image value is not finite */
EBM_API EBM_MUST_CHECK ebm_status ebm_mcmc_know(ebm_mcmc *chain, const ebm_mcmc_setup *setup,
                                                const float *image, const float *mask, bool soft,
                                                float *path, ebm_error *err);

/* --- starts ------------------------------------------------------------------------------- */

/* Starts from white noise: y = anchor = N(0,I) at transition `level`. @range level 0..T-1 */
EBM_API void ebm_mcmc_start_noise(ebm_mcmc *chain, const ebm_mcmc_setup *setup, int32_t level);

/* Starts from an image noised along a forward path: a ladder at x_{t+1} = anchor, a chain at one
 * level at y = A_t x_t with anchor x_{t+1}. @shape image [dim] @range level 0..T-1 */
EBM_API void ebm_mcmc_start_image(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *image,
                                  int32_t level);

/* The same from a sample of the model. Without a denoising step at the end of sampling it has the
 * noise of level 0 already, and is the path's first state. @shape sample [dim] @range level 0..T-1
 */
EBM_API void ebm_mcmc_start_sample(ebm_mcmc *chain, const ebm_mcmc_setup *setup,
                                   const float *sample, int32_t level);

/* Starts between two images: a is noised with the first noise, b with the second, the two states
 * are interpolated spherically by noise.lambda; lambda = 0 equals ebm_mcmc_start_image(a).
 * @shape a, b [dim] */
EBM_API void ebm_mcmc_start_between(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *a,
                                    const float *b, int32_t level);

/* Starts from a given state. @shape y (scaled, y = A_t x_t), anchor [dim]; anchor may be y */
EBM_API void ebm_mcmc_start_state(ebm_mcmc *chain, const ebm_mcmc_setup *setup, const float *y,
                                  const float *anchor, int32_t level);

/* --- running ------------------------------------------------------------------------------ */

/* Tracked scalars, recorded for the state before every thin-th step: logp in nats (of the density
 * that the chain samples), the acceptance probability of the move out of it (1 for Langevin), and
 * projections on fixed directions.
 * @shape directions [n_directions, dim], level [room] or NULL, scalars [room, 2+n_directions]
 * @own   all arrays are the caller's, who empties the trace by setting count = 0 */
typedef struct ebm_trace {
    int64_t thin; /* at least 1 */
    int32_t n_directions;
    const float *directions;
    size_t room, count;
    int32_t *level;
    double *scalars;
} ebm_trace;

/* Fills fixed random directions, the same for every run: row k is N(0, I/dim). @shape [n, dim] */
EBM_API void ebm_trace_directions(int32_t n, size_t dim, float *out);

/* Floats of work that ebm_mcmc_advance() needs: 2 dim for Langevin alone, 4 dim else. */
EBM_API size_t ebm_mcmc_work(const ebm_mcmc_plan *plan, size_t dim);

/* Runs up to max_steps steps; stops early when the chain is done or the trace is full.
 * @eq    Langevin: docs/math/langevin.md; MALA and HMC: docs/math/mcmc.md
 * @shape work [ebm_mcmc_work()]; trace may be NULL
 * @note  a run split in parts, here or in another process, equals the undivided run bit for bit
 * @err   DIVERGED: a value of the state or its logp is not finite (err->index = chain index). A
 *        proposal that is not finite is a rejection, no error. */
EBM_API EBM_MUST_CHECK ebm_status ebm_mcmc_advance(ebm_mcmc *chain, const ebm_mcmc_setup *setup,
                                                   int64_t max_steps, ebm_trace *trace, float *work,
                                                   ebm_error *err);

EBM_API bool ebm_mcmc_done(const ebm_mcmc *chain, const ebm_mcmc_plan *plan);

/* Steps of a whole run from transition `level` on. */
EBM_API int64_t ebm_mcmc_total_steps(const ebm_mcmc_plan *plan, const ebm_levels *levels,
                                     int32_t level);

/* Steps of a run from transition `level` on, after which all that follow are moves of one density
 * with a frozen step size: the warm-up; down a ladder all levels above the lowest, which have other
 * densities, and the warm-up of that one. What traces are judged from. */
EBM_API int64_t ebm_mcmc_settled(const ebm_mcmc_plan *plan, const ebm_levels *levels,
                                 int32_t level);

/* --- checkpoints -------------------------------------------------------------------------- */

/* Stores chain and plan as bytes: versioned, bound to a model and its levels, closed by a SHA-256
 * of all before.
 * @shape model_digest: 64 hex digits
 * @own   *data: ebm_free() @err NOMEM, ARG (digest) */
EBM_API EBM_MUST_CHECK ebm_status ebm_mcmc_encode(const ebm_mcmc *chain,
                                                  const ebm_mcmc_setup *setup,
                                                  const char *model_digest, unsigned char **data,
                                                  size_t *size, ebm_error *err);

/* Where a checkpoint is unpacked, and what it has to match.
 * @shape y, anchor, image, mask [dim], path [T+1, dim]; the last three are needed only when the
 *        checkpoint knows pixels */
typedef struct ebm_mcmc_room {
    size_t dim;
    const ebm_levels *levels;
    const char *model_digest;
    float *y, *anchor, *image, *mask, *path;
} ebm_mcmc_room;

/* Restores chain and plan; nothing in the bytes is trusted, and on error *chain and *plan are
 * untouched. Version 1 does not tell of which levels it is: any are taken.
 * @own the chain points into room
 * @err FORMAT, LIMIT, DIGEST (damaged), SHAPE (another dim), NOT_FOUND (another model, or other
 *      levels), RANGE (a field is outside its bounds), ARG (room lacks the arrays for known
 * pixels), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_mcmc_decode(const unsigned char *data, size_t size,
                                                  const ebm_mcmc_room *room, ebm_mcmc *chain,
                                                  ebm_mcmc_plan *plan, ebm_error *err);

#endif
