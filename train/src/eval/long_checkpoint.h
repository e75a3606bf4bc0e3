/* Long chains between two slices of work as one file, so that a run of hours can be stopped. Knows
 * chains, marks and bytes; has never heard of how they are measured. */
#ifndef EBMT_LONG_CHECKPOINT_H
#define EBMT_LONG_CHECKPOINT_H

#include "ebmt/eval.h"

/* One chain. logp is that of the last mark, NaN from a divergence on, when y is zeros and the
 * picture stays that of the mark before. @shape mcmc.y [dim] */
typedef struct ebmt__long_chain {
    ebm_mcmc mcmc;
    bool diverged;
    double logp;
} ebmt__long_chain;

/* All that goes on.
 * @shape chains [n], images [n, dim], anchor [dim]: finite, of no effect without tether */
typedef struct ebmt__long_state {
    const char *path;
    char key[65];             /* digest of everything that decides the run */
    const char *model_sha256; /* 64 hex digits */
    const ebm_levels *levels;
    const ebm_mcmc_plan *plan;
    size_t dim;
    int64_t n;
    ebmt__long_chain *chains;
    uint8_t *images;
    float *anchor;
    ebmt_long_report *report;
    double accept, moves; /* over all chains, up to the last mark */
    int64_t reached;      /* moves of every chain that has not diverged */
} ebmt__long_state;

/* Writes all of it, atomically. @err IO, NOMEM, LIMIT */
EBM_MUST_CHECK ebm_status ebmt__long_save(const ebmt__long_state *state, ebm_error *err);

/* Reads it back; nothing in the file is trusted. After an error chains and images are undefined.
 * @err NOT_FOUND (no file), ARG (of other settings), FORMAT, LIMIT, DIGEST, RANGE, NOMEM, IO */
EBM_MUST_CHECK ebm_status ebmt__long_load(ebmt__long_state *state, ebm_error *err);

#endif
