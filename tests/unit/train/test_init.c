/* Initial weights: the limits of every kind of tensor. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "init.h"
#include "random_net.h"

/* @eq Glorot uniform on [-limit, limit], limit = sqrt(6/(fan_in + fan_out)), taps in both fans; a
 *     second convolution 1e-5 of it. The largest of n >= 72 draws is above 0.9 limit but for a
 *     chance of 0.9^72 = 5e-4; the seed is fixed. */
static void test_limits(void **state)
{
    const ebm_network_config c = small_network();
    ebm_model *m = random_net(&c, kernel_set("ref"), 1);
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    ebmt__spectral spectral;
    ebmt_state s;
    (void)state;
    assert_int_equal(ebmt__spectral_init(g, &spectral, NULL), EBM_OK);
    assert_int_equal(ebmt_state_init(g->n_params, spectral.n_u, &s, NULL), EBM_OK);
    ebmt__init_weights(g, &spectral, 5, &s);
    for (int32_t k = 0; k < g->n_tensors; k++) {
        const ebm_tensor_info *t = &g->tensors[k];
        double taps = t->rank == 4 ? 9.0 : 1.0, limit = 0.0, largest = 0.0;
        if (t->rank >= 2)
            limit = sqrt(6.0 / (taps * (double)(t->dim[0] + t->dim[1])));
        if (strstr(t->name, "conv2"))
            limit *= 1e-5;
        for (size_t i = 0; i < t->count; i++)
            largest = fmax(largest, fabs((double)s.params[t->offset + i]));
        if (strstr(t->name, "gain"))
            assert_close(largest, 1.0, 0.0);
        else
            assert_true(largest <= 1.0000001 * limit && largest >= 0.9 * limit);
    }
    assert_memory_equal(s.params, s.ema, g->n_params * sizeof *s.ema);
    ebmt_state_clear(&s);
    ebmt__spectral_clear(&spectral);
    ebm_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
