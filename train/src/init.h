/* Initial weights of a network in training. */
#ifndef EBMT_INIT_H
#define EBMT_INIT_H

#include "ebm/graph.h"
#include "ebmt/train.h"
#include "spectral.h"

/* Fills params (copied to ema) and the spectral vectors.
 * @eq Glorot uniform, limit sqrt(6/(fan_in+fan_out)) with the kernel's taps in both fans; what
 *     is added to a residual 1e-5 times that; biases 0, gains 1; u normal.
 *     Reference code nn.py default_init, network.py. For points of the plane the first layer is
 *     uniform within 8, biases too, and the head's weights are 0: net starts as 0, whatever the
 *     size of step2. */
void ebmt__init_weights(const ebm_graph_info *g, const ebmt__spectral *spectral, uint64_t seed,
                        ebmt_state *state);

/* Replaces params and averages by those of another model's, and turns the spectral vectors to
 * them. Saved weights are normalised already; doing it again changes those of a trained
 * network by some tenths of a per cent, the precision of power iterations.
 * @err SHAPE: another network; err->where names the first tensor that differs. ARG: a model of
 *      several experts */
EBM_MUST_CHECK ebm_status ebmt__init_from(const ebm_model *from, const ebm_graph_info *g,
                                          ebmt__spectral *spectral, float *used, ebmt_state *state,
                                          ebm_error *err);

#endif
