/* The list of kernel sets in order of preference, and the choice among them. */
#include "ebm/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernel_sets.h"

static const ebm_kernels *ref_set(void)
{
    return &ebm__kernels_ref;
}

/* The CPU is asked first: a set's file is compiled for what it needs. */
static bool has_avx512(void)
{
    return ebm__cpu_has_avx512() && ebm__kernels_avx512();
}

static bool has_avx512bf16(void)
{
    return has_avx512() && ebm__cpu_has_bf16() && ebm__kernels_avx512bf16();
}

static bool has_amx(void)
{
    return has_avx512bf16() && ebm__cpu_has_amx() && ebm__kernels_amx();
}

static bool has_avx2(void)
{
    return ebm__cpu_has_avx2() && ebm__kernels_avx2();
}

static bool always(void)
{
    return true;
}

/* Intel's CPUs do dot products of bfloat16 at half the rate of float32 ones, AMD's at twice. */
static bool fast_avx512bf16(void)
{
    return ebm__cpu_is_amd();
}

static const struct {
    const char *name;
    bool (*supported)(void);
    bool (*fast)(void); /* worth choosing where it is supported */
    const ebm_kernels *(*get)(void);
} sets[] = {
    {"amx", has_amx, always, ebm__kernels_amx},
    {"avx512bf16", has_avx512bf16, fast_avx512bf16, ebm__kernels_avx512bf16},
    {"avx512", has_avx512, always, ebm__kernels_avx512},
    {"avx2", has_avx2, always, ebm__kernels_avx2},
    {"blas", always, always, ebm__kernels_blas},
    {"ref", always, always, ref_set},
};
#define N_SETS ((int32_t)(sizeof sets / sizeof sets[0]))

const char *ebm_kernels_name(int32_t i, bool *supported)
{
    if (i < 0 || i >= N_SETS)
        return NULL;
    if (supported)
        *supported = sets[i].supported();
    return sets[i].name;
}

static bool is_auto(const char *name)
{
    return !name || strcmp(name, "auto") == 0;
}

/* The best set that this CPU can run; ref always can. */
static const ebm_kernels *best_set(void)
{
    int32_t i = 0;
    while (!sets[i].supported() || !sets[i].fast())
        i++;
    return sets[i].get();
}

static void list_sets(char *list, size_t size)
{
    size_t used = 0;
    list[0] = 0;
    for (int32_t i = 0; i < N_SETS && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, ", %s", sets[i].name);
}

/* `where` names who asked: the caller's argument, or the environment. */
static ebm_status find_set(const char *name, const char *where, const ebm_kernels **out,
                           ebm_error *err)
{
    for (int32_t i = 0; i < N_SETS; i++) {
        if (strcmp(name, sets[i].name) != 0)
            continue;
        if (!sets[i].supported())
            return ebm_error_set(err, EBM_ERR_UNSUPPORTED, where,
                                 "this CPU cannot run the kernel set '%s'", name);
        *out = sets[i].get();
        return EBM_OK;
    }
    char list[96];
    list_sets(list, sizeof list);
    return ebm_error_set(err, EBM_ERR_NOT_FOUND, where, "no kernel set '%.32s'; there are: auto%s",
                         name, list);
}

ebm_status ebm_kernels_select(const char *name, const ebm_kernels **out, ebm_error *err)
{
    *out = NULL;
    if (!is_auto(name))
        return find_set(name, "kernels", out, err);
    const char *forced = getenv("EBM_KERNELS");
    if (forced && *forced && !is_auto(forced))
        return find_set(forced, "EBM_KERNELS", out, err);
    *out = best_set();
    return EBM_OK;
}
