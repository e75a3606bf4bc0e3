/* The set avx512bf16: convolutions as dot products of bfloat16 pairs (AVX512_BF16), summed in
 * float32. See maps_bf16.h for the layout.
 *
 * A register block is a piece of one row, up to 14 pixels, by 32 output channels: 28 sums in
 * registers, one broadcast pair of inputs for two products. Rows are 28, 14 or 7 pixels in the
 * networks at hand, so no product is spent on padding. An output value is one chain of products in
 * the order (tap, pair of inputs), whatever the block. Data gradients go by winograd_dot.c where
 * they can. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/dot.h"

#define INLINE static inline __attribute__((always_inline))

/* --- packing ---------------------------------------------------------------------------------- */

/* Floats of the forward weights, [O/32][tap][pair][32][2] in bfloat16, and of those of the data
 * gradient, which is a convolution of shape t. */
static size_t direct_floats(const ebm_conv_shape *s)
{
    return ebm__dot_blocks(s) * ebm__conv_taps(s) * ebm__dot_pairs(s) * BLOCK;
}

static size_t forward_floats(const ebm_conv_shape *s)
{
    return is_thin(s->c_in) ? ebm__thin_packed_floats(s) : direct_floats(s);
}

static size_t backward_floats(const ebm_conv_shape *t)
{
    return ebm__dot_uses_winograd(t) ? ebm__dot_winograd_floats(t) : forward_floats(t);
}

static size_t packed_floats(const ebm_conv_shape *s)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    return forward_floats(s) + backward_floats(&t);
}

static size_t weight_index(const ebm_conv_shape *s, size_t o, size_t i, size_t tap)
{
    size_t step = (o / BLOCK * ebm__conv_taps(s) + tap) * ebm__dot_pairs(s) + i / 2;
    return step * 2 * BLOCK + o % BLOCK * 2 + i % 2;
}

static void pack(const ebm_conv_shape *s, const float *w, const float *gain, float *packed)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    bool winograd = ebm__dot_uses_winograd(&t);
    float *backward = packed + forward_floats(s);
    const ebm__bf16_packing to = {
        .forward = packed, .backward = winograd ? NULL : backward, .index = weight_index};
    memset(packed, 0, packed_floats(s) * sizeof *packed);
    ebm__bf16_pack(s, w, gain, &to);
    if (winograd)
        ebm__dot_winograd_pack(s, w, gain, backward);
}

/* --- forward and data gradient ---------------------------------------------------------------- */

/* Two neighbouring bfloat16 values in all lanes. */
INLINE __m512bh broadcast_pair(const bf16 *p)
{
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return (__m512bh)_mm512_set1_epi32(pair);
}

INLINE __m512bh load_pairs(const bf16 *p)
{
    return (__m512bh)_mm512_loadu_si512(p);
}

static ebm__dot_operand operand_of(const ebm_conv_shape *s)
{
    ebm__dot_operand op = {
        .channels = padded_channels(s->c_in), .pairs = ebm__dot_pairs(s), .taps = s->k * s->k};
    for (int32_t tap = 0; tap < op.taps; tap++)
        op.shift[tap] = tap_offset(s, tap) * (ptrdiff_t)op.channels;
    return op;
}

/* sums [n][32] of n pixels from x on */
INLINE void product(const ebm__dot_operand *op, const bf16 *w, const bf16 *x, const int n,
                    float *sums)
{
    __m512 sum[DOT_POSITIONS][2];
    for (int p = 0; p < n; p++)
        sum[p][0] = sum[p][1] = _mm512_setzero_ps();
    for (int32_t tap = 0; tap < op->taps; tap++) {
        const bf16 *in = x + op->shift[tap];
        for (size_t pair = 0; pair < op->pairs; pair++, in += 2, w += 2 * BLOCK) {
            __m512bh w0 = load_pairs(w), w1 = load_pairs(w + BLOCK);
            for (int p = 0; p < n; p++) {
                __m512bh pixel = broadcast_pair(in + (size_t)p * op->channels);
                sum[p][0] = _mm512_dpbf16_ps(sum[p][0], w0, pixel);
                sum[p][1] = _mm512_dpbf16_ps(sum[p][1], w1, pixel);
            }
        }
    }
    for (int p = 0; p < n; p++) {
        _mm512_storeu_ps(sums + (size_t)p * BLOCK, sum[p][0]);
        _mm512_storeu_ps(sums + (size_t)p * BLOCK + 16, sum[p][1]);
    }
}

/* The number of pixels as a constant, so that the sums live in registers. */
#define PRODUCT_CASE(N)                                                                            \
    case (N):                                                                                      \
        product(op, w, x, (N), sums);                                                              \
        break

void ebm__dot_product(const ebm__dot_operand *op, const bf16 *w, const bf16 *x, size_t n,
                      float *sums)
{
    switch (n) {
        PRODUCT_CASE(1);
        PRODUCT_CASE(2);
        PRODUCT_CASE(3);
        PRODUCT_CASE(4);
        PRODUCT_CASE(5);
        PRODUCT_CASE(6);
        PRODUCT_CASE(7);
        PRODUCT_CASE(8);
        PRODUCT_CASE(9);
        PRODUCT_CASE(10);
        PRODUCT_CASE(11);
        PRODUCT_CASE(12);
        PRODUCT_CASE(13);
        PRODUCT_CASE(14);
    default:
        break;
    }
}

/* One row of one block of outputs, in pieces of nearly equal length. */
static void convolve_row(const ebm__dot_operand *op, const bf16 *w, const bf16 *x,
                         const ebm__bf16_end *end, const ebm_conv_shape *s, size_t row,
                         int32_t first)
{
    const grid g = grid_of(s->h, s->w);
    size_t width = (size_t)s->w, pieces = (width + DOT_POSITIONS - 1) / DOT_POSITIONS;
    float sums[DOT_POSITIONS * BLOCK];
    for (size_t piece = 0; piece < pieces; piece++) {
        const ebm_share part = {.index = (int32_t)piece, .count = (int32_t)pieces};
        size_t from = ebm__share_first(width, part), n = ebm__share_end(width, part) - from;
        size_t at = row * g.row + from;
        ebm__dot_product(op, w, x + (g.lead + at) * op->channels, n, sums);
        ebm__bf16_finish(end, at, n, first, sums, BLOCK);
    }
}

/* One direction of a convolution. Members divide the rows, so that each finds most of what it reads
 * in its own cache, and the blocks of outputs of the rows between; each then goes through its part
 * block by block, so that weights are read once. */
static void convolve(const ebm_conv_shape *s, const float *packed, const float *x,
                     const ebm__bf16_end *end, ebm_share share)
{
    const ebm__dot_operand op = operand_of(s);
    size_t blocks = ebm__dot_blocks(s), all = (size_t)s->h * blocks;
    size_t first = ebm__share_first(all, share), last = ebm__share_end(all, share);
    size_t step = (size_t)op.taps * op.pairs * 2 * BLOCK;
    for (size_t block = 0; block < blocks; block++)
        for (size_t row = first / blocks; row * blocks + block < last; row++)
            if (row * blocks + block >= first)
                convolve_row(&op, wide_const(packed) + block * step, wide_const(x), end, s, row,
                             (int32_t)(block * BLOCK));
    ebm__bf16_finish_edges(end, share);
}

static void either(const ebm_conv_shape *s, const float *packed, const float *x,
                   const ebm__bf16_end *end, ebm_share share)
{
    if (is_thin(s->c_in))
        ebm__thin_convolve(s, packed, x, end, share);
    else
        convolve(s, packed, x, end, share);
}

static void forward(const ebm_conv_shape *s, const float *packed, const float *x,
                    const ebm_conv_result *out, float *scratch, ebm_share share)
{
    const ebm__bf16_end end = ebm__bf16_forward_end(s, out, scratch);
    either(s, packed, x, &end, share);
}

static void backward_data(const ebm_conv_shape *s, const float *packed, const float *dy,
                          const ebm_conv_gradient *out, float *scratch, ebm_share share)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    const ebm__bf16_end end = ebm__bf16_backward_end(s, out);
    const float *weights = packed + forward_floats(s);
    if (ebm__dot_uses_winograd(&t))
        ebm__dot_winograd(&t, weights, dy, &end, scratch, share);
    else
        either(&t, weights, dy, &end, share);
}

/* --- weight gradient -------------------------------------------------------------------------- */

/* Positions are the inner dimension, two to a product: maps are rewritten with the positions of a
 * pair side by side. A register block is 16 inputs by 16 outputs. */

static size_t pairs_of_run(const ebm_conv_shape *s)
{
    return (grid_of(s->h, s->w).run + 1) / 2;
}

/* Of the weight gradient, the data gradient, or a padded bias. */
static size_t scratch_floats(const ebm_conv_shape *s)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    size_t in = padded_channels(s->c_in), out = padded_channels(s->c_out);
    size_t weights = 2 * ebm__bf16_pairs(s) * in + pairs_of_run(s) * out + out;
    size_t data = ebm__dot_uses_winograd(&t) ? ebm__dot_winograd_scratch(&t) : 0;
    return weights > data ? weights : data;
}

/* Sums over `pairs` pairs: input i goes to sums + i*stride, 16 outputs */
static void weight_product(const bf16 *x, const bf16 *dy, size_t pairs, size_t stride, float *sums)
{
    __m512 sum[PAIRED];
    for (size_t i = 0; i < PAIRED; i++)
        sum[i] = _mm512_setzero_ps();
    for (size_t pair = 0; pair < pairs; pair++, x += 2 * PAIRED, dy += 2 * PAIRED) {
        __m512bh outputs = load_pairs(dy);
        for (size_t i = 0; i < PAIRED; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], outputs, broadcast_pair(x + 2 * i));
    }
    for (size_t i = 0; i < PAIRED; i++)
        _mm512_storeu_ps(sums + i * stride, sum[i]);
}

static void backward_weights(const ebm_conv_shape *s, const float *x, const float *dy, float *dw,
                             float *scratch)
{
    const grid g = grid_of(s->h, s->w);
    size_t in = padded_channels(s->c_in), out = padded_channels(s->c_out);
    size_t taps = ebm__conv_taps(s), pairs = pairs_of_run(s);
    bf16 *grad = wide(scratch + 2 * ebm__bf16_pairs(s) * in);
    float sums[PAIRED * 9 * PAIRED];
    if (is_thin(s->c_in) || is_thin(s->c_out)) {
        ebm__thin_backward_weights(s, x, dy, dw);
        return;
    }
    ebm__bf16_interleave_taps(s, x, scratch);
    ebm__bf16_interleave(wide_const(dy) + g.lead * out, out, pairs, grad);
    for (size_t o = 0; o < (size_t)s->c_out; o += PAIRED)
        for (size_t i = 0; i < (size_t)s->c_in; i += PAIRED) {
            for (size_t tap = 0; tap < taps; tap++)
                weight_product(ebm__bf16_tap_pairs(s, scratch, (int32_t)tap, i),
                               grad + 2 * o * pairs, pairs, taps * PAIRED, sums + tap * PAIRED);
            ebm__bf16_add_sums(s, sums, &(ebm__bf16_block){o, i, PAIRED}, dw);
        }
}

static const ebm_kernels table = {
    .name = "avx512bf16",
    .kernel_class = "bf16-winograd",
    .conv_packed_floats = packed_floats,
    .conv_scratch_floats = scratch_floats,
    .conv_pack = pack,
    .conv_forward = forward,
    .conv_backward_data = backward_data,
    .conv_backward_weights = backward_weights,
    BF16_MAP_KERNELS,
};

const ebm_kernels *ebm__kernels_avx512bf16(void)
{
    return &table;
}
#else
const ebm_kernels *ebm__kernels_avx512bf16(void)
{
    return NULL;
}
#endif
