/* What jobs of long chains share, whether they begin here or go on with kept ones. */
#ifndef EBMD_KIND_MCMC_H
#define EBMD_KIND_MCMC_H

#include "kinds/chain_keep.h"

/* Sets what a plan needs beside its operation: parts, sizes, work. @err RANGE, NOMEM */
EBM_MUST_CHECK ebm_status ebmd_mcmc_measure(ebm_arena *arena, ebmd_plan *plan,
                                            ebma_problem *problem);
/* Where the chains of a part lie in its state. */
ebmd_chain_layout ebmd_mcmc_layout(const ebmd_plan *plan, int32_t part);
/* Which output of the part that chain `chain` of the job is in holds what is kept of it. */
int32_t ebmd_mcmc_kept(const ebmd_plan *plan, int32_t chain);
/* document() of chains. */
EBM_MUST_CHECK ebm_status ebmd_mcmc_document(const ebmd_plan *plan, const ebmd_facts *facts,
                                             char **json, size_t *size, ebm_error *err);

#endif
