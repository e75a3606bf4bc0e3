/* Counter-based random numbers: every draw is a pure function of what it is for.
 * Anyone may include this. There is no generator state, so no order of calls, batch, thread or
 * restart can change a draw (docs/math/rng.md). */
#ifndef EBM_RNG_H
#define EBM_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "ebm/status.h"

/* What a draw is for; part of the counter, so streams of different purpose never meet.
 * The numbers are part of the reproducibility contract: never renumber. */
typedef enum ebm_purpose {
    EBM_PURPOSE_INITIAL = 1,      /* white noise a chain starts from */
    EBM_PURPOSE_LANGEVIN = 2,     /* noise of a Langevin step */
    EBM_PURPOSE_DATA = 3,         /* training: noising of data */
    EBM_PURPOSE_SHUFFLE = 4,      /* training: order of an epoch */
    EBM_PURPOSE_LEVEL = 5,        /* training: level of a sample, interpolation weight */
    EBM_PURPOSE_AUGMENT = 6,      /* training: flips */
    EBM_PURPOSE_WEIGHTS = 7,      /* training: initial weights */
    EBM_PURPOSE_FORWARD = 20,     /* the forward path of an image; level i */
    EBM_PURPOSE_METROPOLIS = 21,  /* momentum, then the accept draw, of a MALA or HMC step */
    EBM_PURPOSE_RENOISE = 22,     /* inpainting: back up one level before a repeat */
    EBM_PURPOSE_PROJECTION = 23,  /* fixed directions of traces */
    EBM_PURPOSE_ANNEAL = 24,      /* annealed importance sampling, forward */
    EBM_PURPOSE_ANNEAL_BACK = 25, /* the same, reverse */
    EBM_PURPOSE_SPOIL = 26,       /* salt and pepper of spoiled copies */
    EBM_PURPOSE_PREDICT = 27,     /* where a chain begins at a level below the top */
    EBM_PURPOSE_SEED = 28,        /* seeds made of a seed; level is an ebm_seed_use */
    EBM_PURPOSE_TEST = 100
} ebm_purpose;

/* Names one stream of draws; with a position it names one draw.
 * @range level 0..65535 */
typedef struct ebm_stream {
    uint64_t seed;
    ebm_purpose purpose;
    uint32_t chain;
    uint32_t level;
    uint32_t step;
} ebm_stream;

/* What a seed that is made of another one is for. Never renumber. */
typedef enum ebm_seed_use {
    EBM_SEED_SAMPLES = 1, /* samples that chains begin at */
    EBM_SEED_PATH = 2,    /* a path of the recovery bound: of image `index`, with `number` */
    EBM_SEED_ORIGIN = 3   /* samples that reverse particles begin at */
} ebm_seed_use;

/* The Philox 4x32-10 block function: encrypts a 128-bit counter under a 64-bit key.
 * @eq Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 */
EBM_API void ebm_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Fills out[0..n) with the standard normal draws first .. first+n-1 of a stream.
 * @shape out [n]; first must be a multiple of 4
 * @range |out| <= 6.77 (the smallest uniform is 2^-33)
 * @eq    Philox 4x32-10, then Box-Muller on pairs of words; docs/math/rng.md
 * @thread pure function; the bits do not depend on CPU, libm or vector width */
EBM_API void ebm_rng_normal(const ebm_stream *stream, uint32_t first, size_t n, float *out);

/* Returns draw `position` of a stream as a uniform 32-bit word. @thread pure function. */
EBM_API uint32_t ebm_rng_word(const ebm_stream *stream, uint32_t position);

/* Returns draw `position` as a uniform in [0,1) with 32 bits. @thread pure function. */
EBM_API double ebm_rng_uniform(const ebm_stream *stream, uint32_t position);

/* Makes a seed of a seed, for noise that must not meet the noise of that one. Of different seeds,
 * uses, indices and numbers it is a different one but for chance, 1 in 2^53.
 * @range 0..2^53-1, as seeds that are asked for @thread pure function. */
EBM_API uint64_t ebm_rng_seed(uint64_t seed, ebm_seed_use use, uint32_t index, uint32_t number);

#endif
