/* How a job begins that goes on with chains: its plan and its first checkpoint, from a set of
 * chains and what is asked of them. Knows sets, plans and checkpoints; not where sets are kept. */
#ifndef EBMD_CHAINS_OPEN_H
#define EBMD_CHAINS_OPEN_H

#include "ebma/op_request.h"
#include "kinds/kind.h"

/* A set of chains and how to go on with it. @own borrowed */
typedef struct ebmd_chains_order {
    const unsigned char *set; /* as ebm_chain_set_encode() writes it; hostile */
    size_t size;
    const ebma_op_request *asked; /* ebma_chain_decode(); NULL: keep as it is */
    ebma_chain_call call;         /* read if asked */
} ebmd_chains_order;

/* Makes the plan of a job that begins where the chains of the set stand, and the checkpoint it
 * begins with. @own *checkpoint: ebm_free(); the rest lies in the arena
 * @err anything: *problem says what to answer */
EBM_MUST_CHECK ebm_status ebmd_chains_open(const ebmd_engine *engine,
                                           const ebmd_chains_order *order, ebm_arena *arena,
                                           ebmd_plan *plan, unsigned char **checkpoint,
                                           size_t *checkpoint_size, ebma_problem *problem);

#endif
