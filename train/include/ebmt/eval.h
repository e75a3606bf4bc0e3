/* Judging a set of drawn images against real ones: drawing, comparing, reporting. Knows image sets,
 * rulers and models that can be sampled; has never heard of how a model was trained.
 * What each number means: docs/evaluation.md. */
#ifndef EBMT_EVAL_H
#define EBMT_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/calibration.h"
#include "ebm/diagnostics.h"
#include "ebm/likelihood.h"
#include "ebm/mcmc.h"
#include "ebm/model.h"
#include "ebmt/classifier.h"
#include "ebmt/data.h"
#include "ebmt/inception.h"
#include "ebmt/pool.h"
#include "ebmt/ruler.h"
#include "ebmt/statistics.h"

/* --- sets of images ------------------------------------------------------------------------ */

/* Which chains to run. */
typedef struct ebmt_draw {
    int64_t n;
    int32_t first_index;     /* chains first_index .. first_index+n-1 */
    int32_t steps_per_level; /* 0: the model's own */
    double noise_scale;      /* 0: the model's own */
    ebm_begin begin;
    uint64_t seed;
} ebmt_draw;

/* Draws images by Langevin sampling, one chain an image, chains shared out over the pool.
 * @note  image k depends on (model, kernel set, seed, first_index+k, steps, noise) alone: sets
 * drawn in parts, or with other threads, are the same bytes
 * @own   *out: ebmt_dataset_clear() @err RANGE, DIVERGED (err->index = chain), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_draw_images(ebm_model *m, const ebmt_draw *how,
                                                   ebmt_pool *pool, ebmt_dataset *out,
                                                   ebm_error *err);

/* Draws from the Gaussian that has the images' mean and covariance of pixels, rounds and clips to
 * 0..255: the baseline that knows two moments and nothing else.
 * @eq    x = mean + sum_i z_i (x_i - mean) / sqrt(N-1), z_i independent N(0,1): exactly that law,
 *        without a decomposition
 * @range n 1..2^31-1 @own *out: ebmt_dataset_clear() @err RANGE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_gaussian_images(const ebmt_dataset *images, int64_t n,
                                                       uint64_t seed, ebmt_pool *pool,
                                                       ebmt_dataset *out, ebm_error *err);

/* Copies n images, chosen without replacement by the seed. @range 1 <= n <= images->count
 * @own *out: ebmt_dataset_clear() @err RANGE, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_choose_images(const ebmt_dataset *images, int64_t n,
                                                     uint64_t seed, ebmt_dataset *out,
                                                     ebm_error *err);

#define EBMT_NPY_MAX_BYTES ((size_t)64 << 30) /* of a file that is written or read */

/* Images as NumPy's .npy: unsigned bytes, [n,H,W] for gray, else [n,H,W,C].
 * @err LIMIT (beyond EBMT_NPY_MAX_BYTES), IO, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_images_write_npy(const char *path,
                                                        const ebmt_dataset *images, ebm_error *err);
/* Reads a .npy file of that kind, or every *.png of a directory in the order of names (all of one
 * size). Nothing in the files is trusted.
 * @own *out: ebmt_dataset_clear()
 * @err NOT_FOUND, FORMAT, SHAPE, LIMIT, IO, NOMEM; err->where names the file */
EBM_API EBM_MUST_CHECK ebm_status ebmt_images_read(const char *path, ebmt_dataset *out,
                                                   ebm_error *err);

/* --- out of distribution ------------------------------------------------------------------- */

#define EBMT_OOD_QUANTILES 5 /* 1, 5, 50, 95, 99 per cent */
#define EBMT_OOD_ROWS      4

typedef struct ebmt_ood_row {
    const char *name; /* static */
    int64_t n;
    double quantile[EBMT_OOD_QUANTILES]; /* of the scores */
    ebmt_number auroc; /* chance that a test image scores above one of these; NaN for test images */
} ebmt_ood_row;

/* Rows: test images, foreign images, test images mirrored, test images upside down. Of the last two
 * the standard error is that of pairs. */
typedef struct ebmt_ood_report {
    int32_t n_rows; /* 0: not measured */
    ebmt_ood_row row[EBMT_OOD_ROWS];
} ebmt_ood_report;

typedef struct ebmt_ood_options {
    const ebmt_dataset *test, *foreign;
    const ebm_calibration *calibration; /* of the model */
    ebmt_pool *pool;
    uint64_t seed;
} ebmt_ood_options;

/* The score of each image: ebm_calibration_score(), averaged over the calibration's draws.
 * @shape scores [images->count] @unit nats: higher is more usual
 * @err   SHAPE (images of another size than the model's), NOMEM, DIVERGED (err->index = image) */
EBM_API EBM_MUST_CHECK ebm_status ebmt_ood_scores(ebm_model *m, const ebmt_ood_options *opt,
                                                  const ebmt_dataset *images, double *scores,
                                                  ebm_error *err);
/* @err as above */
EBM_API EBM_MUST_CHECK ebm_status ebmt_ood_test(ebm_model *m, const ebmt_ood_options *opt,
                                                ebmt_ood_report *out, ebm_error *err);

/* --- bits per dimension --------------------------------------------------------------------- */

/* Effort of the estimates. Start from ebmt_bits_options_default(). */
typedef struct ebmt_bits_options {
    const ebmt_dataset *images; /* held-out ones; all of them are used */
    ebmt_pool *pool;
    uint64_t seed;
    int32_t particles;       /* of the ladder, each way; 2..1,000,000 */
    int32_t temperatures;    /* of each annealed path; 1..1,000,000 */
    int32_t paths;           /* forward paths of an image for the recovery bound; 2..100,000 */
    int32_t local_particles; /* of each local normaliser, each way; 2..1,000,000 */
    int32_t burn_in;         /* moves at the target before a reverse path; 0..1,000,000 */
    int32_t tuning;          /* steps of the chain that finds step sizes; 1..1,000,000 */
} ebmt_bits_options;
EBM_API ebmt_bits_options ebmt_bits_options_default(void); /* 16, 100, 2, 2, 50, 200 */

/* Both estimates of the likelihood, each from both sides; std errors are of images, paths and
 * normaliser together.
 * @unit bits per dimension of 8-bit data, but for the normalisers, which are in nats */
typedef struct ebmt_bits_report {
    int64_t n; /* images; 0: not measured */
    int32_t particles, temperatures;
    ebm_log_z forward, reverse;          /* log Z of level 0 */
    ebmt_number ladder_low, ladder_high; /* with the forward and with the reverse normaliser */
    ebmt_number bound_low, bound_high;   /* recovery bound, the same two sides */
    double acceptance; /* of the bound's moves: low means that it cannot be trusted */
} ebmt_bits_report;

/* Measures held-out images at the noise of level 0. Reverse paths of the ladder start at draws of
 * the model by its sampler, which burn_in moves bring nearer to its density.
 * @eq  docs/math/likelihood.md @note threads change no bit
 * @err SHAPE (images of another size than the model's), RANGE, DIVERGED, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_bits_per_dim(ebm_model *m, const ebmt_bits_options *opt,
                                                    ebmt_bits_report *out, ebm_error *err);

/* --- long chains ---------------------------------------------------------------------------- */

#define EBMT_LONG_MAX_CHAINS 100000
#define EBMT_LONG_MAX_STEPS  1000000
#define EBMT_LONG_MARKS      8

/* "langevin", "mala" or "hmc". @range kind as declared */
EBM_API const char *ebmt_sampler_name(ebm_sampler_kind kind);

/* The chains at one moment. */
typedef struct ebmt_long_mark {
    int64_t steps; /* after burn-in; -burn_in: the samples as they were drawn */
    ebmt_number frechet, frechet_unbiased; /* of the chains' images to the test images */
    ebmt_number log_density;               /* mean at level 0 in nats, up to a constant */
    double log_density_sd;                 /* spread of the chains */
    ebmt_number inside; /* share of chains in the band; of diverged ones none is */
    double acceptance;  /* since the mark before; NaN in burn-in and for Langevin */
    int64_t diverged;
} ebmt_long_mark;

typedef struct ebmt_long_report {
    int32_t n_marks; /* 0: not measured */
    ebm_sampler_kind sampler;
    int32_t leapfrog; /* steps of a move, each a gradient; 1 but for HMC */
    int64_t chains, burn_in;
    const char *ruler; /* static, NULL: none */
    ebm_band band;     /* of log densities: the middle 99 % of noised test images */
    int64_t band_images;
    ebmt_long_mark mark[EBMT_LONG_MARKS];
} ebmt_long_report;

/* @own borrows all */
typedef struct ebmt_long_options {
    const ebmt_ruler *ruler; /* NULL: no distances, which are then NaN */
    const ebmt_dataset *test;
    ebmt_pool *pool;
    ebmt_draw draw;     /* what the chains start from; n: chains, 8..EBMT_LONG_MAX_CHAINS */
    ebm_mcmc_plan plan; /* steps: after burn-in; steps and burn_in 1 or 0..EBMT_LONG_MAX_STEPS;
                           ladder and tether are not read, nor is a burn-in of Langevin */
    /* Where the run is kept, and taken up again if it is there; NULL: nowhere. It is written at
     * each mark, after the first 5,000 moves of all chains, and then when so many seconds have
     * passed. */
    const char *checkpoint;
    int32_t checkpoint_seconds;
    const char *ruler_id; /* for that: what tells the ruler from others; at most 300 bytes count */
    /* Called after each mark, report->mark[n_marks-1]; NULL allowed. */
    void (*on_mark)(void *user, const ebmt_long_report *report);
    /* Called before that with what the chains show, `steps` after burn-in as in the mark; not again
     * for marks of a checkpoint. An error ends the run; NULL allowed. @own images: borrowed */
    ebm_status (*on_images)(void *user, int64_t steps, const ebmt_dataset *images, ebm_error *err);
    void *user;
} ebmt_long_options;

/* Goes on from the model's own samples at the lowest level, without tether, and looks at the chains
 * after 0, 100, 1,000, ... and plan.steps steps. Step sizes are found for each chain in burn-in and
 * then stay. Chain k starts from image k of ebmt_draw_images() before its denoising step, which is
 * taken on a copy of the state whenever images are looked at. A chain that diverges is counted, not
 * refused. docs/evaluation.md
 * @note threads change no bit, nor does a stop, as long as a checkpoint is kept
 * @err  SHAPE (images of another size than the model's), RANGE, NOMEM, DIVERGED (while drawing);
 *       of the checkpoint ARG (of another run), FORMAT, DIGEST (damaged), LIMIT, IO */
EBM_API EBM_MUST_CHECK ebm_status ebmt_long_chains(ebm_model *m, const ebmt_long_options *opt,
                                                   ebmt_long_report *out, ebm_error *err);

/* --- the comparison ------------------------------------------------------------------------ */

/* One set of images against the reference, in a ruler's feature space. */
typedef struct ebmt_comparison {
    const char *name;      /* static */
    const char *reference; /* static */
    int64_t n, n_reference;
    ebmt_number frechet, frechet_unbiased; /* see ebmt_frechet() */
    ebmt_number kernel;                    /* see ebmt_kernel_distance() */
    ebmt_number precision, recall;         /* k = 3; NaN when only distances were wanted */
    ebmt_class_figures classes;
} ebmt_comparison;

#define EBMT_CLOSEST 12

/* How near the samples come to training images, against how near test images come.
 * @unit pixels: root mean square difference in gray levels 0..255; features: Euclidean */
typedef struct ebmt_memorisation {
    ebmt_number median, test_median; /* distance to the nearest training image or mirror of one */
    double closest, test_closest;
    double threshold;  /* what 1 % of fresh images are under, by ebmt_fresh_quantile() */
    ebmt_number below; /* share of samples under it; 0.01 if they are like test images */
    ebmt_number copies, test_copies; /* how many of n are closer than a quarter of test_median */
    /* NaN where the limit is 0, because test images are among the training images */
} ebmt_memorisation;

/* What one ruler says. */
typedef struct ebmt_ruler_report {
    const char *name; /* of the ruler */
    bool floors_kept; /* the three floors are those of an earlier evaluation */
    bool of_the_data; /* as ebmt_ruler has it; `features` and class shares are of these only */
    ebmt_comparison samples; /* against all test images */
    ebmt_comparison train;   /* as many training images: the floor */
    ebmt_comparison halves;  /* one half of the test images against the other: the other floor */
    ebmt_comparison gaussian;
    ebmt_memorisation features;
} ebmt_ruler_report;

#define EBMT_MAX_RULERS 2

typedef struct ebmt_eval_report {
    int32_t n_rulers;
    ebmt_ruler_report ruler[EBMT_MAX_RULERS];
    bool complete; /* floors and memorisation are measured, not only samples */
    /* the test images are the training images, and look for the nearest other one; false unless
       complete */
    bool test_is_train;
    ebmt_memorisation pixels;
    /* the samples that come closest to a training image by pixels, and that image */
    int64_t closest_sample[EBMT_CLOSEST], closest_train[EBMT_CLOSEST];
    int32_t n_closest;
    ebmt_ood_report ood;     /* filled by ebmt_ood_test() */
    ebmt_bits_report bits;   /* filled by ebmt_bits_per_dim() */
    ebmt_long_report longer; /* filled by ebmt_long_chains() */
} ebmt_eval_report;

/* Where the floors of a ruler are kept between evaluations: they depend on data, ruler, number of
 * images and seed alone. What the file holds is checked, and noted and ignored when it is wrong.
 * @own borrows all */
typedef struct ebmt_floor_file {
    const char *path; /* NULL: floors are always measured */
    const char
        *ruler; /* what tells this ruler from others, its digest for one; at most 500 bytes */
    void (*note)(void *user, const char *line); /* may be NULL */
    void *user;
} ebmt_floor_file;

typedef struct ebmt_eval_options {
    const ebmt_ruler *rulers;
    int32_t n_rulers; /* 0..EBMT_MAX_RULERS; without rulers there are pixels only */
    const ebmt_dataset *samples, *train, *test;
    ebmt_pool *pool;
    uint64_t seed;                           /* of baselines and choices */
    ebmt_floor_file floors[EBMT_MAX_RULERS]; /* for each ruler */
    bool distance_only; /* the samples' distances and classes; no floors, no neighbours */
} ebmt_eval_options;

/* Measures everything. @err SHAPE (sizes differ), RANGE (fewer than 8 images), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_evaluate(const ebmt_eval_options *opt, ebmt_eval_report *out,
                                                ebm_error *err);

/* --- the report ---------------------------------------------------------------------------- */

/* What a report says beside the numbers; strings may be NULL. */
typedef struct ebmt_eval_facts {
    const char *source; /* model directory or file of samples */
    const char *model_sha256, *kernel_class, *data;
    const char *test_from;   /* in words, where the test images come from */
    const char *test_sha256; /* of their pixels */
    int64_t n_test;
    const ebmt_draw *draw;                  /* NULL: samples were read, not drawn */
    const ebmt_classifier_info *classifier; /* NULL: no such ruler */
    const ebmt_inception_info *inception;   /* NULL: no such ruler */
    double seconds;                         /* of drawing */
} ebmt_eval_facts;

/* The report as JSON text, and as one HTML page that needs no other file.
 * @own *text: ebm_free() @err NOMEM, LIMIT */
EBM_API EBM_MUST_CHECK ebm_status ebmt_eval_json(const ebmt_eval_report *report,
                                                 const ebmt_eval_facts *facts, char **text,
                                                 ebm_error *err);
EBM_API EBM_MUST_CHECK ebm_status ebmt_eval_html(const ebmt_eval_report *report,
                                                 const ebmt_eval_facts *facts,
                                                 const ebmt_eval_options *sets, char **text,
                                                 ebm_error *err);

#endif
