/* Products of panels for the float32 sets, as inline functions: every set compiles them with its
 * own vectors. A value is one chain of operations, term by term, whatever their width, so the bits
 * are the same in all of them. */
#ifndef EBM_PANEL_INLINE_H
#define EBM_PANEL_INLINE_H

#include "ebm/kernels.h"

/* Floats in a vector of the CPU that this is compiled for. */
#if defined(__AVX512F__)
#define EBM__WIDE 16
#elif defined(__AVX__)
#define EBM__WIDE 8
#else
#define EBM__WIDE 4
#endif
#define EBM__PARTS (EBM_PANEL / EBM__WIDE)

/* A part of a row of a panel. */
typedef float ebm__part
    __attribute__((vector_size(EBM__WIDE * sizeof(float)), aligned(sizeof(float)), may_alias));

/* `rows` rows from `first` on: a constant, so that their sums stay in registers. */
static inline __attribute__((always_inline)) void ebm__panel_rows(const ebm_panel_product *p,
                                                                  size_t first, const size_t rows)
{
    ebm__part sum[8][EBM__PARTS];
    for (size_t r = 0; r < rows; r++) {
        const ebm__part *out = (const void *)(p->out + (first + r) * p->out_step);
        for (size_t i = 0; i < EBM__PARTS; i++)
            sum[r][i] = p->accumulate ? out[i] : (ebm__part){0};
    }
    for (size_t t = 0; t < p->terms; t++) {
        const float *a = p->a + first * p->row_step + t * p->term_step;
        const ebm__part *b = (const void *)(p->b + t * p->b_step);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < EBM__PARTS; i++)
                sum[r][i] += a[r * p->row_step] * b[i];
    }
    for (size_t r = 0; r < rows; r++) {
        ebm__part *out = (void *)(p->out + (first + r) * p->out_step);
        for (size_t i = 0; i < EBM__PARTS; i++)
            out[i] = sum[r][i];
    }
}

/* at_once: rows of a register block, at most 8. */
static inline __attribute__((always_inline)) void ebm__panel_product(const ebm_panel_product *p,
                                                                     const size_t at_once)
{
    size_t first = 0;
    for (; first + at_once <= p->rows; first += at_once)
        ebm__panel_rows(p, first, at_once);
    for (; first < p->rows; first++)
        ebm__panel_rows(p, first, 1);
}

#endif
