/* Weight gradients: their operand, a map with the positions of a pair side by side, and the way of
 * their sums into dw. See maps_bf16.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/maps_bf16.h"
#include "kernels/transpose_avx512.h"

/* Position before the first pixel at which pairs begin: even, and before the first tap. */
static size_t lead_of(const ebm_conv_shape *s)
{
    return ebm__round_up(grid_of(s->h, s->w).row + 1, 2);
}

size_t ebm__bf16_pairs(const ebm_conv_shape *s)
{
    return ebm__round_up(grid_of(s->h, s->w).run, RUN_MULTIPLE) / 2 + lead_of(s);
}

void ebm__bf16_interleave(const bf16 *from, size_t channels, size_t n, bf16 *to)
{
    for (size_t c = 0; c < channels; c += PAIRED)
        for (size_t pair = 0; pair < n; pair++, to += 2 * PAIRED)
            _mm512_storeu_si512(to, ebm__bf16_pair(from + 2 * pair * channels + c, channels));
}

/* The odd pairs follow the even ones and are one less: the last would end behind the map. */
void ebm__bf16_interleave_taps(const ebm_conv_shape *s, const float *x, float *pairs)
{
    size_t in = padded_channels(s->c_in), n = ebm__bf16_pairs(s);
    const bf16 *start = wide_const(x) + (grid_of(s->h, s->w).lead - lead_of(s)) * in;
    ebm__bf16_interleave(start, in, n, wide(pairs));
    ebm__bf16_interleave(start + in, in, n - 1, wide(pairs) + 2 * n * in);
}

const bf16 *ebm__bf16_tap_pairs(const ebm_conv_shape *s, const float *pairs, int32_t tap,
                                size_t input)
{
    size_t at = (size_t)((ptrdiff_t)lead_of(s) + tap_offset(s, tap)), odd = at % 2;
    size_t n = ebm__bf16_pairs(s), before = odd * n * padded_channels(s->c_in);
    return wide_const(pairs) + 2 * (before + (n - odd) * input + at / 2 * PAIRED);
}

/* dw [n outputs][stride] += sums [16][16 outputs], of which `count` are real */
static void add_transposed(const float *sums, size_t count, float *dw, size_t stride, size_t n)
{
    const __mmask16 real = (__mmask16)((1u << count) - 1);
    __m512 r[16];
    for (size_t i = 0; i < 16; i++)
        r[i] = _mm512_loadu_ps(sums + i * PAIRED);
    ebm__transpose16(r);
    for (size_t o = 0; o < n; o++, dw += stride)
        _mm512_mask_storeu_ps(dw, real, _mm512_add_ps(_mm512_maskz_loadu_ps(real, dw), r[o]));
}

void ebm__bf16_add_sums(const ebm_conv_shape *s, const float *sums, const ebm__bf16_block *b,
                        float *dw)
{
    size_t taps = ebm__conv_taps(s), in = (size_t)s->c_in, out = (size_t)s->c_out;
    if (b->input >= in || b->output >= out)
        return;
    size_t inputs = in - b->input < b->inputs ? in - b->input : b->inputs;
    size_t outputs = out - b->output < PAIRED ? out - b->output : PAIRED;
    size_t all = inputs * taps, row = in * taps;
    dw += b->output * row + b->input * taps;
    for (size_t at = 0; at < all; at += 16)
        add_transposed(sums + at * PAIRED, all - at < 16 ? all - at : 16, dw + at, row, outputs);
}
#endif
