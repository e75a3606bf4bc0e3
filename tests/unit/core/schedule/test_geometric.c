/* The calibrated schedule: its identities, and how near the Gaussian chain comes to the truth. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
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

/* Of y = A_t x_t. */
static double variance_of(const ebm_levels *l, int32_t t, double v)
{
    return l->scale[t] * l->scale[t] * (l->abar[t] * l->abar[t] * v + l->sbar[t] * l->sbar[t]);
}

/* On a density that is `steep` times as curved as that of the data. */
static linear_step step_of(const ebm_levels *l, int32_t t, double v, double steep)
{
    float y[3] = {1.0f, 0.0f, 0.0f};
    const float anchor[3] = {0.0f, 1.0f, 0.0f}, noise[3] = {0.0f, 0.0f, 1.0f};
    const float grad[3] = {(float)(-steep * l->step2[t] / variance_of(l, t, v)), 0.0f, 0.0f};
    ebm_langevin_update(l, t, 1.0, 3, anchor, grad, noise, y);
    return (linear_step){.keep = (double)y[0], .pull = (double)y[1], .spread = (double)y[2]};
}

/* Variance of y at a level, for chains that begin at x_{t+1} of variance `above`. */
static double chain_variance(const ebm_levels *l, int32_t t, linear_step s, double above)
{
    double of_start = 1.0, of_noise = 0.0;
    for (int32_t k = 0; k < l->steps[t]; k++) {
        of_start = s.keep * of_start + s.pull;
        of_noise = s.keep * s.keep * of_noise + s.spread * s.spread;
    }
    return of_start * of_start * above + of_noise;
}

/* Variance of x_0 after sampling, over that of the data's level 0, for data N(0, v). */
static double final_variance(const ebm_levels *l, double v)
{
    double variance = 1.0;
    for (int32_t t = l->count - 1; t >= 0; t--) {
        const linear_step s = step_of(l, t, v, 1.0);
        variance = chain_variance(l, t, s, variance) / (l->scale[t] * l->scale[t]);
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

/* The paper's levels with more steps: the chain comes to the truth, 0.25007, after thousands. */
static void test_paper_with_more_steps(void **state)
{
    static const int32_t steps[] = {300, 3000, 30000};
    static const double end[] = {0.419, 0.337, 0.253};
    const ebm_schedule_t6 paper = ebm_schedule_t6_default();
    ebm_levels l;
    (void)state;
    assert_int_equal(ebm_levels_t6(&paper, &l, NULL), EBM_OK);
    for (int k = 0; k < 3; k++) {
        for (int32_t t = 0; t < 6; t++)
            l.steps[t] = steps[k];
        assert_close(final_variance(&l, 0.25) * variance_of(&l, 0, 0.25) /
                         (l.scale[0] * l.scale[0]),
                     end[k], 0.0005);
    }
    ebm_levels_clear(&l);
}

/* How many times too steep a learned density has to be for the paper's 30 steps to end with the
 * variance of the data, by bisection: the steeper, the narrower. */
static double steepness(const ebm_levels *l, int32_t t, double v)
{
    const double above = l->abar[t + 1] * l->abar[t + 1] * v + l->sbar[t + 1] * l->sbar[t + 1];
    double low = 0.1, high = 1000.0;
    for (int k = 0; k < 60; k++) {
        const double at = sqrt(low * high);
        const bool wide = chain_variance(l, t, step_of(l, t, v, at), above) > variance_of(l, t, v);
        *(wide ? &low : &high) = at;
    }
    return low;
}

static void test_steepness(void **state)
{
    static const double v[4] = {1e-4, 1e-2, 0.25, 1.0};
    static const double want[4][6] = {{1.9, 2.9, 2.3, 2.0, 1.8, 1.1},
                                      {36, 3.0, 2.4, 2.0, 1.8, 1.1},
                                      {137, 4.3, 2.6, 2.1, 1.9, 1.1},
                                      {159, 5.4, 3.1, 2.3, 1.9, 1.0}};
    const ebm_schedule_t6 paper = ebm_schedule_t6_default();
    ebm_levels l;
    (void)state;
    assert_int_equal(ebm_levels_t6(&paper, &l, NULL), EBM_OK);
    for (int i = 0; i < 4; i++)
        for (int32_t t = 0; t < 6; t++)
            assert_close(steepness(&l, t, v[i]), want[i][t], want[i][t] > 10 ? 0.5 : 0.05);
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
        cmocka_unit_test(test_ratios),         cmocka_unit_test(test_top),
        cmocka_unit_test(test_gaussian_table), cmocka_unit_test(test_paper_with_more_steps),
        cmocka_unit_test(test_steepness),      cmocka_unit_test(test_bad_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
