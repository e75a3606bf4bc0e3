/* Gradients of net(x,t) in all parameters: the backward pass with core's nodes, plus what core
 * has no use for: weights, biases, gains, and the dense layers of the time embedding. */
#ifndef EBMT_GRAD_H
#define EBMT_GRAD_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/session.h"
#include "ebm/status.h"

/* Sums over samples, cheap to add to; ebmt_grads_finish() turns it into gradients once.
 * @shape effective [n_params]: gradients in gain*W, at the offset of W
 *        rows: per node [T, C], gradients in the level tables (bias + time term; head vector) */
typedef struct ebmt_grads {
    const ebm_graph_info *g;
    int32_t levels;
    float *effective;
    float *rows;
    size_t n_rows;
    size_t *row_at; /* per node */
} ebmt_grads;

/* @own clear with ebmt_grads_clear() @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_grads_init(const ebm_graph_info *g, int32_t levels,
                                                  ebmt_grads *out, ebm_error *err);
EBM_API void ebmt_grads_zero(ebmt_grads *grads);
EBM_API void ebmt_grads_add(ebmt_grads *to, const ebmt_grads *from);
EBM_API void ebmt_grads_clear(ebmt_grads *grads); /* safe on a zeroed struct */

/* Adds seed * d net / d params of the session's last forward pass.
 * @thread one accumulator, one thread at a time */
EBM_API void ebmt_grads_backward(ebmt_grads *grads, ebm_session *s, float seed);
/* Adds seed * d <v, grad_x net> / d params after ebm_session_tangent(s, v).
 * @eq docs/math/gradient_matching.md; exact for piecewise linear activations */
EBM_API void ebmt_grads_backward_tangent(ebmt_grads *grads, ebm_session *s, float seed);

/* Writes the gradient in every parameter (overwrites grad), given the parameters in use.
 * @shape params, grad [n_params] @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_grads_finish(const ebmt_grads *grads, const float *params,
                                                    float *grad, ebm_error *err);

/* Adds weight * d net(x, level) / d params to grad. Allocates; for checks, not for training.
 * @shape x [C,H,W], grad [n_params] @err NOMEM */
EBM_API EBM_MUST_CHECK ebm_status ebmt_parameter_gradient(ebm_session *s, const float *x,
                                                          int32_t level, float weight, float *grad,
                                                          ebm_error *err);

#endif
