/* What operations give, as the job object tells it: images, chains, scores, likelihoods.
 * Knows names and units of members; has never heard of how results are computed or kept. */
#ifndef EBMA_OP_RESULTS_H
#define EBMA_OP_RESULTS_H

#include "ebm/calibration.h"
#include "ebm/likelihood.h"
#include "ebm/mcmc.h"
#include "ebm/ops.h"
#include "ebma/op_request.h"

/* One finished image. @unit logp in nats, up to the model's constant */
typedef struct ebma_image {
    double logp;
    char sha256[65]; /* of the PNG's bytes */
} ebma_image;

/* An image of several others. @own borrowed */
typedef struct ebma_joint_image {
    const char *name; /* "sheet", "ensemble.mean" */
    const unsigned char *png;
    size_t size;
} ebma_joint_image;

/* Images of sample, inpaint, interpolate and mcmc.
 * @shape image [n], chain [n] */
typedef struct ebma_drawn {
    int32_t n;
    int64_t first_index;
    const ebma_image *image;
    int32_t levels;      /* images of levels beside each one: progressive; else 0 */
    int32_t snapshots;   /* in their place: images on a chain's way */
    const int64_t *mark; /* [snapshots]: after how many steps */
    const ebma_joint_image *joint;
    size_t n_joint;
    double mask_coverage; /* 0: there is no mask */
} ebma_drawn;

/* Chains of mcmc beside their images. @shape chain [n]: only their numbers are read */
typedef struct ebma_chains {
    const ebm_mcmc *chain;
    const ebm_chains_report *report;
    bool metropolis; /* acceptance and step size mean something */
    bool stopped;    /* by a rule of `until` */
    bool partial;    /* by a cancel, or because one diverged: there is more to do */
} ebma_chains;

/* A page of what was recorded of one chain. */
typedef struct ebma_trace_page {
    const char *id;
    ebma_job_status status;
    const ebm_op_params *params; /* of the run */
    int32_t chain;               /* number of it in the job */
    size_t from, limit;          /* rows */
    const ebm_trace *trace;
} ebma_trace_page;
/* @own *json: ebm_free() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebma_traces_encode(const ebma_trace_page *page, char **json,
                                                     size_t *size, ebm_error *err);

/* Scores of images. @shape features [n,EBM_FEATURES,levels]; gradient [n,dim] of the lowest level's
 * log density, or NULL */
typedef struct ebma_scores {
    int32_t n, levels;
    size_t dim;
    const double *features;
    const float *gradient;
    const ebm_calibration *calibration; /* NULL: none that fits */
    char comparable_within[65];
} ebma_scores;

/* Likelihoods of images. @shape ladder, bound [n] */
typedef struct ebma_likelihoods {
    int32_t n;
    size_t dim;
    const ebm_levels *levels;
    const double *ladder; /* log p(x_0) + log Z */
    const ebm_bound *bound;
    ebm_log_z forward, reverse, top;
    bool ais, recovery; /* which of the methods were asked for */
    char comparable_within[65];
} ebma_likelihoods;

/* The results of a job: some of these, the others NULL. */
typedef struct ebma_results {
    const ebma_drawn *drawn;
    const ebma_chains *chains;
    const ebma_scores *scores;
    const ebma_likelihoods *likelihoods;
} ebma_results;

#endif
