/* The paper's schedule: its tables to eight digits, and what it refuses. */
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

/* The paper's T6 tables, recomputed in double from the published rule (docs/math/schedule.md). */
static const double a[7] = {0.99995000, 0.94616654, 0.85629003, 0.77479621,
                            0.70091772, 0.63395611, 0.02277645};
static const double sigma[7] = {0.01000000, 0.32368022, 0.51649529, 0.63221107,
                                0.71324214, 0.77336903, 0.99974058};
static const double abar[7] = {0.99995000, 0.94611923, 0.81015246, 0.62770305,
                               0.43996819, 0.27892052, 0.00635282};
static const double sbar[7] = {0.01000000, 0.32381848, 0.58621924, 0.77845287,
                               0.89801336, 0.96031419, 0.99997982};
static const double step2[6] = {2.09537772e-5, 1.72768422e-3, 4.68612914e-3,
                                7.92020299e-3, 1.07420295e-2, 1.91963202e-2};

static ebm_levels paper_levels(void)
{
    ebm_levels l;
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    assert_int_equal(ebm_levels_t6(&schedule, &l, NULL), EBM_OK);
    return l;
}

static void test_paper_tables(void **state)
{
    ebm_levels l = paper_levels();
    (void)state;
    assert_int_equal(l.count, 6);
    for (int i = 0; i < 7; i++) {
        assert_close(l.a[i], a[i], 5.1e-9);
        assert_close(l.sigma[i], sigma[i], 5.1e-9);
        assert_close(l.abar[i], abar[i], 5.1e-9);
        assert_close(l.sbar[i], sbar[i], 5.1e-9);
    }
    for (int t = 0; t < 6; t++) {
        assert_close(l.step2[t], step2[t], 6e-9 * step2[t]);
        assert_int_equal(l.steps[t], 30);
        assert_true(l.tether[t] == (t < 5 ? 1.0 : 0.0));
        assert_true(l.scale[t] == (t < 5 ? l.a[t + 1] : 1.0));
    }
    assert_int_equal(ebm_levels_check(&l, NULL), EBM_OK);
    ebm_levels_clear(&l);
}

/* a^2 + sigma^2 = 1 and x_i given x_0 has variance sbar^2: holds for any number of levels. */
static void test_consistency(void **state)
{
    (void)state;
    for (int32_t count = 2; count <= 501; count += 83) {
        ebm_schedule_t6 schedule = ebm_schedule_t6_default();
        ebm_levels l;
        schedule.count = count;
        assert_int_equal(ebm_levels_t6(&schedule, &l, NULL), EBM_OK);
        double variance = 0.0;
        for (int32_t i = 0; i <= count; i++) {
            variance = l.a[i] * l.a[i] * variance + l.sigma[i] * l.sigma[i];
            assert_close(variance, l.sbar[i] * l.sbar[i], 1e-12);
        }
        ebm_levels_clear(&l);
    }
}

/* The shortest bases that are taken have noise in every group. */
static void test_shortest_bases(void **state)
{
    (void)state;
    for (int32_t count = 2; count <= 501; count++)
        for (int32_t more = 0; more < 3; more++) {
            ebm_schedule_t6 schedule = ebm_schedule_t6_default();
            ebm_levels l;
            schedule.count = count;
            schedule.base = (count == 2 ? 3 : 2 * (count - 1)) + more;
            assert_int_equal(ebm_levels_t6(&schedule, &l, NULL), EBM_OK);
            assert_int_equal(ebm_levels_check(&l, NULL), EBM_OK);
            ebm_levels_clear(&l);
        }
}

static void test_bad_schedules(void **state)
{
    const ebm_schedule_t6 good = ebm_schedule_t6_default();
    ebm_schedule_t6 bad[13];
    (void)state;
    for (int i = 0; i < 13; i++)
        bad[i] = good;
    bad[0].count = 1;
    bad[1].count = 502;
    bad[2].base = 9;
    bad[3].beta_first = 0.0;
    bad[4].beta_first = 0.03;
    bad[5].beta_last = 1.0;
    bad[6].beta_last = (double)NAN;
    bad[7].b2 = 0.0;
    bad[8].b2 = (double)INFINITY;
    bad[9].steps = 0;
    bad[10].steps = 10001;
    bad[11].count = -5;
    bad[12].count = bad[12].base = 2; /* nothing is left for the last group */
    for (int i = 0; i < 13; i++) {
        ebm_levels l;
        assert_int_equal(ebm_levels_t6(&bad[i], &l, NULL), EBM_ERR_RANGE);
        assert_null(l.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper_tables),
        cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_shortest_bases),
        cmocka_unit_test(test_bad_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
