/* The Hamiltonian move by its identities: reversibility, detailed balance, vanishing error. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "sampler/hmc.h"

enum { N = 5 };

/* logp = -sum c_i y_i^4/4 - y_i^2/2: not Gaussian, so that the integrator has an error. */
static double quartic(void *self, const float *y, float *grad)
{
    double sum = 0.0;
    (void)self;
    for (int i = 0; i < N; i++) {
        double v = (double)y[i], c = 0.2 * (i + 1);
        grad[i] = (float)(-c * v * v * v - v);
        sum -= 0.25 * c * v * v * v * v + 0.5 * v * v;
    }
    return sum;
}

typedef struct bench {
    float y[N], grad[N], y_new[N], grad_new[N], momentum[N], mask[N];
    ebm_noise noise;
    ebm__hmc h;
} bench;

static void init_bench(bench *b, double eps, int32_t leapfrog)
{
    *b = (bench){.noise = {.seed = 11, .index = 3}};
    b->h = (ebm__hmc){.target = {.dim = N, .eval = quartic},
                      .noise = &b->noise,
                      .eps = eps,
                      .leapfrog = leapfrog,
                      .y = b->y,
                      .grad = b->grad,
                      .y_new = b->y_new,
                      .grad_new = b->grad_new,
                      .momentum = b->momentum};
    for (int i = 0; i < N; i++)
        b->y[i] = 0.3f * (float)(i - 2);
    ebm__hmc_refresh(&b->h);
}

static ebm_draw draw_of(int64_t step)
{
    return (ebm_draw){.purpose = EBM_PURPOSE_TEST, .step = step};
}

/* Forward, momentum turned round, forward again: back where it began, to float rounding. */
static void test_leapfrog_is_reversible(void **state)
{
    bench b;
    (void)state;
    init_bench(&b, 0.2, 7);
    const float kick[N] = {1.0f, -0.5f, 0.25f, 2.0f, -1.0f};
    memcpy(b.momentum, kick, sizeof kick);
    memcpy(b.y_new, b.y, sizeof b.y);
    memcpy(b.grad_new, b.grad, sizeof b.grad);
    ebm__hmc_leapfrog(&b.h);
    assert_true(fabs((double)b.y_new[3] - (double)b.y[3]) > 0.1);
    for (int i = 0; i < N; i++)
        b.momentum[i] = -b.momentum[i];
    ebm__hmc_leapfrog(&b.h);
    for (int i = 0; i < N; i++) {
        assert_close((double)b.y_new[i], (double)b.y[i], 2e-6);
        assert_close((double)b.momentum[i], -(double)kick[i], 2e-6);
    }
}

/* Log of MALA's proposal density up to a constant. @eq -|to - from - eps^2/2 grad|^2/(2 eps^2) */
static double log_q(const float *to, const float *from, const float *grad, double eps)
{
    double sum = 0.0;
    for (int i = 0; i < N; i++) {
        double d = (double)to[i] - (double)from[i] - 0.5 * eps * eps * (double)grad[i];
        sum -= d * d / (2.0 * eps * eps);
    }
    return sum;
}

/* With one leapfrog step the acceptance is MALA's: pi(y') q(y|y') / (pi(y) q(y'|y)), computed here
 * from the densities; so detailed balance holds by construction. Tolerance: float32 rounding of
 * the proposal, divided by eps. */
static void test_one_leapfrog_is_mala(void **state)
{
    (void)state;
    for (int64_t step = 0; step < 50; step++) {
        const double eps = 0.9;
        bench b;
        float old[N], old_grad[N];
        init_bench(&b, eps, 1);
        memcpy(old, b.y, sizeof old);
        memcpy(old_grad, b.grad, sizeof old_grad);
        double before = b.h.logp, p = ebm__hmc_move(&b.h, draw_of(step));
        double after = quartic(NULL, b.y_new, b.grad_new);
        double ratio = after + log_q(old, b.y_new, b.grad_new, eps) - before -
                       log_q(b.y_new, old, old_grad, eps);
        assert_close(p, fmin(1.0, exp(ratio)), 1e-5);
    }
}

/* 1 - acceptance falls with the cube of the step (Roberts and Rosenthal): from 0.4 to 0.1 by far
 * more than tenfold. */
static void test_acceptance_tends_to_one(void **state)
{
    const double eps[3] = {0.4, 0.1, 0.01};
    double loss[3] = {0, 0, 0};
    (void)state;
    for (int k = 0; k < 3; k++) {
        bench b;
        init_bench(&b, eps[k], 2);
        for (int64_t step = 0; step < 500; step++)
            loss[k] += (1.0 - ebm__hmc_move(&b.h, draw_of(step))) / 500.0;
    }
    assert_true(loss[0] > 1e-3);
    assert_true(loss[1] < 0.1 * loss[0]);
    assert_true(loss[2] < 1e-5);
}

static double cliff(void *self, const float *y, float *grad)
{
    memset(grad, 0, N * sizeof *grad);
    return y[0] == *(float *)self ? 0.0 : (double)NAN;
}

/* A proposal without a finite density is rejected and leaves the state alone. */
static void test_rejection_leaves_state(void **state)
{
    bench b;
    float start;
    (void)state;
    init_bench(&b, 0.5, 2);
    start = b.y[0];
    b.h.target.eval = cliff;
    b.h.target.self = &start;
    ebm__hmc_refresh(&b.h);
    float before[N];
    memcpy(before, b.y, sizeof before);
    assert_true(ebm__hmc_move(&b.h, draw_of(0)) == 0.0);
    assert_memory_equal(before, b.y, sizeof before);
}

/* Masked coordinates keep their bits, the others move. */
static void test_mask_holds(void **state)
{
    bench b;
    (void)state;
    init_bench(&b, 0.1, 1);
    b.mask[1] = b.mask[4] = 1.0f;
    b.h.mask = b.mask;
    b.grad[1] = b.grad[4] = 0.0f;
    float y1 = b.y[1], y0 = b.y[0];
    ebm__hmc_move(&b.h, draw_of(0));
    assert_memory_equal(&y1, &b.y[1], sizeof y1);
    assert_memory_not_equal(&y0, &b.y[0], sizeof y0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leapfrog_is_reversible),
        cmocka_unit_test(test_one_leapfrog_is_mala),
        cmocka_unit_test(test_acceptance_tends_to_one),
        cmocka_unit_test(test_rejection_leaves_state),
        cmocka_unit_test(test_mask_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
