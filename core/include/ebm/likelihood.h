/* Likelihoods with error bars: annealed importance sampling of normalisers, the recovery bound,
 * bits per dimension. They work on any density with a gradient; they have never heard of networks,
 * files, requests or the time of day. */
#ifndef EBM_LIKELIHOOD_H
#define EBM_LIKELIHOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/levels.h"
#include "ebm/sampler.h"
#include "ebm/status.h"

#define EBM_AIS_MAX_TEMPERATURES 1000000
#define EBM_AIS_MAX_MOVES        1000

/* How to anneal. Start from ebm_ais_default(). @own borrows density and levels */
typedef struct ebm_ais {
    const ebm_density *density;
    const ebm_levels *levels;
    uint64_t seed;
    int32_t temperatures; /* of each path, 1..1,000,000 */
    int32_t moves;        /* HMC moves at each, 1..1000 */
    int32_t leapfrog;     /* of a move, 1..64; 1 is MALA */
    int32_t burn_in;      /* reverse: moves at the target before annealing, 0..1,000,000 */
    double step_scale;    /* factor on D^(-1/4)/sqrt(Lmax), 1e-6..1e6 */
    const double *tuned;  /* [T] factors of the levels from ebm_ais_tune(), or NULL: 1 */
} ebm_ais;

EBM_API ebm_ais ebm_ais_default(const ebm_density *density, const ebm_levels *levels,
                                uint64_t seed); /* 100, 1, 2, 0, 1 */
EBM_API EBM_MUST_CHECK ebm_status ebm_ais_check(const ebm_ais *how, ebm_error *err);

/* Floats of work that every call below needs. */
EBM_API size_t ebm_ais_work(size_t dim);

/* Finds the factors of the levels by a chain of `steps` HMC moves at each, started from an image.
 * It runs before the particles, which never adapt: so their weights stay exact.
 * `tether`: for ebm_ais_recovery(), else for ebm_ais_ladder().
 * @shape image [dim], work [ebm_ais_work()], factors [T] @range steps 1..1,000,000
 * @err   RANGE, DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_ais_tune(const ebm_ais *how, bool tether, const float *image,
                                               int32_t steps, float *work, double *factors,
                                               ebm_error *err);

/* The same in parts. @shape image, work, factors as above; chain [2, dim]
 * @own all is the caller's, who keeps `chain` and `factors` with the state */
typedef struct ebm_tune_task {
    bool tether;
    int32_t steps;
    const float *image;
    float *chain, *work;
    double *factors;
} ebm_tune_task;
/* Tuning on its way. Zero-initialise. */
typedef struct ebm_tune_state {
    int32_t level; /* the present one; T when all is done */
    int32_t step;  /* steps done there */
    double step_size, running;
} ebm_tune_state;
/* Goes on for at most `steps` steps; the bits are those of ebm_ais_tune(), however the work is
 * divided. @err RANGE, DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_tune_advance(const ebm_ais *how, const ebm_tune_task *task,
                                                   int64_t steps, ebm_tune_state *state,
                                                   ebm_error *err);
/* True for numbers that going on with is safe, wherever they come from. */
EBM_API bool ebm_tune_state_ok(const ebm_ais *how, int32_t steps, const ebm_tune_state *state);

/* What one particle brings back. */
typedef struct ebm_particle {
    double log_weight;
    double acceptance; /* mean over its moves: low means that the error bars lie */
} ebm_particle;

/* One particle of log G_t(x) = log E_{y ~ N(x, sigma_{t+1}^2 I)} exp f_t(y), f_t = net/step2_t.
 * Forward: start NULL, the particle begins at N(x, sigma^2 I). Reverse: it begins at `start`, which
 * should be a draw of p(y | x), after burn_in moves there.
 * @shape x, start [dim], work [ebm_ais_work()] @range t 0..T-1
 * @eq    4.1 of docs/math/likelihood.md
 * @thread pure function of (seed, particle): particles may be shared out and run again
 * @err   DIVERGED (err->index = particle) */
EBM_API EBM_MUST_CHECK ebm_status ebm_ais_recovery(const ebm_ais *how, int32_t t, const float *x,
                                                   const float *start, uint32_t particle,
                                                   float *work, ebm_particle *out, ebm_error *err);

/* One particle down the ladder from level `top` = T to the lowest: forward from N(0,I) to
 * exp f_0. Reverse: from `start`, a draw of y_0 = A_0 x_0 by the model, of the particle's own
 * (ebm_ais_origin()), up to N(0,I).
 * log_z: forward, the log weight after each level, of log Z_{y,t} = log integral exp f_t; NULL
 * allowed. @shape start [dim], log_z [T]
 * @eq    4.2 of docs/math/likelihood.md @err DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_ais_ladder(const ebm_ais *how, const float *start,
                                                 uint32_t particle, float *work, double *log_z,
                                                 ebm_particle *out, ebm_error *err);

/* A particle by name, and the room it moves in. @shape x, start, y [dim], work [ebm_ais_work()],
 * log_z [T] @own all is the caller's, who keeps `y` and `log_z` with the state */
typedef struct ebm_particle_task {
    int32_t t; /* of log G_t, as in ebm_ais_recovery(); -1: the ladder */
    uint32_t particle;
    const float *x;     /* centre of the base of log G_t */
    const float *start; /* reverse; NULL: forward */
    float *y, *work;
    double *log_z; /* of a forward ladder, or NULL */
} ebm_particle_task;
/* A particle between two moves: with its y it can be stored and continued elsewhere.
 * Zero-initialise.
 */
typedef struct ebm_particle_state {
    int32_t rung;        /* levels of the ladder done; all are done: ebm_particle_done() */
    int32_t temperature; /* done at this rung */
    int32_t move;        /* done at this temperature */
    int32_t zero;
    int64_t moves;     /* in all; they number its noise */
    double accept;     /* sum of their acceptance probabilities */
    double weight;     /* log weight of this rung so far */
    double log_weight; /* of the rungs before it */
} ebm_particle_state;
/* Goes on for at most `moves` moves. The bits are those of ebm_ais_recovery() or ebm_ais_ladder(),
 * however the work is divided. @err DIVERGED (err->index = particle) */
EBM_API EBM_MUST_CHECK ebm_status ebm_particle_advance(const ebm_ais *how,
                                                       const ebm_particle_task *task, int64_t moves,
                                                       ebm_particle_state *state, ebm_error *err);
EBM_API bool ebm_particle_done(const ebm_ais *how, const ebm_particle_task *task,
                               const ebm_particle_state *state);
/* What it brings back, once it is done. */
EBM_API ebm_particle ebm_particle_of(const ebm_particle_state *state);
/* True for numbers that going on with is safe, wherever they come from. */
EBM_API bool ebm_particle_state_ok(const ebm_ais *how, bool ladder,
                                   const ebm_particle_state *state);

/* A reverse particle that has only the last rung before it, as it is before its first move: from a
 * draw of the top level to N(0,I), for log Z_{T-1} alone. */
EBM_API ebm_particle_state ebm_particle_of_top(const ebm_ais *how);
/* The whole of it: a reverse particle of log Z_{T-1}. @shape start [dim], a draw of the top level
 * @err DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_ais_top(const ebm_ais *how, const float *start,
                                              uint32_t particle, float *work, ebm_particle *out,
                                              ebm_error *err);

/* --- where reverse particles of the ladder begin ---------------------------------------------- */

/* Draws y_t = A_t x_t of the model by its own way down from white noise, with the whole noise and
 * without a denoising step: a state of its own for each particle, of the model and the seed alone.
 * It is as good a draw of exp f_t as the model's steps make it; burn_in goes on from there.
 * @shape work [ebm_ais_work()], start [dim] @range level 0..T-1
 * @thread pure function of (seed, particle) @err DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_ais_origin(const ebm_ais *how, int32_t level,
                                                 uint32_t particle, float *work, float *start,
                                                 ebm_error *err);

/* The same in parts. @shape chain [2, dim], whose first row is the draw when all is done
 * @own all is the caller's, who keeps `chain` with the state */
typedef struct ebm_origin_task {
    int32_t level;
    uint32_t particle;
    float *chain, *work;
} ebm_origin_task;
/* A draw on its way. Zero-initialise. */
typedef struct ebm_origin_state {
    int32_t level; /* the present one */
    int32_t zero;
    int64_t step, total; /* steps done there, and in all */
} ebm_origin_state;
/* Steps, that is gradients, of a whole draw. */
EBM_API int64_t ebm_origin_steps(const ebm_levels *levels, int32_t level);
/* Goes on for at most `steps` steps; the bits are those of ebm_ais_origin(), however the work is
 * divided. @err DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_origin_advance(const ebm_ais *how,
                                                     const ebm_origin_task *task, int64_t steps,
                                                     ebm_origin_state *state, ebm_error *err);
EBM_API bool ebm_origin_done(const ebm_ais *how, int32_t level, const ebm_origin_state *state);
/* True for numbers that going on with is safe, wherever they come from. */
EBM_API bool ebm_origin_state_ok(const ebm_ais *how, int32_t level, const ebm_origin_state *state);

/* --- results ---------------------------------------------------------------------------------- */

/* What the weights of particles say of a log normaliser. @unit nats */
typedef struct ebm_log_z {
    double value;     /* forward: log mean exp w; reverse: minus that */
    double bound;     /* forward: mean w, below the truth on average; reverse: above it */
    double std_error; /* of value */
    double ess;       /* (sum w)^2 / sum w^2: a few particles carry all when it is small */
    double acceptance;
    size_t particles;
} ebm_log_z;

/* @shape p [n] @range n at least 2 @err RANGE */
EBM_API EBM_MUST_CHECK ebm_status ebm_log_z_of(const ebm_particle *p, size_t n, bool reverse,
                                               ebm_log_z *out, ebm_error *err);

/* The same of log Z_{y,t} of a level t, from what forward particles of the ladder carried there.
 * @shape p [n], log_z [n, levels] @err RANGE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_log_z_of_level(const ebm_particle *p, const double *log_z,
                                                     size_t n, int32_t levels, int32_t t,
                                                     ebm_log_z *out, ebm_error *err);

/* 95 % interval from both directions. @eq min and max of value -+ q std_error, q the 97.5 %
 * quantile of Student's t with particles - 1 degrees of freedom */
typedef struct ebm_interval {
    double low, high;
} ebm_interval;
EBM_API ebm_interval ebm_log_z_interval(const ebm_log_z *forward, const ebm_log_z *reverse);

/* log p(x_0) of the marginal model at the lowest level. @shape x0 [dim], work [2 dim]
 * @eq f_0(A_0 x_0) - log Z_{y,0} + D log A_0 */
EBM_API double ebm_ladder_logp(const ebm_ais *how, const float *x0, double log_z, float *work);

/* log p(x_0) along one forward path, from local normalisers: the integrand of the recovery bound.
 * If the model is exact it is log p(x_0) on every path.
 * @shape path [T, dim] (x_0 .. x_{T-1}), log_g [T-1], work [2 dim]
 * @eq    f_{T-1}(x_{T-1}) - log Z_{T-1} + sum_{t<T-1} ( f_t(A_t x_t) + D log A_t - log G_t(x_{t+1})
 * ) */
EBM_API double ebm_recovery_logp(const ebm_ais *how, const float *path, const double *log_g,
                                 double log_z_top, float *work);

/* What the recovery bound needs beside its plan; all the caller's. */
typedef struct ebm_bound_room {
    float *work;          /* [ebm_ais_work()] */
    float *path;          /* [T, dim] */
    float *start;         /* [dim] */
    float *y;             /* [dim]; of ebm_bound_advance() alone */
    double *log_g;        /* [T] */
    ebm_particle *weight; /* [particles] */
} ebm_bound_room;
typedef struct ebm_bound_plan {
    int32_t paths;     /* 2..100,000 */
    int32_t particles; /* 2..1,000,000 */
    uint32_t index;    /* number of the image in its run; its noise depends on it */
    /* log Z_{T-1}, shared by all images: of forward particles of the ladder when they leave its
     * first rung; of ebm_ais_top() */
    ebm_log_z top, top_reverse;
} ebm_bound_plan;
typedef struct ebm_bound {
    double forward; /* with forward log G and log Z_{T-1}: on average too high */
    double reverse; /* with reverse ones: on average too low */
    double std_error;
    double acceptance;
    double low, high; /* 95 %: both values -+ std_error times the quantile of Student's t with
                         paths - 1 degrees of freedom */
} ebm_bound;
/* Estimates the recovery bound of one image at the noise of level 0: over forward paths, with
 * `particles` forward and as many reverse particles for each local normaliser. Reverse ones start
 * at the path's own y_t: a draw of the conditional on average over data, not for one image, so
 * how->burn_in has to be long enough to forget it.
 * @shape image [dim] @err RANGE, DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_recovery_bound(const ebm_ais *how, const ebm_bound_plan *plan,
                                                     const float *image, const ebm_bound_room *room,
                                                     ebm_bound *out, ebm_error *err);

/* The bound on its way: which particle comes next, how far it is, and sums so far.
 * Zero-initialise; y, log_g and weight of the room have to be kept with it. */
typedef struct ebm_bound_state {
    int32_t path, reverse, level, particle;
    ebm_particle_state present;
    double acceptance, logp[2], mean[2], m2[2];
} ebm_bound_state;
/* Goes on for at most `moves` moves of particles; all is done when state->path is plan->paths. The
 * bits are those of ebm_recovery_bound(), however the work is divided. @err RANGE, DIVERGED */
EBM_API EBM_MUST_CHECK ebm_status ebm_bound_advance(const ebm_ais *how, const ebm_bound_plan *plan,
                                                    const float *image, const ebm_bound_room *room,
                                                    int64_t moves, ebm_bound_state *state,
                                                    ebm_error *err);
/* True for numbers that going on with is safe, wherever they come from. */
EBM_API bool ebm_bound_state_ok(const ebm_ais *how, const ebm_bound_plan *plan,
                                const ebm_bound_state *state);
/* The bound, once all is done. */
EBM_API ebm_bound ebm_bound_of(const ebm_ais *how, const ebm_bound_plan *plan,
                               const ebm_bound_state *state);

/* Bits per dimension of 8-bit data u, x = u/127.5 - 1, from log p(x_0), with what a decoder of
 * level 0's noise loses on bins of 2/255. Where sbar_0 is 0.02 or more, what is added to
 * -logp/(D ln 2) is log2(127.5) to within 4e-4.
 * @eq -logp/(D ln 2) - (E_e log(Phi(r-e) - Phi(-r-e)) + log(2 pi e sbar_0^2)/2)/ln 2,
 *     r = abar_0/(255 sbar_0); docs/math/likelihood.md */
EBM_API double ebm_bits_per_dim(double logp, size_t dim, const ebm_levels *levels);

#endif
