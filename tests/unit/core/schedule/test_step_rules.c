/* Sizes of Langevin steps: known numbers for the paper's levels, and what is refused. */
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

static ebm_levels paper_levels(void)
{
    ebm_levels l;
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    assert_int_equal(ebm_levels_t6(&schedule, &l, NULL), EBM_OK);
    return l;
}

/* @eq step2 = kappa/K (scale sbar)^2, so a step goes kappa/(2K) of the way to the mean. */
static void test_variance(void **state)
{
    ebm_levels l = paper_levels();
    (void)state;
    assert_int_equal(ebm_levels_match_variance(&l, 8.0, 30, 15, NULL), EBM_OK);
    for (int t = 0; t < 6; t++) {
        double noise = l.scale[t] * l.sbar[t];
        assert_int_equal(l.steps[t], t == 0 ? 30 : 15);
        assert_close(l.step2[t] / (2.0 * noise * noise), t == 0 ? 4.0 / 30 : 4.0 / 15, 1e-12);
    }
    ebm_levels_clear(&l);
}

/* Condition numbers of the paper's transitions, and with share 1 the step 1/sqrt(Lmax): the
 * digits are those of docs/math/schedule.md. */
static void test_curvature(void **state)
{
    static const double kappa[5] = {1171, 4.47, 2.94, 2.71, 2.85};
    static const double kappa_digit[5] = {0.5, 0.005, 0.005, 0.005, 0.005};
    static const double step[5] = {0.0095, 0.244, 0.369, 0.433, 0.458};
    ebm_levels l = paper_levels();
    (void)state;
    assert_int_equal(ebm_levels_match_curvature(&l, 1.0, 7, NULL), EBM_OK);
    for (int t = 0; t < 5; t++) {
        double loosest = 1.0 / (l.sigma[t + 1] * l.sigma[t + 1]);
        assert_close(1.0 / (l.step2[t] * loosest), kappa[t], kappa_digit[t]);
        assert_close(sqrt(l.step2[t]), step[t], t == 0 ? 5e-5 : 5e-4);
        assert_int_equal(l.steps[t], 7);
    }
    assert_close(l.step2[5], l.sbar[5] * l.sbar[5], 1e-12); /* no tether at the top */
    ebm_levels_clear(&l);
}

/* The paper's rule on its own levels gives the paper's table back. */
static void test_paper(void **state)
{
    ebm_levels l = paper_levels(), again;
    (void)state;
    assert_int_equal(ebm_levels_copy(&l, &again, NULL), EBM_OK);
    assert_int_equal(ebm_levels_match_curvature(&again, 0.5, 3, NULL), EBM_OK);
    assert_int_equal(ebm_levels_match_paper(&again, 2e-4, 30, NULL), EBM_OK);
    assert_memory_equal(again.step2, l.step2, 6 * sizeof(double));
    assert_memory_equal(again.steps, l.steps, 6 * sizeof(int32_t));
    ebm_levels_clear(&again);
    ebm_levels_clear(&l);
}

static void test_refused(void **state)
{
    ebm_levels l = paper_levels();
    const double nan = (double)NAN;
    (void)state;
    assert_int_equal(ebm_levels_match_variance(&l, 0.0, 30, 15, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_variance(&l, 8.0, 0, 15, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_variance(&l, 8.0, 30, 10001, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_variance(&l, nan, 30, 15, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_curvature(&l, 0.0, 30, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_curvature(&l, 2.1, 30, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_curvature(&l, nan, 30, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_curvature(&l, 0.5, 0, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_paper(&l, 0.0, 30, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_paper(&l, nan, 30, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_levels_match_paper(&l, 2e-4, -1, NULL), EBM_ERR_RANGE);
    assert_int_equal(l.steps[0], 30); /* as before */
    ebm_levels_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variance),
        cmocka_unit_test(test_curvature),
        cmocka_unit_test(test_paper),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
