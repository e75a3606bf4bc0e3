/* A trainer: all that one run holds, and one iteration of it. Knows losses and parameters; has
 * never heard of files or terminals. */
#ifndef EBMT_TRAINER_H
#define EBMT_TRAINER_H

#include "ebmt/grad.h"
#include "ebmt/pool.h"
#include "ebmt/train.h"
#include "loss/objective.h"
#include "loss/pairs.h"
#include "spectral.h"

/* One sample's part of the statistics. */
typedef struct ebmt__outcome {
    double loss, gap, displacement, matching;
    ebmt__moves moves;
    double visit_gap, visit_acceptance;
    int64_t level;
} ebmt__outcome;

/* Per level sums of one iteration; what a report shows. */
typedef struct ebmt__level_stats {
    double *gap, *displacement, *matching;        /* means over the samples seen */
    double *acceptance;                           /* mean over the moves judged; NaN: none */
    int64_t *seen, *matched;                      /* samples with a chain; with a matching term */
    int64_t *moves;                               /* judged */
    double persistent_gap, persistent_acceptance; /* means over the chains visited */
} ebmt__level_stats;

typedef struct ebmt__trainer {
    ebmt_config config;
    const ebmt_dataset *data;
    ebmt_order *order;
    ebmt_pool *pool;
    ebmt_group *group;
    ebm_model *model;    /* weights in use */
    ebm_model *averaged; /* EMA weights, refreshed by ebmt__trainer_average() */
    const ebm_graph_info *g;
    const ebm_levels *levels;
    size_t dim;
    ebmt__spectral spectral, spectral_ema;
    ebmt_state state;
    float *used, *grad;    /* normalised parameters; gradient [n_params] */
    ebmt_grads *shard;     /* [config.shards] */
    ebm_session **session; /* per worker */
    float **work;          /* per worker: 4*dim */
    ebm_error *data_error; /* per worker: first sample of the iteration that could not be read */
    ebmt__pair *pair;      /* [batch] */
    float *pair_floats;
    int32_t visits;    /* slots of this iteration that visit a persistent chain */
    ebmt__pair *visit; /* [most visits]: at level 0, against such a chain */
    float *visit_floats;
    ebmt__outcome *outcome; /* [batch] */
    int64_t *index;         /* [batch] */
    int32_t *cost_order;    /* [batch]: chains of this process, longest first */
    ebmt__level_stats stats;
    uint64_t iteration_seed;
    double loss, matching, grad_norm, lr; /* of the last iteration */
} ebmt__trainer;

/* Makes everything and fills in initial weights. `id` names the models; of opt, what concerns
 * files and reports is not looked at.
 * @own *out: ebmt__trainer_free(); borrows the data @err as ebmt_run() */
ebm_status ebmt__trainer_create(const ebmt_run_options *opt, const char *id, ebmt__trainer **out,
                                ebm_error *err);
void ebmt__trainer_free(ebmt__trainer *tr); /* NULL allowed */

/* Runs one iteration: normalise, draw, chains, gradients, update, average.
 * @err DIVERGED: loss or gradient is not finite; or as ebmt_dataset_get(). The state is then that
 *      of before */
ebm_status ebmt__trainer_step(ebmt__trainer *tr, ebm_error *err);

/* The highest level that is trained. */
static inline int32_t ebmt__highest_level(const ebmt__trainer *tr)
{
    return tr->config.highest_level < 0 ? tr->levels->count - 1 : tr->config.highest_level;
}

/* Whether slot b of the batch is this process's work. */
bool ebmt__trainer_owns(const ebmt__trainer *tr, int32_t b);

/* Puts the averaged weights, normalised, into tr->averaged. */
void ebmt__trainer_average(ebmt__trainer *tr);

#endif
