/* Float32 convolutions in vectors of 16, for CPUs with AVX-512. See conv_simd.h. */
#include "kernels/kernel_sets.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#include "kernels/transpose_avx512.h"

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
#define v_transpose(r) ebm__transpose16(r)

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
