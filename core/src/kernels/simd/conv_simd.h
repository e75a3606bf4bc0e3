/* The float32 convolutions for one vector width; included once per instruction set by a file that
 * defines the vector operations:
 *
 *   VEC  LANES            vector type and its number of floats
 *   MR_MAX                output channels of the largest register block: 8 or 4
 *   v_load v_store v_set1 v_fma(a,b,c)=a*b+c  v_add  v_zero  v_and(vector, const uint32_t *mask)
 *   SIMD_NAME SIMD_TABLE  name of the set and of its table
 *
 * Maps are padded: row i of a plane starts at base + i*(W+1), one zero column serves as the right
 * edge of a row and the left edge of the next, a zero row lies above and below. Every tap of a
 * kernel is then a constant shift of one contiguous run of H*(W+1) positions, and a convolution a
 * product of [O, I*k*k] weights with shifted runs: no columns are ever written. Positions that are
 * padding are computed like the others and masked to zero in the store.
 *
 * The sum over input channels is cut into blocks of CHANNELS_AT_ONCE: their planes stay in the
 * first-level cache while all output channels pass over them, and short sums lose less. An output
 * value is the same chain of fused multiply-adds whatever the width of the vectors and the shape
 * of the register block, so AVX-512 and AVX2 give the same bits. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernel_sets.h"
#include "kernels/map_inline.h"

#define CHANNELS_AT_ONCE 16
#define NR_MAX           3 /* vectors of positions in a register block */
#define ALIGN_FLOATS     ((size_t)16)
#define INLINE           static inline __attribute__((always_inline))

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* --- layout --------------------------------------------------------------------------------- */

static ebm__layout padded(int32_t h, int32_t w)
{
    size_t row = (size_t)w + 1, base = round_up(row + 1, ALIGN_FLOATS);
    size_t run = round_up((size_t)h * row, ALIGN_FLOATS);
    /* the run is stored in whole vectors, the row of zeros below it has to fit behind either */
    return (ebm__layout){
        .base = base, .row = row, .plane = base + round_up(run + row + 1, ALIGN_FLOATS)};
}

static size_t map_floats(int32_t c, int32_t h, int32_t w)
{
    return (size_t)c * padded(h, w).plane;
}

static void map_load(int32_t c, int32_t h, int32_t w, const float *image, float *map)
{
    ebm__map_load(c, h, w, padded(h, w), image, map);
}

static void map_store(int32_t c, int32_t h, int32_t w, const float *map, float *image)
{
    ebm__map_store(c, h, w, padded(h, w), map, image);
}

/* Vectors in the run of positions. */
static size_t run_vectors(const ebm_conv_shape *s)
{
    size_t run = (size_t)s->h * padded(s->h, s->w).row;
    return (run + LANES - 1) / LANES;
}

/* Distance in floats from a position to what tap number `tap` reads. */
static ptrdiff_t tap_shift(const ebm_conv_shape *s, int32_t tap)
{
    ptrdiff_t row = (ptrdiff_t)padded(s->h, s->w).row;
    return (ptrdiff_t)(tap / s->k - s->k / 2) * row + (tap % s->k - s->k / 2);
}

static ebm_conv_shape transposed(const ebm_conv_shape *s)
{
    return (ebm_conv_shape){.c_in = s->c_out, .c_out = s->c_in, .h = s->h, .w = s->w, .k = s->k};
}

/* Output channels of the register block that starts at channel o. */
static int32_t block_channels(const ebm_conv_shape *s, int32_t o)
{
    int32_t left = s->c_out - o, mr = MR_MAX;
    while (mr > left)
        mr /= 2;
    return mr;
}

static int32_t block_inputs(const ebm_conv_shape *s, int32_t first)
{
    int32_t left = s->c_in - first;
    return left < CHANNELS_AT_ONCE ? left : CHANNELS_AT_ONCE;
}

/* --- packing -------------------------------------------------------------------------------- */

/* Forward weights, those of the data gradient, the mask. */
static size_t packed_floats(const ebm_conv_shape *s)
{
    return 2 * round_up(ebm__conv_weights(s), ALIGN_FLOATS) + run_vectors(s) * LANES;
}

static const float *packed_forward(const float *packed)
{
    return packed;
}

static const float *packed_backward(const ebm_conv_shape *s, const float *packed)
{
    return packed + round_up(ebm__conv_weights(s), ALIGN_FLOATS);
}

static const uint32_t *packed_mask(const ebm_conv_shape *s, const float *packed)
{
    return (const uint32_t *)(const void *)(packed +
                                            2 * round_up(ebm__conv_weights(s), ALIGN_FLOATS));
}

/* Order: block of inputs, block of outputs, input, tap, output: what the inner loop reads next.
 * `flip` takes the weights of the transposed convolution out of w [O,I,k,k] of the plain one. */
static void pack_direction(const ebm_conv_shape *s, const float *w, const float *gain, bool flip,
                           float *out)
{
    int32_t taps = s->k * s->k;
    for (int32_t first = 0; first < s->c_in; first += CHANNELS_AT_ONCE)
        for (int32_t o = 0; o < s->c_out; o += block_channels(s, o))
            for (int32_t i = first; i < first + block_inputs(s, first); i++)
                for (int32_t tap = 0; tap < taps; tap++)
                    for (int32_t r = o; r < o + block_channels(s, o); r++) {
                        int32_t from = flip ? i : r, to = flip ? r : i;
                        int32_t inner = flip ? s->c_out : s->c_in;
                        int32_t at = flip ? taps - 1 - tap : tap;
                        *out++ = (gain ? gain[from] : 1.0f) *
                                 w[((size_t)from * (size_t)inner + (size_t)to) * (size_t)taps +
                                   (size_t)at];
                    }
}

static void pack(const ebm_conv_shape *s, const float *w, const float *gain, float *packed)
{
    const ebm_conv_shape t = transposed(s);
    size_t weights = round_up(ebm__conv_weights(s), ALIGN_FLOATS);
    uint32_t *mask = (uint32_t *)(void *)(packed + 2 * weights);
    size_t row = padded(s->h, s->w).row;
    pack_direction(s, w, gain, false, packed);
    pack_direction(&t, w, gain, true, packed + weights);
    for (size_t p = 0; p < run_vectors(s) * LANES; p++)
        mask[p] = p < (size_t)s->h * row && p % row < (size_t)s->w ? 0xFFFFFFFFu : 0u;
}

static size_t row_of_columns(const ebm_conv_shape *s)
{
    return round_up((size_t)s->c_in, LANES);
}

/* Positions that the taps reach from the run, for the weight gradient. */
static size_t reached(const ebm_conv_shape *s)
{
    size_t row = padded(s->h, s->w).row;
    return (size_t)s->h * row + 2 * (row + 1);
}

static size_t scratch_floats(const ebm_conv_shape *s)
{
    return reached(s) * row_of_columns(s);
}

/* --- forward and data gradient -------------------------------------------------------------- */

/* What a register block works on. */
typedef struct tile {
    const float *x;        /* first input plane, at the first position */
    const float *w;        /* packed weights of this block */
    const float *bias;     /* NULL unless this is the first block of inputs */
    const float *residual; /* at the first position, or NULL */
    const uint32_t *mask;
    float *y;
    size_t plane;
    int32_t inputs, taps;
    const ptrdiff_t *shift;
} tile;

INLINE void tile_product(const tile *t, const int mr, const int nr, VEC sum[MR_MAX][NR_MAX])
{
    const float *x = t->x, *w = t->w;
    for (int i = 0; i < mr; i++)
        for (int j = 0; j < nr; j++)
            sum[i][j] = v_zero();
    for (int32_t c = 0; c < t->inputs; c++, x += t->plane)
        for (int32_t tap = 0; tap < t->taps; tap++, w += mr) {
            const float *at = x + t->shift[tap];
            VEC in[NR_MAX];
            for (int j = 0; j < nr; j++)
                in[j] = v_load(at + (size_t)j * LANES);
            for (int i = 0; i < mr; i++) {
                VEC weight = v_set1(w[i]);
                for (int j = 0; j < nr; j++)
                    sum[i][j] = v_fma(weight, in[j], sum[i][j]);
            }
        }
}

/* First block of inputs: y = sum + bias + residual; later ones: y += sum. */
INLINE void tile_store(const tile *t, const int mr, const int nr, VEC sum[MR_MAX][NR_MAX])
{
    for (int i = 0; i < mr; i++) {
        float *y = t->y + (size_t)i * t->plane;
        for (int j = 0; j < nr; j++) {
            size_t at = (size_t)j * LANES;
            VEC value = sum[i][j];
            if (t->bias) {
                value = v_add(value, v_set1(t->bias[i]));
                if (t->residual)
                    value = v_add(value, v_load(t->residual + (size_t)i * t->plane + at));
            } else {
                value = v_add(value, v_load(y + at));
            }
            v_store(y + at, v_and(value, t->mask + at));
        }
    }
}

INLINE void tile_run(const tile *t, const int mr, const int nr)
{
    VEC sum[MR_MAX][NR_MAX];
    tile_product(t, mr, nr, sum);
    tile_store(t, mr, nr, sum);
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

/* Zeros before and after the run of every plane. */
static void zero_edges(const ebm_conv_shape *s, ebm__layout l, float *y)
{
    size_t end = l.base + run_vectors(s) * LANES;
    for (int32_t o = 0; o < s->c_out; o++, y += l.plane) {
        memset(y, 0, l.base * sizeof *y);
        memset(y + end, 0, (l.plane - end) * sizeof *y);
    }
}

/* y = W*x (+ bias + residual) for one direction. `bias` has c_out entries. */
static void convolve(const ebm_conv_shape *s, const float *w, const uint32_t *mask,
                     const float *bias, const float *x, const float *residual, float *y)
{
    const ebm__layout l = padded(s->h, s->w);
    int32_t taps = s->k * s->k;
    ptrdiff_t shift[9];
    for (int32_t tap = 0; tap < taps; tap++)
        shift[tap] = tap_shift(s, tap);
    zero_edges(s, l, y);
    for (int32_t first = 0; first < s->c_in; first += CHANNELS_AT_ONCE) {
        int32_t inputs = block_inputs(s, first);
        for (size_t v = 0, nr; v < run_vectors(s); v += nr) {
            size_t at = l.base + v * LANES;
            const float *weights = w;
            nr = next_vectors(run_vectors(s) - v);
            for (int32_t o = 0, mr; o < s->c_out; o += mr) {
                mr = block_channels(s, o);
                size_t out = (size_t)o * l.plane + at;
                const tile t = {.x = x + (size_t)first * l.plane + at,
                                .w = weights,
                                .bias = first == 0 ? bias + o : NULL,
                                .residual = residual ? residual + out : NULL,
                                .mask = mask + v * LANES,
                                .y = y + out,
                                .plane = l.plane,
                                .inputs = inputs,
                                .taps = taps,
                                .shift = shift};
                tile_dispatch(&t, mr, nr);
                weights += inputs * taps * mr;
            }
        }
        w += (size_t)inputs * (size_t)taps * (size_t)s->c_out;
    }
}

static void forward(const ebm_conv_shape *s, const float *packed, const float *bias, const float *x,
                    const float *residual, float *y, float *scratch)
{
    (void)scratch;
    convolve(s, packed_forward(packed), packed_mask(s, packed), bias, x, residual, y);
}

static void backward_data(const ebm_conv_shape *s, const float *packed, const float *dy, float *dx,
                          float *scratch)
{
    const ebm_conv_shape t = transposed(s);
    memset(scratch, 0, (size_t)t.c_out * sizeof *scratch); /* a bias of zeros */
    convolve(&t, packed_backward(s, packed), packed_mask(s, packed), scratch, dy, NULL, dx);
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

static void act_forward(ebm_act act, float slope, size_t n, const float *x, float *y)
{
    ebm__map_act_forward(act, slope, n, x, y);
}

static void act_backward(ebm_act act, float slope, size_t n, const float *x, const float *dy,
                         float *dx, bool accumulate)
{
    ebm__map_act_backward(act, slope, n, x, dy, dx, accumulate);
}

static void pool_forward(int32_t c, int32_t h, int32_t w, const float *x, float *y)
{
    ebm__map_pool_forward(c, h, w, padded(h, w), padded(h / 2, w / 2), x, y);
}

static void pool_backward(int32_t c, int32_t h, int32_t w, const float *dy, float *dx)
{
    ebm__map_pool_backward(c, h, w, padded(h, w), padded(h / 2, w / 2), dy, dx);
}

static void head_sum(ebm_act act, float slope, int32_t c, int32_t h, int32_t w, const float *x,
                     float *sums)
{
    ebm__map_head_sum(act, slope, c, h, w, padded(h, w), x, sums);
}

static void head_backward(ebm_act act, float slope, int32_t c, int32_t h, int32_t w, const float *x,
                          const float *d, float *dx)
{
    ebm__map_head_backward(act, slope, c, h, w, padded(h, w), x, d, dx);
}

static const ebm_kernels SIMD_TABLE = {
    .name = SIMD_NAME,
    .kernel_class = "f32-fma",
    .map_floats = map_floats,
    .map_load = map_load,
    .map_store = map_store,
    .conv_packed_floats = packed_floats,
    .conv_scratch_floats = scratch_floats,
    .conv_pack = pack,
    .conv_forward = forward,
    .conv_backward_data = backward_data,
    .conv_backward_weights = backward_weights,
    .act_forward = act_forward,
    .act_backward = act_backward,
    .pool_forward = pool_forward,
    .pool_backward = pool_backward,
    .head_sum = head_sum,
    .head_backward = head_backward,
};
