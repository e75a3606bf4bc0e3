/* Adam, the moving average of weights, and the learning rate as a function of the iteration. */
#ifndef EBMT_ADAM_H
#define EBMT_ADAM_H

#include <stddef.h>

#include "ebmt/train.h"

/* One Adam update of state->params; counts state->adam_step up first.
 * @eq Kingma, Ba 2015, with Keras' epsilon: p -= lr m^/(sqrt(v^) + eps) */
void ebmt__adam_step(const ebmt_config *c, double lr, const float *grad, ebmt_state *state);

/* Forgets the moments, so that a new objective starts fresh. */
void ebmt__adam_reset(ebmt_state *state);

/* ema += (1-decay)(params - ema), the same for the spectral vectors. */
void ebmt__ema_step(const ebmt_config *c, ebmt_state *state);

/* Learning rate of iteration `iteration` (from 0), given the Adam steps since the last reset. */
double ebmt__learning_rate(const ebmt_config *c, int64_t iteration, int64_t adam_step);

/* True while a hybrid run is still in its warm start. */
bool ebmt__warm_start(const ebmt_config *c, int64_t iteration);

#endif
