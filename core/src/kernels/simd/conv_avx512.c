/* Float32 convolutions in vectors of 16, for CPUs with AVX-512. See conv_simd.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define VEC            __m512
#define LANES          ((size_t)16)
#define MR_MAX         8
#define TILES_MAX      14
#define SIMD_NAME      "avx512"
#define SIMD_TABLE     avx512_table
#define v_load(p)      _mm512_loadu_ps(p)
#define v_store(p, v)  _mm512_storeu_ps((p), (v))
#define v_set1(x)      _mm512_set1_ps(x)
#define v_fma(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define v_add(a, b)    _mm512_add_ps((a), (b))
#define v_sub(a, b)    _mm512_sub_ps((a), (b))
#define v_mul(a, b)    _mm512_mul_ps((a), (b))
#define v_zero()       _mm512_setzero_ps()

/* 16 vectors become columns. */
static inline __attribute__((always_inline)) void v_transpose(__m512 r[16])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++)
        for (int half = 0; half < 16; half += 8) {
            t[half + i] = _mm512_shuffle_f32x4(r[half + i], r[half + i + 4], 0x88);
            t[half + i + 4] = _mm512_shuffle_f32x4(r[half + i], r[half + i + 4], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
}

#include "kernels/simd/conv_simd.h"

const ebm_kernels *ebm__kernels_avx512(void)
{
    return &avx512_table;
}
#else
const ebm_kernels *ebm__kernels_avx512(void)
{
    return NULL;
}
#endif
