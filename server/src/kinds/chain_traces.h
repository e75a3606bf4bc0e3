/* Traces of the chains of a job, wherever they are: in states of parts at work, in results of parts
 * that are through. Knows chains and their bytes; not jobs, nor who looks. */
#ifndef EBMD_CHAIN_TRACES_H
#define EBMD_CHAIN_TRACES_H

#include "kinds/chain_keep.h"
#include "kinds/kind.h"

/* Finds them; a chain that has not begun has an empty one. They point into states and results.
 * @shape out [plan->images] @err FORMAT */
EBM_MUST_CHECK ebm_status ebmd_chain_traces(const ebmd_plan *plan, const ebmd_standing *parts,
                                            ebm_trace *out, ebm_error *err);
/* diagnose() of chains: of those that have come at least half as far as the farthest, which ends
 * where the shortest of them ends. */
EBM_MUST_CHECK ebm_status ebmd_chain_diagnose(const ebmd_plan *plan, const ebmd_standing *parts,
                                              ebm_chains_report *out, ebm_error *err);

#endif
