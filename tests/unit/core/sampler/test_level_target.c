/* The density of one level in nats: value and gradient, with and without tether and mask. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "sampler/level_target.h"

/* For data N(0, 0.25): -y^2/(2v) - r (y - anchor)^2/(2 sigma^2), and its derivative; the gradient
 * of a known value is zero. */
static void test_value_and_gradient(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = 2, .cov = {{0.25}}};
    ebm_density density = analytic_gauss_density(&g);
    const float y[2] = {0.7f, -0.2f}, anchor[2] = {0.1f, 0.5f}, mask[2] = {0.0f, 1.0f};
    (void)state;
    for (int32_t t = 0; t < 6; t++)
        for (int tether = 0; tether < 2; tether++) {
            ebm__level_target target = {.density = &density,
                                        .levels = &l,
                                        .level = t,
                                        .tether = tether,
                                        .anchor = anchor,
                                        .mask = mask};
            double a = l.scale[t] * l.abar[t], s = l.scale[t] * l.sbar[t], want = 0.0;
            double v = a * a * 0.25 + s * s, pull = tether / (l.sigma[t + 1] * l.sigma[t + 1]);
            float grad[2];
            for (int i = 0; i < 2; i++) {
                double d = (double)y[i] - (double)anchor[i];
                want -= 0.5 * (double)y[i] * (double)y[i] / v + 0.5 * pull * d * d;
            }
            ebm__target of = ebm__level_target_of(&target);
            assert_close(of.eval(of.self, y, grad), want, 1e-6 * fabs(want));
            double slope = -0.7 / v - pull * 0.6;
            assert_close((double)grad[0], slope, 1e-6 * fabs(slope));
            assert_true(grad[1] == 0.0f);
            assert_close(ebm__level_curvature(&l, t, tether), 1.0 / (s * s) + pull, 1e-9 / (s * s));
        }
    ebm_levels_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_value_and_gradient)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
