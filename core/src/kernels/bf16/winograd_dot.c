/* Data gradients of 3x3 convolutions of the set avx512bf16 by Winograd's algorithm: tiles of 2x2
 * outputs from 4x4 inputs by 16 products where the direct way takes 36.
 *
 * F(2x2,3x3) of Lavin and Gray (arXiv 1509.09308, section 4.1), points 0, +-1 and infinity. What is
 * multiplied is rounded to bfloat16 behind the transforms, whose sums make that error 1.7 times as
 * large. In a data gradient that is little beside what the rounded values forward have done to it
 * (docs/speed.md); forward it would be seen in the energy, which is why it is not used there.
 *
 * A strip of tile rows is transformed, multiplied point by point, and transformed back; a product
 * is that of conv_dot.c with one tap, over tiles without gaps. An output is the same chain of
 * operations whatever the strip, the block and the number of members, each of whom transforms what
 * its own rows of tiles read. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512BF16__)
#include "kernels/bf16/dot.h"

#define SIDE   4 /* inputs of a tile in each direction, and points */
#define POINTS ((size_t)(SIDE * SIDE))
#define STRIP  ((size_t)28)            /* tiles transformed at once, if a row has no more */
#define SUMS   (DOT_POSITIONS * BLOCK) /* of one point of one piece */

/* --- weights ---------------------------------------------------------------------------------- */

/* bf16 values of one point of one block of outputs. */
static size_t point_values(const ebm_conv_shape *t)
{
    return ebm__dot_pairs(t) * 2 * BLOCK;
}

/* In bfloat16, [O/32][point][pair][32][2]. */
size_t ebm__dot_winograd_floats(const ebm_conv_shape *t)
{
    return ebm__dot_blocks(t) * POINTS * point_values(t) / 2;
}

/* Three taps at the points. @eq g0, (g0+g1+g2)/2, (g0-g1+g2)/2, g2 */
static void at_points(const float g[3], size_t step, float *out)
{
    out[0] = g[0];
    out[step] = 0.5f * ((g[0] + g[2]) + g[1]);
    out[2 * step] = 0.5f * ((g[0] + g[2]) - g[1]);
    out[3 * step] = g[2];
}

/* One kernel at the points, which are `step` values apart in `out`. */
static void pack_kernel(float taps[3][3], size_t step, bf16 *out)
{
    float columns[SIDE][3], points[POINTS];
    for (size_t row = 0; row < 3; row++)
        at_points(taps[row], 3, &columns[0][row]);
    for (size_t j = 0; j < SIDE; j++)
        at_points(columns[j], SIDE, points + j);
    for (size_t q = 0; q < POINTS; q++)
        out[q * step] = ebm__bf16_nearest(points[q]);
}

void ebm__dot_winograd_pack(const ebm_conv_shape *s, const float *w, const float *gain,
                            float *packed)
{
    const ebm_conv_shape t = ebm__conv_transposed(s);
    size_t in = (size_t)s->c_in, out = (size_t)s->c_out, step = point_values(&t);
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++, w += 9) {
            size_t at = i / BLOCK * POINTS * step + o / 2 * 2 * BLOCK + i % BLOCK * 2 + o % 2;
            float taps[3][3];
            for (size_t tap = 0; tap < 9; tap++)
                taps[tap / 3][tap % 3] = (gain ? gain[o] : 1.0f) * w[8 - tap];
            pack_kernel(taps, step, wide(packed) + at);
        }
}

/* --- a strip of tiles -------------------------------------------------------------------------
 */

typedef struct strip {
    const ebm_conv_shape *t;
    size_t across, down;      /* tiles of the image */
    size_t most, first, rows; /* rows of tiles: at most, and those at hand */
    size_t channels;          /* of the input, in memory */
    size_t pieces;            /* register blocks of the tiles at hand, of nearly equal size */
    bf16 *points;             /* [point][tile][channel] */
    float *sums;              /* of a block of outputs, [piece][point][tile][32] */
} strip;

static size_t pieces_of(size_t tiles)
{
    return (tiles + DOT_POSITIONS - 1) / DOT_POSITIONS;
}

/* The tiles of a piece. */
static size_t piece_first(const strip *p, size_t piece)
{
    const ebm_share part = {.index = (int32_t)piece, .count = (int32_t)p->pieces};
    return ebm__share_first(p->rows * p->across, part);
}

static strip strip_of(const ebm_conv_shape *t)
{
    strip p = {.t = t,
               .across = ((size_t)t->w + 1) / 2,
               .down = ((size_t)t->h + 1) / 2,
               .channels = padded_channels(t->c_in)};
    p.most = p.across < STRIP ? STRIP / p.across : 1;
    p.most = p.most < p.down ? p.most : p.down;
    return p;
}

/* Lays the parts of a strip out in scratch, or counts their floats if there is none. */
static size_t place_strip(strip *p, float *scratch)
{
    size_t tiles = p->most * p->across, points = POINTS * tiles * p->channels / 2;
    if (scratch) {
        p->points = wide(scratch);
        p->sums = scratch + points;
    }
    return points + pieces_of(tiles) * POINTS * SUMS;
}

size_t ebm__dot_winograd_scratch(const ebm_conv_shape *t)
{
    strip p = strip_of(t);
    return place_strip(&p, NULL);
}

/* @eq d0-d2, d1+d2, d2-d1, d1-d3 */
static inline void to_points(const __m512 d[SIDE], __m512 out[SIDE])
{
    out[0] = _mm512_sub_ps(d[0], d[2]);
    out[1] = _mm512_add_ps(d[1], d[2]);
    out[2] = _mm512_sub_ps(d[2], d[1]);
    out[3] = _mm512_sub_ps(d[1], d[3]);
}

static inline __m512 load_half(const bf16 *p)
{
    return _mm512_cvtpbh_ps((__m256bh)_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline void store_half(bf16 *p, __m512 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, (__m256i)_mm512_cvtneps_pbh(v));
}

/* 16 channels of a row of tiles. Rows [i] of pixels begin left of the first one. What a last tile
 * of one pixel reads beyond the edge has a part only in the pixel that it lacks. */
static void transform_tiles(const strip *p, const bf16 *const rows[SIDE], bf16 *out)
{
    size_t map = p->rows * p->across * p->channels;
    __m512 at[SIDE][SIDE]; /* [column][point of the column] */
    for (size_t j = 0; j < 2; j++) {
        __m512 d[SIDE];
        for (size_t i = 0; i < SIDE; i++)
            d[i] = load_half(rows[i] + j * p->channels);
        to_points(d, at[j]);
    }
    for (size_t tile = 0; tile < p->across; tile++, out += p->channels) {
        for (size_t j = 2; j < SIDE; j++) {
            __m512 d[SIDE];
            for (size_t i = 0; i < SIDE; i++)
                d[i] = load_half(rows[i] + (2 * tile + j) * p->channels);
            to_points(d, at[j]);
        }
        for (size_t i = 0; i < SIDE; i++) {
            const __m512 d[SIDE] = {at[0][i], at[1][i], at[2][i], at[3][i]};
            __m512 v[SIDE];
            to_points(d, v);
            for (size_t j = 0; j < SIDE; j++)
                store_half(out + (i * SIDE + j) * map, v[j]);
            at[0][i] = at[2][i];
            at[1][i] = at[3][i];
        }
    }
}

/* Above the first row of pixels lies one of zeros; it stands for those below the last one too. */
static void transform_strip(const strip *p, const float *x)
{
    const grid g = grid_of(p->t->h, p->t->w);
    const bf16 *above = wide_const(x) + (g.lead - g.row - 1) * p->channels;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->channels; c += BLOCK / 2) {
            const bf16 *rows[SIDE];
            for (size_t i = 0; i < SIDE; i++) {
                size_t below = 2 * (p->first + r) + i; /* the row above the image is row 0 */
                rows[i] = above + (below <= (size_t)p->t->h ? below : 0) * g.row * p->channels + c;
            }
            transform_tiles(p, rows, p->points + r * p->across * p->channels + c);
        }
}

/* --- products and back to pixels -------------------------------------------------------------- */

/* @eq m0+m1+m2, m1-m2-m3 */
static inline void from_points(const __m512 m[SIDE], __m512 y[2])
{
    y[0] = _mm512_add_ps(m[0], _mm512_add_ps(m[1], m[2]));
    y[1] = _mm512_sub_ps(_mm512_sub_ps(m[1], m[2]), m[3]);
}

/* 16 outputs of one tile: sums [point] of stride SUMS, pixels [row] of stride 2*SUMS */
static void finish_tile(const float *sums, float *pixels)
{
    __m512 rows[2][SIDE];
    for (size_t j = 0; j < SIDE; j++) {
        __m512 m[SIDE], y[2];
        for (size_t i = 0; i < SIDE; i++)
            m[i] = _mm512_loadu_ps(sums + (i * SIDE + j) * SUMS);
        from_points(m, y);
        rows[0][j] = y[0];
        rows[1][j] = y[1];
    }
    for (size_t i = 0; i < 2; i++) {
        __m512 y[2];
        from_points(rows[i], y);
        _mm512_storeu_ps(pixels + i * 2 * SUMS, y[0]);
        _mm512_storeu_ps(pixels + i * 2 * SUMS + BLOCK, y[1]);
    }
}

/* n tiles of one row, from number `tile` of the strip on: pixels [row][2n][32]. */
static void finish_tiles(const strip *p, const ebm__bf16_end *end, size_t tile, size_t n,
                         int32_t channel, const float *pixels)
{
    size_t row = 2 * (p->first + tile / p->across), column = 2 * (tile % p->across);
    size_t below = (size_t)p->t->h - row, right = (size_t)p->t->w - column;
    for (size_t i = 0; i < 2 && i < below; i++)
        ebm__bf16_finish(end, (row + i) * grid_of(p->t->h, p->t->w).row + column,
                         2 * n < right ? 2 * n : right, channel, pixels + i * 2 * SUMS, BLOCK);
}

/* One point of one block of outputs: w [pair][32][2]. */
static void multiply_point(const strip *p, const bf16 *w, size_t point)
{
    const ebm__dot_operand op = {.channels = p->channels, .pairs = ebm__dot_pairs(p->t), .taps = 1};
    const bf16 *x = p->points + point * p->rows * p->across * p->channels;
    for (size_t piece = 0; piece < p->pieces; piece++) {
        size_t first = piece_first(p, piece);
        ebm__dot_product(&op, w, x + first * p->channels, piece_first(p, piece + 1) - first,
                         p->sums + (piece * POINTS + point) * SUMS);
    }
}

static void finish_piece(const strip *p, size_t piece, const ebm__bf16_end *end, int32_t channel)
{
    const float *sums = p->sums + piece * POINTS * SUMS;
    size_t first = piece_first(p, piece), n = piece_first(p, piece + 1) - first;
    float pixels[4 * SUMS];
    for (size_t i = 0; i < n; i++)
        for (size_t half = 0; half < BLOCK; half += BLOCK / 2)
            finish_tile(sums + i * BLOCK + half, pixels + 2 * i * BLOCK + half);
    for (size_t i = 0, here; i < n; i += here) {
        size_t left = p->across - (first + i) % p->across;
        here = left < n - i ? left : n - i;
        finish_tiles(p, end, first + i, here, channel, pixels + 2 * i * BLOCK);
    }
}

static void convolve_strip(const strip *p, const bf16 *w, const ebm__bf16_end *end)
{
    for (size_t block = 0; block < ebm__dot_blocks(p->t); block++) {
        for (size_t q = 0; q < POINTS; q++, w += point_values(p->t))
            multiply_point(p, w, q);
        for (size_t piece = 0; piece < p->pieces; piece++)
            finish_piece(p, piece, end, (int32_t)(block * BLOCK));
    }
}

/* Members divide the rows of tiles. */
void ebm__dot_winograd(const ebm_conv_shape *t, const float *packed, const float *x,
                       const ebm__bf16_end *end, float *scratch, ebm_share share)
{
    strip p = strip_of(t);
    size_t last = ebm__share_end(p.down, share);
    (void)place_strip(&p, scratch);
    for (p.first = ebm__share_first(p.down, share); p.first < last; p.first += p.rows) {
        p.rows = last - p.first < p.most ? last - p.first : p.most;
        p.pieces = pieces_of(p.rows * p.across);
        transform_strip(&p, x);
        convolve_strip(&p, wide_const(packed), end);
    }
    ebm__bf16_finish_edges(end, share);
}
#endif
