/* What tests of kernel sets share: shapes to try, maps in a set's own layout, one convolution with
 * random weights, activations from their definitions. */
#ifndef KERNEL_RIG_H
#define KERNEL_RIG_H

#include "ebm/kernels.h"

/* Shapes of all kinds: thin, odd, one row, points. */
extern const ebm_conv_shape rig_shapes[];
extern const size_t rig_shape_count;

size_t in_size(const ebm_conv_shape *s);
size_t out_size(const ebm_conv_shape *s);
size_t weight_size(const ebm_conv_shape *s);
ebm_map_shape input_shape(const ebm_conv_shape *s);
ebm_map_shape output_shape(const ebm_conv_shape *s);

/* n floats: zeros, or normals that depend on `which` only. @own ebm_free() */
float *floats(size_t n);
float *randoms(uint32_t which, size_t n);
double dot(const float *a, const float *b, size_t n);
double norm(const float *a, size_t n);

/* Relative rounding error of a value that a set has stored. */
double precision(const ebm_kernels *k);

/* The activations inside networks, with value, slope and curvature from their definitions; leaky
 * ReLU has slope 0.2. */
extern const ebm_act rig_acts[];
extern const size_t rig_act_count;
ebm_activation act_of(ebm_act kind);
double act_value(ebm_act kind, float x);
float act_slope(ebm_act kind, float x);
double act_curve(ebm_act kind, float x);

/* Maps of plain images [c,h,w] in the layout of the set. @own ebm_free() */
float *as_value(const ebm_kernels *k, ebm_map_shape m, const float *image);
float *as_operand(const ebm_kernels *k, ebm_map_shape m, const float *image);
/* A value map as an image, rounded as the set rounds operands. */
void from_value(const ebm_kernels *k, ebm_map_shape m, const float *value, float *image);
/* Maps full of rubbish: nothing may rely on zeros. @own ebm_free() */
float *used_value(const ebm_kernels *k, ebm_map_shape m);
float *used_operand(const ebm_kernels *k, ebm_map_shape m);

/* One convolution of one set with random weights, ready to run. */
typedef struct rig {
    const ebm_kernels *k;
    const ebm_conv_shape *s;
    float *w, *gain, *bias, *zeros, *packed, *scratch;
} rig;
rig make_rig(const ebm_kernels *k, const ebm_conv_shape *s);
void free_rig(rig *r);

/* The three kernels on plain images; residual may be NULL. */
void rig_forward(const rig *r, const float *bias, const float *x, const float *residual, float *y);
void rig_backward_data(const rig *r, const float *dy, float *dx);
void rig_backward_weights(const rig *r, const float *x, const float *dy, float *dw);

/* All sets that this CPU can run, amx emulated if need be. */
void for_each_set(void (*check)(const ebm_kernels *k));

#endif
