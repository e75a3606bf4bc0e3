/* Which persistent chains an iteration visits, and what it learns from them. Knows the trainer;
 * moves are those of loss/persistent.h. */
#ifndef EBMT_VISITS_H
#define EBMT_VISITS_H

#include "trainer.h"

/* Slots 0..n-1 of the batch visit a chain: each visits one, and the chains take turns. They are few
 * where moves cost so much more than matching that it should have more images than they have. In a
 * warm start, which is matching alone, there are none: the density would not be worth a move. */
int32_t ebmt__visits_at(const ebmt_config *config, int64_t iteration);

/* Makes room. @err NOMEM */
EBM_MUST_CHECK ebm_status ebmt__visits_create(ebmt__trainer *tr, ebm_error *err);
void ebmt__visits_free(ebmt__trainer *tr);

/* Slot b: copies the chain that it visits and noises the chain's own image to level 0; clears the
 * copy if the slot is another process's work. @err as ebmt_dataset_get() */
EBM_MUST_CHECK ebm_status ebmt__visit_draw(ebmt__trainer *tr, int32_t b, int32_t worker,
                                           ebm_error *err);

/* Slot b: lets its chain move. */
void ebmt__visit_move(ebmt__trainer *tr, int32_t b, int32_t worker);

/* Slot b: adds to the gradient that the image should be likelier, and the chain's state less
 * likely. */
void ebmt__visit_term(ebmt__trainer *tr, int32_t b, int32_t worker, ebmt_grads *grads);

/* Everyone gets the chains that were visited by each. */
EBM_MUST_CHECK ebm_status ebmt__visits_exchange(ebmt__trainer *tr, ebm_error *err);

/* The iteration counts: the chains go on from where they are now. */
void ebmt__visits_keep(ebmt__trainer *tr);

#endif
