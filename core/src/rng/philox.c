/* Philox 4x32-10: a bijection of 128-bit counters, keyed by 64 bits. No state anywhere. */
#include "ebm/rng.h"

#include "rng/philox_inline.h"

void ebm_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    ebm__philox_block(&out[0], &out[1], &out[2], &out[3], key[0], key[1]);
}

uint32_t ebm_rng_word(const ebm_stream *stream, uint32_t position)
{
    uint32_t word[4];
    ebm__stream_counter(stream, position / 4, word);
    ebm__philox_block(&word[0], &word[1], &word[2], &word[3], (uint32_t)stream->seed,
                      (uint32_t)(stream->seed >> 32));
    return word[position % 4];
}

double ebm_rng_uniform(const ebm_stream *stream, uint32_t position)
{
    return (double)ebm_rng_word(stream, position) * 0x1p-32;
}

uint64_t ebm_rng_seed(uint64_t seed, ebm_seed_use use, uint32_t index, uint32_t number)
{
    const ebm_stream s = {.seed = seed,
                          .purpose = EBM_PURPOSE_SEED,
                          .chain = index,
                          .level = (uint32_t)use,
                          .step = number};
    const uint64_t low = ebm_rng_word(&s, 0), high = ebm_rng_word(&s, 1);
    return low | (high & 0x1fffff) << 32;
}
