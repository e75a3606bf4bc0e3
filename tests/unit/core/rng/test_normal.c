/* Normals: position independence, accuracy of the polynomials, and the distribution itself.
 * The seed is fixed, so a passing test stays passing; for a fresh seed each statistic below would
 * be exceeded by a correct generator in less than one run in 10^4 (bounds at 4 sigma or more). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/rng.h"

#define DRAWS 1000000

static const ebm_stream stream = {
    .seed = 20240607, .purpose = EBM_PURPOSE_TEST, .chain = 3, .level = 2, .step = 9};

/* Any piece of a stream equals the same piece of the whole, whatever its length. */
static void test_pieces_equal_whole(void **state)
{
    float whole[1000], piece[1000];
    (void)state;
    ebm_rng_normal(&stream, 0, 1000, whole);
    for (uint32_t first = 0; first < 600; first += 4)
        for (size_t n = 1; n < 400; n += 37) {
            ebm_rng_normal(&stream, first, n, piece);
            assert_memory_equal(piece, whole + first, n * sizeof *piece);
        }
}

/* @eq Box-Muller on the words themselves, with libm in double. */
static void test_polynomials_against_libm(void **state)
{
    float got[4000];
    double worst = 0.0;
    (void)state;
    ebm_rng_normal(&stream, 0, 4000, got);
    for (uint32_t i = 0; i < 4000; i += 2) {
        /* the uniform itself is a float: near 1 it has 24 bits */
        double u = (double)((float)ebm_rng_word(&stream, i) * 0x1p-32f + 0x1p-33f);
        double angle = 2.0 * acos(-1.0) * (double)ebm_rng_word(&stream, i + 1) * 0x1p-32;
        double radius = sqrt(-2.0 * log(u));
        worst = fmax(worst, fabs(radius * cos(angle) - (double)got[i]));
        worst = fmax(worst, fabs(radius * sin(angle) - (double)got[i + 1]));
    }
    assert_true(worst < 1e-6);
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Moments within 4 standard errors: se of mean 1/sqrt(n), variance sqrt(2/n), skewness sqrt(6/n),
 * excess kurtosis sqrt(24/n). Kolmogorov-Smirnov distance: P(D > 2.2/sqrt(n)) = 1.2e-4.
 * Tails: expected counts beyond 3, 4 and 5, within 4 sqrt(count). */
static void test_distribution(void **state)
{
    float *x = malloc(DRAWS * sizeof *x);
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, n = DRAWS, ks = 0.0;
    double beyond[3] = {0, 0, 0};
    (void)state;
    assert_non_null(x);
    ebm_rng_normal(&stream, 0, DRAWS, x);
    for (int i = 0; i < DRAWS; i++) {
        double v = (double)x[i];
        m1 += v / n;
        m2 += v * v / n;
        m3 += v * v * v / n;
        m4 += v * v * v * v / n;
        for (int k = 0; k < 3; k++)
            beyond[k] += fabs(v) > 3.0 + k;
    }
    assert_close(m1, 0.0, 4.0 / sqrt(n));
    assert_close(m2, 1.0, 4.0 * sqrt(2.0 / n));
    assert_close(m3, 0.0, 4.0 * sqrt(15.0 / n));
    assert_close(m4, 3.0, 4.0 * sqrt(96.0 / n));
    for (int k = 0; k < 3; k++) {
        double expected = n * erfc((3.0 + k) / sqrt(2.0));
        assert_close(beyond[k], expected, 4.0 * sqrt(expected) + 1.0);
    }
    qsort(x, DRAWS, sizeof *x, compare_floats);
    for (int i = 0; i < DRAWS; i++) {
        double cdf = 0.5 * erfc(-(double)x[i] / sqrt(2.0));
        ks = fmax(ks, fmax(fabs(cdf - i / n), fabs(cdf - (i + 1) / n)));
    }
    assert_true(ks < 2.2 / sqrt(n));
    free(x);
}

/* Neighbouring draws, steps and chains are uncorrelated: 4 standard errors. */
static void test_no_correlation(void **state)
{
    enum { N = 100000 };
    float *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    ebm_stream next_step = stream, next_chain = stream;
    double lag = 0, step = 0, chain = 0;
    (void)state;
    assert_true(x && y);
    next_step.step++;
    next_chain.chain++;
    ebm_rng_normal(&stream, 0, N, x);
    for (int i = 0; i + 1 < N; i++)
        lag += (double)x[i] * (double)x[i + 1];
    ebm_rng_normal(&next_step, 0, N, y);
    for (int i = 0; i < N; i++)
        step += (double)x[i] * (double)y[i];
    ebm_rng_normal(&next_chain, 0, N, y);
    for (int i = 0; i < N; i++)
        chain += (double)x[i] * (double)y[i];
    assert_close(lag / N, 0.0, 4.0 / sqrt(N));
    assert_close(step / N, 0.0, 4.0 / sqrt(N));
    assert_close(chain / N, 0.0, 4.0 / sqrt(N));
    free(x);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_equal_whole),
        cmocka_unit_test(test_polynomials_against_libm),
        cmocka_unit_test(test_distribution),
        cmocka_unit_test(test_no_correlation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
