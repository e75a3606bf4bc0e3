/* Convolutions whose input is a thin map: float32 products with broadcast pixels. An image has one
 * or three channels, so this is a small part of a network, and it keeps the state of a chain from
 * being rounded. See maps_bf16.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/maps_bf16.h"

#define COLUMNS 14 /* positions of a register block, 32 outputs wide */

static size_t output_blocks(const ebm_conv_shape *s)
{
    return padded_channels(s->c_out) / BLOCK;
}

size_t ebm__thin_packed_floats(const ebm_conv_shape *s)
{
    return output_blocks(s) * ebm__conv_taps(s) * (size_t)s->c_in * BLOCK;
}

void ebm__thin_pack(const ebm_conv_shape *s, const float *w, const float *gain, bool flip,
                    float *packed)
{
    size_t taps = ebm__conv_taps(s), in = (size_t)s->c_in, out = (size_t)s->c_out;
    for (size_t block = 0; block < output_blocks(s); block++)
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < in; i++)
                for (size_t o = block * BLOCK; o < (block + 1) * BLOCK; o++) {
                    size_t from = flip ? i : o, to = flip ? o : i, inner = flip ? out : in;
                    size_t at = flip ? taps - 1 - tap : tap;
                    float value = o < out ? w[(from * inner + to) * taps + at] : 0.0f;
                    *packed++ = gain && o < out ? gain[from] * value : value;
                }
}

/* sums [n][32] of n <= COLUMNS positions; `at` is the first one's index in a plane. The block ends
 * with the last of them: those before the first one are the row's, the row's above or padding,
 * while those behind the last could lie behind the map. */
static void product(const ebm_conv_shape *s, const float *packed, const float *x, size_t at,
                    size_t n, float *sums)
{
    const ebm__layout l = thin_layout(s->h, s->w);
    const size_t before = COLUMNS - n;
    floats32 sum[COLUMNS];
    for (size_t p = 0; p < COLUMNS; p++)
        sum[p] = (floats32){_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int32_t tap = 0; tap < s->k * s->k; tap++)
        for (int32_t i = 0; i < s->c_in; i++, packed += BLOCK) {
            const float *in =
                x + (size_t)i * l.plane + (size_t)((ptrdiff_t)(at - before) + tap_offset(s, tap));
            floats32 w = load_floats(packed);
            for (size_t p = 0; p < COLUMNS; p++) {
                __m512 pixel = _mm512_set1_ps(in[p]);
                sum[p].low = _mm512_fmadd_ps(w.low, pixel, sum[p].low);
                sum[p].high = _mm512_fmadd_ps(w.high, pixel, sum[p].high);
            }
        }
    for (size_t p = 0; p < n; p++) {
        _mm512_storeu_ps(sums + p * BLOCK, sum[before + p].low);
        _mm512_storeu_ps(sums + p * BLOCK + 16, sum[before + p].high);
    }
}

void ebm__thin_convolve(const ebm_conv_shape *s, const float *packed, const float *x,
                        const ebm__bf16_end *end, ebm_share share)
{
    const grid g = grid_of(s->h, s->w);
    size_t width = (size_t)s->w, step = ebm__conv_taps(s) * (size_t)s->c_in * BLOCK;
    float sums[COLUMNS * BLOCK];
    for (size_t i = ebm__share_first((size_t)s->h, share); i < ebm__share_end((size_t)s->h, share);
         i++)
        for (size_t j = 0; j < width; j += COLUMNS)
            for (size_t block = 0; block < output_blocks(s); block++) {
                size_t n = width - j < COLUMNS ? width - j : COLUMNS, at = i * g.row + j;
                product(s, packed + block * step, x, g.lead + at, n, sums);
                ebm__bf16_finish(end, at, n, (int32_t)(block * BLOCK), sums, BLOCK);
            }
    ebm__bf16_finish_edges(end, share);
}

/* One value of a map of either kind; `position` counts from the first pixel and may be padding. */
static float value_at(const ebm_map_shape *m, const float *map, int32_t c, ptrdiff_t position)
{
    grid g = grid_of(m->h, m->w);
    size_t at = (size_t)((ptrdiff_t)g.lead + position);
    if (is_thin(m->c))
        return map[(size_t)c * g.all + at];
    return float_of(wide_const(map)[at * padded_channels(m->c) + (size_t)c]);
}

/* Any weight gradient, value by value: for networks that become thin inside. */
static void weights_by_value(const ebm_conv_shape *s, const float *x, const float *dy, float *dw)
{
    const ebm_map_shape in = ebm__conv_input(s), out = ebm__conv_output(s);
    const ptrdiff_t run = (ptrdiff_t)grid_of(s->h, s->w).run;
    for (int32_t o = 0; o < s->c_out; o++)
        for (int32_t i = 0; i < s->c_in; i++)
            for (int32_t tap = 0; tap < s->k * s->k; tap++) {
                float sum = 0.0f;
                for (ptrdiff_t p = 0; p < run; p++)
                    sum += value_at(&out, dy, o, p) * value_at(&in, x, i, p + tap_offset(s, tap));
                dw[(o * s->c_in + i) * s->k * s->k + tap] += sum;
            }
}

/* sums [k*k][32] of one input channel and one block of outputs, over all positions. Padding of dy
 * is zero, so the run may be taken as a whole. */
static void weight_sums(const ebm_conv_shape *s, const float *plane, const bf16 *dy,
                        float sums[9][BLOCK])
{
    const grid g = grid_of(s->h, s->w);
    size_t channels = padded_channels(s->c_out);
    int taps = s->k * s->k;
    floats32 sum[9];
    ptrdiff_t shift[9];
    for (int tap = 0; tap < 9; tap++) {
        sum[tap] = (floats32){_mm512_setzero_ps(), _mm512_setzero_ps()};
        shift[tap] = tap < taps ? tap_offset(s, tap) : 0;
    }
    for (size_t p = 0; p < g.run; p++) {
        floats32 grad = load_bf16(dy + (g.lead + p) * channels);
        for (int tap = 0; tap < 9; tap++) {
            __m512 pixel = _mm512_set1_ps(plane[(ptrdiff_t)(g.lead + p) + shift[tap]]);
            sum[tap].low = _mm512_fmadd_ps(grad.low, pixel, sum[tap].low);
            sum[tap].high = _mm512_fmadd_ps(grad.high, pixel, sum[tap].high);
        }
    }
    for (int tap = 0; tap < 9; tap++) {
        _mm512_storeu_ps(sums[tap], sum[tap].low);
        _mm512_storeu_ps(sums[tap] + 16, sum[tap].high);
    }
}

void ebm__thin_backward_weights(const ebm_conv_shape *s, const float *x, const float *dy, float *dw)
{
    float sums[9][BLOCK];
    if (!is_thin(s->c_in) || is_thin(s->c_out)) {
        weights_by_value(s, x, dy, dw);
        return;
    }
    int32_t taps = s->k * s->k;
    for (int32_t i = 0; i < s->c_in; i++)
        for (int32_t first = 0; first < s->c_out; first += (int32_t)BLOCK) {
            weight_sums(s, x + (size_t)i * grid_of(s->h, s->w).all, wide_const(dy) + first, sums);
            for (int32_t o = first; o < s->c_out && o < first + (int32_t)BLOCK; o++)
                for (int32_t tap = 0; tap < taps; tap++)
                    dw[(o * s->c_in + i) * taps + tap] += sums[tap][o - first];
        }
}
#endif
