/* Standard normals from counters: Philox words through Box-Muller.
 *
 * Logarithm, sine and cosine are our own polynomials in plain float arithmetic: libm may choose
 * another variant on another CPU and give other bits, and it would keep the loops from
 * vectorising. Each result is a function of its counter alone. */
#include "ebm/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "rng/philox_inline.h"

/* Blocks worked on together; the arrays stay in the first-level cache. */
#define BLOCKS 32

/* log(u) for a normal positive float.
 * @eq u = 2^e m, m in [1/sqrt2, sqrt2); log m = 2 artanh(s), s = (m-1)/(m+1), by its series:
 *     the first dropped term is 2 s^11/11 < 1e-9 */
static inline float log_positive(float u)
{
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    uint32_t shifted = bits - 0x3F3504F3u; /* bits of 1/sqrt(2) */
    int32_t exponent = (int32_t)shifted >> 23;
    bits -= (uint32_t)exponent << 23;
    float m;
    memcpy(&m, &bits, sizeof m);
    float s = (m - 1.0f) / (m + 1.0f);
    float z = s * s;
    float series =
        2.0f + z * (2.0f / 3.0f + z * (2.0f / 5.0f + z * (2.0f / 7.0f + z * (2.0f / 9.0f))));
    return (float)exponent * 0.69314718f + s * series;
}

/* sin and cos of 2 pi word / 2^32.
 * @eq angle = q pi/2 + x with |x| <= pi/4; Taylor series, first dropped terms x^11/11! and
 *     x^12/12! < 2e-9 */
static inline void sincos_turn(uint32_t word, float *sine, float *cosine)
{
    uint32_t q = (word + 0x20000000u) >> 30;
    int32_t rest = (int32_t)(word - (q << 30));
    float x = (float)rest * 1.46291807926715968e-9f; /* (pi/2) / 2^30 */
    float z = x * x;
    float s =
        x * (1.0f + z * (-1.0f / 6.0f +
                         z * (1.0f / 120.0f + z * (-1.0f / 5040.0f + z * (1.0f / 362880.0f)))));
    float c =
        1.0f +
        z * (-0.5f + z * (1.0f / 24.0f +
                          z * (-1.0f / 720.0f + z * (1.0f / 40320.0f + z * (-1.0f / 3628800.0f)))));
    float swap_s = (q & 1u) ? c : s;
    float swap_c = (q & 1u) ? s : c;
    *sine = (q & 2u) ? -swap_s : swap_s;
    *cosine = ((q + 1u) & 2u) ? -swap_c : swap_c;
}

/* Two normals from two words. A first word near 2^32 rounds to u = 1 and gives radius 0. */
static inline void box_muller(uint32_t word_radius, uint32_t word_angle, float *first,
                              float *second)
{
    float u = (float)word_radius * 0x1p-32f + 0x1p-33f;
    float radius = sqrtf(-2.0f * log_positive(u));
    float sine, cosine;
    sincos_turn(word_angle, &sine, &cosine);
    *first = radius * cosine;
    *second = radius * sine;
}

/* Blocks first .. first+BLOCKS-1 of a stream. @shape out [4*BLOCKS] */
static void normal_blocks(const ebm_stream *stream, uint32_t first, float *out)
{
    uint32_t w0[BLOCKS], w1[BLOCKS], w2[BLOCKS], w3[BLOCKS];
    float n0[BLOCKS], n1[BLOCKS], n2[BLOCKS], n3[BLOCKS];
    uint32_t k0 = (uint32_t)stream->seed, k1 = (uint32_t)(stream->seed >> 32);
    uint32_t counter[4];
    ebm__stream_counter(stream, first, counter);

    for (uint32_t i = 0; i < BLOCKS; i++) {
        w0[i] = counter[0] + i;
        w1[i] = counter[1];
        w2[i] = counter[2];
        w3[i] = counter[3];
        ebm__philox_block(&w0[i], &w1[i], &w2[i], &w3[i], k0, k1);
    }
    for (int i = 0; i < BLOCKS; i++)
        box_muller(w0[i], w1[i], &n0[i], &n1[i]);
    for (int i = 0; i < BLOCKS; i++)
        box_muller(w2[i], w3[i], &n2[i], &n3[i]);
    for (int i = 0; i < BLOCKS; i++) {
        out[4 * i] = n0[i];
        out[4 * i + 1] = n1[i];
        out[4 * i + 2] = n2[i];
        out[4 * i + 3] = n3[i];
    }
}

void ebm_rng_normal(const ebm_stream *stream, uint32_t first, size_t n, float *out)
{
    assert(first % 4 == 0);
    uint32_t block = first / 4;
    size_t done = 0;
    for (; done + 4 * BLOCKS <= n; done += 4 * BLOCKS, block += BLOCKS)
        normal_blocks(stream, block, out + done);
    if (done < n) {
        float rest[4 * BLOCKS];
        normal_blocks(stream, block, rest);
        memcpy(out + done, rest, (n - done) * sizeof *out);
    }
}
