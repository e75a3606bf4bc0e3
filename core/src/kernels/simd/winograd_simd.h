/* Convolutions 3x3 of the float32 sets by Winograd's algorithm. Included by conv_simd.h alone, once
 * per instruction set.
 *
 * Lavin and Gray (arXiv 1509.09308, section 4): a tile's inputs and a kernel's taps become values
 * of polynomials at a few points in each direction, and a convolution becomes a product at each
 * pair of points. Tiles of 4x4 outputs take 36 products where the direct way takes 144, with the
 * points 0, +-3/4, +-3/2 and infinity instead of 0, +-1, +-2 and infinity: half the rounding error,
 * and all of their powers are exact. Where an image has no more than four such tiles and the
 * weights are far larger than the second-level cache, the time is that of reading them, 36 numbers
 * for 9; so tiles of 2x2 outputs are taken there, with the points 0, +-1 and infinity: 16 products
 * where the direct way takes 36, 16 numbers to be read.
 *
 * A strip of tile rows is transformed with channels innermost, multiplied point by point, and
 * transformed back. An output is the same chain of operations whatever the strip, the width of the
 * vectors and the number of members, each of whom transforms what its own rows of tiles read.
 *
 * `tile` is the side of a tile of outputs, a constant where these functions are inlined. */

#define TILE_MAX     4
#define SIDE_MAX     (TILE_MAX + 2)  /* inputs of a tile in each direction */
#define FEW_TILES    ((size_t)4)     /* so few large tiles are cut into small ones, if there are */
#define MANY_KERNELS ((size_t)16384) /* so many kernels, inputs times outputs */
#define PANEL        (2 * LANES)     /* outputs of a register block */
#define STRIP        ((size_t)28)    /* tiles transformed at once, if a row has no more */
#define AHEAD        ((size_t)8192)  /* floats of weights that are asked for before their turn */
#define LINE         ((size_t)16)    /* floats of a cache line */

/* With fewer channels the transforms cost more than they save. */
static bool uses_winograd(const ebm_conv_shape *s)
{
    return s->k == 3 && s->c_in >= 32 && s->c_out >= 32;
}

INLINE size_t tiles_along(int32_t pixels, const size_t tile)
{
    return ((size_t)pixels + tile - 1) / tile;
}

static size_t tile_of(const ebm_conv_shape *s)
{
    size_t large = tiles_along(s->h, TILE_MAX) * tiles_along(s->w, TILE_MAX);
    size_t kernels = (size_t)s->c_in * (size_t)s->c_out;
    return large <= FEW_TILES && kernels >= MANY_KERNELS ? 2 : TILE_MAX;
}

/* Products of a tile. */
INLINE size_t points_of(const size_t tile)
{
    return (tile + 2) * (tile + 2);
}

/* --- transforms in one direction ------------------------------------------------------------ */

#define A1 0.75 /* the points +-A1, +-B1 */
#define A2 (A1 * A1)
#define A3 (A2 * A1)
#define B1 1.5
#define B2 (B1 * B1)
#define B3 (B2 * B1)
#define DA (2 * A2 * (A2 - B2)) /* product of the differences of A1 to the other points */
#define DB (2 * B2 * (B2 - A2))

/* Values of a kernel's polynomial at the points, over those products. */
static const double kernel_points_large[][3] = {
    {1 / (A2 * B2), 0, 0},      {1 / DA, A1 / DA, A2 / DA},  {1 / DA, -A1 / DA, A2 / DA},
    {1 / DB, B1 / DB, B2 / DB}, {1 / DB, -B1 / DB, B2 / DB}, {0, 0, 1},
};
static const double kernel_points_small[][3] = {
    {-1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

/* Coefficients of the polynomials that vanish at all points but one. */
INLINE void to_points(const size_t tile, const VEC d[SIDE_MAX], VEC out[SIDE_MAX])
{
    if (tile == 2) {
        out[0] = v_sub(d[2], d[0]);
        out[1] = v_add(d[2], d[1]);
        out[2] = v_sub(d[2], d[1]);
        out[3] = v_sub(d[3], d[1]);
        return;
    }
    const VEC a1 = v_set1((float)A1), b1 = v_set1((float)B1);
    const VEC a2 = v_set1((float)-A2), b2 = v_set1((float)-B2);
    const VEC sum = v_set1((float)-(A2 + B2)), product = v_set1((float)(A2 * B2));
    VEC even_a = v_fma(b2, d[2], d[4]), odd_a = v_mul(a1, v_fma(b2, d[1], d[3]));
    VEC even_b = v_fma(a2, d[2], d[4]), odd_b = v_mul(b1, v_fma(a2, d[1], d[3]));
    out[0] = v_fma(product, d[0], v_fma(sum, d[2], d[4]));
    out[1] = v_add(even_a, odd_a);
    out[2] = v_sub(even_a, odd_a);
    out[3] = v_add(even_b, odd_b);
    out[4] = v_sub(even_b, odd_b);
    out[5] = v_fma(product, d[1], v_fma(sum, d[3], d[5]));
}

INLINE void from_points(const size_t tile, const VEC m[SIDE_MAX], VEC y[TILE_MAX])
{
    if (tile == 2) {
        y[0] = v_add(m[0], v_add(m[1], m[2]));
        y[1] = v_add(v_sub(m[1], m[2]), m[3]);
        return;
    }
    const VEC a1 = v_set1((float)A1), a2 = v_set1((float)A2), a3 = v_set1((float)A3);
    const VEC b1 = v_set1((float)B1), b2 = v_set1((float)B2), b3 = v_set1((float)B3);
    VEC even_a = v_add(m[1], m[2]), odd_a = v_sub(m[1], m[2]);
    VEC even_b = v_add(m[3], m[4]), odd_b = v_sub(m[3], m[4]);
    y[0] = v_add(m[0], v_add(even_a, even_b));
    y[1] = v_fma(a1, odd_a, v_mul(b1, odd_b));
    y[2] = v_fma(a2, even_a, v_mul(b2, even_b));
    y[3] = v_fma(a3, odd_a, v_fma(b3, odd_b, m[5]));
}

/* --- weights -------------------------------------------------------------------------------- */

static size_t panels_of(const ebm_conv_shape *s)
{
    return ((size_t)s->c_out + PANEL - 1) / PANEL;
}

/* Floats of one direction, [O/panel][point][I][panel]. */
static size_t winograd_floats(const ebm_conv_shape *s)
{
    return panels_of(s) * points_of(tile_of(s)) * (size_t)s->c_in * PANEL;
}

/* Taps [9] of LANES kernels at the points; out [point] of stride `step`. In double: the weights are
 * then rounded once, as in the direct way. */
static void transform_kernels(size_t tile, double taps[9][LANES], float *out, size_t step)
{
    const double(*at)[3] = tile == 2 ? kernel_points_small : kernel_points_large;
    double rows[SIDE_MAX][3][LANES];
    for (size_t p = 0; p < tile + 2; p++)
        for (int j = 0; j < 3; j++)
            for (size_t k = 0; k < LANES; k++)
                rows[p][j][k] =
                    at[p][0] * taps[j][k] + at[p][1] * taps[3 + j][k] + at[p][2] * taps[6 + j][k];
    for (size_t p = 0; p < tile + 2; p++)
        for (size_t q = 0; q < tile + 2; q++, out += step)
            for (size_t k = 0; k < LANES; k++)
                out[k] = (float)(at[q][0] * rows[p][0][k] + at[q][1] * rows[p][1][k] +
                                 at[q][2] * rows[p][2][k]);
}

/* As pack_direction(). */
static void winograd_pack(const ebm_conv_shape *s, const float *w, const float *gain, bool flip,
                          float *out)
{
    size_t in = (size_t)s->c_in, real = (size_t)s->c_out, inner = flip ? real : in;
    size_t tile = tile_of(s), points = points_of(tile);
    double taps[9][LANES] = {{0}};
    for (size_t o = 0; o < panels_of(s) * PANEL; o += LANES)
        for (size_t i = 0; i < in; i++) {
            for (size_t k = 0; k < LANES; k++) {
                size_t from = flip ? i : o + k, to = flip ? o + k : i;
                double scale = o + k < real ? (gain ? (double)gain[from] : 1.0) : 0.0;
                const float *kernel = o + k < real ? w + (from * inner + to) * 9 : w;
                for (size_t tap = 0; tap < 9; tap++)
                    taps[tap][k] = scale * (double)kernel[flip ? 8 - tap : tap];
            }
            transform_kernels(tile, taps, out + (o / PANEL * points * in + i) * PANEL + o % PANEL,
                              in * PANEL);
        }
}

/* --- a strip of tiles ----------------------------------------------------------------------- */

typedef struct strip {
    const ebm_conv_shape *s;
    size_t across, down;      /* tiles of the image */
    size_t columns;           /* of pixels that the tiles read */
    size_t channels;          /* of the input, in whole vectors */
    size_t most, first, rows; /* rows of tiles: at most, and those at hand */
    float *patch;             /* pixels, [row][column][LANES channels] */
    float *points;            /* [point][tile][channel] */
    float *products;          /* [tile][point][panel] */
    float *sums;              /* of a row of tiles, [position][panel] */
} strip;

INLINE strip strip_of(const ebm_conv_shape *s, const size_t tile)
{
    strip t = {.s = s,
               .across = tiles_along(s->w, tile),
               .down = tiles_along(s->h, tile),
               .channels = ebm__round_up((size_t)s->c_in, LANES)};
    t.columns = tile * t.across + 2;
    t.most = t.across >= STRIP ? 1 : STRIP / t.across;
    t.most = t.most < t.down ? t.most : t.down;
    return t;
}

/* Lays the parts of a strip out in scratch, or counts their floats if there is none. */
INLINE size_t place_strip(strip *t, const size_t tile, float *scratch)
{
    size_t tiles = t->most * t->across, positions = tile * ((size_t)t->s->w + 1);
    /* whole vectors are stored, the last of them go beyond the last column */
    size_t patch = ((tile * t->most + 2) * t->columns + LANES) * LANES;
    size_t points = points_of(tile) * tiles * t->channels;
    size_t products = points_of(tile) * tiles * PANEL;
    size_t sums = ebm__round_up(positions + tile, PIECE) * PANEL;
    if (scratch) {
        t->patch = scratch;
        t->points = t->patch + patch;
        t->products = t->points + points;
        t->sums = t->products + products;
    }
    return patch + points + products + sums;
}

static size_t winograd_scratch(const ebm_conv_shape *s)
{
    strip t = strip_of(s, tile_of(s));
    return place_strip(&t, tile_of(s), NULL);
}

/* One row of pixels of LANES channels from x on, of which `real` exist; and the columns of zeros
 * that tiles read beyond it. Reads whole vectors: what lies behind the run of a plane suffices. */
static void load_row(const strip *t, const float *x, size_t plane, size_t real, float *row)
{
    size_t pixels = (size_t)t->s->w + 2; /* with a zero on either side */
    for (size_t c = 0; c < pixels; c += LANES) {
        VEC r[LANES];
        for (size_t k = 0; k < LANES; k++)
            r[k] = k < real ? v_load(x + k * plane + c) : v_zero();
        v_transpose(r);
        for (size_t k = 0; k < LANES; k++)
            v_store(row + (c + k) * LANES, r[k]);
    }
    if (t->columns > pixels)
        memset(row + pixels * LANES, 0, (t->columns - pixels) * LANES * sizeof *row);
}

/* Everything that the strip reads of LANES channels; x is the first of their planes. */
INLINE void load_patch(const strip *t, const size_t tile, const float *x, size_t real)
{
    const ebm__layout l = padded(t->s->h, t->s->w);
    for (size_t r = 0; r < tile * t->rows + 2; r++) {
        size_t below = tile * t->first + r; /* the row above the image is row 0 */
        float *row = t->patch + r * t->columns * LANES;
        if (below <= (size_t)t->s->h)
            load_row(t, x + l.base + below * l.row - l.row - 1, l.plane, real, row);
        else
            memset(row, 0, t->columns * LANES * sizeof *row);
    }
}

/* One tile of LANES channels; points [point] of stride `step` */
INLINE void transform_tile(const size_t tile, const float *patch, size_t columns, float *points,
                           size_t step)
{
    const size_t side = tile + 2;
    VEC rows[SIDE_MAX][SIDE_MAX];
    for (size_t j = 0; j < side; j++) {
        VEC column[SIDE_MAX], out[SIDE_MAX];
        for (size_t i = 0; i < side; i++)
            column[i] = v_load(patch + (i * columns + j) * LANES);
        to_points(tile, column, out);
        for (size_t i = 0; i < side; i++)
            rows[i][j] = out[i];
    }
    for (size_t i = 0; i < side; i++) {
        VEC out[SIDE_MAX];
        to_points(tile, rows[i], out);
        for (size_t j = 0; j < side; j++, points += step)
            v_store(points, out[j]);
    }
}

INLINE void transform_strip(const strip *t, const size_t tile, const float *x)
{
    const ebm__layout l = padded(t->s->h, t->s->w);
    size_t in = (size_t)t->s->c_in, step = t->rows * t->across * t->channels;
    for (size_t c = 0; c < in; c += LANES) {
        load_patch(t, tile, x + c * l.plane, in - c < LANES ? in - c : LANES);
        for (size_t i = 0; i < t->rows; i++)
            for (size_t j = 0; j < t->across; j++)
                transform_tile(tile, t->patch + tile * (i * t->columns + j) * LANES, t->columns,
                               t->points + (i * t->across + j) * t->channels + c, step);
    }
}

/* --- products ------------------------------------------------------------------------------- */

/* What register blocks of one point have in common. */
typedef struct panel {
    const float *w; /* [I][panel] */
    size_t inputs, channels;
    size_t step; /* floats of a tile's products */
} panel;

/* A network's weights don't stay in the second-level cache, and what would fetch them by itself
 * stops at each page; so each row asks for the one that comes AHEAD floats later, in this layer or
 * behind it. An address that nobody has is ignored. */
INLINE void ask_early(const float *row)
{
    for (size_t i = 0; i < PANEL; i += LINE)
        __builtin_prefetch((const void *)((uintptr_t)row + (AHEAD + i) * sizeof *row), 0, 2);
}

/* n tiles: points [n][channels], products [n] of stride step */
INLINE void panel_product(const panel *p, const float *points, const int n, float *products)
{
    const float *w = p->w;
    VEC sum[TILES_MAX][2];
    for (int t = 0; t < n; t++)
        sum[t][0] = sum[t][1] = v_zero();
    for (size_t i = 0; i < p->inputs; i++, w += PANEL) {
        VEC w0 = v_load(w), w1 = v_load(w + LANES);
        ask_early(w);
        for (int t = 0; t < n; t++) {
            VEC value = v_set1(points[(size_t)t * p->channels + i]);
            sum[t][0] = v_fma(w0, value, sum[t][0]);
            sum[t][1] = v_fma(w1, value, sum[t][1]);
        }
    }
    for (int t = 0; t < n; t++, products += p->step) {
        v_store(products, sum[t][0]);
        v_store(products + LANES, sum[t][1]);
    }
}

/* The number of tiles as a constant, so that the sums live in registers. */
#define PANEL_CASE(N)                                                                              \
    case (N):                                                                                      \
        panel_product(p, points, (N), products);                                                   \
        break

static void panel_dispatch(const panel *p, const float *points, size_t n, float *products)
{
    switch (n) {
        PANEL_CASE(1);
        PANEL_CASE(2);
        PANEL_CASE(3);
        PANEL_CASE(4);
        PANEL_CASE(5);
        PANEL_CASE(6);
#if TILES_MAX == 14
        PANEL_CASE(7);
        PANEL_CASE(8);
        PANEL_CASE(9);
        PANEL_CASE(10);
        PANEL_CASE(11);
        PANEL_CASE(12);
        PANEL_CASE(13);
        PANEL_CASE(14);
#endif
    default:
        assert(0 && "no such register block");
    }
}

/* One panel of outputs at every point, in register blocks of nearly equal size. */
INLINE void multiply_strip(const strip *t, const size_t tile, const float *w)
{
    size_t tiles = t->rows * t->across, blocks = (tiles + TILES_MAX - 1) / TILES_MAX;
    panel p = {.w = w,
               .inputs = (size_t)t->s->c_in,
               .channels = t->channels,
               .step = points_of(tile) * PANEL};
    for (size_t point = 0; point < points_of(tile); point++, p.w += p.inputs * PANEL)
        for (size_t b = 0; b < blocks; b++) {
            const ebm_share part = {.index = (int32_t)b, .count = (int32_t)blocks};
            size_t at = ebm__share_first(tiles, part);
            panel_dispatch(&p, t->points + (point * tiles + at) * p.channels,
                           ebm__share_end(tiles, part) - at,
                           t->products + at * p.step + point * PANEL);
        }
}

/* --- back to pixels ------------------------------------------------------------------------- */

/* One tile of LANES outputs; rows of `out` are `row` floats apart. */
INLINE void finish_tile(const size_t tile, const float *products, float *out, size_t row)
{
    const size_t side = tile + 2;
    VEC rows[TILE_MAX][SIDE_MAX];
    for (size_t j = 0; j < side; j++) {
        VEC column[SIDE_MAX], sums[TILE_MAX];
        for (size_t i = 0; i < side; i++)
            column[i] = v_load(products + (i * side + j) * PANEL);
        from_points(tile, column, sums);
        for (size_t i = 0; i < tile; i++)
            rows[i][j] = sums[i];
    }
    for (size_t i = 0; i < tile; i++) {
        VEC y[TILE_MAX];
        from_points(tile, rows[i], y);
        for (size_t j = 0; j < tile; j++)
            v_store(out + i * row + j * PANEL, y[j]);
    }
}

/* Stores n <= PIECE positions of LANES outputs from `channel` on; `at` is where they lie in a
 * plane, sums [PIECE][panel]. */
INLINE void finish_piece(const epilogue *end, const strip *t, const uint32_t *mask, size_t channel,
                         size_t at, const size_t n, const float *sums)
{
    size_t plane = padded(t->s->h, t->s->w).plane;
    float lines[LANES][PIECE] __attribute__((aligned(PIECE_ALIGN)));
    for (size_t i = 0; i < PIECE; i += LANES) {
        VEC r[LANES];
        for (size_t k = 0; k < LANES; k++)
            r[k] = v_load(sums + (i + k) * PANEL);
        v_transpose(r);
        for (size_t k = 0; k < LANES; k++)
            v_store(lines[k] + i, r[k]);
    }
    for (size_t k = 0; k < LANES && channel + k < (size_t)t->s->c_out; k++)
        store_piece(end, mask, (int32_t)(channel + k), (channel + k) * plane + at, n, lines[k]);
}

/* n positions of LANES outputs. */
static void finish_run(const epilogue *end, const strip *t, const uint32_t *mask, size_t channel,
                       size_t at, size_t n, const float *sums)
{
    size_t i = 0;
    for (; i + PIECE <= n; i += PIECE)
        finish_piece(end, t, mask + i, channel, at + i, PIECE, sums + i * PANEL);
    if (i < n)
        finish_piece(end, t, mask + i, channel, at + i, n - i, sums + i * PANEL);
}

/* Row i of the strip's tiles, a panel of outputs from `channel` on. Tiles from right to left: what
 * the last one has beyond the image is overwritten by the first of the next row, or masked. */
INLINE void finish_row(const strip *t, const size_t tile, const uint32_t *mask, const epilogue *end,
                       size_t i, size_t channel)
{
    const ebm__layout l = padded(t->s->h, t->s->w);
    size_t above = tile * (t->first + i), left = (size_t)t->s->h - above;
    size_t first = above * l.row, n = (left < tile ? left : tile) * l.row;
    for (size_t j = t->across; j-- > 0;)
        for (size_t c = 0; c < PANEL; c += LANES)
            finish_tile(tile, t->products + (i * t->across + j) * points_of(tile) * PANEL + c,
                        t->sums + tile * j * PANEL + c, l.row * PANEL);
    for (size_t c = 0; c < PANEL; c += LANES)
        finish_run(end, t, mask + first, channel + c, l.base + first, n, t->sums + c);
}

/* Asks for the lines of one map that the strip's rows of a panel of outputs read or write. */
INLINE void ask_for(const strip *t, const size_t tile, size_t channel, const float *map,
                    const int write)
{
    const ebm__layout l = padded(t->s->h, t->s->w);
    size_t first = l.base + tile * t->first * l.row, n = tile * t->rows * l.row;
    for (size_t k = channel; map && k < channel + PANEL && k < (size_t)t->s->c_out; k++)
        for (size_t i = 0; i < n; i += LINE)
            __builtin_prefetch(map + k * l.plane + first + i, write, 2);
}

/* The maps of a network don't stay in the second-level cache either; what the end of a panel needs
 * comes while its products are computed. */
INLINE void ask_for_end(const strip *t, const size_t tile, size_t channel, const epilogue *end)
{
    ask_for(t, tile, channel, end->residual, 0);
    if (end->gate.act.kind != EBM_ACT_NONE)
        ask_for(t, tile, channel, ebm__gate_source(&end->gate), 0);
    ask_for(t, tile, channel, end->y, 1);
    ask_for(t, tile, channel, end->activated, 1);
}

/* One direction of a convolution; members divide the rows of tiles. */
INLINE void winograd_of(const ebm_conv_shape *s, const size_t tile, const float *w,
                        const uint32_t *mask, const float *x, const epilogue *end, float *scratch,
                        ebm_share share)
{
    strip t = strip_of(s, tile);
    size_t last = ebm__share_end(t.down, share), panels = panels_of(s);
    (void)place_strip(&t, tile, scratch);
    for (t.first = ebm__share_first(t.down, share); t.first < last; t.first += t.rows) {
        t.rows = last - t.first < t.most ? last - t.first : t.most;
        transform_strip(&t, tile, x);
        for (size_t p = 0; p < panels; p++) {
            ask_for_end(&t, tile, p * PANEL, end);
            multiply_strip(&t, tile, w + p * points_of(tile) * (size_t)s->c_in * PANEL);
            for (size_t i = 0; i < t.rows; i++)
                finish_row(&t, tile, mask, end, i, p * PANEL);
        }
    }
    finish_edges(s, end, (size_t)s->h * padded(s->h, s->w).row, share);
}

static void winograd(const ebm_conv_shape *s, const float *w, const uint32_t *mask, const float *x,
                     const epilogue *end, float *scratch, ebm_share share)
{
    if (tile_of(s) == TILE_MAX)
        winograd_of(s, TILE_MAX, w, mask, x, end, scratch, share);
    else
        winograd_of(s, 2, w, mask, x, end, scratch, share);
}
