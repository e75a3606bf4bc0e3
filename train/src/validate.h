/* How the energies of held-out images compare with those of training images. */
#ifndef EBMT_VALIDATE_H
#define EBMT_VALIDATE_H

#include "trainer.h"

/* Fills, per level, the mean of logp(y) over training images less that over held-out ones, and its
 * standard error: near 0 while the network generalises, growing when it learns images by heart.
 * The same few hundred images and the same noise every time; weights are those of the last
 * iteration. Levels that are not trained get NaN. @shape gap, error [T], nats
 * @err SHAPE (held-out images of another shape), NOMEM, as ebmt_dataset_get() */
EBM_MUST_CHECK ebm_status ebmt__validate(ebmt__trainer *tr, const ebmt_dataset *held_out,
                                         double *gap, double *error, ebm_error *err);

#endif
