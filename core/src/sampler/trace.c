/* Tracked scalars of a chain. Knows states as vectors, not how they came about. */
#include <math.h>

#include "sampler/mcmc_internal.h"
#include "sampler/reduce.h"

/* One seed for all runs: projections of different runs are comparable. */
#define DIRECTION_SEED 1

void ebm_trace_directions(int32_t n, size_t dim, float *out)
{
    const float scale = (float)(1.0 / sqrt((double)dim));
    for (int32_t k = 0; k < n; k++) {
        const ebm_stream s = {
            .seed = DIRECTION_SEED, .purpose = EBM_PURPOSE_PROJECTION, .chain = (uint32_t)k};
        float *row = out + (size_t)k * dim;
        ebm_rng_normal(&s, 0, dim, row);
        for (size_t i = 0; i < dim; i++)
            row[i] *= scale;
    }
}

bool ebm__trace_due(const ebm_trace *trace, const ebm_mcmc *chain)
{
    return trace && chain->total % trace->thin == 0;
}

void ebm__trace_record(ebm_trace *trace, const ebm_mcmc *chain, size_t dim, double logp)
{
    double *row = trace->scalars + trace->count * (2 + (size_t)trace->n_directions);
    row[0] = logp;
    row[1] = 1.0;
    for (int32_t k = 0; k < trace->n_directions; k++)
        row[2 + k] = ebm__dot(trace->directions + (size_t)k * dim, chain->y, dim);
    if (trace->level)
        trace->level[trace->count] = chain->level;
    trace->count++;
}

void ebm__trace_probability(ebm_trace *trace, double probability)
{
    trace->scalars[(trace->count - 1) * (2 + (size_t)trace->n_directions) + 1] = probability;
}
