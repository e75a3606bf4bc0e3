/* Long chains of one command: their states, traces and reports. Knows chains; not flags. */
#ifndef EBMT_CLI_MCMC_RUN_H
#define EBMT_CLI_MCMC_RUN_H

#include "cli/op_run.h"
#include "ebm/calibration.h"

/* @shape y, anchor [chains, dim], directions [EBM_TRACE_DIRECTIONS, dim] */
typedef struct ebmt__mcmc {
    ebmt__op_run run;
    ebm_mcmc_plan plan;
    int32_t n;
    int64_t total;    /* steps of a whole chain */
    int64_t boundary; /* where the present round ends */
    ebm_mcmc *chain;  /* [n] */
    ebm_trace *trace; /* [n] */
    float *floats;    /* states and directions */
    double *scalars;  /* rows of all traces */
    ebm_chains_report report;
    ebm_calibration calibration; /* mean NULL: there is none */
    double seconds;
    bool stopped; /* by a rule of `until` */
    bool forked;  /* gone on with, and from states of other seeds: no receipt tells how */
} ebmt__mcmc;

/* One line on stdout: chain k with its file. */
void ebmt__mcmc_print_chain(const ebmt__mcmc *m, int32_t k, const char *file, const char *sha256,
                            double logp);
/* The last line: diagnostics of all. */
void ebmt__mcmc_print_report(const ebmt__mcmc *m);
/* All traces as JSON. @err IO, NOMEM */
EBM_MUST_CHECK ebm_status ebmt__mcmc_write_traces(const ebmt__mcmc *m, const char *file,
                                                  ebm_error *err);

#endif
