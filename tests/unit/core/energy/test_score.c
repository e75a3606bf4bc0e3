/* Features of images against closed forms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/calibration.h"

enum { DIM = 8, LEVELS = 6, NUMBERS = EBM_FEATURES * LEVELS };

/* For data N(0, v) a noised image has logp -|y|^2/(2 A^2 (abar^2 v + sbar^2)), whose mean over the
 * noise is -(abar^2 |x|^2 + D sbar^2)/(2 (abar^2 v + sbar^2)). The guess of the noise is
 * g = sbar (abar x + sbar e)/var, so g and e - g are of the form u e + w x, whose square has mean
 * u^2 D + w^2 |x|^2 and variance 2 u^4 D + 4 u^2 w^2 |x|^2. 1,000 draws, 5 standard errors. */
static void check_square(double got, double u, double w, double x2)
{
    double se = sqrt((2 * DIM * u * u * u * u + 4 * u * u * w * w * x2) / 1000);
    assert_close(got, u * u * DIM + w * w * x2, 5 * se + 1e-4);
}

static void test_mean_over_noise(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = DIM, .cov = {{0.25}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 1000};
    float image[DIM], work[3 * DIM], grad[DIM];
    double features[NUMBERS], *logp = features, x2 = 0;
    (void)state;
    for (int i = 0; i < DIM; i++) {
        image[i] = 0.2f * (float)(i - 3);
        x2 += (double)image[i] * (double)image[i];
    }
    ebm_score_image(&how, image, 5, work, features);
    assert_true(ebm_score_is_finite(features, LEVELS));
    for (int t = 0; t < LEVELS; t++) {
        double a2 = l.abar[t] * l.abar[t], s2 = l.sbar[t] * l.sbar[t], var = a2 * 0.25 + s2;
        double se = sqrt((4 * a2 * x2 * s2 + 2 * DIM * s2 * s2) / 1000) / (2 * var);
        assert_close(logp[t], -(a2 * x2 + DIM * s2) / (2 * var), 5 * se + 1e-4);
        const double cross = l.abar[t] * l.sbar[t] / var;
        check_square(exp(features[EBM_FEATURE_MISS * LEVELS + t]), 1 - s2 / var, -cross, x2);
        check_square(features[EBM_FEATURE_PULL * LEVELS + t], s2 / var, cross, x2);
    }
    for (int i = 0; i < NUMBERS; i++) {
        const double kept = features[i];
        features[i] = i % 2 ? (double)NAN : (double)-INFINITY;
        assert_false(ebm_score_is_finite(features, LEVELS));
        features[i] = kept;
    }
    /* the noise has mean 0, so the gradient is -abar^2 x / var, within its own error */
    double a2 = l.abar[0] * l.abar[0], var = a2 * 0.25 + l.sbar[0] * l.sbar[0];
    ebm_score_gradient(&how, image, 5, work, grad);
    for (int i = 0; i < DIM; i++)
        assert_close(grad[i], -a2 * (double)image[i] / var,
                     5 * l.abar[0] * l.sbar[0] / var / sqrt(1000) + 1e-5);
    ebm_levels_clear(&l);
}

/* The gradient of a finite number of draws is exact: central differences of the score. */
static void test_gradient_by_differences(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 2, .copies = DIM / 2, .cov = {{0.3, 0.1}, {0.1, 0.2}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 4};
    float image[DIM] = {0.1f, -0.4f, 0.3f}, work[3 * DIM], grad[DIM];
    double up[NUMBERS], down[NUMBERS];
    (void)state;
    ebm_score_gradient(&how, image, 1, work, grad);
    for (int i = 0; i < DIM; i++) {
        const float kept = image[i];
        image[i] = kept + 0.125f;
        ebm_score_image(&how, image, 1, work, up);
        image[i] = kept - 0.125f;
        ebm_score_image(&how, image, 1, work, down);
        image[i] = kept;
        assert_close((up[0] - down[0]) / 0.25, (double)grad[i], 2e-3);
    }
    ebm_levels_clear(&l);
}

/* However a score's work is divided, the numbers are the same. */
static void test_scores_in_parts(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = DIM, .cov = {{0.25}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 5};
    float image[DIM] = {0.1f, -0.4f, 0.3f}, work[3 * DIM], grad[DIM], part_grad[DIM];
    double features[NUMBERS], part[NUMBERS], single[LEVELS][5];
    (void)state;
    ebm_score_image(&how, image, 2, work, features);
    ebm_score_gradient(&how, image, 2, work, grad);
    assert_int_equal(ebm_score_evals(&how, true), 5 * (LEVELS + 1));
    for (int64_t size = 1; size < 40; size += 3) {
        ebm_score score = {.features = part, .grad = part_grad, .single = single[0]};
        while (score.done < ebm_score_evals(&how, true))
            ebm_score_advance(&how, image, 2, size, work, &score);
        assert_memory_equal(part, features, sizeof features);
        assert_memory_equal(part_grad, grad, sizeof grad);
        for (int t = 0; t < LEVELS; t++) /* each draw is there, and no two are alike */
            assert_true((single[t][0] + single[t][1] + single[t][2] + single[t][3] + single[t][4]) /
                                5 ==
                            part[t] &&
                        single[t][3] != single[t][4]);
    }
    ebm_levels_clear(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_over_noise),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_scores_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
