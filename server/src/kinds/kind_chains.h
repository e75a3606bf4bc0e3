/* Jobs that go on with chains: of an earlier job, or of a file that somebody brought.
 * Knows sets of chains and plans; not where sets are kept. */
#ifndef EBMD_KIND_CHAINS_H
#define EBMD_KIND_CHAINS_H

#include "kinds/kind_mcmc.h"

extern const ebmd_kind ebmd_kind_chains;

/* A set of chains and how to go on with it. @own borrowed */
typedef struct ebmd_chains_order {
    const unsigned char *set; /* as ebm_chain_set_encode() writes it; hostile */
    size_t size;
    const ebma_op_request *asked; /* ebma_chain_decode(); NULL: keep as it is */
    ebma_chain_call call;         /* read if asked */
    bool forked;                  /* the chains come from a fork */
} ebmd_chains_order;

/* Makes the plan of a job that begins where the chains of the set stand, and the checkpoint it
 * begins with. @own *checkpoint: ebm_free(); the rest lies in the arena
 * @err anything: *problem says what to answer */
EBM_MUST_CHECK ebm_status ebmd_chains_open(const ebmd_engine *engine,
                                           const ebmd_chains_order *order, ebm_arena *arena,
                                           ebmd_plan *plan, unsigned char **checkpoint,
                                           size_t *checkpoint_size, ebma_problem *problem);

#endif
