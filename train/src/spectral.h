/* Spectral normalisation of the weights in training: power iteration as explicit state.
 * Sampling never sees it: what is saved is the normalised weight. */
#ifndef EBMT_SPECTRAL_H
#define EBMT_SPECTRAL_H

#include <stdbool.h>

#include "ebm/graph.h"

/* The last layer of a residual branch: the second convolution of a block, the one behind attention.
 * It starts near zero, so that a branch begins as nothing, and is only ever shrunk. */
static inline bool ebmt__ends_branch(const ebm_node *n)
{
    return n->op == EBM_OP_CONV && n->residual != EBM_NONE;
}

/* One normalised tensor, seen as a matrix W [rows, cols] with rows = output channels.
 * @eq  used = W/s with s = u W v (Miyato et al. 2018); lower_bound (what is added to a
 *      residual and starts near zero): used = W/s' * min(s',1), s' = s + 1e-6: never amplified.
 *      Gao et al. 2021, reference code nn.py class SN */
typedef struct ebmt__spectral_row {
    int32_t tensor;
    size_t rows, cols;
    size_t u_at, v_at; /* offsets of its left and right vector */
    bool lower_bound;
} ebmt__spectral_row;

typedef struct ebmt__spectral {
    ebmt__spectral_row *row;
    int32_t n;
    size_t n_u, n_v;
    float *v;      /* right vectors of the last update [n_v] */
    double *sigma; /* norms of the last update [n] */
    bool off;      /* the last update was asked for no iterations: nothing is normalised */
} ebmt__spectral;

/* Lists the tensors that are normalised: all convolutions and dense layers but the head's.
 * @own clear with ebmt__spectral_clear() @err NOMEM */
ebm_status ebmt__spectral_init(const ebm_graph_info *g, ebmt__spectral *out, ebm_error *err);
void ebmt__spectral_clear(ebmt__spectral *s);

/* Runs power iterations on u (in place) and writes the normalised parameters; with 0 iterations
 * the parameters as they are.
 * @shape params, used [n_params]; u [n_u] */
void ebmt__spectral_apply(ebmt__spectral *s, const ebm_graph_info *g, int32_t iterations,
                          const float *params, float *u, float *used);

/* Turns the gradient in the used weights into the one in the raw weights, in place; u, v and the
 * norms are those of the last ebmt__spectral_apply() and held constant.
 * @eq dW = (G - <G, W/s> u v^T)/s; identity where a lower-bound tensor has s' < 1 */
void ebmt__spectral_gradient(const ebmt__spectral *s, const ebm_graph_info *g, const float *params,
                             const float *u, float *grad);

#endif
