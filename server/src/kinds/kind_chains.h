/* Jobs that go on with chains: of an earlier job, or of a file that somebody brought.
 * Knows the request that is stored of them; not where their chains come from
 * (run/chains_open.h). */
#ifndef EBMD_KIND_CHAINS_H
#define EBMD_KIND_CHAINS_H

#include "kinds/kind_mcmc.h"

extern const ebmd_kind ebmd_kind_chains;

/* Plans such a job, if the model is the one that its chains were begun with.
 * @err anything: *problem says what to answer */
EBM_MUST_CHECK ebm_status ebmd_chains_plan(const ebmd_engine *engine,
                                           const ebma_chains_request *chains, ebm_arena *arena,
                                           ebmd_plan *plan, ebma_problem *problem);
/* Refuses more snapshots than steps are ahead of the chains, once plan->behind is known.
 * @err RANGE */
EBM_MUST_CHECK ebm_status ebmd_chains_check_keep(const ebmd_plan *plan, ebm_arena *arena,
                                                 ebma_problem *problem);

#endif
