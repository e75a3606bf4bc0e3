/* Level tables: what a loader must refuse, and copies. */
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

/* Breaks one entry of a fresh table; returns what the check says. */
static ebm_error check_broken(size_t table, int32_t at, double value)
{
    ebm_levels l = paper_levels();
    ebm_error err = {0};
    double *tables[] = {l.a, l.sigma, l.step2, l.tether, l.scale};
    if (table < 5)
        tables[table][at] = value;
    else
        l.steps[at] = (int32_t)value;
    (void)!ebm_levels_check(&l, &err);
    ebm_levels_clear(&l);
    return err;
}

static void test_check_names_the_entry(void **state)
{
    static const struct {
        size_t table;
        int32_t at;
        double value;
        const char *where;
    } rows[] = {
        {0, 0, 0.0, "/levels/a/0"},          {0, 6, 1.0, "/levels/a/6"},
        {0, 3, NAN, "/levels/a/3"},          {1, 2, 0.0, "/levels/sigma/2"},
        {1, 2, 0.51, "/levels/sigma/2"},     {1, 1, -0.32368022, "/levels/sigma/1"},
        {2, 5, 0.0, "/levels/step2/5"},      {2, 0, NAN, "/levels/step2/0"},
        {2, 1, INFINITY, "/levels/step2/1"}, {3, 4, 0.5, "/levels/tether/4"},
        {4, 3, 0.0, "/levels/scale/3"},      {4, 3, NAN, "/levels/scale/3"},
        {4, 2, 1e-200, "/levels/scale/2"},   {2, 1, 1e-300, "/levels/step2/1"},
        {5, 2, -1, "/levels/steps/2"},       {5, 5, 0, "/levels/steps/5"},
        {5, 2, 10001, "/levels/steps/2"},    {1, 4, 1e-200, "/levels/sigma/4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_error err = check_broken(rows[i].table, rows[i].at, rows[i].value);
        assert_int_equal(err.status, EBM_ERR_RANGE);
        assert_string_equal(err.where, rows[i].where);
    }
}

/* With a near 1 the least sigma: it divides as a square, and beside 1 any of them is as good. Those
 * that belong to their a are taken from 1e-6 on. */
static void test_least_noise(void **state)
{
    static const struct {
        double a, sigma;
        bool good;
    } rows[] = {
        {0.9999999, 1e-200, false},        {0.9999999, 1e-6, false},
        {0.9999999, 4.472135843e-4, true}, {0.9999999, 4.473e-4, false},
        {1.0 - 0x1p-53, 1.4901e-8, false}, {1.0 - 5e-13, 1e-6, true},
        {1.0 - 5e-13, 0.9999e-6, false},   {0.9999999995, 3.16227766e-5, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_levels l = paper_levels();
        ebm_error err = {0};
        l.a[2] = rows[i].a;
        l.sigma[2] = rows[i].sigma;
        if ((ebm_levels_check(&l, &err) == EBM_OK) != rows[i].good)
            fail_msg("row %zu: %s at %s", i, err.text, err.where);
        if (!rows[i].good)
            assert_string_equal(err.where, "/levels/sigma/2");
        ebm_levels_clear(&l);
    }
}

static void test_copy_is_deep(void **state)
{
    ebm_levels l = paper_levels(), copy;
    (void)state;
    assert_int_equal(ebm_levels_copy(&l, &copy, NULL), EBM_OK);
    assert_memory_equal(copy.step2, l.step2, 6 * sizeof(double));
    assert_memory_equal(copy.sbar, l.sbar, 7 * sizeof(double));
    assert_true(copy.noise_scale == l.noise_scale && copy.steps != l.steps);
    ebm_levels_clear(&l);
    assert_int_equal(copy.steps[5], 30);
    ebm_levels_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_names_the_entry),
        cmocka_unit_test(test_least_noise),
        cmocka_unit_test(test_copy_is_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
