/* Attention among the pixels of one image, on plain planes: forward, backward, tangent, and the
 * backward of a tangent. Knows arrays and their sizes; has never heard of nodes and sessions.
 * Internal to core.
 * @eq with s_ij = q_i.k_j/sqrt(C) and p_ij = exp(s_ij) / sum_l exp(s_il): y_i = sum_j p_ij v_j;
 *     docs/math/energy_network.md */
#ifndef EBM_GRAPH_ATTENTION_H
#define EBM_GRAPH_ATTENTION_H

#include "ebm/kernels.h"

/* Planes [C][stride] of the three inputs. */
typedef struct ebm__attention_maps {
    float *query, *key, *value;
} ebm__attention_maps;

/* What the rows of one softmax have in common, and what makes them again: one number per query. */
typedef struct ebm__attention_stats {
    float *top;     /* its largest score */
    float *inverse; /* of the sum of its exponentials */
    float *slope;   /* mean of what reaches its weights from the result */
    float *tangent; /* mean of the tangents of its scores */
    float *curve;   /* mean of what reaches its weights from the tangent */
} ebm__attention_stats;

/* All maps are planes of one stride, a multiple of EBM_PANEL; what lies between the last pixel and
 * the end of a plane has no part in any result. t, dt and y2 are there for tangents alone. */
typedef struct ebm__attention {
    const ebm_kernels *kernels;
    size_t channels, pixels, stride;
    float scale; /* 1/sqrt(C) */
    ebm__attention_maps x, dx;
    ebm__attention_maps t, dt; /* tangents, and gradients in them */
    float *y;                  /* the result, its tangent, or the gradient in what was computed */
    float *y2;                 /* backward of a tangent: the gradient in the value */
    ebm__attention_stats stats;
} ebm__attention;

/* Floats of the planes and numbers, and of the panels that each member of a team needs. */
size_t ebm__attention_floats(const ebm_map_shape *m, bool tangent);
size_t ebm__attention_panel_floats(const ebm_map_shape *m, bool tangent);

/* Lays the arrays out in `work`. */
void ebm__attention_init(const ebm_kernels *k, const ebm_map_shape *m, bool tangent, float *work,
                         ebm__attention *out);

/* Members share each call; what one call writes, the next one reads. A value is the same whoever
 * computes it: its sums run over all channels or pixels in their order.
 * `panels` is the member's own. */

/* y from x */
void ebm__attention_forward(const ebm__attention *a, float *panels, ebm_share share);
/* y, the tangent of the result, from x and t */
void ebm__attention_tangent(const ebm__attention *a, float *panels, ebm_share share);
/* dx from x and y, the gradient in the result: first that of the queries, then the others. */
void ebm__attention_backward_query(const ebm__attention *a, float *panels, ebm_share share);
void ebm__attention_backward_key(const ebm__attention *a, float *panels, ebm_share share);
/* dt and dx from x, t, y (the gradient in the tangent of the result) and y2 (that in its value). */
void ebm__attention_second_query(const ebm__attention *a, float *panels, ebm_share share);
void ebm__attention_second_key(const ebm__attention *a, float *panels, ebm_share share);

#endif
