/* The reference convolution: the definition written out, summed in double. Never the fast path;
 * the other sets are tested against the same golden values and identities as this one. */
#include "kernels/kernel_sets.h"

#include <string.h>

#include "kernels/map_inline.h"

static size_t packed_floats(const ebm_conv_shape *s)
{
    return ebm__conv_weights(s);
}

/* One map of doubles to sum into. */
static size_t scratch_floats(const ebm_conv_shape *s)
{
    return ebm__conv_pixels(s) * (sizeof(double) / sizeof(float));
}

static double *scratch_doubles(float *scratch)
{
    return (double *)(void *)scratch;
}

static void pack(const ebm_conv_shape *s, const float *w, const float *gain, float *packed)
{
    size_t per_channel = ebm__conv_weights(s) / (size_t)s->c_out;
    for (size_t o = 0; o < (size_t)s->c_out; o++)
        for (size_t i = 0; i < per_channel; i++)
            packed[o * per_channel + i] = (gain ? gain[o] : 1.0f) * w[o * per_channel + i];
}

/* Rows (or columns) of the output for which index + shift stays inside 0..n-1. */
static void valid_range(int32_t n, int32_t shift, int32_t *first, int32_t *end)
{
    *first = shift < 0 ? -shift : 0;
    *end = shift > 0 ? n - shift : n;
}

/* acc[p] += weight * x[p + (dy,dx)] wherever the shifted position lies in the image. */
static void add_shifted(const ebm_conv_shape *s, double weight, const float *x, int32_t dy,
                        int32_t dx, double *acc)
{
    int32_t i0, i1, j0, j1;
    valid_range(s->h, dy, &i0, &i1);
    valid_range(s->w, dx, &j0, &j1);
    for (int32_t i = i0; i < i1; i++)
        for (int32_t j = j0; j < j1; j++)
            acc[i * s->w + j] += weight * (double)x[(i + dy) * s->w + (j + dx)];
}

static double dot_shifted(const ebm_conv_shape *s, const float *x, int32_t dy, int32_t dx,
                          const float *g)
{
    int32_t i0, i1, j0, j1;
    double sum = 0.0;
    valid_range(s->h, dy, &i0, &i1);
    valid_range(s->w, dx, &j0, &j1);
    for (int32_t i = i0; i < i1; i++)
        for (int32_t j = j0; j < j1; j++)
            sum += (double)g[i * s->w + j] * (double)x[(i + dy) * s->w + (j + dx)];
    return sum;
}

static void forward(const ebm_conv_shape *s, const float *packed, const float *x,
                    const ebm_conv_result *out, float *scratch, ebm_share share)
{
    size_t pixels = ebm__conv_pixels(s), channels = (size_t)s->c_out;
    int32_t k = s->k, half = k / 2;
    double *acc = scratch_doubles(scratch);
    for (size_t o = ebm__share_first(channels, share); o < ebm__share_end(channels, share); o++) {
        size_t at = o * pixels;
        for (size_t p = 0; p < pixels; p++)
            acc[p] = (double)out->bias[o] + (out->residual ? (double)out->residual[at + p] : 0.0);
        for (int32_t i = 0; i < s->c_in; i++)
            for (int32_t tap = 0; tap < k * k; tap++)
                add_shifted(s, (double)packed[((int32_t)o * s->c_in + i) * k * k + tap],
                            x + (size_t)i * pixels, tap / k - half, tap % k - half, acc);
        for (size_t p = 0; p < pixels; p++) {
            float value = (float)acc[p];
            if (out->y)
                out->y[at + p] = value;
            if (out->activated)
                out->activated[at + p] = ebm__act_at(out->act.kind, out->act.slope, value);
        }
    }
}

static void backward_data(const ebm_conv_shape *s, const float *packed, const float *dy,
                          const ebm_conv_gradient *out, float *scratch, ebm_share share)
{
    size_t pixels = ebm__conv_pixels(s), channels = (size_t)s->c_in;
    ebm_act act = out->gate.act.kind;
    const float *source = ebm__gate_source(&out->gate);
    int32_t k = s->k, half = k / 2;
    double *acc = scratch_doubles(scratch);
    for (size_t i = ebm__share_first(channels, share); i < ebm__share_end(channels, share); i++) {
        memset(acc, 0, pixels * sizeof *acc);
        for (int32_t o = 0; o < s->c_out; o++)
            for (int32_t tap = 0; tap < k * k; tap++)
                add_shifted(s, (double)packed[(o * s->c_in + (int32_t)i) * k * k + tap],
                            dy + (size_t)o * pixels, half - tap / k, half - tap % k, acc);
        for (size_t p = 0; p < pixels; p++) {
            size_t at = i * pixels + p;
            float slope =
                act == EBM_ACT_NONE ? 1.0f : ebm__slope_at(act, out->gate.act.slope, source[at]);
            float value = slope * (float)acc[p];
            out->dx[at] = out->accumulate ? out->dx[at] + value : value;
        }
    }
}

static void backward_weights(const ebm_conv_shape *s, const float *x, const float *dy, float *dw,
                             float *scratch)
{
    size_t pixels = ebm__conv_pixels(s);
    int32_t k = s->k, half = k / 2;
    (void)scratch;
    for (int32_t o = 0; o < s->c_out; o++)
        for (int32_t i = 0; i < s->c_in; i++)
            for (int32_t tap = 0; tap < k * k; tap++)
                dw[(o * s->c_in + i) * k * k + tap] +=
                    (float)dot_shifted(s, x + (size_t)i * pixels, tap / k - half, tap % k - half,
                                       dy + (size_t)o * pixels);
}

static void multiply_panel(const ebm_panel_product *p)
{
    for (size_t r = 0; r < p->rows; r++) {
        float *out = p->out + r * p->out_step;
        double sum[EBM_PANEL];
        for (size_t c = 0; c < EBM_PANEL; c++)
            sum[c] = p->accumulate ? (double)out[c] : 0.0;
        for (size_t t = 0; t < p->terms; t++)
            for (size_t c = 0; c < EBM_PANEL; c++)
                sum[c] += (double)p->a[r * p->row_step + t * p->term_step] *
                          (double)p->b[t * p->b_step + c];
        for (size_t c = 0; c < EBM_PANEL; c++)
            out[c] = (float)sum[c];
    }
}

const ebm_kernels ebm__kernels_ref = {
    .name = "ref",
    .kernel_class = "ref",
    .value_floats = ebm__dense_floats,
    .operand_floats = ebm__dense_floats,
    .value_is_operand = ebm__always_operand,
    .value_load = ebm__dense_load,
    .value_store = ebm__dense_store,
    .operand_load = ebm__dense_load,
    .operand_store = ebm__dense_store,
    .conv_packed_floats = packed_floats,
    .conv_scratch_floats = scratch_floats,
    .conv_pack = pack,
    .conv_forward = forward,
    .conv_backward_data = backward_data,
    .conv_backward_weights = backward_weights,
    .act_forward = ebm__dense_act_forward,
    .act_tangent = ebm__dense_act_tangent,
    .gate_backward = ebm__dense_gate_backward,
    .curve_backward = ebm__dense_curve_backward,
    .add = ebm__dense_add,
    .pool_forward = ebm__dense_pool_forward,
    .pool_backward = ebm__dense_pool_backward,
    .up_forward = ebm__dense_up_forward,
    .up_backward = ebm__dense_up_backward,
    .head_sum = ebm__dense_head_sum,
    .head_tangent = ebm__dense_head_tangent,
    .operand_sum = ebm__dense_operand_sum,
    .head_backward = ebm__dense_head_backward,
    .panel_product = multiply_panel,
    .exponential = ebm__dense_exponential,
};
