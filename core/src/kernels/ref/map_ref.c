/* Maps without padding, [C,H,W] as they come, for the sets ref and blas. */
#include "kernels/kernel_sets.h"
#include "kernels/map_inline.h"

static ebm__layout dense(int32_t h, int32_t w)
{
    return (ebm__layout){.base = 0, .row = (size_t)w, .plane = (size_t)h * (size_t)w};
}

size_t ebm__dense_floats(int32_t c, int32_t h, int32_t w)
{
    return (size_t)c * dense(h, w).plane;
}

void ebm__dense_load(int32_t c, int32_t h, int32_t w, const float *image, float *map)
{
    ebm__map_load(c, h, w, dense(h, w), image, map);
}

void ebm__dense_store(int32_t c, int32_t h, int32_t w, const float *map, float *image)
{
    ebm__map_store(c, h, w, dense(h, w), map, image);
}

void ebm__act_forward(ebm_act act, float slope, size_t n, const float *x, float *y)
{
    ebm__map_act_forward(act, slope, n, x, y);
}

void ebm__act_backward(ebm_act act, float slope, size_t n, const float *x, const float *dy,
                       float *dx, bool accumulate)
{
    ebm__map_act_backward(act, slope, n, x, dy, dx, accumulate);
}

void ebm__dense_pool_forward(int32_t c, int32_t h, int32_t w, const float *x, float *y)
{
    ebm__map_pool_forward(c, h, w, dense(h, w), dense(h / 2, w / 2), x, y);
}

void ebm__dense_pool_backward(int32_t c, int32_t h, int32_t w, const float *dy, float *dx)
{
    ebm__map_pool_backward(c, h, w, dense(h, w), dense(h / 2, w / 2), dy, dx);
}

void ebm__dense_head_sum(ebm_act act, float slope, int32_t c, int32_t h, int32_t w, const float *x,
                         float *sums)
{
    ebm__map_head_sum(act, slope, c, h, w, dense(h, w), x, sums);
}

void ebm__dense_head_backward(ebm_act act, float slope, int32_t c, int32_t h, int32_t w,
                              const float *x, const float *d, float *dx)
{
    ebm__map_head_backward(act, slope, c, h, w, dense(h, w), x, d, dx);
}
