/* Scores against closed forms; statistics, percentiles and the file that keeps them. */
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
#include "ebm/calibration.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "temp_dir.h"

enum { DIM = 8, COUNT = 400, LEVELS = 6 };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* For data N(0, v) a noised image has logp -|y|^2/(2 A^2 (abar^2 v + sbar^2)), whose mean over the
 * noise is -(abar^2 |x|^2 + D sbar^2)/(2 (abar^2 v + sbar^2)). 1,000 draws, 5 standard errors of
 * at most sqrt((4 abar^2 |x|^2 sbar^2 + 2 D sbar^4)/1000)/(2 var). */
static void test_mean_over_noise(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = DIM, .cov = {{0.25}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 1000};
    float image[DIM], work[3 * DIM], grad[DIM];
    double logp[LEVELS], x2 = 0;
    (void)state;
    for (int i = 0; i < DIM; i++) {
        image[i] = 0.2f * (float)(i - 3);
        x2 += (double)image[i] * (double)image[i];
    }
    ebm_score_image(&how, image, 5, work, logp);
    for (int t = 0; t < LEVELS; t++) {
        double a2 = l.abar[t] * l.abar[t], s2 = l.sbar[t] * l.sbar[t], var = a2 * 0.25 + s2;
        double se = sqrt((4 * a2 * x2 * s2 + 2 * DIM * s2 * s2) / 1000) / (2 * var);
        assert_close(logp[t], -(a2 * x2 + DIM * s2) / (2 * var), 5 * se + 1e-4);
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
    double up[LEVELS], down[LEVELS];
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
    double logp[LEVELS], part_logp[LEVELS];
    (void)state;
    ebm_score_image(&how, image, 2, work, logp);
    ebm_score_gradient(&how, image, 2, work, grad);
    assert_int_equal(ebm_score_evals(&how, true), 5 * (LEVELS + 1));
    for (int64_t size = 1; size < 40; size += 3) {
        ebm_score score = {.logp = part_logp, .grad = part_grad};
        while (score.done < ebm_score_evals(&how, true))
            ebm_score_advance(&how, image, 2, size, work, &score);
        assert_memory_equal(part_logp, logp, sizeof logp);
        assert_memory_equal(part_grad, grad, sizeof grad);
    }
    ebm_levels_clear(&l);
}

/* Scores 0..COUNT-1 at each level, times t+1 and moved. */
static void make(ebm_calibration *c)
{
    static double logp[COUNT][LEVELS];
    for (int i = 0; i < COUNT; i++)
        for (int t = 0; t < LEVELS; t++)
            logp[i][t] = (t + 1) * (double)(i * 7 % COUNT) - 50.0 * t;
    assert_int_equal(ebm_calibration_of(&logp[0][0], COUNT, LEVELS, c, NULL), EBM_OK);
    c->draws = 4;
    c->seed = 11;
}

static void test_percentiles(void **state)
{
    ebm_calibration c;
    double logp[LEVELS], sd = sqrt(COUNT * (COUNT + 1) / 12.0);
    (void)state;
    make(&c);
    for (int t = 0; t < LEVELS; t++) {
        assert_close(c.mean[t], (t + 1) * (COUNT - 1) / 2.0 - 50.0 * t, 1e-9);
        assert_close(c.sd[t], (t + 1) * sd, 1e-9);
        assert_close(ebm_calibration_percentile(&c, t, c.mean[t]), 50.0, 1e-9);
        assert_close(ebm_calibration_percentile(&c, t, -50.0 * t + (t + 1) * 99.75), 25.0, 1e-9);
        assert_true(ebm_calibration_percentile(&c, t, -50.0 * t) == 0.0);
        assert_true(ebm_calibration_percentile(&c, t, 1e9) == 100.0);
        assert_true(ebm_calibration_percentile(&c, t, (double)NAN) == 0.0);
        logp[t] = c.mean[t] + 2.0 * c.sd[t];
        assert_close(ebm_calibration_band(&c, t).low, -50.0 * t + (t + 1) * 3.99, 1e-9);
        assert_close(ebm_calibration_band(&c, t).high, -50.0 * t + (t + 1) * 395.01, 1e-9);
    }
    assert_close(ebm_calibration_score(&c, logp), 2.0 * sqrt(LEVELS), 1e-9);
    assert_close(ebm_calibration_percentile(&c, LEVELS, 0.0), 50.0, 1e-9);
    ebm_calibration_clear(&c);
}

static void test_refused_scores(void **state)
{
    double logp[200] = {0};
    ebm_calibration c;
    (void)state;
    assert_int_equal(ebm_calibration_of(logp, 99, 1, &c, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_calibration_of(logp, 100, 1, &c, NULL), EBM_ERR_RANGE); /* no spread */
    logp[3] = (double)INFINITY;
    assert_int_equal(ebm_calibration_of(logp, 100, 2, &c, NULL), EBM_ERR_RANGE);
    assert_null(c.mean);
    for (int i = 0; i < 200; i++)
        logp[i] = i;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_calibration_of(logp, 200, 1, &c, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_calibration_clear(&c);
    }
}

static void test_file_round_trip(void **state)
{
    const char *dir = *state;
    ebm_calibration c, back;
    (void)state;
    make(&c);
    assert_int_equal(ebm_calibration_read(dir, digest, LEVELS, &back, NULL), EBM_ERR_NOT_FOUND);
    assert_int_equal(ebm_calibration_write(&c, digest, dir, NULL), EBM_OK);
    assert_int_equal(ebm_calibration_read(dir, digest, LEVELS, &back, NULL), EBM_OK);
    assert_int_equal(back.count, COUNT);
    assert_int_equal(back.draws, 4);
    assert_int_equal(back.seed, 11);
    assert_memory_equal(back.mean, c.mean,
                        (2 * LEVELS + (LEVELS + 1) * EBM_QUANTILES) * sizeof(double));
    ebm_calibration_clear(&back);
    assert_int_equal(ebm_calibration_read(dir, digest, LEVELS + 1, &back, NULL), EBM_ERR_SHAPE);
    ebm_calibration_clear(&c);
}

/* A changed text is refused, by digest or before, unless it is another spelling of the numbers. */
static void check_changed(const char *text, size_t size, const ebm_calibration *original)
{
    ebm_calibration c;
    if (ebm_calibration_parse(text, size, digest, LEVELS, &c, NULL) == EBM_OK)
        assert_memory_equal(c.mean, original->mean,
                            (2 * LEVELS + (LEVELS + 1) * EBM_QUANTILES) * sizeof(double));
    else
        assert_null(c.mean);
    ebm_calibration_clear(&c);
}

static void test_damaged_file(void **state)
{
    const char *dir = *state;
    unsigned char *text;
    size_t size;
    ebm_calibration original, c;
    make(&original);
    assert_int_equal(ebm_calibration_write(&original, digest, dir, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, EBM_CALIBRATION_FILE, 1 << 20, &text, &size, NULL), EBM_OK);
    for (size_t i = 0; i < size; i += 61) {
        const unsigned char kept = text[i];
        text[i] = kept == '1' ? '2' : '1';
        check_changed((char *)text, size, &original);
        text[i] = kept;
        assert_int_not_equal(ebm_calibration_parse((char *)text, i, digest, LEVELS, &c, NULL),
                             EBM_OK);
    }
    assert_int_equal(ebm_calibration_parse((char *)text, size, digest + 1, LEVELS, &c, NULL),
                     EBM_ERR_NOT_FOUND);
    ebm_calibration_clear(&original);
    ebm_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_over_noise),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_scores_in_parts),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_refused_scores),
        cmocka_unit_test_setup_teardown(test_file_round_trip, temp_dir_set_up, temp_dir_tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_file, temp_dir_set_up, temp_dir_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
