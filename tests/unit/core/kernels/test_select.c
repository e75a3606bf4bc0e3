/* The choice of a kernel set on CPUs that this machine does not have: what a CPU lacks is refused,
 * whoever asks for it, and never chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernel_sets.h"

/* --- the CPU -------------------------------------------------------------------------------- */

static struct {
    bool avx2, avx512, bf16, amx, amd;
} cpu;

/* Names are the linker's: --wrap sends the questions of select.c here. */
bool __wrap_ebm__cpu_has_avx2(void);
bool __wrap_ebm__cpu_has_avx512(void);
bool __wrap_ebm__cpu_has_bf16(void);
bool __wrap_ebm__cpu_has_amx(void);
bool __wrap_ebm__cpu_is_amd(void);

bool __wrap_ebm__cpu_has_avx2(void)
{
    return cpu.avx2;
}

bool __wrap_ebm__cpu_has_avx512(void)
{
    return cpu.avx512;
}

bool __wrap_ebm__cpu_has_bf16(void)
{
    return cpu.bf16;
}

bool __wrap_ebm__cpu_has_amx(void)
{
    return cpu.amx;
}

bool __wrap_ebm__cpu_is_amd(void)
{
    return cpu.amd;
}

/* Features as letters: 2 avx2, 5 avx512, b bfloat16, t tiles, A made by AMD. */
static void become(const char *letters)
{
    cpu.avx2 = strchr(letters, '2');
    cpu.avx512 = strchr(letters, '5');
    cpu.bf16 = strchr(letters, 'b');
    cpu.amx = strchr(letters, 't');
    cpu.amd = strchr(letters, 'A');
}

/* --- what it may run ------------------------------------------------------------------------ */

static const struct {
    const char *cpu, *sets, *best; /* sets: beside blas and ref, which run anywhere */
} rows[] = {
    {"", "", "blas"},
    {"A", "", "blas"},
    {"2", "avx2", "avx2"},
    {"25", "avx2 avx512", "avx512"},
    {"25b", "avx2 avx512 avx512bf16", "avx512"}, /* Intel's are slow at it */
    {"25bA", "avx2 avx512 avx512bf16", "avx512bf16"},
    {"25bt", "avx2 avx512 avx512bf16 amx", "amx"},
    {"2bt", "avx2", "avx2"}, /* a guest to which some were not passed on */
    {"25t", "avx2 avx512", "avx512"},
    {"5", "avx512", "avx512"},
};
#define N_ROWS (sizeof rows / sizeof rows[0])

static bool holds(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += n)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return true;
    return false;
}

static void check_allowed(const char *name)
{
    const ebm_kernels *k = NULL;
    assert_int_equal(ebm_kernels_select(name, &k, NULL), EBM_OK);
    assert_string_equal(k->name, name);
}

static void check_refused(const char *name, const char *where)
{
    const ebm_kernels *k = NULL;
    ebm_error err = {0};
    bool asked = strcmp(where, "kernels") == 0;
    assert_int_equal(ebm_kernels_select(asked ? name : NULL, &k, &err), EBM_ERR_UNSUPPORTED);
    assert_null(k);
    assert_string_equal(err.where, where);
    assert_non_null(strstr(err.text, name));
}

static void check_set(const char *name, bool supported, bool expected)
{
    assert_int_equal(supported, expected);
    if (expected) {
        check_allowed(name);
        return;
    }
    check_refused(name, "kernels");
    assert_int_equal(setenv("EBM_KERNELS", name, 1), 0);
    check_refused(name, "EBM_KERNELS");
    assert_int_equal(unsetenv("EBM_KERNELS"), 0);
}

static void test_sets_of_a_cpu(void **state)
{
    (void)state;
    for (size_t r = 0; r < N_ROWS; r++) {
        bool supported;
        become(rows[r].cpu);
        for (int32_t i = 0; ebm_kernels_name(i, &supported); i++) {
            const char *name = ebm_kernels_name(i, NULL);
            check_set(name, supported, holds("blas ref", name) || holds(rows[r].sets, name));
        }
    }
}

static void test_best_set_of_a_cpu(void **state)
{
    (void)state;
    for (size_t r = 0; r < N_ROWS; r++) {
        const ebm_kernels *k = NULL;
        become(rows[r].cpu);
        assert_int_equal(ebm_kernels_select("auto", &k, NULL), EBM_OK);
        assert_string_equal(k->name, rows[r].best);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets_of_a_cpu),
        cmocka_unit_test(test_best_set_of_a_cpu),
    };
    if (!ebm__kernels_avx2() || !ebm__kernels_avx512() || !ebm__kernels_avx512bf16() ||
        !ebm__kernels_amx()) {
        print_message("skipped: this build lacks some sets\n");
        return 77;
    }
    (void)unsetenv("EBM_KERNELS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
