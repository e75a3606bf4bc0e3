/* The calibrated schedule: its identities, and how near the Gaussian chain comes to the truth. */
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
#include "ebm/sampler.h"

static ebm_levels geometric(int32_t count, int32_t steps)
{
    ebm_schedule_geometric schedule = ebm_schedule_geometric_default();
    ebm_levels l;
    schedule.count = count;
    schedule.steps = steps;
    assert_int_equal(ebm_levels_geometric(&schedule, &l, NULL), EBM_OK);
    return l;
}

/* Ratios grow by one factor from 0.01 to 100; the forward process adds up to them; kappa is that
 * factor squared: 21.5 for T = 6, 10 for 8, 3.2 for 16. */
static void test_ratios(void **state)
{
    (void)state;
    for (int32_t count = 2; count <= EBM_MAX_LEVELS; count = 2 * count + (count == 2)) {
        ebm_levels l = geometric(count, 30);
        double growth = pow(1e4, 1.0 / (double)count), variance = 0.0;
        for (int32_t i = 0; i <= count; i++) {
            variance = l.a[i] * l.a[i] * variance + l.sigma[i] * l.sigma[i];
            assert_close(variance / (l.sbar[i] * l.sbar[i]), 1.0, 1e-12);
            assert_close(l.sbar[i] / l.abar[i] / (0.01 * pow(growth, (double)i)), 1.0, 1e-12);
            if (i == 0 || i == count)
                continue;
            double r = l.sigma[i] / (l.a[i] * l.sbar[i - 1]);
            assert_close((1.0 + r * r) / (growth * growth), 1.0, 1e-10);
        }
        assert_int_equal(ebm_levels_check(&l, NULL), EBM_OK);
        ebm_levels_clear(&l);
    }
}

/* At the top x_T is white noise but for a hundredth: no tether, no scale, as in the paper. */
static void test_top(void **state)
{
    ebm_levels l = geometric(16, 30);
    (void)state;
    for (int32_t t = 0; t < 16; t++) {
        assert_true(l.tether[t] == (t < 15 ? 1.0 : 0.0));
        assert_true(l.scale[t] == (t < 15 ? l.a[t + 1] : 1.0));
    }
    assert_close(l.abar[16], 0.01, 1e-6);
    assert_true(l.noise_scale == 1.0);
    ebm_levels_clear(&l);
}

/* --- the chain on Gaussian data ------------------------------------------------------------ */

/* One Langevin step of a Gaussian level, y' = keep y + pull x~ + spread e, read off the sampler's
 * own update. */
typedef struct linear_step {
    double keep, pull, spread;
} linear_step;

static linear_step step_of(const ebm_levels *l, int32_t t, double v)
{
    const double variance =
        l->scale[t] * l->scale[t] * (l->abar[t] * l->abar[t] * v + l->sbar[t] * l->sbar[t]);
    float y[3] = {1.0f, 0.0f, 0.0f};
    const float anchor[3] = {0.0f, 1.0f, 0.0f}, noise[3] = {0.0f, 0.0f, 1.0f};
    const float grad[3] = {(float)(-l->step2[t] / variance), 0.0f, 0.0f};
    ebm_langevin_update(l, t, 1.0, 3, anchor, grad, noise, y);
    return (linear_step){.keep = (double)y[0], .pull = (double)y[1], .spread = (double)y[2]};
}

/* Variance of x_0 after sampling, over that of the data's level 0, for data N(0, v). */
static double final_variance(const ebm_levels *l, double v)
{
    double variance = 1.0;
    for (int32_t t = l->count - 1; t >= 0; t--) {
        const linear_step s = step_of(l, t, v);
        double of_start = 1.0, of_noise = 0.0;
        for (int32_t k = 0; k < l->steps[t]; k++) {
            of_start = s.keep * of_start + s.pull;
            of_noise = s.keep * s.keep * of_noise + s.spread * s.spread;
        }
        variance = (of_start * of_start * variance + of_noise) / (l->scale[t] * l->scale[t]);
    }
    return variance / (l->abar[0] * l->abar[0] * v + l->sbar[0] * l->sbar[0]);
}

/* The table of docs/math/schedule.md, each entry to the digits it is printed with. The paper's T6
 * with K = 30 stands at 11.6 in it. */
static void test_gaussian_table(void **state)
{
    static const struct {
        int32_t count;
        double ratio[3], half_digit[3];
    } rows[] = {
        {6, {4.4, 1.71, 1.13}, {0.05, 0.005, 0.005}},
        {8, {2.8, 1.35, 1.08}, {0.05, 0.005, 0.0051}},
        {10, {2.3, 1.24, 1.07}, {0.05, 0.005, 0.005}},
        {12, {2.0, 1.18, 1.07}, {0.05, 0.005, 0.005}},
        {16, {1.73, 1.13, 1.08}, {0.005, 0.005, 0.005}},
    };
    static const int32_t steps[3] = {10, 30, 100};
    const ebm_schedule_t6 paper = ebm_schedule_t6_default();
    ebm_levels l;
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (int k = 0; k < 3; k++) {
            l = geometric(rows[r].count, steps[k]);
            assert_close(final_variance(&l, 0.25), rows[r].ratio[k], rows[r].half_digit[k]);
            ebm_levels_clear(&l);
        }
    assert_int_equal(ebm_levels_t6(&paper, &l, NULL), EBM_OK);
    assert_close(final_variance(&l, 0.25), 11.6, 0.05);
    ebm_levels_clear(&l);
}

static void test_bad_schedules(void **state)
{
    const ebm_schedule_geometric good = ebm_schedule_geometric_default();
    ebm_schedule_geometric bad[11];
    (void)state;
    for (int i = 0; i < 11; i++)
        bad[i] = good;
    bad[0].count = 1;
    bad[1].count = EBM_MAX_LEVELS + 1;
    bad[2].count = -3;
    bad[3].ratio_min = 0.0;
    bad[4].ratio_min = 1.1;
    bad[5].ratio_min = (double)NAN;
    bad[6].ratio_max = 9.0;
    bad[7].ratio_max = (double)INFINITY;
    bad[8].ratio_max = (double)NAN;
    bad[9].steps = 0;
    bad[10].steps = 10001;
    for (int i = 0; i < 11; i++) {
        ebm_levels l;
        assert_int_equal(ebm_levels_geometric(&bad[i], &l, NULL), EBM_ERR_RANGE);
        assert_null(l.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ratios),
        cmocka_unit_test(test_top),
        cmocka_unit_test(test_gaussian_table),
        cmocka_unit_test(test_bad_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
