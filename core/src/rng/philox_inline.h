/* The Philox block as an inline function, so that loops over counters vectorise. */
#ifndef EBM_RNG_PHILOX_INLINE_H
#define EBM_RNG_PHILOX_INLINE_H

#include <stdint.h>

#include "ebm/rng.h"

/* Multipliers and key increments (Weyl constants) of Philox 4x32, Salmon et al. 2011. */
#define EBM__PHILOX_M0 0xD2511F53u
#define EBM__PHILOX_M1 0xCD9E8D57u
#define EBM__PHILOX_W0 0x9E3779B9u
#define EBM__PHILOX_W1 0xBB67AE85u

static inline void ebm__philox_block(uint32_t *x0, uint32_t *x1, uint32_t *x2, uint32_t *x3,
                                     uint32_t k0, uint32_t k1)
{
    uint32_t a = *x0, b = *x1, c = *x2, d = *x3;
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)EBM__PHILOX_M0 * a, p1 = (uint64_t)EBM__PHILOX_M1 * c;
        uint32_t next_a = (uint32_t)(p1 >> 32) ^ b ^ k0;
        uint32_t next_c = (uint32_t)(p0 >> 32) ^ d ^ k1;
        b = (uint32_t)p1;
        d = (uint32_t)p0;
        a = next_a;
        c = next_c;
        k0 += EBM__PHILOX_W0;
        k1 += EBM__PHILOX_W1;
    }
    *x0 = a;
    *x1 = b;
    *x2 = c;
    *x3 = d;
}

/* The counter of block `block` of a stream. This layout is part of the reproducibility contract:
 * word 0 the position, word 1 the step, word 2 level and purpose, word 3 the chain. */
static inline void ebm__stream_counter(const ebm_stream *s, uint32_t block, uint32_t counter[4])
{
    counter[0] = block;
    counter[1] = s->step;
    counter[2] = (s->level & 0xFFFFu) | (uint32_t)s->purpose << 16;
    counter[3] = s->chain;
}

#endif
