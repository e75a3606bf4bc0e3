/* The set amx: convolutions as products of bfloat16 tiles, summed in float32. See maps_bf16.h for
 * the layout and tiles.h for the instructions.
 *
 * A block is 32 positions of the run by 32 output channels: four tiles of sums, and for every tap
 * and every 32 input channels two tiles of positions, two of weights, four products. Columns of
 * zeros are computed along and left out when the sums are stored. While one block is computed, the
 * sums of the block before are finished between its products: both then take their time together.
 * An output value is one chain of products in the order (tap, inputs), whatever the block. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/maps_bf16.h"
#include "kernels/bf16/tiles.h"
#include "kernels/transpose_avx512.h"

#define POSITIONS    ((size_t)32) /* of a block */
#define BLOCK_SUMS   (POSITIONS * BLOCK)
#define ROW_BYTES    (BLOCK * sizeof(float)) /* of a block's sums */
#define SCRATCH_SUMS (2 * BLOCK_SUMS)

/* --- packing ---------------------------------------------------------------------------------- */

static size_t output_blocks(const ebm_conv_shape *s)
{
    return padded_channels(s->c_out) / BLOCK;
}

static size_t input_blocks(const ebm_conv_shape *s)
{
    return padded_channels(s->c_in) / BLOCK;
}

/* Products of a block: one per tap and 32 inputs. */
static size_t steps_of(const ebm_conv_shape *s)
{
    return ebm__conv_taps(s) * input_blocks(s);
}

/* Floats of one direction: [O/32][tap][I/32][2 tiles][16 pairs of inputs][16 outputs][2]. */
static size_t direction_floats(const ebm_conv_shape *s)
{
    if (is_thin(s->c_in))
        return ebm__thin_packed_floats(s);
    return output_blocks(s) * steps_of(s) * TILE_VALUES;
}

static size_t packed_floats(const ebm_conv_shape *s)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    return direction_floats(s) + direction_floats(&t);
}

static size_t weight_index(const ebm_conv_shape *s, size_t o, size_t i, size_t tap)
{
    size_t step = (o / BLOCK * ebm__conv_taps(s) + tap) * input_blocks(s) + i / BLOCK;
    size_t tile = 2 * step + o % BLOCK / TILE_ROWS;
    return tile * TILE_VALUES + i % BLOCK / 2 * (2 * TILE_ROWS) + o % TILE_ROWS * 2 + i % 2;
}

static void pack(const ebm_conv_shape *s, const float *w, const float *gain, float *packed)
{
    const ebm__bf16_packing to = {
        .forward = packed, .backward = packed + direction_floats(s), .index = weight_index};
    memset(packed, 0, packed_floats(s) * sizeof *packed);
    ebm__bf16_pack(s, w, gain, &to);
}

/* --- forward and data gradient ---------------------------------------------------------------- */

/* Sums of a block that still have to be stored. */
typedef struct pending {
    const ebm__bf16_end *end;
    const float *sums;
    size_t position; /* of the first sum, in the run */
    size_t done;     /* positions finished */
    int32_t channel;
} pending;

/* Finishes positions up to `limit`, row by row: zero columns and what lies behind the run are not
 * pixels. */
static void finish_until(pending *p, size_t limit)
{
    if (p->done >= limit)
        return; /* also: there is no block before the first */
    size_t row = (size_t)p->end->m.w + 1, run = (size_t)p->end->m.h * row;
    while (p->done < limit) {
        size_t at = p->position + p->done, column = at % row;
        size_t n = row - column < limit - p->done ? row - column : limit - p->done;
        size_t pixels = column + n == row ? n - 1 : n;
        if (at < run)
            ebm__bf16_finish(p->end, at, pixels, p->channel, p->sums + p->done * BLOCK, BLOCK);
        p->done += n;
    }
}

/* Operands of the blocks of one convolution. */
typedef struct operand {
    size_t channels; /* of the input, in memory */
    size_t blocks;   /* of 32 inputs */
    int32_t taps;
    bool one_tile; /* at most 16 outputs */
    ptrdiff_t shift[9];
} operand;

static operand operand_of(const ebm_conv_shape *s)
{
    operand op = {.channels = padded_channels(s->c_in),
                  .blocks = input_blocks(s),
                  .taps = s->k * s->k,
                  .one_tile = s->c_out <= (int32_t)TILE_ROWS};
    for (int32_t tap = 0; tap < op.taps; tap++)
        op.shift[tap] = tap_offset(s, tap) * (ptrdiff_t)op.channels;
    return op;
}

/* sums [32][32] of the positions from x on, while `before` is finished piece by piece */
static void block_product(const operand *op, const bf16 *w, const bf16 *x, float *sums,
                          pending *before)
{
    ptrdiff_t stride = (ptrdiff_t)(op->channels * sizeof *x);
    size_t steps = (size_t)op->taps * op->blocks, step = 0;
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
    for (int32_t tap = 0; tap < op->taps; tap++) {
        const bf16 *in = x + op->shift[tap];
        for (size_t b = 0; b < op->blocks; b++, in += BLOCK, w += 2 * TILE_VALUES) {
            tile_load(4, in, stride);
            tile_load(5, in + TILE_ROWS * op->channels, stride);
            tile_load(6, w, 64);
            tile_product(0, 4, 6);
            tile_product(2, 5, 6);
            if (!op->one_tile) {
                tile_load(7, w + TILE_VALUES, 64);
                tile_product(1, 4, 7);
                tile_product(3, 5, 7);
            }
            finish_until(before, POSITIONS * ++step / steps);
        }
    }
    tile_store(0, sums, ROW_BYTES);
    tile_store(1, sums + TILE_ROWS, ROW_BYTES);
    tile_store(2, sums + TILE_ROWS * BLOCK, ROW_BYTES);
    tile_store(3, sums + TILE_ROWS * BLOCK + TILE_ROWS, ROW_BYTES);
}

/* One direction of a convolution. Members divide the positions, so that each finds most of what it
 * reads in its own cache, and the blocks of outputs of the positions between; each then goes
 * through its part block by block, so that weights are read once. `sums` holds two blocks. */
static void convolve(const ebm_conv_shape *s, const float *packed, const float *x,
                     const ebm__bf16_end *end, float *sums, ebm_share share)
{
    const operand op = operand_of(s);
    const grid g = grid_of(s->h, s->w);
    size_t blocks = output_blocks(s), all = (g.run + POSITIONS - 1) / POSITIONS * blocks;
    size_t first = ebm__share_first(all, share), last = ebm__share_end(all, share), done = 0;
    pending before = {.done = POSITIONS};
    tiles_begin();
    for (size_t block = 0; block < blocks; block++)
        for (size_t piece = first / blocks; piece * blocks + block < last; piece++) {
            size_t position = piece * POSITIONS;
            const bf16 *w = wide_const(packed) + block * steps_of(s) * 2 * TILE_VALUES;
            float *now = sums + done % 2 * BLOCK_SUMS;
            if (piece * blocks + block < first)
                continue;
            block_product(&op, w, wide_const(x) + (g.lead + position) * op.channels, now, &before);
            before = (pending){
                .end = end, .sums = now, .position = position, .channel = (int32_t)(block * BLOCK)};
            done++;
        }
    finish_until(&before, POSITIONS);
    tiles_release();
    ebm__bf16_finish_edges(end, share);
}

static void forward(const ebm_conv_shape *s, const float *packed, const float *x,
                    const ebm_conv_result *out, float *scratch, ebm_share share)
{
    const ebm__bf16_end end = ebm__bf16_forward_end(s, out, scratch + SCRATCH_SUMS);
    if (is_thin(s->c_in))
        ebm__thin_convolve(s, packed, x, &end, share);
    else
        convolve(s, packed, x, &end, scratch, share);
}

static void backward_data(const ebm_conv_shape *s, const float *packed, const float *dy,
                          const ebm_conv_gradient *out, float *scratch, ebm_share share)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    const ebm__bf16_end end = ebm__bf16_backward_end(s, out);
    const float *weights = packed + direction_floats(s);
    if (is_thin(t.c_in))
        ebm__thin_convolve(&t, weights, dy, &end, share);
    else
        convolve(&t, weights, dy, &end, scratch, share);
}

/* --- weight gradient -------------------------------------------------------------------------- */

/* Positions are the inner dimension. The left operand is x, rewritten as [channel][position], so
 * that a tap is another start in it; the right one is dy with the positions of a pair side by side.
 * A block is 32 inputs by 32 outputs, and its sums [2 x 16 outputs][32 inputs][tap][16 outputs]. */
#define WEIGHT_SUMS (BLOCK * 9 * PAIRED) /* of 16 outputs */

static size_t padded_run(const ebm_conv_shape *s)
{
    return ebm__round_up(grid_of(s->h, s->w).run, POSITIONS);
}

/* From one channel of x to the next: an odd number of cache lines, so that the 16 rows of a tile
 * do not meet in the same places of the cache. All positions of a map are a multiple of 32. */
static size_t channel_stride(const ebm_conv_shape *s)
{
    return (grid_of(s->h, s->w).all / BLOCK | 1) * BLOCK;
}

static size_t scratch_floats(const ebm_conv_shape *s)
{
    size_t in = padded_channels(s->c_in), out = padded_channels(s->c_out);
    size_t forward = SCRATCH_SUMS + out;
    size_t weights = 2 * WEIGHT_SUMS + (channel_stride(s) * in + padded_run(s) * out) / 2;
    return weights > forward ? weights : forward;
}

/* to [channel][stride] of n positions, a multiple of 32 */
static void channels_first(const bf16 *from, size_t channels, size_t n, size_t stride, bf16 *to)
{
    for (size_t p = 0; p < n; p += POSITIONS)
        for (size_t c = 0; c < channels; c += 16) {
            __m512 r[16];
            for (size_t pair = 0; pair < 16; pair++)
                r[pair] = _mm512_castsi512_ps(
                    ebm__bf16_pair(from + (p + 2 * pair) * channels + c, channels));
            ebm__transpose16(r);
            for (size_t i = 0; i < 16; i++)
                _mm512_storeu_si512(to + (c + i) * stride + p, _mm512_castps_si512(r[i]));
        }
}

/* What the weight gradient is made of. @shape x [in][stride], dy [out/16][run/2][16][2] */
typedef struct weight_operands {
    const bf16 *x, *dy;
    size_t stride, run, taps;
} weight_operands;

/* The sums of one tap, for 32 inputs from x on and the 32 outputs from dy on. */
static void weight_product(const weight_operands *op, const bf16 *x, const bf16 *dy, float *sums)
{
    const ptrdiff_t left = (ptrdiff_t)(op->stride * sizeof *x);
    const ptrdiff_t row = (ptrdiff_t)(op->taps * PAIRED * sizeof *sums);
    const bf16 *more = dy + op->run * PAIRED;
    float *lower = sums + PAIRED * op->taps * PAIRED;
    tile_zero(0);
    tile_zero(1);
    tile_zero(2);
    tile_zero(3);
    for (size_t p = 0; p < op->run; p += TILE_DEPTH, x += TILE_DEPTH) {
        tile_load(4, x, left);
        tile_load(5, x + TILE_ROWS * op->stride, left);
        tile_load(6, dy + p * PAIRED, 64);
        tile_load(7, more + p * PAIRED, 64);
        tile_product(0, 4, 6);
        tile_product(1, 4, 7);
        tile_product(2, 5, 6);
        tile_product(3, 5, 7);
    }
    tile_store(0, sums, row);
    tile_store(1, sums + WEIGHT_SUMS, row);
    tile_store(2, lower, row);
    tile_store(3, lower + WEIGHT_SUMS, row);
}

static void backward_weights(const ebm_conv_shape *s, const float *x, const float *dy, float *dw,
                             float *scratch)
{
    const grid g = grid_of(s->h, s->w);
    size_t in = padded_channels(s->c_in), out = padded_channels(s->c_out);
    float *sums = scratch, *operands = scratch + 2 * WEIGHT_SUMS;
    bf16 *inputs = wide(operands), *outputs = inputs + channel_stride(s) * in;
    const weight_operands op = {.x = inputs,
                                .dy = outputs,
                                .stride = channel_stride(s),
                                .run = padded_run(s),
                                .taps = ebm__conv_taps(s)};
    if (is_thin(s->c_in) || is_thin(s->c_out)) {
        ebm__thin_backward_weights(s, x, dy, dw);
        return;
    }
    channels_first(wide_const(x), in, g.all, op.stride, inputs);
    ebm__bf16_interleave(wide_const(dy) + g.lead * out, out, op.run / 2, outputs);
    tiles_begin();
    for (size_t o = 0; o < out; o += BLOCK)
        for (size_t i = 0; i < in; i += BLOCK) {
            const bf16 *from = op.x + i * op.stride + g.lead;
            for (size_t tap = 0; tap < op.taps; tap++)
                weight_product(&op, from + tap_offset(s, (int32_t)tap), op.dy + o * op.run,
                               sums + tap * PAIRED);
            for (size_t half = 0; half < 2; half++)
                ebm__bf16_add_sums(s, sums + half * WEIGHT_SUMS,
                                   &(ebm__bf16_block){o + half * PAIRED, i, BLOCK}, dw);
        }
    tiles_release();
}

static const ebm_kernels table = {
    .name = "amx",
    .kernel_class = "bf16-amx",
    .conv_packed_floats = packed_floats,
    .conv_scratch_floats = scratch_floats,
    .conv_pack = pack,
    .conv_forward = forward,
    .conv_backward_data = backward_data,
    .conv_backward_weights = backward_weights,
    BF16_MAP_KERNELS,
};

const ebm_kernels *ebm__kernels_amx(void)
{
    return &table;
}
#else
const ebm_kernels *ebm__kernels_amx(void)
{
    return NULL;
}
#endif
