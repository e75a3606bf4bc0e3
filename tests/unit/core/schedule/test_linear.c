/* The schedule of one beta a level: the numbers of DDPM, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/levels.h"

/* 1000 betas from 1e-4 to 0.02: sigma 0.0100 to 0.1414, abar 0.00635 at the end, as T6 has. */
static void test_thousand_levels(void **state)
{
    const ebm_schedule_linear schedule = ebm_schedule_linear_default();
    ebm_levels l;
    (void)state;
    assert_int_equal(ebm_levels_linear(&schedule, &l, NULL), EBM_OK);
    assert_int_equal(l.count, 999);
    assert_close(l.sigma[0], 0.01, 1e-15);
    assert_close(l.sigma[999], sqrt(0.02), 1e-15);
    assert_close(l.abar[999], 0.00635282, 5e-9);
    for (int32_t t = 0; t < 999; t++) {
        double s2 = l.sigma[t + 1] * l.sigma[t + 1];
        assert_close(s2, 1e-4 + 0.0199 * (double)(t + 1) / 999.0, 1e-15);
        assert_true(l.steps[t] == EBM_STEPS_NORMAL && l.tether[t] == 1.0);
        assert_true(l.scale[t] == l.a[t + 1] && l.step2[t] == s2);
    }
    assert_true(l.noise_scale == 1.0);
    assert_int_equal(ebm_levels_check(&l, NULL), EBM_OK);
    ebm_levels_clear(&l);
}

/* How near a transition is to normal where a level holds nothing but its noise: sigma^2 over the
 * variance of y is small but for the last ten. */
static void test_normal_enough(void **state)
{
    static const int32_t at[] = {0, 1, 4, 9}; /* the first, second, fifth and tenth */
    static const double ratio[] = {1.20, 0.64, 0.29, 0.16};
    const ebm_schedule_linear schedule = ebm_schedule_linear_default();
    ebm_levels l;
    (void)state;
    assert_int_equal(ebm_levels_linear(&schedule, &l, NULL), EBM_OK);
    for (int32_t t = 0, k = 0; t < 999; t++) {
        const double r = pow(l.sigma[t + 1] / (l.scale[t] * l.sbar[t]), 2);
        if (k < 4 && at[k] == t)
            assert_close(r, ratio[k++], 0.005);
        assert_true(t < 49 || r < 0.04);
    }
    ebm_levels_clear(&l);
}

static void test_bad_schedules(void **state)
{
    const ebm_schedule_linear bad[] = {
        {1, 1e-4, 0.02},          {EBM_MAX_LEVELS + 1, 1e-4, 0.02},
        {999, 0.0, 0.02},         {999, 0.03, 0.02},
        {999, 1e-4, 1.0},         {999, (double)NAN, 0.02},
        {999, 1e-4, (double)NAN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ebm_levels l;
        assert_int_equal(ebm_levels_linear(&bad[i], &l, NULL), EBM_ERR_RANGE);
        assert_null(l.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousand_levels),
        cmocka_unit_test(test_normal_enough),
        cmocka_unit_test(test_bad_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
