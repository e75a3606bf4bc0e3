/* Cholesky's factors: by hand, put together again, and refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "energy/cholesky.h"

/* (4, 12, -16; 12, 37, -43; -16, -43, 98) = L L' with L = (2; 6, 1; -8, 5, 3), in whole numbers. */
static const double whole[] = {4, 12, 37, -16, -43, 98};

static void test_by_hand(void **state)
{
    static const double want[] = {2, 6, 1, -8, 5, 3};
    double a[6];
    (void)state;
    assert_int_equal(ebm__triangle(0), 0);
    assert_int_equal(ebm__triangle(3), 6);
    memcpy(a, whole, sizeof a);
    assert_true(ebm__cholesky_factorise(a, 3));
    assert_memory_equal(a, want, sizeof a);
}

/* A (1, -2, 3) = (-68, -191, 364); forward alone gives L' (1, -2, 3) = (-34, 13, 9). */
static void test_solve(void **state)
{
    static const double half[] = {-34, 13, 9}, want[] = {1, -2, 3};
    double a[6], x[] = {-68, -191, 364};
    (void)state;
    memcpy(a, whole, sizeof a);
    assert_true(ebm__cholesky_factorise(a, 3));
    ebm__cholesky_forward(a, 3, x);
    assert_memory_equal(x, half, sizeof x);
    ebm__cholesky_backward(a, 3, x);
    assert_memory_equal(x, want, sizeof x);
}

/* Eigenvalues of (1, b; b, 1) are 1 - b and 1 + b. */
static void test_refused(void **state)
{
    const double off[] = {1, -1, 1.5, (double)NAN, (double)INFINITY};
    (void)state;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++) {
        double a[] = {1, off[i], 1};
        assert_false(ebm__cholesky_factorise(a, 2));
    }
    double zero[] = {0}, endless[] = {(double)INFINITY};
    assert_false(ebm__cholesky_factorise(zero, 1));
    assert_false(ebm__cholesky_factorise(endless, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_solve),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
