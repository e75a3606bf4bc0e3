/* Adam by hand, the moving average, and the learning rate as a function. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "optim/adam.h"

static const ebmt_state_sizes one_parameter = {.params = 1};

/* Three steps of one parameter, worked out in double from the paper's recursion. */
static void test_adam_by_hand(void **state)
{
    const ebmt_config c = ebmt_config_default();
    const float grads[3] = {0.5f, -0.25f, 1.0f};
    double m = 0, v = 0, p = 2.0;
    ebmt_state s;
    (void)state;
    assert_int_equal(ebmt_state_init(&one_parameter, &s, NULL), EBM_OK);
    s.params[0] = 2.0f;
    for (int t = 1; t <= 3; t++) {
        double g = (double)grads[t - 1];
        ebmt__adam_step(&c, 0.01, &grads[t - 1], &s);
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        p -= 0.01 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-7);
        assert_close((double)s.params[0], p, 1e-6);
    }
    assert_int_equal(s.adam_step, 3);
    ebmt__adam_reset(&s);
    assert_true(s.adam_step == 0 && s.adam_m[0] == 0.0f && s.adam_v[0] == 0.0f);
    ebmt_state_clear(&s);
}

/* Constant weights: the average is 1 - 0.999^n of the way; with a ramp it is there at once. */
static void test_ema(void **state)
{
    ebmt_config c = ebmt_config_default();
    ebmt_state s;
    (void)state;
    assert_int_equal(ebmt_state_init(&one_parameter, &s, NULL), EBM_OK);
    s.params[0] = 1.0f;
    for (s.iteration = 1; s.iteration <= 100; s.iteration++)
        ebmt__ema_step(&c, &s);
    assert_close((double)s.ema[0], 1.0 - pow(0.999, 100), 1e-5);
    c.ema_ramp = true;
    s.iteration = 0;
    s.ema[0] = 0.0f;
    ebmt__ema_step(&c, &s);
    assert_close((double)s.ema[0], 0.9, 1e-6);
    ebmt_state_clear(&s);
}

static void test_learning_rate(void **state)
{
    ebmt_config c = ebmt_config_default();
    (void)state;
    c.iterations = 1000;
    c.lr_warmup = 100;
    c.lr = 1e-4;
    assert_close(ebmt__learning_rate(&c, 0, 0), 1e-6, 1e-18);
    assert_close(ebmt__learning_rate(&c, 49, 49), 5e-5, 1e-18);
    assert_close(ebmt__learning_rate(&c, 999, 999), 1e-4, 1e-18); /* the paper: no decay */
    c.lr_decay_from = 0.5;
    c.lr_final = 0.1;
    assert_close(ebmt__learning_rate(&c, 500, 500), 1e-4, 1e-18);
    assert_close(ebmt__learning_rate(&c, 750, 750), 0.55e-4, 1e-12);
    assert_close(ebmt__learning_rate(&c, 1000, 1000), 0.1e-4, 1e-12);
    c.lr_decay = EBMT_DECAY_COSINE; /* half way at half time, flat at both ends */
    assert_close(ebmt__learning_rate(&c, 501, 501), 1e-4, 1e-9);
    assert_close(ebmt__learning_rate(&c, 625, 625), 1e-4 * (1 - 0.9 * 0.5 * (1 - sqrt(0.5))),
                 1e-12);
    assert_close(ebmt__learning_rate(&c, 750, 750), 0.55e-4, 1e-12);
    assert_close(ebmt__learning_rate(&c, 1000, 1000), 0.1e-4, 1e-12);
    c.objective = EBMT_HYBRID;
    c.warm_start = 200;
    assert_close(ebmt__learning_rate(&c, 150, 150), c.lr_warm_start, 1e-18);
    assert_close(ebmt__learning_rate(&c, 200, 0), 1e-6, 1e-18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adam_by_hand),
        cmocka_unit_test(test_ema),
        cmocka_unit_test(test_learning_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
