/* Stores the sums of a convolution: bias, residual, gate, activation, rounding, and the zeros
 * around them. See maps_bf16.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/maps_bf16.h"

ebm__bf16_end ebm__bf16_forward_end(const ebm_conv_shape *s, const ebm_conv_result *out,
                                    float *bias)
{
    size_t n = (size_t)s->c_out;
    memcpy(bias, out->bias, n * sizeof *bias);
    memset(bias + n, 0, (padded_channels(s->c_out) - n) * sizeof *bias);
    return (ebm__bf16_end){.m = ebm__conv_output(s),
                           .bias = bias,
                           .residual = out->residual,
                           .value = out->y,
                           .act = out->act,
                           .operand = out->activated};
}

ebm__bf16_end ebm__bf16_backward_end(const ebm_conv_shape *s, const ebm_conv_gradient *out)
{
    return (ebm__bf16_end){.m = ebm__conv_input(s),
                           .gate = out->gate,
                           .accumulate = out->accumulate,
                           .operand = out->dx};
}

/* Channels are planes here, and there are at most three. */
static void finish_thin(const ebm__bf16_end *end, size_t position, size_t n, const float *sums,
                        size_t stride)
{
    const ebm__layout l = thin_layout(end->m.h, end->m.w);
    ebm_activation gate = end->gate.act;
    for (int32_t c = 0; c < end->m.c; c++)
        for (size_t p = 0; p < n; p++) {
            size_t at = (size_t)c * l.plane + l.base + position + p;
            float v = sums[p * stride + (size_t)c] + (end->bias ? end->bias[c] : 0.0f);
            if (end->residual)
                v += end->residual[at];
            if (gate.kind != EBM_ACT_NONE)
                v *= ebm__slope_at(gate.kind, gate.slope, ebm__gate_source(&end->gate)[at]);
            if (end->value)
                end->value[at] = v;
            if (end->operand)
                end->operand[at] = (end->accumulate ? end->operand[at] : 0.0f) +
                                   ebm__act_at(end->act.kind, end->act.slope, v);
        }
}

void ebm__bf16_finish(const ebm__bf16_end *end, size_t position, size_t n, int32_t first,
                      const float *sums, size_t stride)
{
    size_t channels = padded_channels(end->m.c);
    size_t at = (grid_of(end->m.h, end->m.w).lead + position) * channels + (size_t)first;
    if (is_thin(end->m.c)) {
        finish_thin(end, position, n, sums, stride);
        return;
    }
    for (size_t p = 0; p < n; p++, at += channels, sums += stride) {
        floats32 v = load_floats(sums);
        if (end->bias)
            v = add32(v, load_floats(end->bias + first));
        if (end->residual)
            v = add32(v, load_floats(end->residual + at));
        if (end->gate.act.kind != EBM_ACT_NONE)
            v = mul32(v, gate32(&end->gate, at));
        if (end->value)
            store_floats(end->value + at, v);
        if (!end->operand)
            continue;
        v = act32(end->act, v);
        if (end->accumulate)
            v = add32(load_bf16(wide(end->operand) + at), v);
        store_bf16(wide(end->operand) + at, v);
    }
}

/* Zeros in one plane of `unit` bytes per position. */
static void zero_edges(const ebm_map_shape *m, size_t unit, void *map, ebm_share share)
{
    unsigned char *plane = map;
    grid g = grid_of(m->h, m->w);
    size_t end = ebm__share_end((size_t)m->h, share);
    for (size_t i = ebm__share_first((size_t)m->h, share); i < end; i++)
        memset(plane + (g.lead + i * g.row + (size_t)m->w) * unit, 0, unit);
    if (share.index != 0)
        return;
    memset(plane, 0, g.lead * unit);
    memset(plane + (g.lead + g.run) * unit, 0, (g.all - g.lead - g.run) * unit);
}

static void finish_map(const ebm_map_shape *m, size_t value_size, float *map, ebm_share share)
{
    size_t plane = grid_of(m->h, m->w).all;
    if (!map)
        return;
    if (!is_thin(m->c))
        zero_edges(m, padded_channels(m->c) * value_size, map, share);
    for (int32_t c = 0; is_thin(m->c) && c < m->c; c++)
        zero_edges(m, sizeof *map, map + (size_t)c * plane, share);
}

void ebm__bf16_finish_edges(const ebm__bf16_end *end, ebm_share share)
{
    finish_map(&end->m, sizeof(float), end->value, share);
    finish_map(&end->m, sizeof(bf16), end->operand, share);
}
#endif
