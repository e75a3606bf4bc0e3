/* The kernel sets and the parts that sets share. Internal to the kernels shelf. */
#ifndef EBM_KERNEL_SETS_H
#define EBM_KERNEL_SETS_H

#include "ebm/kernels.h"

/* Plain C, double accumulation in every sum over channels: the truth. */
extern const ebm_kernels ebm__kernels_ref;

/* Convolutions as one OpenBLAS product per image; everything else as in ref.
 * The class depends on the CPU kind that OpenBLAS detects. NULL: no memory. */
const ebm_kernels *ebm__kernels_blas(void);

/* Elementwise and reduction kernels in plain C, float32 (ref/map_ref.c). */
void ebm__act_forward(ebm_act act, float slope, size_t n, const float *x, float *y);
void ebm__act_backward(ebm_act act, float slope, size_t n, const float *x, const float *dy,
                       float *dx, bool accumulate);
void ebm__pool_forward(int32_t c, int32_t h, int32_t w, const float *x, float *y);
void ebm__pool_backward(int32_t c, int32_t h, int32_t w, const float *dy, float *dx);
void ebm__head_sum(ebm_act act, float slope, int32_t c, size_t hw, const float *x, float *sums);
void ebm__head_backward(ebm_act act, float slope, int32_t c, size_t hw, const float *x,
                        const float *d, float *dx);

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

#endif
