/* Arrays of numbers for JSON documents: every double comes back, what JSON cannot say is refused,
 * and no memory is no array. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "io/json_build.h"

static void numbers_come_back(void **state)
{
    static const double values[] = {0.0, -1.5, 0.1, DBL_MIN, DBL_MAX, -DBL_EPSILON};
    const size_t n = sizeof values / sizeof values[0];
    json_t *array = ebm__json_reals(values, n);
    (void)state;
    assert_int_equal(json_array_size(array), n);
    for (size_t i = 0; i < n; i++) {
        assert_true(json_is_real(json_array_get(array, i)));
        assert_true(json_real_value(json_array_get(array, i)) == values[i]);
    }
    json_decref(array);
}

static void none_are_an_empty_array(void **state)
{
    json_t *array = ebm__json_reals(NULL, 0);
    (void)state;
    assert_true(json_is_array(array));
    assert_int_equal(json_array_size(array), 0);
    json_decref(array);
}

static void not_finite(void **state)
{
    static const double values[][2] = {{1.0, NAN}, {INFINITY, 1.0}, {0.0, -INFINITY}};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_null(ebm__json_reals(values[i], 2));
}

static int left; /* allocations before they fail */

static void *scarce(size_t size)
{
    return left-- > 0 ? malloc(size) : NULL;
}

/* jansson's own allocations, which the linker's wrapping does not see. */
static void no_memory(void **state)
{
    static const double values[20] = {1.0}; /* more than an array has room for at first */
    json_t *array = NULL;
    int enough = 0;
    (void)state;
    json_set_alloc_funcs(scarce, free);
    for (; !array && enough < 100; enough++) {
        left = enough;
        array = ebm__json_reals(values, 20);
    }
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(json_array_size(array), 20);
    assert_true(enough > 20);
    json_decref(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(none_are_an_empty_array),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
