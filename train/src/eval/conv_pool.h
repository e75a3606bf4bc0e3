/* One block of the classifier, forward and backward: 3x3 convolution, bias, 2x2 maximum, ReLU.
 * Knows arrays; has never heard of images, labels or training. */
#ifndef EBMT_CONV_POOL_H
#define EBMT_CONV_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Sizes of a block. Maps are [n,H,W,C]; the output has H/2 and W/2, rounded down. */
typedef struct ebmt__conv_pool {
    int32_t n, h, w, c_in, c_out;
} ebmt__conv_pool;

/* Buffers of a block that the backward pass needs again.
 * @shape columns [n*h*w, 9*c_in]; full [n*h*w, c_out] is scratch; choice [n*(h/2)*(w/2)*c_out] */
typedef struct ebmt__conv_trace {
    float *columns, *full;
    uint8_t *choice; /* which of the four won; 4: none, the ReLU is shut */
} ebmt__conv_trace;

static inline size_t ebmt__conv_pixels(const ebmt__conv_pool *s)
{
    return (size_t)s->n * (size_t)s->h * (size_t)s->w;
}
static inline size_t ebmt__conv_outputs(const ebmt__conv_pool *s)
{
    return (size_t)s->n * (size_t)(s->h / 2) * (size_t)(s->w / 2) * (size_t)s->c_out;
}

/* y = relu(max2x2(conv(x)) + bias).
 * @shape weight [3,3,c_in,c_out]; bias [c_out]; x [n,h,w,c_in]; y [n,h/2,w/2,c_out] */
void ebmt__conv_pool_forward(const ebmt__conv_pool *s, const float *weight, const float *bias,
                             const float *x, ebmt__conv_trace *trace, float *y);

/* Adds to d_weight and d_bias; stores d_x unless it is NULL. Uses the trace of the forward pass
 * and overwrites its columns. */
void ebmt__conv_pool_backward(const ebmt__conv_pool *s, const float *weight,
                              ebmt__conv_trace *trace, const float *d_y, float *d_weight,
                              float *d_bias, float *d_x);

#endif
