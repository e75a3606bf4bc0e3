/* What this CPU, and the kernel of this machine, let us use. Knows nothing of kernel sets. */
#define _GNU_SOURCE
#include "kernels/kernel_sets.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AMX_BF16_BIT        22 /* cpuid leaf 7, edx */
#define AMX_TILE_BIT        24
#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA  18

/* Tiles are 8 KiB of state per thread: Linux hands them out to processes that ask. The answer holds
 * for all threads, and asking twice does no harm. */
bool ebm__cpu_has_amx(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return false;
    if (!(d >> AMX_TILE_BIT & 1u) || !(d >> AMX_BF16_BIT & 1u))
        return false;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#else
bool ebm__cpu_has_amx(void)
{
    return false;
}
#endif

/* OS support for the wide registers is part of gcc's answers. */
#if defined(__x86_64__)
bool ebm__cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool ebm__cpu_has_avx512(void)
{
    return ebm__cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq");
}

bool ebm__cpu_has_bf16(void)
{
    return __builtin_cpu_supports("avx512bf16");
}

bool ebm__cpu_is_amd(void)
{
    return __builtin_cpu_is("amd");
}
#else
bool ebm__cpu_has_avx2(void)
{
    return false;
}

bool ebm__cpu_has_avx512(void)
{
    return false;
}

bool ebm__cpu_has_bf16(void)
{
    return false;
}

bool ebm__cpu_is_amd(void)
{
    return false;
}
#endif
