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

/* Activations on plain vectors, and maps without padding (ref/map_ref.c). */
void ebm__act_forward(ebm_act act, float slope, size_t n, const float *x, float *y);
void ebm__act_backward(ebm_act act, float slope, size_t n, const float *x, const float *dy,
                       float *dx, bool accumulate);
size_t ebm__dense_floats(int32_t c, int32_t h, int32_t w);
void ebm__dense_load(int32_t c, int32_t h, int32_t w, const float *image, float *map);
void ebm__dense_store(int32_t c, int32_t h, int32_t w, const float *map, float *image);
void ebm__dense_pool_forward(int32_t c, int32_t h, int32_t w, const float *x, float *y);
void ebm__dense_pool_backward(int32_t c, int32_t h, int32_t w, const float *dy, float *dx);
void ebm__dense_head_sum(ebm_act act, float slope, int32_t c, int32_t h, int32_t w, const float *x,
                         float *sums);
void ebm__dense_head_backward(ebm_act act, float slope, int32_t c, int32_t h, int32_t w,
                              const float *x, const float *d, float *dx);

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
