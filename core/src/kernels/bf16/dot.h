/* What the convolutions of the set avx512bf16 share: its register block (conv_dot.c), and the data
 * gradient by Winograd's algorithm around it (winograd_dot.c). */
#ifndef EBM_DOT_H
#define EBM_DOT_H

#include "kernels/bf16/maps_bf16.h"

/* Positions in a register block, at most. */
#define DOT_POSITIONS 14

/* What the register blocks of one convolution have in common. */
typedef struct ebm__dot_operand {
    size_t channels, pairs; /* of the input: in memory, in use */
    int32_t taps;
    ptrdiff_t shift[9]; /* of a tap, in bf16 values */
} ebm__dot_operand;

/* sums [n][32] of n <= DOT_POSITIONS neighbouring positions from x on; w [tap][pair][32][2] */
void ebm__dot_product(const ebm__dot_operand *op, const bf16 *w, const bf16 *x, size_t n,
                      float *sums);

/* Blocks of 32 outputs. */
static inline size_t ebm__dot_blocks(const ebm_conv_shape *s)
{
    return padded_channels(s->c_out) / BLOCK;
}

/* Pairs of input channels; an odd last one is paired with a zero of the padding. */
static inline size_t ebm__dot_pairs(const ebm_conv_shape *s)
{
    return ((size_t)s->c_in + 1) / 2;
}

/* Whether Winograd's algorithm does this data gradient, a convolution of shape t. */
static inline bool ebm__dot_uses_winograd(const ebm_conv_shape *t)
{
    return t->k == 3 && t->h >= 2 && t->w >= 2 && !is_thin(t->c_in) && !is_thin(t->c_out);
}

/* Floats of its prepared weights, and of scratch. */
size_t ebm__dot_winograd_floats(const ebm_conv_shape *t);
size_t ebm__dot_winograd_scratch(const ebm_conv_shape *t);
/* As conv_pack, of the data gradient of s alone; fills what is zero before. */
void ebm__dot_winograd_pack(const ebm_conv_shape *s, const float *w, const float *gain,
                            float *packed);
/* x is the gradient that comes in, an operand map; members divide the tiles. */
void ebm__dot_winograd(const ebm_conv_shape *t, const float *packed, const float *x,
                       const ebm__bf16_end *end, float *scratch, ebm_share share);

#endif
