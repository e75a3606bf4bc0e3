/* The classifier's block: a convolution by hand, and the backward pass against differences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/rng.h"
#include "eval/conv_pool.h"

/* A 3x2 image of one channel, a kernel that looks right only: out = max over the one whole 2x2
 * window of x shifted left; the odd row falls away. */
static void test_by_hand(void **state)
{
    const ebmt__conv_pool s = {.n = 1, .h = 3, .w = 2, .c_in = 1, .c_out = 1};
    const float x[6] = {1, 2, 3, 5, 100, 200};
    const float weight[9] = {0, 0, 0, 0, 0, 2, 0, 0, 0}, bias[1] = {-3};
    float columns[54], full[6], y[1];
    uint8_t choice[1];
    ebmt__conv_trace trace = {columns, full, choice};
    (void)state;
    ebmt__conv_pool_forward(&s, weight, bias, x, &trace, y);
    /* shifted and doubled: 4 0 / 10 0 / 400 0 */
    assert_close((double)full[0], 4, 0);
    assert_close((double)full[1], 0, 0);
    assert_close((double)full[4], 400, 0);
    assert_close((double)y[0], 10 - 3, 0);
    assert_int_equal(choice[0], 2);
    /* a bias that shuts the ReLU lets no gradient through */
    const float shut[1] = {-11}, d_y[1] = {1};
    float d_weight[9] = {0}, d_bias[1] = {0}, d_x[6];
    ebmt__conv_pool_forward(&s, weight, shut, x, &trace, y);
    ebmt__conv_pool_backward(&s, weight, &trace, d_y, d_weight, d_bias, d_x);
    assert_close((double)y[0], 0, 0);
    for (int i = 0; i < 9; i++)
        assert_close((double)d_weight[i], 0, 0);
    assert_close((double)d_bias[0], 0, 0);
}

#define N     2
#define H     5
#define W     4
#define IN    3
#define OUT   2
#define N_X   (N * H * W * IN)
#define N_WB  (9 * IN * OUT + OUT)
#define N_Y   (N * (H / 2) * (W / 2) * OUT)
#define N_ALL (N_X + N_WB)

static const ebmt__conv_pool shape = {.n = N, .h = H, .w = W, .c_in = IN, .c_out = OUT};

/* <seed, y> as a function of input, weights and biases together. */
static double value(const float *all, const float *seed, float *gradient)
{
    float columns[N * H * W * 9 * IN], full[N * H * W * OUT], y[N_Y];
    uint8_t choice[N_Y];
    ebmt__conv_trace trace = {columns, full, choice};
    const float *weight = all + N_X, *bias = weight + 9 * IN * OUT;
    double sum = 0;
    ebmt__conv_pool_forward(&shape, weight, bias, all, &trace, y);
    for (int i = 0; i < N_Y; i++)
        sum += (double)seed[i] * (double)y[i];
    if (gradient)
        ebmt__conv_pool_backward(&shape, weight, &trace, seed, gradient + N_X,
                                 gradient + N_X + 9 * IN * OUT, gradient);
    return sum;
}

/* Piecewise linear, so the difference quotient is exact up to rounding while no maximum changes:
 * 1e-3 of a step leaves float32 sums of size 10 with an error near 1e-6/1e-3. */
static void test_gradient(void **state)
{
    const ebm_stream stream = {.seed = 3, .purpose = EBM_PURPOSE_TEST};
    float all[N_ALL], seed[N_Y], gradient[N_ALL] = {0};
    (void)state;
    ebm_rng_normal(&stream, 0, N_ALL, all);
    ebm_rng_normal(&stream, 1024, N_Y, seed);
    (void)value(all, seed, gradient);
    for (int i = 0; i < N_ALL; i += 7) {
        const float kept = all[i], step = 1e-3f;
        all[i] = kept + step;
        double up = value(all, seed, NULL);
        all[i] = kept - step;
        double down = value(all, seed, NULL);
        all[i] = kept;
        assert_close((up - down) / (2 * (double)step), (double)gradient[i],
                     0.02 + 0.002 * (double)(gradient[i] < 0 ? -gradient[i] : gradient[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
