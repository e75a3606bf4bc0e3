/* Noise levels as explicit tables, so that no sampler needs to know a schedule's formula.
 * Levels are i = 0..T; transition t = 0..T-1 goes from the noisier level t+1 to level t. */
#ifndef EBM_LEVELS_H
#define EBM_LEVELS_H

#include <stdbool.h>
#include <stdint.h>

#include "ebm/status.h"

#define EBM_MAX_LEVELS 1024
/* In `steps`: the transition is not sampled by Langevin steps but drawn once from its normal
 * approximation, see ebm_normal_update(). */
#define EBM_STEPS_NORMAL 0

/* @shape a, sigma, abar, sbar [T+1]; step2, steps, tether, scale [T]
 * @eq    x_{i+1} = a_{i+1} x_i + sigma_{i+1} e;  x_i = abar_i x + sbar_i e;
 *        log p(y | x_{t+1}) = net(y,t)/step2_t - tether_t |y - x_{t+1}|^2 / (2 sigma_{t+1}^2);
 *        x_t = y / scale_t.  Gao et al. 2021, section 3; docs/math/recovery_likelihood.md
 * @unit  images live in [-1,1] */
typedef struct ebm_levels {
    int32_t count; /* T */
    double *a, *sigma, *abar, *sbar;
    double *step2;      /* squared Langevin step */
    int32_t *steps;     /* default number of Langevin steps, or EBM_STEPS_NORMAL */
    double *tether;     /* 1, or 0 at the top transition */
    double *scale;      /* y = scale_t * x_t */
    double noise_scale; /* default factor on the Langevin noise when sampling */
    bool denoise;       /* chains end with a step to the mean image behind x_0 */
    double stride;      /* a Langevin step when sampling has the length stride*step2 */
    bool paired_noise;  /* each step takes the mean of its noise and the next one's */
    bool predict;       /* chains begin at each level below the top where ebm_predict_update()
                           puts them, not at x_{t+1} */
} ebm_levels;

/* Allocates zeroed tables for T transitions; noise_scale and stride are 1. @range
 * count 1..EBM_MAX_LEVELS
 * @own clear with ebm_levels_clear() @err RANGE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_init(int32_t count, ebm_levels *out, ebm_error *err);
EBM_API void ebm_levels_clear(ebm_levels *levels); /* safe on a zeroed or cleared struct */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_copy(const ebm_levels *from, ebm_levels *out,
                                                  ebm_error *err);

/* One SHA-256 of all tables and settings, to know them again in files: equal for those that are
 * equal bit for bit only. Machines of one byte order agree.
 * @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_digest(const ebm_levels *levels, char hex[65],
                                                    ebm_error *err);
/* The same of the tables that densities depend on, all but `steps`: how they are sampled may change
 * without another digest. */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_density_digest(const ebm_levels *levels, char hex[65],
                                                            ebm_error *err);

/* The paper's schedule with T = count transitions ("T6" for 6).
 * @range count 2..501; 0 < beta_first <= beta_last < 1; base >= 2(count-1) and 3, so that no group
 * is empty
 * @eq    groups of a linear beta schedule of length `base`; step2_t = b2 sbar_t/sbar_0
 *        sigma_{t+1}^2; tether 0 and scale 1 at the top.
 *        Source: reference code get_sigma_schedule(), p_sample_langevin()
 * @err RANGE, NOMEM */
typedef struct ebm_schedule_t6 {
    int32_t count;
    double beta_first, beta_last;
    int32_t base;
    double b2;
    int32_t steps;
} ebm_schedule_t6;
EBM_API ebm_schedule_t6 ebm_schedule_t6_default(void); /* 6, 1e-4, 0.02, 1000, 2e-4, 30 */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_t6(const ebm_schedule_t6 *schedule, ebm_levels *out,
                                                ebm_error *err);

/* Levels that are equally hard: T = count transitions between noise-to-signal ratios sbar/abar
 * from ratio_min (level 0) to ratio_max (level T).
 * @range count 2..EBM_MAX_LEVELS; ratio_min 1e-4..1; ratio_max 10..1e4; steps 1..10000
 * @eq    sbar_i/abar_i = ratio_min (ratio_max/ratio_min)^(i/T), so that the condition number
 *        kappa = (ratio_{t+1}/ratio_t)^2 of the recovery conditional is the same for all t < T-1;
 *        steps by ebm_levels_match_curvature(0.5); tether 0 and scale 1 at the top, noise scale 1.
 *        docs/math/schedule.md
 * @err RANGE, NOMEM */
typedef struct ebm_schedule_geometric {
    int32_t count;
    double ratio_min, ratio_max;
    int32_t steps;
} ebm_schedule_geometric;
EBM_API ebm_schedule_geometric ebm_schedule_geometric_default(void); /* 10, 0.01, 100, 30 */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_geometric(const ebm_schedule_geometric *schedule,
                                                       ebm_levels *out, ebm_error *err);

/* Every beta of a linear schedule one level: T = count transitions, count + 1 betas. With the
 * default, 999, this is the noise of the paper's T = 1000 setting and of DDPM. All transitions are
 * those of ebm_levels_use_normal().
 * @range count 2..EBM_MAX_LEVELS; 0 < beta_first <= beta_last < 1
 * @eq    a_i = sqrt(1 - beta_i), beta_i = beta_first + (beta_last - beta_first) i/T.
 *        Gao et al. 2021, the setting T = 1000; docs/math/schedule.md
 * @err RANGE, NOMEM */
typedef struct ebm_schedule_linear {
    int32_t count;
    double beta_first, beta_last;
} ebm_schedule_linear;
EBM_API ebm_schedule_linear ebm_schedule_linear_default(void); /* 999, 1e-4, 0.02 */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_linear(const ebm_schedule_linear *schedule,
                                                    ebm_levels *out, ebm_error *err);
/* Makes every transition one draw from its normal approximation: steps EBM_STEPS_NORMAL, step2 =
 * sigma_{t+1}^2, noise scale 1; tether 1 and scale a_{t+1} at the top too, which is a transition
 * like any other when levels are close. */
EBM_API void ebm_levels_use_normal(ebm_levels *levels);

/* Replaces step2 and steps by the paper's rule, for any levels.
 * @range 0 < b2 < 1; steps 1..10000
 * @eq    step2_t = b2 sbar_t/sbar_0 sigma_{t+1}^2. Reference code p_sample_langevin()
 * @err RANGE; the tables are then unchanged */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_match_paper(ebm_levels *levels, double b2,
                                                         int32_t steps, ebm_error *err);

/* Replaces step2 by steps matched to the variance of each level, so that a chain mixes within
 * its K_t steps: step2_t = kappa/K_t * (scale_t sbar_t)^2, K_t = steps_low at t = 0 and steps
 * above. @range kappa 0.1..64 */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_match_variance(ebm_levels *levels, double kappa,
                                                            int32_t steps_low, int32_t steps,
                                                            ebm_error *err);

/* Replaces step2 by a share of the stability bound of the stiffest direction, that in which a
 * level holds nothing but its noise: a chain mixes in about kappa steps without overshooting.
 * @range share 0.01..2 (0.5 recommended: 4 would be unstable); steps 1..10000
 * @eq    step2_t = share/Lmax, Lmax = 1/(scale_t sbar_t)^2 + tether_t/sigma_{t+1}^2
 * @err   RANGE; the tables are then unchanged */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_match_curvature(ebm_levels *levels, double share,
                                                             int32_t steps, ebm_error *err);

/* Checks tables that came from outside: a in (0,1), sigma 1e-6..1 and sigma^2 = 1-a^2 to 1e-6 of it
 * (to 1e-12 at least), step2 1e-12..1e6, steps 1..10000 or EBM_STEPS_NORMAL (with tether 1), tether
 * 0 or 1, scale 1e-6..1, stride 0.01..16, denoise not with a normal transition at t = 0, predict
 * not with any. @err RANGE names table and index. */
EBM_API EBM_MUST_CHECK ebm_status ebm_levels_check(const ebm_levels *levels, ebm_error *err);

#endif
