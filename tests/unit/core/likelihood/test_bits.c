/* From normalisers to intervals, and from log densities to bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/likelihood.h"
#include "fail_alloc.h"
#include "likelihood/student.h"

/* A density p of bytes u in [-1,1] has -log2 p + log2(127.5) bits a dimension where the noise of
 * level 0 is wide against a bin; what comes on top where it is not, by another program. */
static void test_bits(void **state)
{
    static const double sbar[] = {0.02, 0.01, 0.0075, 0.005, 0.0025, 0.001};
    static const double more[] = {0.000347, 0.000960, 0.002718, 0.012030, 0.119072, 0.932733};
    ebm_levels l = analytic_levels();
    (void)state;
    for (int i = 0; i < 6; i++) {
        l.sbar[0] = sbar[i];
        l.abar[0] = sqrt(1 - sbar[i] * sbar[i]);
        const double wide = 50.0 / (784 * log(2.0)) + log2(127.5);
        assert_close(ebm_bits_per_dim(-50.0, 784, &l) - wide, more[i], 2e-6);
    }
    ebm_levels_clear(&l);
}

/* At the quantile the integral of the density of t is 0.475 from 0 on: by Simpson's rule in
 * x = sqrt(n) tan(angle), where t density is cos^(n-1) up to its constant. */
static void test_student(void **state)
{
    static const size_t freedom[] = {1, 2, 3, 7, 9, 10, 11, 15, 30, 99, 100000};
    (void)state;
    for (size_t k = 0; k < sizeof freedom / sizeof freedom[0]; k++) {
        enum { N = 20000 };
        const double n = (double)freedom[k], half_pi = acos(0.0);
        double part[2] = {0, 0};
        for (int whole = 0; whole < 2; whole++) {
            const double end = whole ? half_pi : atan(ebm__student(freedom[k]) / sqrt(n));
            for (int i = 0; i <= N; i++)
                part[whole] += (i == 0 || i == N ? 1
                                : i % 2          ? 4
                                                 : 2) *
                               pow(fabs(cos(end * i / N)), n - 1) * end / (3 * N);
        }
        assert_close(part[0] / part[1], 0.95, 1e-5);
    }
    assert_true(isinf(ebm__student(0)));
    assert_close(ebm__student(1000000000), 1.959964, 1e-6);
}

/* Of two particles and three levels, what they carried to level 1: log 1 and log 3. */
static void test_level_by_hand(void **state)
{
    const ebm_particle p[2] = {{.log_weight = 9, .acceptance = 0.5},
                               {.log_weight = 8, .acceptance = 1.0}};
    const double log_z[2][3] = {{9, 0, 7}, {8, log(3.0), 5}};
    ebm_log_z z;
    (void)state;
    assert_int_equal(ebm_log_z_of_level(p, log_z[0], 2, 3, 1, &z, NULL), EBM_OK);
    assert_close(z.value, log(2.0), 1e-12);
    assert_close(z.bound, 0.5 * log(3.0), 1e-12);
    assert_close(z.acceptance, 0.75, 1e-12);
    assert_int_equal(ebm_log_z_of_level(p, log_z[0], 1, 3, 1, &z, NULL), EBM_ERR_RANGE);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_log_z_of_level(p, log_z[0], 2, 3, 1, &z, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
}

/* Of 16 particles 15 degrees of freedom: 2.1314; of 4, 3: 3.1824. */
static void test_interval(void **state)
{
    const ebm_log_z f = {.value = 1, .std_error = 0.1, .particles = 16};
    const ebm_log_z r = {.value = 2, .std_error = 0.2, .particles = 4};
    const ebm_interval i = ebm_log_z_interval(&f, &r);
    (void)state;
    assert_close(i.low, 1 - 0.21314, 1e-5);
    assert_close(i.high, 2 + 0.63649, 1e-5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_student),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_level_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
