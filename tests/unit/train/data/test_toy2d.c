/* Densities of the plane: they integrate to 1, and what is drawn from them is what they say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebmt/toy2d.h"
#include "fail_alloc.h"

enum { SIDE = 12, FINE = 40, POINTS = 40000 };

/* Mass of a cell of a 12x12 grid over [-1.2,1.2]^2, by 40x40 midpoints: edges of the checkerboard
 * fall on edges of the fine grid only, so the sum is exact there and good to 1e-4 elsewhere. */
static double mass(ebmt_toy toy, int column, int row)
{
    double sum = 0.0, fine = 0.2 / FINE;
    for (int k = 0; k < FINE * FINE; k++)
        sum += ebmt_toy_density(toy, -1.2 + 0.2 * column + (k % FINE + 0.5) * fine,
                                -1.2 + 0.2 * row + (double)(k / FINE) * fine + 0.5 * fine);
    return sum * fine * fine;
}

/* Pearson's statistic of 40,000 draws over the cells that expect 5 or more, against its mean and
 * standard deviation: beyond 5 of them less than once in a million runs, were the seed not fixed.
 */
static void test_draws_follow_the_density(void **state)
{
    (void)state;
    for (int toy = 0; toy < EBMT_TOY_COUNT; toy++) {
        int counts[SIDE][SIDE] = {{0}}, cells = 0, stray = 0;
        double total = 0.0, chi2 = 0.0;
        for (uint32_t i = 0; i < POINTS; i++) {
            double p[2];
            ebmt_toy_draw((ebmt_toy)toy, 5, i, p);
            int column = (int)floor((p[0] + 1.2) / 0.2), row = (int)floor((p[1] + 1.2) / 0.2);
            assert_in_range(column, 0, SIDE - 1);
            assert_in_range(row, 0, SIDE - 1);
            counts[row][column]++;
            stray += ebmt_toy_density((ebmt_toy)toy, p[0], p[1]) <= 0.0;
        }
        for (int row = 0; row < SIDE; row++)
            for (int column = 0; column < SIDE; column++) {
                double m = mass((ebmt_toy)toy, column, row), want = m * POINTS;
                total += m;
                if (want < 5.0)
                    continue;
                chi2 += pow(counts[row][column] - want, 2) / want;
                cells++;
            }
        assert_int_equal(stray, 0);
        assert_close(total, 1.0, 2e-3);
        assert_true(cells >= 40);
        assert_close(chi2, cells, 5.0 * sqrt(2.0 * cells));
    }
}

/* The pinwheel's turn keeps areas: its peak is as high as that of one straight arm. */
static void test_known_values(void **state)
{
    const double pi = 3.14159265358979323846;
    (void)state;
    assert_close(ebmt_toy_density(EBMT_TOY_CHECKERBOARD, -0.75, -0.75), 0.5, 0.0);
    assert_close(ebmt_toy_density(EBMT_TOY_CHECKERBOARD, -0.25, -0.75), 0.0, 0.0);
    assert_close(ebmt_toy_density(EBMT_TOY_CHECKERBOARD, 1.01, 0.99), 0.0, 0.0);
    assert_close(ebmt_toy_density(EBMT_TOY_RINGS, 0.0, 0.4),
                 0.25 / (0.02 * sqrt(2 * pi)) / (2 * pi * 0.4), 1e-9);
    assert_close(ebmt_toy_density(EBMT_TOY_PINWHEEL, 0.5 * cos(1.25), 0.5 * sin(1.25)),
                 0.2 / (2 * pi * 0.13 * 0.04), 1e-6);
    assert_close(ebmt_toy_density(EBMT_TOY_GAUSSIANS, 0.7, 0.0), 0.125 / (2 * pi * 0.06 * 0.06),
                 1e-6);
}

/* Coordinate c of point k of image i is pixel [c][k] of the image. */
static void test_dataset(void **state)
{
    ebmt_dataset data;
    double p[2];
    (void)state;
    assert_int_equal(ebmt_toy_dataset(EBMT_TOY_RINGS, 50, 3, 9, &data, NULL), EBM_OK);
    assert_true(data.count == 50 && data.channels == 2 && data.height == 1 && data.width == 3);
    for (uint32_t i = 0; i < 150; i++) {
        const uint8_t *image = data.pixels + i / 3 * 6 + i % 3;
        ebmt_toy_draw(EBMT_TOY_RINGS, 9, i, p);
        assert_close(image[0] / 127.5 - 1.0, p[0], 1.001 / 255.0);
        assert_close(image[3] / 127.5 - 1.0, p[1], 1.001 / 255.0);
    }
    ebmt_dataset_clear(&data);
    assert_int_equal(ebmt_toy_dataset(EBMT_TOY_RINGS, 0, 1, 9, &data, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_toy_dataset(EBMT_TOY_RINGS, 1, 0, 9, &data, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_toy_dataset(EBMT_TOY_RINGS, 1 << 24, 2, 9, &data, NULL), EBM_ERR_RANGE);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_toy_dataset(EBMT_TOY_RINGS, 4, 1, 9, &data, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
}

static void test_names(void **state)
{
    static const char *const names[EBMT_TOY_COUNT] = {"checkerboard", "rings", "pinwheel",
                                                      "gaussians"};
    ebm_error err = {0};
    ebmt_toy found;
    (void)state;
    for (int toy = 0; toy < EBMT_TOY_COUNT; toy++) {
        assert_int_equal(ebmt_toy_find(names[toy], &found, NULL), EBM_OK);
        assert_int_equal(found, toy);
    }
    assert_int_equal(ebmt_toy_find("chess", &found, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "pinwheel"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_follow_the_density),
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_dataset),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
