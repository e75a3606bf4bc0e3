/* Padded maps of the float32 sets, and what happens to the sums of a convolution before they are
 * stored in one. Included by conv_simd.h alone, once per instruction set.
 *
 * Row i of a plane starts at base + i*(W+1): one zero column serves as the right edge of a row and
 * the left edge of the next, a zero row lies above and below. Positions are counted along the run
 * of rows from the first pixel on. */

#include "kernels/map_inline.h"

#define ALIGN_FLOATS ((size_t)16)
#define PIECE        ((size_t)32) /* positions that are stored at once */
#define PIECE_ALIGN  64           /* bytes: those of a cache line */
#define INLINE       static inline __attribute__((always_inline))

static ebm__layout padded(int32_t h, int32_t w)
{
    size_t row = (size_t)w + 1, base = ebm__round_up(row + 1, ALIGN_FLOATS);
    size_t run = ebm__round_up((size_t)h * row, ALIGN_FLOATS);
    /* the run is stored in whole vectors, the row of zeros below it has to fit behind either; and
     * whole pieces are read that begin in it */
    size_t behind = row + 1 > PIECE ? row + 1 : PIECE;
    return (ebm__layout){
        .base = base, .row = row, .plane = base + ebm__round_up(run + behind, ALIGN_FLOATS)};
}

static size_t map_floats(const ebm_map_shape *m)
{
    return (size_t)m->c * padded(m->h, m->w).plane;
}

static void map_load(const ebm_map_shape *m, const float *image, float *map)
{
    ebm__map_load(m, padded(m->h, m->w), image, map);
}

static void map_store(const ebm_map_shape *m, const float *map, float *image)
{
    ebm__map_store(m, padded(m->h, m->w), map, image);
}

/* Vectors in the run of positions. */
static size_t run_vectors(const ebm_conv_shape *s)
{
    size_t run = (size_t)s->h * padded(s->h, s->w).row;
    return (run + LANES - 1) / LANES;
}

/* What happens to the sums before they are stored; NULL and NONE mean: nothing. */
typedef struct epilogue {
    const float *bias, *residual;
    ebm_gate gate;   /* value *= act'(x) */
    bool accumulate; /* value += y */
    float *y;
    ebm_activation act;
    float *activated; /* = act(value) */
} epilogue;

/* Stores the first n <= PIECE sums of one output channel; `at` is where they lie in a map. All
 * loops but those over what other members write at the same time run over a whole piece: their
 * length is a constant, and `sum` lies in whole lines, so that each loop finds what the one before
 * has just stored. */
INLINE void store_piece(const epilogue *end, const uint32_t *mask, int32_t channel, size_t at,
                        const size_t n, float *sum)
{
    sum = __builtin_assume_aligned(sum, PIECE_ALIGN);
    if (end->bias)
        for (size_t i = 0; i < PIECE; i++)
            sum[i] += end->bias[channel];
    if (end->residual)
        for (size_t i = 0; i < PIECE; i++)
            sum[i] += end->residual[at + i];
    if (end->gate.act.kind != EBM_ACT_NONE)
        ebm__gate_run(end->gate.act, PIECE, ebm__gate_source(&end->gate) + at, sum, sum);
    if (end->accumulate)
        for (size_t i = 0; i < n; i++)
            sum[i] += end->y[at + i];
    for (size_t i = 0; i < PIECE; i++)
        sum[i] = mask[i] ? sum[i] : 0.0f;
    if (end->y)
        memcpy(end->y + at, sum, n * sizeof *sum);
    if (end->activated) {
        ebm__act_run(end->act, PIECE, sum, sum);
        memcpy(end->activated + at, sum, n * sizeof *sum);
    }
}

static void zero_edges(const ebm_conv_shape *s, size_t written, float *y, ebm_share share)
{
    const ebm__layout l = padded(s->h, s->w);
    size_t end = l.base + written;
    for (size_t o = ebm__share_first((size_t)s->c_out, share);
         o < ebm__share_end((size_t)s->c_out, share); o++) {
        memset(y + o * l.plane, 0, l.base * sizeof *y);
        memset(y + o * l.plane + end, 0, (l.plane - end) * sizeof *y);
    }
}

/* Zeros before and after the positions that are written, in every plane that is this member's. */
static void finish_edges(const ebm_conv_shape *s, const epilogue *end, size_t written,
                         ebm_share share)
{
    if (end->y)
        zero_edges(s, written, end->y, share);
    if (end->activated)
        zero_edges(s, written, end->activated, share);
}
