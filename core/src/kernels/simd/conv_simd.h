/* The float32 convolutions for one vector width; included once per instruction set by a file that
 * defines the vector operations:
 *
 *   VEC  LANES            vector type and its number of floats
 *   MR_MAX                output channels of the largest register block: 8 or 4
 *   TILES_MAX             tiles of the largest register block of Winograd's products: 14 or 6
 *   v_load v_store v_set1 v_fma(a,b,c)=a*b+c  v_add v_sub v_mul v_zero
 *   v_transpose(r)        LANES vectors become columns
 *   SIMD_NAME SIMD_TABLE  name of the set and of its table
 *
 * Maps are padded (padded_simd.h), so that every tap of a kernel is a constant shift of one
 * contiguous run of H*(W+1) positions. With few channels a convolution is the product of [O, I*k*k]
 * weights with shifted runs: no columns are ever written. Positions that are padding are computed
 * like the others and masked to zero in the store. With more, winograd_simd.h takes over.
 *
 * The sum over input channels is cut into blocks of CHANNELS_AT_ONCE, because short sums lose less.
 * An output value is the same chain of operations whatever the width of the vectors, the shape of
 * the register block and the number of members that share the work, so AVX-512 and AVX2 give the
 * same bits, and so does a team. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernel_sets.h"
#include "kernels/panel_inline.h"
#include "kernels/simd/padded_simd.h"
#include "kernels/simd/winograd_simd.h"

#define CHANNELS_AT_ONCE 16
#define NR_MAX           3 /* vectors of positions in a register block */
#define RUN_MAX          ((NR_MAX * LANES + PIECE - 1) / PIECE * PIECE) /* in whole pieces */

/* --- layout --------------------------------------------------------------------------------- */

/* Distance in floats from a position to what tap number `tap` reads. */
static ptrdiff_t tap_shift(const ebm_conv_shape *s, int32_t tap)
{
    ptrdiff_t row = (ptrdiff_t)padded(s->h, s->w).row;
    return (ptrdiff_t)(tap / s->k - s->k / 2) * row + (tap % s->k - s->k / 2);
}

/* Output channels of the register block that starts at channel o. */
static int32_t block_channels(const ebm_conv_shape *s, int32_t o)
{
    int32_t left = s->c_out - o, mr = MR_MAX;
    while (mr > left)
        mr /= 2;
    return mr;
}

/* --- packing -------------------------------------------------------------------------------- */

static size_t direction_floats(const ebm_conv_shape *s)
{
    return uses_winograd(s) ? winograd_floats(s)
                            : ebm__round_up(ebm__conv_weights(s), ALIGN_FLOATS);
}

/* Of the mask: the run, and a piece that begins in it. */
static size_t mask_floats(const ebm_conv_shape *s)
{
    return run_vectors(s) * LANES + PIECE;
}

/* Forward weights, those of the data gradient, the mask. */
static size_t packed_floats(const ebm_conv_shape *s)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    return direction_floats(s) + direction_floats(&t) + mask_floats(s);
}

static const float *packed_forward(const float *packed)
{
    return packed;
}

static const float *packed_backward(const ebm_conv_shape *s, const float *packed)
{
    return packed + direction_floats(s);
}

static const uint32_t *packed_mask(const ebm_conv_shape *s, const float *packed)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    return (const uint32_t *)(const void *)(packed_backward(s, packed) + direction_floats(&t));
}

/* Order: block of outputs, input, tap, output: what the inner loop reads next.
 * `flip` takes the weights of the transposed convolution out of w [O,I,k,k] of the plain one. */
static void pack_direction(const ebm_conv_shape *s, const float *w, const float *gain, bool flip,
                           float *out)
{
    int32_t taps = s->k * s->k;
    if (uses_winograd(s)) {
        winograd_pack(s, w, gain, flip, out);
        return;
    }
    for (int32_t o = 0; o < s->c_out; o += block_channels(s, o))
        for (int32_t i = 0; i < s->c_in; i++)
            for (int32_t tap = 0; tap < taps; tap++)
                for (int32_t r = o; r < o + block_channels(s, o); r++) {
                    int32_t from = flip ? i : r, to = flip ? r : i;
                    int32_t inner = flip ? s->c_out : s->c_in;
                    int32_t at = flip ? taps - 1 - tap : tap;
                    *out++ =
                        (gain ? gain[from] : 1.0f) *
                        w[((size_t)from * (size_t)inner + (size_t)to) * (size_t)taps + (size_t)at];
                }
}

static void pack(const ebm_conv_shape *s, const float *w, const float *gain, float *packed)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    uint32_t *mask = (uint32_t *)(void *)(packed + direction_floats(s) + direction_floats(&t));
    size_t row = padded(s->h, s->w).row;
    pack_direction(s, w, gain, false, packed);
    pack_direction(&t, w, gain, true, packed + direction_floats(s));
    for (size_t p = 0; p < mask_floats(s); p++)
        mask[p] = p < (size_t)s->h * row && p % row < (size_t)s->w ? 0xFFFFFFFFu : 0u;
}

static size_t row_of_columns(const ebm_conv_shape *s)
{
    return ebm__round_up((size_t)s->c_in, LANES);
}

/* Positions that the taps reach from the run, for the weight gradient. */
static size_t reached(const ebm_conv_shape *s)
{
    size_t row = padded(s->h, s->w).row;
    return (size_t)s->h * row + 2 * (row + 1);
}

static size_t scratch_floats(const ebm_conv_shape *s)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    size_t columns = reached(s) * row_of_columns(s), there = winograd_scratch(s);
    size_t back = winograd_scratch(&t), most = there > back ? there : back;
    return uses_winograd(s) && most > columns ? most : columns;
}

/* --- forward and data gradient -------------------------------------------------------------- */

/* What a register block works on. */
typedef struct tile {
    const float *x; /* first input plane, at the first position */
    const float *w; /* packed weights of this block */
    size_t plane;
    int32_t inputs, taps;
    const ptrdiff_t *shift;
    const uint32_t *mask;
    const epilogue *end;
    size_t out; /* of the first position in the first output plane */
    int32_t channel;
} tile;

/* sum = W*x over `inputs` planes from *x on; moves *x and *w behind them. */
INLINE void tile_product(const tile *t, const float **x, const float **w, int32_t inputs,
                         const int mr, const int nr, VEC sum[MR_MAX][NR_MAX])
{
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nr; j++)
            sum[i][j] = v_zero();
    for (int32_t c = 0; c < inputs; c++, *x += t->plane)
        for (int32_t tap = 0; tap < t->taps; tap++, *w += mr) {
            const float *at = *x + t->shift[tap];
            VEC in[NR_MAX];
            for (int j = 0; j < nr; j++)
                in[j] = v_load(at + (size_t)j * LANES);
            for (int i = 0; i < mr; i++) {
                VEC weight = v_set1((*w)[i]);
                for (int j = 0; j < nr; j++)
                    sum[i][j] = v_fma(weight, in[j], sum[i][j]);
            }
        }
}

/* The first block of channels stays in registers; sums of further ones are added to it in turn. */
INLINE void tile_run(const tile *t, const int mr, const int nr)
{
    float total[MR_MAX][RUN_MAX] __attribute__((aligned(PIECE_ALIGN)));
    const float *x = t->x, *w = t->w;
    VEC sum[MR_MAX][NR_MAX];
    for (int32_t first = 0; first < t->inputs; first += CHANNELS_AT_ONCE) {
        int32_t left = t->inputs - first;
        tile_product(t, &x, &w, left < CHANNELS_AT_ONCE ? left : CHANNELS_AT_ONCE, mr, nr, sum);
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nr; j++) {
                float *at = &total[i][(size_t)j * LANES];
                v_store(at, first == 0 ? sum[i][j] : v_add(v_load(at), sum[i][j]));
            }
    }
    for (int i = 0; i < mr; i++)
        for (size_t j = (size_t)nr * LANES; j < RUN_MAX; j += LANES)
            v_store(&total[i][j], v_zero());
    for (int i = 0; i < mr; i++)
        for (size_t at = 0; at < (size_t)nr * LANES; at += PIECE) {
            size_t left = (size_t)nr * LANES - at;
            store_piece(t->end, t->mask + at, t->channel + i, t->out + (size_t)i * t->plane + at,
                        left < PIECE ? left : PIECE, total[i] + at);
        }
}

/* The block's size as a constant, so that its sums live in registers. */
#define TILE_CASE(MR, NR)                                                                          \
    case (MR)*4 + (NR):                                                                            \
        tile_run(t, (MR), (NR));                                                                   \
        break
#define TILE_ROW(MR)                                                                               \
    TILE_CASE(MR, 1);                                                                              \
    TILE_CASE(MR, 2);                                                                              \
    TILE_CASE(MR, 3)

static void tile_dispatch(const tile *t, int32_t mr, size_t nr)
{
    switch (mr * 4 + (int32_t)nr) {
        TILE_ROW(1);
        TILE_ROW(2);
        TILE_ROW(4);
#if MR_MAX == 8
        TILE_ROW(8);
#endif
    default:
        assert(0 && "no such register block");
    }
}

/* Vectors of the next register block: three, but never leave a single one for the end. */
static size_t next_vectors(size_t left)
{
    if (left == 4)
        return 2;
    return left < NR_MAX ? left : NR_MAX;
}

/* One direction of a convolution with few channels; members divide the positions. */
static void direct(const ebm_conv_shape *s, const float *w, const uint32_t *mask, const float *x,
                   const epilogue *end, ebm_share share)
{
    const ebm__layout l = padded(s->h, s->w);
    int32_t taps = s->k * s->k;
    size_t last = ebm__share_end(run_vectors(s), share);
    ptrdiff_t shift[9];
    for (int32_t tap = 0; tap < taps; tap++)
        shift[tap] = tap_shift(s, tap);
    finish_edges(s, end, run_vectors(s) * LANES, share);
    for (size_t v = ebm__share_first(run_vectors(s), share), nr; v < last; v += nr) {
        size_t at = l.base + v * LANES;
        const float *weights = w;
        nr = next_vectors(last - v);
        for (int32_t o = 0, mr; o < s->c_out; o += mr) {
            mr = block_channels(s, o);
            const tile t = {.x = x + at,
                            .w = weights,
                            .plane = l.plane,
                            .inputs = s->c_in,
                            .taps = taps,
                            .shift = shift,
                            .mask = mask + v * LANES,
                            .end = end,
                            .out = (size_t)o * l.plane + at,
                            .channel = o};
            tile_dispatch(&t, mr, nr);
            weights += s->c_in * taps * mr;
        }
    }
}

static void convolve(const ebm_conv_shape *s, const float *w, const uint32_t *mask, const float *x,
                     const epilogue *end, float *scratch, ebm_share share)
{
    if (uses_winograd(s))
        winograd(s, w, mask, x, end, scratch, share);
    else
        direct(s, w, mask, x, end, share);
}

static void forward(const ebm_conv_shape *s, const float *packed, const float *x,
                    const ebm_conv_result *out, float *scratch, ebm_share share)
{
    const epilogue end = {.bias = out->bias,
                          .residual = out->residual,
                          .y = out->y,
                          .act = out->act,
                          .activated = out->activated};
    convolve(s, packed_forward(packed), packed_mask(s, packed), x, &end, scratch, share);
}

static void backward_data(const ebm_conv_shape *s, const float *packed, const float *dy,
                          const ebm_conv_gradient *out, float *scratch, ebm_share share)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    const epilogue end = {.gate = out->gate, .accumulate = out->accumulate, .y = out->dx};
    convolve(&t, packed_backward(s, packed), packed_mask(s, packed), dy, &end, scratch, share);
}

/* --- weight gradient ------------------------------------------------------------------------ */

/* The reached positions of x with channels innermost, so that a vector holds input channels. */
static void transpose_map(const ebm_conv_shape *s, const float *x, float *columns)
{
    const ebm__layout l = padded(s->h, s->w);
    size_t row = row_of_columns(s), n = reached(s);
    const float *start = x + l.base - (l.row + 1);
    for (size_t p = 0; p < n; p++)
        for (size_t c = (size_t)s->c_in; c < row; c++)
            columns[p * row + c] = 0.0f;
    for (size_t first = 0; first < n; first += 16) /* small pieces: both sides stay in cache */
        for (size_t c = 0; c < (size_t)s->c_in; c++)
            for (size_t p = first; p < n && p < first + 16; p++)
                columns[p * row + c] = start[c * l.plane + p];
}

/* sum over positions p of dy[o+i][p] * x[p+shift][inputs of nr vectors] */
INLINE void weight_product(const float *columns, size_t row, const float *dy, size_t plane,
                           size_t run, const int mr, const int nr, VEC sum[MR_MAX][NR_MAX])
{
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nr; j++)
            sum[i][j] = v_zero();
    for (size_t p = 0; p < run; p++, columns += row) {
        VEC in[NR_MAX];
        for (int j = 0; j < nr; j++)
            in[j] = v_load(columns + (size_t)j * LANES);
        for (int i = 0; i < mr; i++) {
            VEC g = v_set1(dy[(size_t)i * plane + p]);
            for (int j = 0; j < nr; j++)
                sum[i][j] = v_fma(g, in[j], sum[i][j]);
        }
    }
}

/* Adds a register block to dw [O,I,k,k] at output o, tap, and input `first` on. */
INLINE void weight_block(const ebm_conv_shape *s, const float *columns, const float *dy, int32_t o,
                         int32_t tap, size_t first, const int mr, const int nr, float *dw)
{
    const ebm__layout l = padded(s->h, s->w);
    size_t row = row_of_columns(s), taps = (size_t)(s->k * s->k), in = (size_t)s->c_in;
    ptrdiff_t from = (ptrdiff_t)(l.row + 1) + tap_shift(s, tap);
    VEC sum[MR_MAX][NR_MAX];
    float out[NR_MAX * LANES];
    weight_product(columns + (size_t)from * row + first, row, dy + (size_t)o * l.plane + l.base,
                   l.plane, (size_t)s->h * l.row, mr, nr, sum);
    for (int i = 0; i < mr; i++) {
        float *at = dw + ((size_t)(o + i) * in) * taps + (size_t)tap;
        for (int j = 0; j < nr; j++)
            v_store(out + (size_t)j * LANES, sum[i][j]);
        for (size_t c = 0; c < (size_t)nr * LANES && first + c < in; c++)
            at[(first + c) * taps] += out[c];
    }
}

#define WEIGHT_CASE(MR, NR)                                                                        \
    case (MR)*4 + (NR):                                                                            \
        weight_block(s, columns, dy, o, tap, first, (MR), (NR), dw);                               \
        break
#define WEIGHT_ROW(MR)                                                                             \
    WEIGHT_CASE(MR, 1);                                                                            \
    WEIGHT_CASE(MR, 2);                                                                            \
    WEIGHT_CASE(MR, 3)

static void weight_dispatch(const ebm_conv_shape *s, const float *columns, const float *dy,
                            int32_t o, int32_t tap, size_t first, int32_t mr, size_t nr, float *dw)
{
    switch (mr * 4 + (int32_t)nr) {
        WEIGHT_ROW(1);
        WEIGHT_ROW(2);
        WEIGHT_ROW(4);
#if MR_MAX == 8
        WEIGHT_ROW(8);
#endif
    default:
        assert(0 && "no such register block");
    }
}

static void backward_weights(const ebm_conv_shape *s, const float *x, const float *dy, float *dw,
                             float *scratch)
{
    size_t vectors = row_of_columns(s) / LANES;
    transpose_map(s, x, scratch);
    for (int32_t tap = 0; tap < s->k * s->k; tap++)
        for (int32_t o = 0, mr; o < s->c_out; o += mr) {
            mr = block_channels(s, o);
            for (size_t v = 0, nr; v < vectors; v += nr) {
                nr = next_vectors(vectors - v);
                weight_dispatch(s, scratch, dy, o, tap, v * LANES, mr, nr, dw);
            }
        }
}

/* --- the rest, with this file's instructions ------------------------------------------------ */

static void act_forward(ebm_activation act, const ebm_map_shape *m, const float *x, float *y,
                        ebm_share share)
{
    ebm__map_act_forward(act, m, padded(m->h, m->w), x, y, share);
}

static void act_tangent(const ebm_gate *gate, const ebm_map_shape *m, const float *v, float *y,
                        ebm_share share)
{
    ebm__map_act_tangent(gate, m, padded(m->h, m->w), v, y, share);
}

static void gate_backward(const ebm_gate *gate, const ebm_map_shape *m, const float *u, float *dx,
                          bool accumulate)
{
    ebm__map_gate_backward(gate, m, padded(m->h, m->w), u, dx, accumulate);
}

static void curve_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                           const float *v, const float *u, float *dx, bool accumulate)
{
    ebm__map_curve_backward(act, m, padded(m->h, m->w), x, v, u, dx, accumulate);
}

static void add(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    ebm__map_add(m, padded(m->h, m->w), dy, dx, share);
}

static void pool_forward(const ebm_map_shape *m, const float *x, float *y, ebm_activation act,
                         float *activated, ebm_share share)
{
    ebm__map_pool_forward(m, padded(m->h, m->w), padded(m->h / 2, m->w / 2), x, y, act, activated,
                          share);
}

static void pool_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    ebm__map_pool_backward(m, padded(m->h, m->w), padded(m->h / 2, m->w / 2), dy, dx, share);
}

static void up_forward(const ebm_map_shape *m, const float *x, const ebm_conv_result *out,
                       ebm_share share)
{
    ebm__map_up_forward(m, padded(m->h / 2, m->w / 2), padded(m->h, m->w), x, out, share);
}

static void up_backward(const ebm_map_shape *m, const float *dy, float *dx, ebm_share share)
{
    ebm__map_up_backward(m, padded(m->h / 2, m->w / 2), padded(m->h, m->w), dy, dx, share);
}

static void head_sum(ebm_activation act, const ebm_map_shape *m, const float *x, float *sums,
                     ebm_share share)
{
    ebm__map_head_sum(act, m, padded(m->h, m->w), x, sums, share);
}

static void head_tangent(ebm_activation act, const ebm_map_shape *m, const float *x, const float *v,
                         float *sums)
{
    ebm__map_head_tangent(act, m, padded(m->h, m->w), x, v, sums);
}

static void operand_sum(const ebm_map_shape *m, const float *dy, float *sums)
{
    head_sum((ebm_activation){.kind = EBM_ACT_NONE}, m, dy, sums, EBM_ALONE);
}

static void head_backward(ebm_activation act, const ebm_map_shape *m, const float *x,
                          const float *d, float *dx, ebm_share share)
{
    ebm__map_head_backward(act, m, padded(m->h, m->w), x, d, dx, share);
}

static void multiply_panel(const ebm_panel_product *p)
{
    ebm__panel_product(p, MR_MAX);
}

static const ebm_kernels SIMD_TABLE = {
    .name = SIMD_NAME,
    .kernel_class = "f32-winograd",
    .value_floats = map_floats,
    .operand_floats = map_floats,
    .value_is_operand = ebm__always_operand,
    .value_load = map_load,
    .value_store = map_store,
    .operand_load = map_load,
    .operand_store = map_store,
    .conv_packed_floats = packed_floats,
    .conv_scratch_floats = scratch_floats,
    .conv_pack = pack,
    .conv_forward = forward,
    .conv_backward_data = backward_data,
    .conv_backward_weights = backward_weights,
    .act_forward = act_forward,
    .act_tangent = act_tangent,
    .gate_backward = gate_backward,
    .curve_backward = curve_backward,
    .add = add,
    .pool_forward = pool_forward,
    .pool_backward = pool_backward,
    .up_forward = up_forward,
    .up_backward = up_backward,
    .head_sum = head_sum,
    .head_tangent = head_tangent,
    .operand_sum = operand_sum,
    .head_backward = head_backward,
    .panel_product = multiply_panel,
    .exponential = ebm__exp_run,
};
