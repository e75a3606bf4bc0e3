/* Daemons for tests, ready to be started on small models. Knows directories and models; not what is
 * tested with them. */
#ifndef EBM_TEST_DAEMON_MODELS_H
#define EBM_TEST_DAEMON_MODELS_H

#include "daemon_process.h"
#include "tiny_model.h"

/* daemon_prepare() and these models. @err false: stderr says why */
bool daemon_prepare_models(daemon_process *d, const tiny_model *models, size_t n);
/* With the model `tiny`: two levels of two steps. */
bool daemon_prepare_tiny(daemon_process *d);
/* With `a-tiny`, which is the same and the default, and `slow`: 400 levels of four steps. */
bool daemon_prepare_slow(daemon_process *d);

/* True if an image of the default model is answered with 200: the daemon is alive. */
bool daemon_draws(const daemon_process *d);

#endif
