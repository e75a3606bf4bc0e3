/* The architectures there are, and opening a model directory with them.
 * May use core's public headers; has never heard of requests, stores or training. */
#ifndef EBMM_MODELS_H
#define EBMM_MODELS_H

#include "ebm/model.h"

/* The explicit list of architectures. @own static table, *n receives its length */
EBM_API const ebm_architecture *ebmm_architectures(int32_t *n);

/* Builds the graph of a network configuration, checking every number of it.
 * @own *out: ebm_graph_free() @err NOT_FOUND (architecture), RANGE, SHAPE, LIMIT, NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmm_graph_build(const ebm_network_config *config,
                                                   ebm_graph **out, ebm_error *err);

/* Opens a model directory with the architectures above; see ebm_model_open(). */
EBM_API EBM_MUST_CHECK ebm_status ebmm_model_open(const char *dir, const ebm_kernels *kernels,
                                                  ebm_model **out, ebm_error *err);

#endif
