/* The band that chains are held against, where it is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/calibration.h"
#include "ebm/rng.h"
#include "energy/calibration_internal.h"

enum { COUNT = 400, LEVELS = 6, NUMBERS = EBM_FEATURES * LEVELS };

/* States of a chain that never errs, single draws of data, lie in the band in 98 of 100 cases. At a
 * level that is nearly white logp has the standard deviation sqrt(D/2) = 11, of which means of four
 * draws show a half: held against those, 24 of 100 would lie outside. 400 images, 1,600 draws for
 * the band and as many against it: at each of two levels 2 % within 1.9 %, which is 4 standard
 * errors of both shares, sqrt(2) 0.35 %; false alarms 1 in 8,000. */
static void test_band_of_a_perfect_chain(void **state)
{
    enum { D = 256, DRAWS = 4 };
    static double single[2][COUNT][LEVELS][DRAWS];
    ebm_levels levels = analytic_levels();
    analytic_gauss g = {.levels = &levels, .n = 1, .copies = D, .cov = {{0.25}}};
    const ebm_density d = analytic_gauss_density(&g);
    ebm_calibration c;
    (void)state;
    assert_int_equal(ebm__calibration_init(LEVELS, &c, NULL), EBM_OK);
    c.count = COUNT;
    c.draws = DRAWS;
    for (int part = 0; part < 2; part++) {
        const ebm_scoring how = {&d, &levels, 40 + (uint64_t)part, DRAWS};
        for (uint32_t i = 0; i < COUNT; i++) {
            static float image[D], work[3 * D];
            double features[NUMBERS];
            ebm_score score = {.features = features, .single = &single[part][i][0][0]};
            const ebm_stream data = {.seed = how.seed, .purpose = EBM_PURPOSE_TEST, .chain = i};
            ebm_rng_normal(&data, 0, D, image);
            for (int k = 0; k < D; k++)
                image[k] *= 0.5f;
            ebm_score_advance(&how, image, i, INT64_MAX, work, &score);
        }
    }
    assert_int_equal(ebm_calibration_take_band(&c, &single[0][0][0][0], NULL), EBM_OK);
    for (int t = 4; t < LEVELS; t++) {
        const ebm_band band = ebm_calibration_band(&c, t);
        double outside = 0;
        for (int k = 0; k < COUNT * DRAWS; k++) {
            const double logp = single[1][k / DRAWS][t][k % DRAWS];
            outside += !(logp >= band.low && logp <= band.high);
        }
        assert_close(outside / (COUNT * DRAWS), 0.02, 0.019);
        assert_close(band.high - band.low, 2 * 2.326 * sqrt(D / 2.0), 6.5);
    }
    ebm_calibration_clear(&c);
    ebm_levels_clear(&levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_band_of_a_perfect_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
