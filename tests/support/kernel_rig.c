/* See kernel_rig.h. */
#include "kernel_rig.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulator.h"
#include "ebm/memory.h"
#include "random_net.h"

const ebm_conv_shape rig_shapes[] = {
    {1, 32, 28, 28, 3},  {32, 1, 28, 28, 3},  {3, 8, 9, 5, 3},     {16, 16, 7, 7, 3},
    {64, 48, 14, 14, 3}, {5, 7, 1, 1, 3},     {20, 12, 1, 1, 1},   {24, 40, 4, 6, 1},
    {32, 37, 9, 7, 3},   {41, 32, 13, 29, 3}, {32, 32, 2, 117, 3}, {33, 34, 1, 2, 3},
    {64, 48, 7, 7, 3},   {134, 130, 8, 5, 3},
};
const size_t rig_shape_count = sizeof rig_shapes / sizeof rig_shapes[0];

const ebm_act rig_acts[] = {EBM_ACT_NONE, EBM_ACT_LEAKY_RELU, EBM_ACT_RELU, EBM_ACT_SILU};
const size_t rig_act_count = sizeof rig_acts / sizeof rig_acts[0];

size_t in_size(const ebm_conv_shape *s)
{
    return (size_t)(s->c_in * s->h * s->w);
}
size_t out_size(const ebm_conv_shape *s)
{
    return (size_t)(s->c_out * s->h * s->w);
}
size_t weight_size(const ebm_conv_shape *s)
{
    return (size_t)(s->c_out * s->c_in * s->k * s->k);
}

float *floats(size_t n)
{
    float *p = ebm_alloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

float *randoms(uint32_t which, size_t n)
{
    float *p = floats(n);
    random_floats(11, which, n, p);
    return p;
}

double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

double norm(const float *a, size_t n)
{
    return sqrt(dot(a, a, n));
}

double precision(const ebm_kernels *k)
{
    return strncmp(k->kernel_class, "bf16", 4) == 0 ? 4e-3 : 1e-6;
}

float act_slope(ebm_act kind, float x)
{
    double s = 1.0 / (1.0 + exp(-(double)x));
    if (kind == EBM_ACT_SILU)
        return (float)(s * (1.0 + (double)x * (1.0 - s)));
    if (kind == EBM_ACT_NONE || x > 0.0f)
        return 1.0f;
    return kind == EBM_ACT_LEAKY_RELU ? 0.2f : 0.0f;
}

double act_value(ebm_act kind, float x)
{
    if (kind == EBM_ACT_SILU)
        return (double)x / (1.0 + exp(-(double)x));
    return kind == EBM_ACT_NONE ? (double)x : (double)x * (double)act_slope(kind, x);
}

double act_curve(ebm_act kind, float x)
{
    double s = 1.0 / (1.0 + exp(-(double)x));
    return kind == EBM_ACT_SILU ? s * (1.0 - s) * (2.0 + (double)x * (1.0 - 2.0 * s)) : 0.0;
}

rig make_rig(const ebm_kernels *k, const ebm_conv_shape *s)
{
    rig r = {.k = k, .s = s};
    r.w = randoms(1, weight_size(s));
    r.gain = randoms(2, (size_t)s->c_out);
    r.bias = randoms(3, (size_t)s->c_out);
    r.zeros = floats((size_t)s->c_out);
    r.packed = floats(k->conv_packed_floats(s));
    r.scratch = floats(k->conv_scratch_floats(s));
    k->conv_pack(s, r.w, r.gain, r.packed);
    return r;
}

void free_rig(rig *r)
{
    ebm_free(r->w);
    ebm_free(r->gain);
    ebm_free(r->bias);
    ebm_free(r->zeros);
    ebm_free(r->packed);
    ebm_free(r->scratch);
}

ebm_map_shape input_shape(const ebm_conv_shape *s)
{
    return (ebm_map_shape){.c = s->c_in, .h = s->h, .w = s->w};
}

ebm_map_shape output_shape(const ebm_conv_shape *s)
{
    return (ebm_map_shape){.c = s->c_out, .h = s->h, .w = s->w};
}

float *as_value(const ebm_kernels *k, ebm_map_shape m, const float *image)
{
    float *map = floats(k->value_floats(&m));
    k->value_load(&m, image, map);
    return map;
}

float *as_operand(const ebm_kernels *k, ebm_map_shape m, const float *image)
{
    float *value = as_value(k, m, image), *map = floats(k->operand_floats(&m));
    k->act_forward((ebm_activation){.kind = EBM_ACT_NONE}, &m, value, map, EBM_ALONE);
    ebm_free(value);
    return map;
}

void from_value(const ebm_kernels *k, ebm_map_shape m, const float *value, float *image)
{
    float *map = floats(k->operand_floats(&m));
    k->act_forward((ebm_activation){.kind = EBM_ACT_NONE}, &m, value, map, EBM_ALONE);
    k->operand_store(&m, map, image);
    ebm_free(map);
}

float *used_value(const ebm_kernels *k, ebm_map_shape m)
{
    return randoms(99, k->value_floats(&m));
}

float *used_operand(const ebm_kernels *k, ebm_map_shape m)
{
    return randoms(98, k->operand_floats(&m));
}

ebm_activation act_of(ebm_act kind)
{
    return (ebm_activation){.kind = kind, .slope = 0.2f};
}

void rig_forward(const rig *r, const float *bias, const float *x, const float *residual, float *y)
{
    ebm_map_shape in = input_shape(r->s), out = output_shape(r->s);
    float *mx = as_operand(r->k, in, x);
    float *mr = residual ? as_value(r->k, out, residual) : NULL;
    float *my = used_value(r->k, out);
    const ebm_conv_result result = {.bias = bias, .residual = mr, .y = my};
    r->k->conv_forward(r->s, r->packed, mx, &result, r->scratch, EBM_ALONE);
    from_value(r->k, out, my, y);
    ebm_free(mx);
    ebm_free(mr);
    ebm_free(my);
}

void rig_backward_data(const rig *r, const float *dy, float *dx)
{
    ebm_map_shape in = input_shape(r->s), out = output_shape(r->s);
    float *mdy = as_operand(r->k, out, dy);
    float *mdx = used_operand(r->k, in);
    const ebm_conv_gradient result = {.dx = mdx};
    r->k->conv_backward_data(r->s, r->packed, mdy, &result, r->scratch, EBM_ALONE);
    r->k->operand_store(&in, mdx, dx);
    ebm_free(mdy);
    ebm_free(mdx);
}

void rig_backward_weights(const rig *r, const float *x, const float *dy, float *dw)
{
    float *mx = as_operand(r->k, input_shape(r->s), x);
    float *mdy = as_operand(r->k, output_shape(r->s), dy);
    r->k->conv_backward_weights(r->s, mx, mdy, dw, r->scratch);
    ebm_free(mx);
    ebm_free(mdy);
}

void for_each_set(void (*check)(const ebm_kernels *k))
{
    for_each_own_set(check);
    if (emulated_amx())
        check(emulated_amx());
}
