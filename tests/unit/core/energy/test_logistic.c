/* Logistic regression: minima that are known by hand, and what marks every other one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/rng.h"
#include "energy/logistic.h"
#include "fail_alloc.h"

/* x = 1 and x = -1, one of each class: b_0 = 0, and b solves ridge b = 1/(1 + e^b). Without the
 * ridge the classes are separable and there is no minimum; with one of 1/(1 + e) it is at 1, with
 * 1/(2 (1 + e^2)) at 2. */
static void test_one_dimension(void **state)
{
    const double x[] = {1, -1}, weight[] = {0.5, -0.5};
    ebm__logistic p = {2, 1, x, weight, 1 / (1 + exp(1.0))};
    double b[2];
    (void)state;
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_OK);
    assert_close(b[0], 1.0, 1e-9);
    assert_close(b[1], 0.0, 1e-9);
    p.ridge = 1 / (2 * (1 + exp(2.0)));
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_OK);
    assert_close(b[0], 2.0, 1e-9);
}

/* A table of two by two: 1 and 3 at x = 0, 3 and 1 at x = 1, so the odds are 1/3 and 3. A row of
 * weight 0 says nothing. */
static void test_odds_of_a_table(void **state)
{
    const double x[] = {0, 0, 1, 1, 50}, weight[] = {1, -3, 3, -1, 0};
    const ebm__logistic p = {5, 1, x, weight, 0};
    double b[2];
    (void)state;
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_OK);
    assert_close(b[1], log(1.0 / 3), 1e-9);
    assert_close(b[0], log(9.0), 1e-9);
}

/* A column that says nothing gets no weight; the constant has the odds of the classes, without a
 * ridge. */
static void test_constant(void **state)
{
    const double x[] = {0, 0}, weight[] = {0.75, -0.25};
    const ebm__logistic p = {2, 1, x, weight, 10};
    double b[2];
    (void)state;
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_OK);
    assert_true(b[0] == 0.0);
    assert_close(b[1], log(3.0), 1e-9);
}

enum { ROWS = 60, COLUMNS = 5 };

static void draw(double *x, double *weight, double apart)
{
    float noise[ROWS * COLUMNS + 4];
    const ebm_stream stream = {.seed = 9, .purpose = EBM_PURPOSE_TEST};
    ebm_rng_normal(&stream, 0, ROWS * COLUMNS, noise);
    for (int i = 0; i < ROWS; i++) {
        weight[i] = i % 3 ? 0.3 + 0.01 * i : -0.7;
        for (int j = 0; j < COLUMNS; j++)
            x[i * COLUMNS + j] =
                (double)noise[i * COLUMNS + j] + (j == 2 && weight[i] > 0 ? apart : 0);
    }
}

/* At the minimum the gradient, written out here once more, is zero in every coordinate. */
static void check_minimum(const ebm__logistic *p, const double *b)
{
    double gradient[COLUMNS + 1] = {0};
    for (size_t i = 0; i < p->rows; i++) {
        const double *x = p->x + i * p->columns, s = p->weight[i] > 0 ? 1 : -1;
        double sum = b[p->columns];
        for (size_t j = 0; j < p->columns; j++)
            sum += b[j] * x[j];
        const double push = -p->weight[i] / (1 + exp(s * sum));
        for (size_t j = 0; j < p->columns; j++)
            gradient[j] += push * x[j];
        gradient[p->columns] += push;
    }
    for (size_t j = 0; j < p->columns; j++)
        gradient[j] += p->ridge * b[j];
    for (size_t j = 0; j <= p->columns; j++)
        assert_close(gradient[j], 0.0, 1e-9);
}

/* Classes that overlap, and such as a plane divides, 30 standard deviations apart. */
static void test_gradient_is_zero(void **state)
{
    double x[ROWS * COLUMNS], weight[ROWS], b[COLUMNS + 1];
    const ebm__logistic p = {ROWS, COLUMNS, x, weight, 1e-3};
    (void)state;
    for (int far = 0; far < 2; far++) {
        draw(x, weight, far ? 30.0 : 0.5);
        assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_OK);
        check_minimum(&p, b);
        assert_true(b[2] > 0.2);
    }
}

/* Whole steps of Newton's method leap ever farther here. */
static void test_overshooting(void **state)
{
    const double x[] = {1, -55, -1}, weight[] = {0.007, -0.398, -0.974};
    const ebm__logistic p = {3, 1, x, weight, 6.007521209602596e-4};
    double b[2];
    (void)state;
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_OK);
    check_minimum(&p, b);
}

static void test_refused(void **state)
{
    double x[] = {1, 2}, zero[] = {0, 0}, one[] = {1, 1}, two[] = {1, -1}, b[2];
    (void)state;
    ebm__logistic p = {2, 1, x, one, 1e-3};
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_ERR_RANGE); /* one class */
    p = (ebm__logistic){2, 1, zero, two, 0};
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_ERR_RANGE); /* any weight will do */
    x[1] = (double)NAN;
    p = (ebm__logistic){2, 1, x, two, 1e-3};
    assert_int_equal(ebm__logistic_fit(&p, b, NULL), EBM_ERR_RANGE);
    x[1] = 3;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm__logistic_fit(&p, b, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_dimension), cmocka_unit_test(test_odds_of_a_table),
        cmocka_unit_test(test_constant),      cmocka_unit_test(test_gradient_is_zero),
        cmocka_unit_test(test_overshooting),  cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
