/* Training by diffusion recovery likelihood: configuration, state, one step, the whole run.
 * May use core and models; has never heard of HTTP or jobs. */
#ifndef EBMT_TRAIN_H
#define EBMT_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/levels.h"
#include "ebm/model.h"
#include "ebmt/data.h"
#include "ebmt/group.h"

/* Where the noise levels lie. */
typedef enum ebmt_schedule {
    EBMT_SCHEDULE_PAPER,     /* groups of a linear beta schedule; T6 for six levels */
    EBMT_SCHEDULE_GEOMETRIC, /* noise-to-signal ratios in a geometric series: calibrated */
    EBMT_SCHEDULE_LINEAR     /* every beta a level: the paper's T = 1000 */
} ebmt_schedule;

/* How the Langevin steps of the levels are sized. */
typedef enum ebmt_step_rule {
    EBMT_STEPS_PAPER,     /* step2 = b2 sbar_t/sbar_0 sigma^2 */
    EBMT_STEPS_VARIANCE,  /* step2 = kappa/K (scale sbar)^2 */
    EBMT_STEPS_CURVATURE, /* step2 = curvature_share/Lmax */
    EBMT_STEPS_NORMAL     /* one draw from the normal approximation */
} ebmt_step_rule;

typedef enum ebmt_objective {
    EBMT_RECOVERY, /* recovery likelihood: the paper's */
    EBMT_MATCHING, /* the input gradient is matched to the denoising direction */
    EBMT_HYBRID    /* both */
} ebmt_objective;

/* How the learning rate falls after lr_decay_from. */
typedef enum ebmt_decay { EBMT_DECAY_LINEAR, EBMT_DECAY_COSINE } ebmt_decay;

/* Which images: what of ebmt_data_options a result depends on, and how many there are. Where they
 * lie may change between a run and its resumption. */
typedef struct ebmt_data_facts {
    ebmt_format format;
    int32_t image_size, channels;
    ebmt_crop crop;
    int64_t images;  /* 0: not told */
    char sha256[65]; /* of a few of them, as they are trained on; "": not told */
} ebmt_data_facts;

/* Everything that determines a run; equal configurations and data give equal bits.
 * Written whole into every checkpoint and into the model's manifest. */
typedef struct ebmt_config {
    ebmt_data_facts data;
    ebm_network_config network;
    ebmt_schedule schedule_kind;
    ebm_schedule_t6 schedule;    /* count and steps hold for every kind, b2 for every such rule */
    double ratio_min, ratio_max; /* of EBMT_SCHEDULE_GEOMETRIC */
    ebmt_step_rule step_rule;
    double kappa;            /* of EBMT_STEPS_VARIANCE */
    int32_t steps_low;       /* Langevin steps at t = 0 with EBMT_STEPS_VARIANCE */
    double curvature_share;  /* of EBMT_STEPS_CURVATURE */
    double noise_scale;      /* factor on the Langevin noise when the model samples */
    bool denoise;            /* the model's chains end with a denoising step */
    int32_t sampling_factor; /* the model samples with so many times the training's steps ... */
    double stride;           /* ... of so many times the length ... */
    bool paired_noise;       /* ... with paired noise (ebm/levels.h) ... */
    bool predict;            /* ... from predicted beginnings (ebm/levels.h) */
    ebmt_objective objective;
    int32_t lowest_level;  /* levels that are trained: from this one ... */
    int32_t highest_level; /* ... to this one; -1: to the top */
    bool shared_noise;     /* pairs of variance-reduced noise, see ebmt__pair */
    double matching_reach; /* matching looks up to this part of the way from y to x_{t+1} */
    int64_t warm_start;    /* HYBRID: iterations of matching alone before it */
    int64_t iterations;
    int32_t batch;
    double rl_share;             /* HYBRID: part of the batch that gets the likelihood term */
    double rl_weight;            /* HYBRID: weight of the likelihood term against matching, ... */
    double rl_weight_low;        /* ... times this at t = 0, the stiff level, ... */
    double rl_weight_top;        /* ... and times this at t = T-1, where matching knows least */
    int32_t persistent_chains;   /* at level 0, for persistent contrastive divergence; 0: none */
    int32_t persistent_visits;   /* of them in an iteration; 0: as many as the batch has images */
    int32_t persistent_moves;    /* of a chain when it is visited, of ... */
    int32_t persistent_leapfrog; /* ... so many leapfrog steps; 1: MALA */
    double persistent_weight;    /* of its term against matching's */
    double lr, lr_warm_start;    /* Adam step; during the warm start */
    int64_t lr_warmup;           /* linear over so many iterations, again after the warm start */
    ebmt_decay lr_decay;         /* shape of ... */
    double lr_decay_from;        /* part of the run after which lr falls ... */
    double lr_final;             /* ... to this part of lr at the end */
    double beta1, beta2, adam_eps;
    double ema;
    bool ema_ramp;            /* average over fewer iterations early on */
    double clip;              /* clip to so many times the running gradient norm, > 1; 0: never */
    int32_t power_iterations; /* of spectral normalisation, per update; 0: none is done */
    double divergence_limit;  /* how far chains may run beyond what they should; 0: no limit */
    bool flip;
    uint64_t seed;
    int32_t shards;        /* gradient accumulators; results do not depend on threads */
    char init_sha256[65];  /* digest of the model whose weights the run starts from, or "" */
    char kernel_class[32]; /* how numbers are rounded; set by the trainer */
} ebmt_config;

/* The paper's settings at a width that two cores can train (ch 32, N 2). */
EBM_API ebmt_config ebmt_config_default(void);
/* Checks every number by itself, and those that make no run together.
 * @err RANGE; err->where is the flag without its dashes */
EBM_API EBM_MUST_CHECK ebm_status ebmt_config_check(const ebmt_config *config, ebm_error *err);
/* Makes `kind` the schedule, with the number of levels, step rule and noise scale that go with it:
 * PAPER 6, PAPER, 0.99; GEOMETRIC 10, CURVATURE, 1; LINEAR 999, NORMAL, 1. */
EBM_API void ebmt_config_use_schedule(ebmt_config *config, ebmt_schedule kind);
/* Makes the level tables of a configuration.
 * @own out: ebm_levels_clear(), also after an error
 * @err RANGE (numbers that make no ladder; err->where names one), NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_config_levels(const ebmt_config *config, ebm_levels *out,
                                                     ebm_error *err);

/* Floats in the vectors of a state. */
typedef struct ebmt_state_sizes {
    size_t params, spectral, watch, chains;
} ebmt_state_sizes;

/* All that training carries from one iteration to the next.
 * @shape params, ema, adam_m, adam_v [params]; spectral_u, ema_spectral_u [spectral];
 *        watch [watch]; chains [chains] */
typedef struct ebmt_state {
    ebmt_state_sizes size;
    float *params; /* raw weights, before spectral normalisation */
    float *ema;    /* moving average of params */
    float *adam_m, *adam_v;
    float *spectral_u;     /* left vectors of the power iterations */
    float *ema_spectral_u; /* moving average of spectral_u, as the paper's code keeps */
    float *watch;          /* running means of the signs of divergence */
    float *chains;         /* persistent chains, see loss/persistent.h */
    int64_t iteration;     /* iterations done */
    int64_t adam_step;     /* since the last reset of Adam */
    double grad_norm_mean; /* running gradient norm, for clipping */
} ebmt_state;

/* Checkpoints: one safetensors file per save, DIR/checkpoint-<iteration>.safetensors, with the
 * configuration as JSON, the counters and a SHA-256 of every vector in its metadata. The two
 * newest are kept.
 * @err IO, NOMEM; an earlier checkpoint is never harmed */
EBM_API EBM_MUST_CHECK ebm_status ebmt_checkpoint_save(const char *dir, const ebmt_state *state,
                                                       const char *config_json, ebm_error *err);
/* Loads the newest checkpoint of DIR that is whole into a state whose sizes are set and whose
 * vectors are allocated; damaged newer ones are named through `note` (may be NULL). After an error
 * the state is as it was.
 * @own *config_json: ebm_free(); NULL after an error other than SHAPE
 * @err NOT_FOUND (none that is whole), NOMEM; SHAPE: of another network or number of levels, of
 *      which *config_json tells; IO: a file, or the directory, cannot be read now, which is no
 *      damage: try again rather than lose it */
EBM_API EBM_MUST_CHECK ebm_status ebmt_checkpoint_load(const char *dir, ebmt_state *state,
                                                       char **config_json,
                                                       void (*note)(void *user, const char *line),
                                                       void *user, ebm_error *err);

/* Allocates the vectors of a state; everything in it is 0.
 * @own out: ebmt_state_clear(), also after an error @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_state_init(const ebmt_state_sizes *size, ebmt_state *out,
                                                  ebm_error *err);
EBM_API void ebmt_state_clear(ebmt_state *state);

/* Writes the configuration as a JSON object. The text is canonical: equal configurations give equal
 * texts. @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_config_to_json(const ebmt_config *config, char **json,
                                                      ebm_error *err);

/* One line about an iteration. */
typedef struct ebmt_report {
    int64_t iteration, iterations;
    double seconds;  /* since the run began */
    double loss;     /* recovery loss, mean over the samples that had it; 0: none */
    double matching; /* matching loss; 0 when not used */
    double grad_norm, lr;
    int32_t levels;
    const double *gap;          /* per level: mean net(y+) - net(y-), net units */
    const double *displacement; /* per level: mean |y- - x~| / sqrt(D) */
    const double *acceptance;   /* per level: mean probability that a Metropolis test would accept a
                                   move of the chains; not finite where none was judged */
    const double *level_matching;
    bool persistent;                /* whether chains were visited, of which the next two tell */
    double persistent_gap;          /* mean logp of the images less that of the chains, nats */
    double persistent_acceptance;   /* of the chains' moves */
    const int64_t *seen;            /* per level: samples in this iteration */
    const double *validation_gap;   /* per level: logp of training images less that of held-out
                                       ones, nats; NULL in iterations that did not look */
    const double *validation_error; /* its standard error */
} ebmt_report;

/* What a run tells its caller; each may be NULL. Return false to stop after this iteration. */
typedef struct ebmt_hooks {
    void *user;
    bool (*report)(void *user, const ebmt_report *report);
    void (*note)(void *user, const char *line); /* one line for humans */
} ebmt_hooks;

typedef struct ebmt_run_options {
    ebmt_config config;
    const ebmt_dataset *data;
    const ebmt_dataset *held_out; /* of the same shape, for the validation gap; or NULL */
    int64_t validation_every;     /* 0: never */
    ebm_model *init;     /* starts from its weights (config.init_sha256 tells which); or NULL */
    const char *out_dir; /* checkpoints, metrics.jsonl, samples-*.png, model.json ... */
    bool resume;         /* continue from the newest checkpoint in out_dir */
    int64_t checkpoint_every, samples_every; /* 0: only at the end */
    int32_t threads;
    const ebm_kernels *kernels;
    ebmt_group *group; /* processes that share the work, all with these options; NULL: alone */
    ebmt_hooks hooks;  /* called in every process of a group */
    const char *command_line; /* for the manifest, any bytes; may be NULL */
    /* for the manifest, UTF-8 without control characters, shorter than the fields of
       ebm_model_info; may be NULL */
    const char *title, *licence;
} ebmt_run_options;

/* Trains until config.iterations are done, a hook says stop, or the run diverges: the loss is not
 * finite, or chains and gradients are beyond divergence_limit. Leaves the EMA model in out_dir as
 * a model directory; after DIVERGED that of the newest checkpoint, and none is saved while the
 * signs are bad, so that those weights are good ones. A run that ends in such a time leaves the
 * model of the newest checkpoint too, with DIVERGED if it is complete, EBM_OK if it was stopped; if
 * there is no checkpoint that is whole, its own weights, with a note. report.html tells which.
 * In a group the shards of the gradient are dealt out and added in the order that one process adds
 * them in, with the same bits; the leader alone reads and writes out_dir, and keeps other processes
 * from training in it by out_dir/.lock.
 * @err as named, plus ARG (title or licence; resumed with other settings), BAD_STATE (another
 *      process trains in out_dir), RANGE, SHAPE (data and network differ), IO, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_run(const ebmt_run_options *opt, ebm_error *err);

#endif
