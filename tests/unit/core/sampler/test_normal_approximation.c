/* Normal transitions: the draw by hand, its accuracy on Gaussian data, and that a chain of them is
 * one gradient a level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"

static ebm_levels thousand_levels(void)
{
    const ebm_schedule_linear schedule = ebm_schedule_linear_default();
    ebm_levels l;
    assert_int_equal(ebm_levels_linear(&schedule, &l, NULL), EBM_OK);
    return l;
}

/* @eq y = x~ + sigma^2 grad net/step2 + sigma tau e, whatever step2 the table has. */
static void test_update_by_hand(void **state)
{
    ebm_levels l = thousand_levels();
    const float grad = 0.2f, noise = 2.0f;
    (void)state;
    for (int32_t t = 0; t < 999; t += 37) {
        float y = 1.0f;
        double s = l.sigma[t + 1];
        l.step2[t] = 3.0 * s * s;
        ebm_normal_update(&l, t, 0.9, 1, &grad, &noise, &y);
        assert_close((double)y, 1.0 + 0.2 / 3.0 + s * 0.9 * 2.0, 1e-6);
    }
    ebm_levels_clear(&l);
}

/* Variance of x_0 for data N(0, v): all transitions are linear, read off the update itself. */
static double final_variance(const ebm_levels *l, double v)
{
    double variance = 1.0;
    for (int32_t t = l->count - 1; t >= 0; t--) {
        double a2 = l->scale[t] * l->scale[t];
        double level = a2 * (l->abar[t] * l->abar[t] * v + l->sbar[t] * l->sbar[t]);
        float y[2] = {1.0f, 0.0f};
        const float grad[2] = {(float)(-l->step2[t] / level), 0.0f}, noise[2] = {0.0f, 1.0f};
        ebm_normal_update(l, t, 1.0, 2, grad, noise, y);
        variance = ((double)y[0] * (double)y[0] * variance + (double)y[1] * (double)y[1]) / a2;
    }
    return variance;
}

/* The known numbers: 0.2484 for a true 0.2501, 0.00984 for 0.0101, 1.62e-4 for 2.0e-4. */
static void test_accuracy_on_gaussians(void **state)
{
    static const struct {
        double v, truth, got, half_digit;
    } rows[] = {
        {0.25, 0.2501, 0.2484, 0.00005},
        {0.01, 0.0101, 0.00984, 0.000005},
        {1e-4, 2.0e-4, 1.62e-4, 0.005e-4},
    };
    ebm_levels l = thousand_levels();
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double truth = l.abar[0] * l.abar[0] * rows[i].v + l.sbar[0] * l.sbar[0];
        assert_close(truth, rows[i].truth, 5e-3 * truth);
        assert_close(final_variance(&l, rows[i].v), rows[i].got, rows[i].half_digit);
    }
    ebm_levels_clear(&l);
}

static void count_calls(void *self, const float *y, int32_t level, float *net, float *grad)
{
    int32_t *calls = self;
    (void)net;
    calls[level]++;
    grad[0] = -0.01f * y[0];
}

/* One gradient a level, also when a number of steps is asked for; mixed tables take both kinds. */
static void test_chain(void **state)
{
    ebm_levels l = thousand_levels();
    const ebm_langevin how = {.steps_per_level = 5, .noise_scale = 1.0};
    int32_t calls[999] = {0};
    const ebm_density density = {.dim = 1, .self = calls, .gradient = count_calls};
    float y, anchor, work[2];
    ebm_chain chain = {.y = &y, .anchor = &anchor};
    (void)state;
    l.steps[500] = 30;
    assert_int_equal(ebm_chain_total_steps(&l, &how), 998 + 5);
    ebm_chain_start(&chain, &l, 1, 1, 0);
    assert_int_equal(ebm_chain_advance(&chain, &density, &l, &how, INT64_MAX, work, NULL), EBM_OK);
    assert_int_equal(chain.level, -1);
    for (int32_t t = 0; t < 999; t++)
        assert_int_equal(calls[t], t == 500 ? 5 : 1);
    ebm_levels_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update_by_hand),
        cmocka_unit_test(test_accuracy_on_gaussians),
        cmocka_unit_test(test_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
