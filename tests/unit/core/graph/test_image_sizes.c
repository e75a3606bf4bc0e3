/* Networks for larger images: at 32, 64 and 128 pixels, gray and colour, each kernel set is near
 * ref. Sets cut such maps into strips, and 128 pixels are more than a strip holds of one row. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulator.h"
#include "assert_numbers.h"
#include "ebm/session.h"
#include "random_net.h"

/* Smooth, so that no activation jumps; one channel count below a vector, one of several blocks. */
static const struct {
    int32_t size, channels, ch;
    bool emulated; /* too slow for the large ones */
} rows[] = {{32, 3, 40, true},
            {32, 1, 8, true},
            {64, 3, 32, false},
            {128, 1, 8, false},
            {128, 3, 32, false}};

static size_t dim_of(size_t row)
{
    return (size_t)rows[row].channels * (size_t)rows[row].size * (size_t)rows[row].size;
}

static ebm_network_config network_of(size_t row)
{
    ebm_network_config c = small_network_of((int)row % 2, EBM_ACT_SILU);
    c.width = c.height = rows[row].size;
    c.channels = rows[row].channels;
    c.ch = rows[row].ch;
    return c;
}

/* net and its gradient at the level of least noise */
static double evaluate(size_t row, const ebm_kernels *set, float *grad)
{
    const ebm_network_config c = network_of(row);
    float *x = malloc(dim_of(row) * sizeof *x);
    ebm_model *m = random_net(&c, set, 5);
    ebm_session *s = NULL;
    assert_non_null(x);
    random_floats(4, (uint32_t)row, dim_of(row), x);
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    const double net = (double)ebm_session_gradient(s, x, 0, grad);
    ebm_session_free(s);
    ebm_model_unref(m);
    free(x);
    return net;
}

/* Bounds of `ebm check`, but for the rounded net: over many pixels the errors of positions cancel
 * and those of weights remain, 1.1e-3 to 3.1e-3 of net here. */
static void check_near(size_t row, const ebm_kernels *set, double net, const float *want)
{
    const bool rounded = strncmp(set->kernel_class, "bf16", 4) == 0;
    float *grad = malloc(dim_of(row) * sizeof *grad);
    assert_non_null(grad);
    assert_close(evaluate(row, set, grad), net,
                 (rounded ? 5e-3 : 1e-5) * fabs(net) + (rounded ? 2e-2 : 1e-5));
    assert_rel_l2(grad, want, dim_of(row), rounded ? 2e-2 : 1e-5);
    free(grad);
}

static void test_sizes(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        bool supported;
        float *want = malloc(dim_of(row) * sizeof *want);
        assert_non_null(want);
        const double net = evaluate(row, kernel_set("ref"), want);
        for (int32_t i = 0; ebm_kernels_name(i, &supported); i++)
            if (supported)
                check_near(row, kernel_set(ebm_kernels_name(i, NULL)), net, want);
        if (rows[row].emulated && emulated_amx())
            check_near(row, emulated_amx(), net, want);
        free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
