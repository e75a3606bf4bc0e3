/* The kernel sets: the few loops in which nearly all time is spent, as one table per set.
 * The graph walker and train's gradient code call through it; nobody names a kernel directly.
 * A kernel knows floats and sizes. It has never heard of networks, levels or threads.
 *
 * A map is one image's [C,H,W] values in the set's own layout: only the set knows its strides and
 * padding; padding is always zero, and a kernel that makes a map writes all of it. There are two
 * kinds. A value map holds what the network computes, in float32. An operand map holds what is
 * multiplied next: activations, and gradients on their way back; a set may round these, to bfloat16
 * for example. In float32 sets the two kinds are the same.
 * One image at a time: the shape of a product never depends on how many chains a caller runs,
 * which is why results do not either.
 */
#ifndef EBM_KERNELS_H
#define EBM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

/* Geometry of a "same" convolution, stride 1, zero padding: k is 1 or 3. */
typedef struct ebm_conv_shape {
    int32_t c_in, c_out, h, w, k;
} ebm_conv_shape;

typedef struct ebm_map_shape {
    int32_t c, h, w;
} ebm_map_shape;

typedef enum ebm_act {
    EBM_ACT_NONE = 0,
    EBM_ACT_LEAKY_RELU, /* x > 0 ? x : slope*x */
    EBM_ACT_RELU,
    EBM_ACT_SILU,  /* x / (1 + exp(-x)) */
    EBM_ACT_SQUARE /* x^2 / 2; of heads only */
} ebm_act;

typedef struct ebm_activation {
    ebm_act kind;
    float slope; /* of LEAKY_RELU */
} ebm_activation;

/* The part of one kernel call that member `index` of a team of `count` does. The members' parts
 * touch different values, and a value comes out the same whoever computes it: so a team of any size
 * gives the same bits. A set may leave a call wholly to member 0. */
typedef struct ebm_share {
    int32_t index, count;
} ebm_share;

/* The whole of the work. */
#define EBM_ALONE ((ebm_share){.index = 0, .count = 1})

/* Where the result of a convolution goes: y = W*x + bias + residual, activated = act(y); and that
 * of an upsampling, which has no bias. */
typedef struct ebm_conv_result {
    const float *bias;     /* [O] */
    const float *residual; /* value map, or NULL */
    float *y;              /* value map, or NULL if nobody reads it */
    ebm_activation act;
    float *activated; /* operand map, or NULL */
} ebm_conv_result;

/* act'(x) as a factor. SILU and SQUARE read the value map x; the others read the sign of
 * `activated`, the operand map act(x), and x may be NULL. NONE reads neither: the factor is 1. */
typedef struct ebm_gate {
    ebm_activation act;
    const float *x;
    const float *activated;
} ebm_gate;

/* Where a data gradient goes: dx = act'(x) * (W^T*dy), or dx += the same. */
typedef struct ebm_conv_gradient {
    ebm_gate gate;
    float *dx; /* operand map */
    bool accumulate;
} ebm_conv_gradient;

/* Columns that attention computes side by side. */
#define EBM_PANEL 16

/* out = a*b, or out += a*b, EBM_PANEL columns wide: out(r,c) = sum_t a(r,t) b(t,c).
 * @shape a(r,t) lies at a[r*row_step + t*term_step]; row t of b at b + t*b_step, row r of out at
 *        out + r*out_step; out overlaps neither */
typedef struct ebm_panel_product {
    const float *a;
    size_t row_step, term_step;
    size_t rows, terms;
    const float *b;
    size_t b_step;
    float *out;
    size_t out_step;
    bool accumulate;
} ebm_panel_product;

/* One kernel set. All pointers are set; preconditions (shapes, no overlap) are asserted.
 * @shape c_in = I, c_out = O: w [O,I,k,k], bias [O]; x, dx maps [I,H,W]; y, dy maps [O,H,W].
 *        dx and dy are always operand maps.
 * @thread pure functions of their arguments; `scratch` is the caller's, one per thread. */
typedef struct ebm_kernels {
    const char *name;         /* "ref", "blas": what --kernels takes */
    const char *kernel_class; /* results are bit-identical within one class */

    /* Floats of memory that a map takes. */
    size_t (*value_floats)(const ebm_map_shape *m);
    size_t (*operand_floats)(const ebm_map_shape *m);
    /* A value map of this shape is an operand map as it is. */
    bool (*value_is_operand)(const ebm_map_shape *m);
    /* From a plain image [C,H,W] to a map, and from a map to a plain image. */
    void (*value_load)(const ebm_map_shape *m, const float *image, float *value);
    void (*value_store)(const ebm_map_shape *m, const float *value, float *image);
    void (*operand_load)(const ebm_map_shape *m, const float *image, float *operand);
    void (*operand_store)(const ebm_map_shape *m, const float *operand, float *image);

    /* Floats that the prepared weights and the scratch of one convolution take. */
    size_t (*conv_packed_floats)(const ebm_conv_shape *s);
    size_t (*conv_scratch_floats)(const ebm_conv_shape *s);
    /* Prepares weights for forward and backward_data. gain [O] multiplies output channels and
     * may be NULL. */
    void (*conv_pack)(const ebm_conv_shape *s, const float *w, const float *gain, float *packed);
    /* x is an operand map */
    void (*conv_forward)(const ebm_conv_shape *s, const float *packed, const float *x,
                         const ebm_conv_result *out, float *scratch, ebm_share share);
    void (*conv_backward_data)(const ebm_conv_shape *s, const float *packed, const float *dy,
                               const ebm_conv_gradient *out, float *scratch, ebm_share share);
    /* dw += dy (x) x: gradient in the effective weights, gain*w; x is an operand map */
    void (*conv_backward_weights)(const ebm_conv_shape *s, const float *x, const float *dy,
                                  float *dw, float *scratch);

    /* y = act(x): from a value map to an operand map */
    void (*act_forward)(ebm_activation act, const ebm_map_shape *m, const float *x, float *y,
                        ebm_share share);
    /* y = act'(x)*v: from a value map v to an operand map. act'(0) is slope (leaky), 0 (relu). */
    void (*act_tangent)(const ebm_gate *gate, const ebm_map_shape *m, const float *v, float *y,
                        ebm_share share);
    /* dx = act'(x)*u, or dx += the same; u and dx are operand maps */
    void (*gate_backward)(const ebm_gate *gate, const ebm_map_shape *m, const float *u, float *dx,
                          bool accumulate);
    /* dx = act''(x)*v*u, or dx += the same; x and v are value maps, u and dx operand maps. Zero
     * where the activation is piecewise linear. */
    void (*curve_backward)(ebm_activation act, const ebm_map_shape *m, const float *x,
                           const float *v, const float *u, float *dx, bool accumulate);
    /* dx += dy, operand maps */
    void (*add)(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);

    /* 2x2 average, stride 2, an odd last row or column is dropped: m is the shape of the large map
     * x [C,H,W], y [C,H/2,W/2]. x, y are value maps; activated = act(y) unless NULL. */
    void (*pool_forward)(const ebm_map_shape *m, const float *x, float *y, ebm_activation act,
                         float *activated, ebm_share share);
    void (*pool_backward)(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
    /* Every pixel four times: m is the shape of the large map, x [C,H/2,W/2], residual and
     * y [C,H,W], y = up(x) + residual; an odd last row or column is the residual's alone. x,
     * residual, y are value maps, y is NULL if nobody reads it; activated = act(y) unless NULL.
     * Backward: dx [C,H/2,W/2] is the sum of the four. */
    void (*up_forward)(const ebm_map_shape *m, const float *x, const ebm_conv_result *out,
                       ebm_share share);
    void (*up_backward)(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);

    /* sums [C] = sum over H*W of act(x), of act'(x)*v, of dy; x and v are value maps */
    void (*head_sum)(ebm_activation act, const ebm_map_shape *m, const float *x, float *sums,
                     ebm_share share);
    void (*head_tangent)(ebm_activation act, const ebm_map_shape *m, const float *x, const float *v,
                         float *sums);
    void (*operand_sum)(const ebm_map_shape *m, const float *dy, float *sums);
    /* dx[c,i] = act'(x[c,i]) * d[c]; x is a value map */
    void (*head_backward)(ebm_activation act, const ebm_map_shape *m, const float *x,
                          const float *d, float *dx, ebm_share share);

    /* Every sum runs over the terms in their order. */
    void (*panel_product)(const ebm_panel_product *p);
    /* x = exp(x) of n values; what is beyond [-87, 88] counts as the end of that range */
    void (*exponential)(size_t n, float *x);
} ebm_kernels;

/* Returns a kernel set by name; NULL or "auto" takes the one that the environment variable
 * EBM_KERNELS names, and without it the best one this CPU can run.
 * @own static table, immutable after the first call
 * @thread safe while nobody changes the environment; the first call may do one-time set-up of a
 *         library
 * @err NOT_FOUND: no such set (err->text lists them); UNSUPPORTED: this CPU lacks it. */
EBM_API EBM_MUST_CHECK ebm_status ebm_kernels_select(const char *name, const ebm_kernels **out,
                                                     ebm_error *err);

/* Name of set i in order of preference, or NULL past the end; *supported tells whether this CPU
 * can run it. */
EBM_API const char *ebm_kernels_name(int32_t i, bool *supported);

#endif
