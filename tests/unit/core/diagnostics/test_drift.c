/* Log densities against a band. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"

#include "ebm/diagnostics.h"

enum { DRAWS = 40 };

static ebm_drift drift_of(const double *x)
{
    const ebm_series s = {.values = x, .chains = 1, .draws = DRAWS, .stride = 1};
    const ebm_band band = {.low = -1.0, .high = 1.0};
    ebm_drift d;
    assert_int_equal(ebm_drift_of(&s, &band, &d, NULL), EBM_OK);
    return d;
}

/* A straight climb from 0 to 3.9: quarters' means 0.45 and 3.45, the last 29 of 40 outside. */
static void test_a_climb_leaves_the_band(void **state)
{
    double x[DRAWS];
    (void)state;
    for (int i = 0; i < DRAWS; i++)
        x[i] = 0.1 * i;
    ebm_drift d = drift_of(x);
    assert_close(d.early, 0.45, 1e-12);
    assert_close(d.late, 3.45, 1e-12);
    assert_close(d.outside, 29.0 / 40.0, 1e-12);
    assert_true(d.left_band && !d.diverged);
}

static void test_staying_is_no_drift(void **state)
{
    double x[DRAWS];
    (void)state;
    for (int i = 0; i < DRAWS; i++)
        x[i] = i % 2 ? 0.9 : -0.9;
    ebm_drift d = drift_of(x);
    assert_true(!d.left_band && !d.diverged && d.outside == 0.0);
    x[5] = 21.5; /* ten widths above 1 is 21 */
    assert_true(drift_of(x).diverged);
    x[5] = NAN;
    assert_true(drift_of(x).diverged);
}

static void test_bands_are_checked(void **state)
{
    const double x[DRAWS] = {0};
    const ebm_series s = {.values = x, .chains = 1, .draws = DRAWS, .stride = 1};
    const ebm_band bands[3] = {{1.0, 1.0}, {NAN, 1.0}, {0.0, INFINITY}};
    ebm_drift d;
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(ebm_drift_of(&s, &bands[i], &d, NULL), EBM_ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_climb_leaves_the_band),
        cmocka_unit_test(test_staying_is_no_drift),
        cmocka_unit_test(test_bands_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
