/* Float32 convolutions in vectors of 8, for CPUs with AVX2 and FMA. See conv_simd.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define VEC            __m256
#define LANES          ((size_t)8)
#define MR_MAX         4
#define SIMD_NAME      "avx2"
#define SIMD_TABLE     avx2_table
#define v_load(p)      _mm256_loadu_ps(p)
#define v_store(p, v)  _mm256_storeu_ps((p), (v))
#define v_set1(x)      _mm256_set1_ps(x)
#define v_fma(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define v_add(a, b)    _mm256_add_ps((a), (b))
#define v_zero()       _mm256_setzero_ps()

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
