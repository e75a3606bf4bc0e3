/* Maps without padding, [C,H,W] as they come, for the sets ref and blas. */
#include "kernels/kernel_sets.h"
#include "kernels/map_inline.h"

static ebm__layout dense(int32_t h, int32_t w)
{
    return (ebm__layout){.base = 0, .row = (size_t)w, .plane = (size_t)h * (size_t)w};
}

size_t ebm__dense_floats(const ebm_map_shape *m)
{
    return (size_t)m->c * dense(m->h, m->w).plane;
}

void ebm__dense_load(const ebm_map_shape *m, const float *image, float *map)
{
    ebm__map_load(m, dense(m->h, m->w), image, map);
}

void ebm__dense_store(const ebm_map_shape *m, const float *map, float *image)
{
    ebm__map_store(m, dense(m->h, m->w), map, image);
}

void ebm__dense_act_forward(ebm_activation act, const ebm_map_shape *m, const float *x, float *y,
                            ebm_share share)
{
    ebm__map_act_forward(act, m, dense(m->h, m->w), x, y, share);
}

void ebm__dense_act_tangent(const ebm_gate *gate, const ebm_map_shape *m, const float *v, float *y,
                            ebm_share share)
{
    ebm__map_act_tangent(gate, m, dense(m->h, m->w), v, y, share);
}

void ebm__dense_gate_backward(const ebm_gate *gate, const ebm_map_shape *m, const float *u,
                              float *dx, bool accumulate)
{
    ebm__map_gate_backward(gate, m, dense(m->h, m->w), u, dx, accumulate);
}

void ebm__dense_curve_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                               const float *v, const float *u, float *dx, bool accumulate)
{
    ebm__map_curve_backward(act, m, dense(m->h, m->w), x, v, u, dx, accumulate);
}

void ebm__dense_add(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    ebm__map_add(m, dense(m->h, m->w), dy, dx, share);
}

void ebm__dense_pool_forward(const ebm_map_shape *m, const float *x, float *y, ebm_activation act,
                             float *activated, ebm_share share)
{
    ebm__map_pool_forward(m, dense(m->h, m->w), dense(m->h / 2, m->w / 2), x, y, act, activated,
                          share);
}

void ebm__dense_pool_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    ebm__map_pool_backward(m, dense(m->h, m->w), dense(m->h / 2, m->w / 2), dy, dx, share);
}

void ebm__dense_up_forward(const ebm_map_shape *m, const float *x, const ebm_conv_result *out,
                           ebm_share share)
{
    ebm__map_up_forward(m, dense(m->h / 2, m->w / 2), dense(m->h, m->w), x, out, share);
}

void ebm__dense_up_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    ebm__map_up_backward(m, dense(m->h / 2, m->w / 2), dense(m->h, m->w), dy, dx, share);
}

void ebm__dense_head_sum(ebm_activation act, const ebm_map_shape *m, const float *x, float *sums,
                         ebm_share share)
{
    ebm__map_head_sum(act, m, dense(m->h, m->w), x, sums, share);
}

void ebm__dense_head_tangent(ebm_activation act, const ebm_map_shape *m, const float *x,
                             const float *v, float *sums)
{
    ebm__map_head_tangent(act, m, dense(m->h, m->w), x, v, sums);
}

void ebm__dense_operand_sum(const ebm_map_shape *m, const float *dy, float *sums)
{
    ebm__map_head_sum((ebm_activation){.kind = EBM_ACT_NONE}, m, dense(m->h, m->w), dy, sums,
                      EBM_ALONE);
}

void ebm__dense_head_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                              const float *d, float *dx, ebm_share share)
{
    ebm__map_head_backward(act, m, dense(m->h, m->w), x, d, dx, share);
}

void ebm__dense_exponential(size_t n, float *x)
{
    ebm__exp_run(n, x);
}
