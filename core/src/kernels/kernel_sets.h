/* The kernel sets and the parts that sets share. Internal to the kernels shelf. */
#ifndef EBM_KERNEL_SETS_H
#define EBM_KERNEL_SETS_H

#include "ebm/kernels.h"

/* Plain C, double accumulation in every sum over channels: the truth. */
extern const ebm_kernels ebm__kernels_ref;

/* Convolutions as one OpenBLAS product per image; everything else as in ref.
 * The class depends on the CPU kind that OpenBLAS detects. NULL: no memory. */
const ebm_kernels *ebm__kernels_blas(void);

/* Convolutions in float32 vectors of 16 (8), own code throughout; the bits of the two are the
 * same. NULL when not compiled in. */
const ebm_kernels *ebm__kernels_avx512(void);
const ebm_kernels *ebm__kernels_avx2(void);

/* Convolutions of bfloat16 operands, summed in float32: as dot products of vectors, and as products
 * of tiles. NULL when not compiled in. */
const ebm_kernels *ebm__kernels_avx512bf16(void);
const ebm_kernels *ebm__kernels_amx(void);

/* What this CPU has, and the kernel of this machine lets us use. Apart from the choice among sets,
 * so that its tests can put another CPU here. */
bool ebm__cpu_has_avx2(void);   /* with fused multiply-add */
bool ebm__cpu_has_avx512(void); /* F, VL, BW and DQ: a guest may lack some of them */
bool ebm__cpu_has_bf16(void);   /* dot products of vectors of bfloat16 */
bool ebm__cpu_has_amx(void);    /* products of tiles of bfloat16 */
bool ebm__cpu_is_amd(void);

/* Maps without padding (ref/map_ref.c), for the sets ref and blas. */
size_t ebm__dense_floats(const ebm_map_shape *m);
void ebm__dense_load(const ebm_map_shape *m, const float *image, float *map);
void ebm__dense_store(const ebm_map_shape *m, const float *map, float *image);
void ebm__dense_act_forward(ebm_activation act, const ebm_map_shape *m, const float *x, float *y,
                            ebm_share share);
void ebm__dense_act_tangent(const ebm_gate *gate, const ebm_map_shape *m, const float *v, float *y,
                            ebm_share share);
void ebm__dense_gate_backward(const ebm_gate *gate, const ebm_map_shape *m, const float *u,
                              float *dx, bool accumulate);
void ebm__dense_curve_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                               const float *v, const float *u, float *dx, bool accumulate);
void ebm__dense_add(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
void ebm__dense_pool_forward(const ebm_map_shape *m, const float *x, float *y, ebm_activation act,
                             float *activated, ebm_share share);
void ebm__dense_pool_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
void ebm__dense_up_forward(const ebm_map_shape *m, const float *x, const ebm_conv_result *out,
                           ebm_share share);
void ebm__dense_up_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
void ebm__dense_head_sum(ebm_activation act, const ebm_map_shape *m, const float *x, float *sums,
                         ebm_share share);
void ebm__dense_head_tangent(ebm_activation act, const ebm_map_shape *m, const float *x,
                             const float *v, float *sums);
void ebm__dense_operand_sum(const ebm_map_shape *m, const float *dy, float *sums);
void ebm__dense_head_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                              const float *d, float *dx, ebm_share share);
void ebm__dense_exponential(size_t n, float *x);

/* Of the sets without rounding: value maps and operand maps are the same. */
static inline bool ebm__always_operand(const ebm_map_shape *m)
{
    (void)m;
    return true;
}

/* Sizes that every set needs. */
static inline size_t ebm__conv_pixels(const ebm_conv_shape *s)
{
    return (size_t)s->h * (size_t)s->w;
}
static inline size_t ebm__conv_taps(const ebm_conv_shape *s)
{
    return (size_t)s->k * (size_t)s->k;
}
static inline size_t ebm__conv_weights(const ebm_conv_shape *s)
{
    return (size_t)s->c_out * (size_t)s->c_in * ebm__conv_taps(s);
}
static inline size_t ebm__round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}
/* The convolution that computes the data gradient of s. */
static inline ebm_conv_shape ebm__conv_transposed(const ebm_conv_shape *s)
{
    return (ebm_conv_shape){.c_in = s->c_out, .c_out = s->c_in, .h = s->h, .w = s->w, .k = s->k};
}
static inline ebm_map_shape ebm__conv_input(const ebm_conv_shape *s)
{
    return (ebm_map_shape){.c = s->c_in, .h = s->h, .w = s->w};
}
static inline ebm_map_shape ebm__conv_output(const ebm_conv_shape *s)
{
    return (ebm_map_shape){.c = s->c_out, .h = s->h, .w = s->w};
}

#endif
