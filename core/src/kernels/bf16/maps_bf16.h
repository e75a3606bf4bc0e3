/* Maps of the bfloat16 sets, and the vector pieces that their kernels share. Included only by files
 * compiled for AVX-512 with bfloat16 conversions.
 *
 * Operands of convolutions are bfloat16; what they are made from, the sums along the network, stays
 * float32. A wide map is [position][channel] in either, channels padded to a multiple of 32.
 * Positions are the pixels row by row with one column of zeros behind each row, which serves as the
 * right edge of that row and the left edge of the next; a row of zeros lies before and after. Every
 * tap of a convolution is then a constant shift. A thin map has at most THIN_MAX channels (images)
 * and stays float32 in padded planes: the state of a chain is never rounded, and a layer with one
 * input channel costs no 32. */
#ifndef EBM_MAPS_BF16_H
#define EBM_MAPS_BF16_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernel_sets.h"
#include "kernels/map_inline.h"

#define THIN_MAX     3
#define BLOCK        ((size_t)32) /* channels in a block: one cache line of bfloat16 */
#define RUN_MULTIPLE ((size_t)32) /* positions are computed in whole blocks by some kernels */

typedef uint16_t bf16; /* the upper half of a float */

static inline bool is_thin(int32_t channels)
{
    return channels <= THIN_MAX;
}

/* Channels of a wide map in memory. */
static inline size_t padded_channels(int32_t channels)
{
    return ebm__round_up((size_t)channels, BLOCK);
}

/* Where positions are, in units of one position; also of a thin map's plane, in floats. */
typedef struct grid {
    size_t row;  /* from one row to the next */
    size_t lead; /* before the first pixel */
    size_t run;  /* of rows with their zero column */
    size_t all;
} grid;

static inline grid grid_of(int32_t h, int32_t w)
{
    grid g = {.row = (size_t)w + 1};
    g.lead = ebm__round_up(g.row + 1, 16);
    g.run = (size_t)h * g.row;
    g.all = g.lead + ebm__round_up(g.run, RUN_MULTIPLE) + ebm__round_up(g.row + 1, 16);
    return g;
}

static inline ebm__layout thin_layout(int32_t h, int32_t w)
{
    grid g = grid_of(h, w);
    return (ebm__layout){.base = g.lead, .row = g.row, .plane = g.all};
}

static inline bf16 *wide(float *map)
{
    return (bf16 *)(void *)map;
}

static inline const bf16 *wide_const(const float *map)
{
    return (const bf16 *)(const void *)map;
}

/* Distance in positions from a pixel to what tap number `tap` reads. */
static inline ptrdiff_t tap_offset(const ebm_conv_shape *s, int32_t tap)
{
    ptrdiff_t row = (ptrdiff_t)grid_of(s->h, s->w).row;
    return (ptrdiff_t)(tap / s->k - s->k / 2) * row + (tap % s->k - s->k / 2);
}

static inline float float_of(bf16 half)
{
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* --- vectors ---------------------------------------------------------------------------------- */

/* 32 values as floats. */
typedef struct floats32 {
    __m512 low, high;
} floats32;

static inline floats32 load_bf16(const bf16 *p)
{
    return (floats32){
        .low = _mm512_cvtpbh_ps((__m256bh)_mm256_loadu_si256((const __m256i *)(const void *)p)),
        .high = _mm512_cvtpbh_ps(
            (__m256bh)_mm256_loadu_si256((const __m256i *)(const void *)(p + 16)))};
}

/* Rounds to nearest, ties to even. */
static inline void store_bf16(bf16 *p, floats32 v)
{
    _mm512_storeu_si512(p, (__m512i)_mm512_cvtne2ps_pbh(v.high, v.low));
}

static inline floats32 load_floats(const float *p)
{
    return (floats32){.low = _mm512_loadu_ps(p), .high = _mm512_loadu_ps(p + 16)};
}

static inline void store_floats(float *p, floats32 v)
{
    _mm512_storeu_ps(p, v.low);
    _mm512_storeu_ps(p + 16, v.high);
}

static inline floats32 zero32(void)
{
    return (floats32){.low = _mm512_setzero_ps(), .high = _mm512_setzero_ps()};
}

static inline floats32 add32(floats32 a, floats32 b)
{
    return (floats32){.low = _mm512_add_ps(a.low, b.low), .high = _mm512_add_ps(a.high, b.high)};
}

static inline floats32 mul32(floats32 a, floats32 b)
{
    return (floats32){.low = _mm512_mul_ps(a.low, b.low), .high = _mm512_mul_ps(a.high, b.high)};
}

static inline __m512 act_vector(ebm_activation act, __m512 x)
{
    float t[16];
    switch (act.kind) {
    case EBM_ACT_LEAKY_RELU: /* not greater: NaN goes the same way, and stays NaN */
        return _mm512_mask_mul_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGT_UQ), x,
                                  _mm512_set1_ps(act.slope));
    case EBM_ACT_RELU:
        return _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ),
                                  _mm512_setzero_ps());
    case EBM_ACT_SILU:
        _mm512_storeu_ps(t, x);
        for (int i = 0; i < 16; i++)
            t[i] = ebm__act_at(EBM_ACT_SILU, 0.0f, t[i]);
        return _mm512_loadu_ps(t);
    case EBM_ACT_SQUARE:
        return _mm512_mul_ps(_mm512_mul_ps(_mm512_set1_ps(0.5f), x), x);
    case EBM_ACT_NONE:
        break;
    }
    return x;
}

static inline __m512 slope_vector(ebm_activation act, __m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    __mmask16 below = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGT_UQ);
    float t[16];
    switch (act.kind) {
    case EBM_ACT_LEAKY_RELU:
        return _mm512_mask_mov_ps(one, below, _mm512_set1_ps(act.slope));
    case EBM_ACT_RELU:
        return _mm512_mask_mov_ps(one, below, _mm512_setzero_ps());
    case EBM_ACT_SILU:
        _mm512_storeu_ps(t, x);
        for (int i = 0; i < 16; i++)
            t[i] = ebm__slope_at(EBM_ACT_SILU, 0.0f, t[i]);
        return _mm512_loadu_ps(t);
    case EBM_ACT_SQUARE:
        return x;
    case EBM_ACT_NONE:
        break;
    }
    return one;
}

static inline __m512 curve_vector(ebm_activation act, __m512 x)
{
    float t[16];
    if (act.kind != EBM_ACT_SILU)
        return act.kind == EBM_ACT_SQUARE ? _mm512_set1_ps(1.0f) : _mm512_setzero_ps();
    _mm512_storeu_ps(t, x);
    for (int i = 0; i < 16; i++)
        t[i] = ebm__curve_at(EBM_ACT_SILU, t[i]);
    return _mm512_loadu_ps(t);
}

static inline floats32 curve32(ebm_activation act, floats32 x)
{
    return (floats32){.low = curve_vector(act, x.low), .high = curve_vector(act, x.high)};
}

static inline floats32 act32(ebm_activation act, floats32 x)
{
    return (floats32){.low = act_vector(act, x.low), .high = act_vector(act, x.high)};
}

static inline floats32 slope32(ebm_activation act, floats32 x)
{
    return (floats32){.low = slope_vector(act, x.low), .high = slope_vector(act, x.high)};
}

/* act'(x) of 32 values of a wide map, `at` in values from its start. */
static inline floats32 gate32(const ebm_gate *gate, size_t at)
{
    bool smooth = gate->act.kind == EBM_ACT_SILU || gate->act.kind == EBM_ACT_SQUARE;
    return slope32(gate->act, smooth ? load_floats(gate->x + at)
                                     : load_bf16(wide_const(gate->activated) + at));
}

/* --- kernels that all bfloat16 sets have (maps_bf16.c) ---------------------------------------- */

size_t ebm__bf16_value_floats(const ebm_map_shape *m);
size_t ebm__bf16_operand_floats(const ebm_map_shape *m);
bool ebm__bf16_value_is_operand(const ebm_map_shape *m);
void ebm__bf16_value_load(const ebm_map_shape *m, const float *image, float *value);
void ebm__bf16_value_store(const ebm_map_shape *m, const float *value, float *image);
void ebm__bf16_operand_load(const ebm_map_shape *m, const float *image, float *operand);
void ebm__bf16_operand_store(const ebm_map_shape *m, const float *operand, float *image);
void ebm__bf16_act_forward(ebm_activation act, const ebm_map_shape *m, const float *x, float *y,
                           ebm_share share);
void ebm__bf16_act_tangent(const ebm_gate *gate, const ebm_map_shape *m, const float *v, float *y,
                           ebm_share share);
void ebm__bf16_gate_backward(const ebm_gate *gate, const ebm_map_shape *m, const float *u,
                             float *dx, bool accumulate);
void ebm__bf16_curve_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                              const float *v, const float *u, float *dx, bool accumulate);
void ebm__bf16_add(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
void ebm__bf16_pool_forward(const ebm_map_shape *m, const float *x, float *y, ebm_activation act,
                            float *activated, ebm_share share);
void ebm__bf16_pool_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
void ebm__bf16_up_forward(const ebm_map_shape *m, const float *x, const ebm_conv_result *out,
                          ebm_share share);
void ebm__bf16_up_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share);
void ebm__bf16_head_sum(ebm_activation act, const ebm_map_shape *m, const float *x, float *sums,
                        ebm_share share);
void ebm__bf16_head_tangent(ebm_activation act, const ebm_map_shape *m, const float *x,
                            const float *v, float *sums);
void ebm__bf16_operand_sum(const ebm_map_shape *m, const float *dy, float *sums);
void ebm__bf16_head_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                             const float *d, float *dx, ebm_share share);
void ebm__bf16_panel_product(const ebm_panel_product *p);
void ebm__bf16_exponential(size_t n, float *x);

/* Their rows in the table of a set. */
#define BF16_MAP_KERNELS                                                                           \
    .value_floats = ebm__bf16_value_floats, .operand_floats = ebm__bf16_operand_floats,            \
    .value_is_operand = ebm__bf16_value_is_operand, .value_load = ebm__bf16_value_load,            \
    .value_store = ebm__bf16_value_store, .operand_load = ebm__bf16_operand_load,                  \
    .operand_store = ebm__bf16_operand_store, .act_forward = ebm__bf16_act_forward,                \
    .act_tangent = ebm__bf16_act_tangent, .gate_backward = ebm__bf16_gate_backward,                \
    .curve_backward = ebm__bf16_curve_backward, .add = ebm__bf16_add,                              \
    .pool_forward = ebm__bf16_pool_forward, .pool_backward = ebm__bf16_pool_backward,              \
    .up_forward = ebm__bf16_up_forward, .up_backward = ebm__bf16_up_backward,                      \
    .head_sum = ebm__bf16_head_sum, .head_tangent = ebm__bf16_head_tangent,                        \
    .operand_sum = ebm__bf16_operand_sum, .head_backward = ebm__bf16_head_backward,                \
    .panel_product = ebm__bf16_panel_product, .exponential = ebm__bf16_exponential

/* --- what happens to the sums of a convolution before they are stored (end_bf16.c) ------------ */

/* Either direction of a convolution: the maps are those of its result. NULL and NONE: nothing.
 * Forward stores sum + bias + residual in `value` and act of it in `operand`; backward stores the
 * gated sum in `operand`, or adds it to what is there. */
typedef struct ebm__bf16_end {
    ebm_map_shape m;
    const float *bias; /* [padded channels], or NULL */
    const float *residual;
    float *value;
    ebm_activation act;
    ebm_gate gate;
    bool accumulate;
    float *operand;
} ebm__bf16_end;

/* Ends of the two directions. `bias` receives the padded bias: the caller's, in scratch. */
ebm__bf16_end ebm__bf16_forward_end(const ebm_conv_shape *s, const ebm_conv_result *out,
                                    float *bias);
ebm__bf16_end ebm__bf16_backward_end(const ebm_conv_shape *s, const ebm_conv_gradient *out);

/* Stores sums [n][stride] of n positions from `position` on (counted from the first pixel, in the
 * run), channels `first` to first+31 (fewer in a thin map). */
void ebm__bf16_finish(const ebm__bf16_end *end, size_t position, size_t n, int32_t first,
                      const float *sums, size_t stride);

/* Writes the zeros of the maps that an end writes: before and after the run by the first member,
 * behind every row by the member whose row it is. */
void ebm__bf16_finish_edges(const ebm__bf16_end *end, ebm_share share);

/* --- weights (pack_bf16.c) ----------------------------------------------------------------------
 */

/* To nearest, ties to even; NaN stays NaN. */
bf16 ebm__bf16_nearest(float x);

/* Where packed weights go. The memory is zero where no weight is put. */
typedef struct ebm__bf16_packing {
    float *forward;
    float *backward; /* or NULL: the set has a way of its own */
    /* Place of the weight from input i to output o of s, in bf16 values. */
    size_t (*index)(const ebm_conv_shape *s, size_t o, size_t i, size_t tap);
} ebm__bf16_packing;

/* Packs both directions of a convolution; those with a thin input in the way of thin_bf16.c. */
void ebm__bf16_pack(const ebm_conv_shape *s, const float *w, const float *gain,
                    const ebm__bf16_packing *to);

/* --- weight gradients (pairs_bf16.c) ------------------------------------------------
 */

/* 16 channels of two neighbouring positions, value by value side by side. */
static inline __m512i ebm__bf16_pair(const bf16 *first, size_t channels)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)first);
    __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(first + channels));
    return _mm512_or_si512(_mm512_cvtepu16_epi32(a),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16));
}

/* to [channels/16][n][16][2] of 2n positions: what a register block reads next lies next */
#define PAIRED ((size_t)16)
void ebm__bf16_interleave(const bf16 *from, size_t channels, size_t n, bf16 *to);

/* The input of a convolution with paired positions, for every tap: twice, with pairs that begin at
 * even and at odd positions, because taps shift by either. `pairs` holds 2*ebm__bf16_pairs() times
 * padded input channels floats. */
size_t ebm__bf16_pairs(const ebm_conv_shape *s);
void ebm__bf16_interleave_taps(const ebm_conv_shape *s, const float *x, float *pairs);
/* What a tap reads of 16 inputs from `input` on, a multiple of 16: [pair][16][2] from the run's
 * first position on. */
const bf16 *ebm__bf16_tap_pairs(const ebm_conv_shape *s, const float *pairs, int32_t tap,
                                size_t input);

/* Weights whose sums are made together: `inputs` inputs by 16 outputs, all taps. */
typedef struct ebm__bf16_block {
    size_t output, input, inputs;
} ebm__bf16_block;
/* dw [O,I,k,k] += sums [inputs][tap][16 outputs]. The order of dw but for the outputs, added to it
 * at once: with few positions, going through dw tap by tap takes as long as the products. */
void ebm__bf16_add_sums(const ebm_conv_shape *s, const float *sums, const ebm__bf16_block *b,
                        float *dw);

/* --- layers with a thin input (thin_bf16.c) --------------------------------------------------- */

/* Packed weights of a thin input [O/32][tap][input][32], in floats. */
size_t ebm__thin_packed_floats(const ebm_conv_shape *s);
void ebm__thin_pack(const ebm_conv_shape *s, const float *w, const float *gain, bool flip,
                    float *packed);
/* One direction of a convolution whose input is thin; members divide the rows. */
void ebm__thin_convolve(const ebm_conv_shape *s, const float *packed, const float *x,
                        const ebm__bf16_end *end, ebm_share share);
/* Weight gradient where a map is thin: dw += dy (x) x. */
void ebm__thin_backward_weights(const ebm_conv_shape *s, const float *x, const float *dy,
                                float *dw);

#endif
