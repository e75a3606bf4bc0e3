/* Parameters made ready for evaluation: packed convolutions, and everything that depends on the
 * level only (biases with their time term, the head's vector), computed once. Internal to core. */
#ifndef EBM_MODEL_WEIGHTS_H
#define EBM_MODEL_WEIGHTS_H

#include "ebm/graph.h"
#include "ebm/kernels.h"
#include "ebm/levels.h"

/* @shape per node n: packed + packed_at[n]; table + table_at[n] is [T, C]: the bias of a
 *        convolution, the vector v of the head */
typedef struct ebm__weights {
    int32_t levels;
    size_t *packed_at, *table_at;
    float *packed, *table;
    float *time_work; /* 2*time_hidden + time_dim */
} ebm__weights;

ebm_status ebm__weights_init(const ebm_graph_info *g, const ebm_kernels *k, int32_t levels,
                             ebm__weights *out, ebm_error *err);
/* Fills the tables from a parameter vector; heads of squares look at the step sizes. @shape params
 * [g->n_params] */
void ebm__weights_prepare(ebm__weights *w, const ebm_graph_info *g, const ebm_kernels *k,
                          const ebm_levels *levels, const float *params);
void ebm__weights_clear(ebm__weights *w); /* safe on a zeroed struct */

/* y = W*x + b in double accumulation. @shape w [n_out, n_in], b, y [n_out], x [n_in] */
void ebm__dense(const float *w, const float *b, const float *x, int32_t n_in, int32_t n_out,
                float *y);

#endif
