/* Float32 convolutions in vectors of 8, for CPUs with AVX2 and FMA. See conv_simd.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VEC            __m256
#define LANES          ((size_t)8)
#define MR_MAX         4
#define TILES_MAX      6
#define SIMD_NAME      "avx2"
#define SIMD_TABLE     avx2_table
#define v_load(p)      _mm256_loadu_ps(p)
#define v_store(p, v)  _mm256_storeu_ps((p), (v))
#define v_set1(x)      _mm256_set1_ps(x)
#define v_fma(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define v_add(a, b)    _mm256_add_ps((a), (b))
#define v_sub(a, b)    _mm256_sub_ps((a), (b))
#define v_mul(a, b)    _mm256_mul_ps((a), (b))
#define v_zero()       _mm256_setzero_ps()

/* 8 vectors become columns. */
static inline __attribute__((always_inline)) void v_transpose(__m256 r[8])
{
    __m256 t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

#include "kernels/simd/conv_simd.h"

const ebm_kernels *ebm__kernels_avx2(void)
{
    return &avx2_table;
}
#else
const ebm_kernels *ebm__kernels_avx2(void)
{
    return NULL;
}
#endif
