/* The denoising step: exact where the posterior mean is known, and one step of the chain. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/sampler.h"

enum { N = 40 };
#define V 0.25

/* Data N(0, V): net(y,t) = -step2 |y|^2 / (2 scale^2 (abar^2 V + sbar^2)). */
typedef struct gauss {
    const ebm_levels *levels;
    int calls;
} gauss;

static void gradient(void *self, const float *y, int32_t t, float *net, float *grad)
{
    gauss *g = self;
    const ebm_levels *l = g->levels;
    double variance =
        l->scale[t] * l->scale[t] * (l->abar[t] * l->abar[t] * V + l->sbar[t] * l->sbar[t]);
    (void)net;
    g->calls++;
    for (size_t i = 0; i < N; i++)
        grad[i] = (float)(-l->step2[t] / variance * (double)y[i]);
}

static ebm_levels coarse_levels(bool denoise)
{
    const ebm_schedule_geometric schedule = {
        .count = 4, .ratio_min = 0.5, .ratio_max = 50, .steps = 6};
    ebm_levels l;
    assert_int_equal(ebm_levels_geometric(&schedule, &l, NULL), EBM_OK);
    l.denoise = denoise;
    return l;
}

/* Runs chain 3 of seed 1 in pieces of some length; returns the number of gradients. */
static int run(const ebm_levels *l, int64_t piece, float *y)
{
    float anchor[N], work[2 * N];
    gauss g = {.levels = l};
    const ebm_density density = {.dim = N, .self = &g, .gradient = gradient};
    const ebm_langevin how = {.noise_scale = 1.0};
    ebm_chain chain = {.y = y, .anchor = anchor};
    ebm_chain_start(&chain, l, N, 1, 3);
    while (chain.level >= 0)
        assert_int_equal(ebm_chain_advance(&chain, &density, l, &how, piece, work, NULL), EBM_OK);
    assert_int_equal(ebm_chain_total_steps(l, &how), g.calls);
    return g.calls;
}

/* E[x | x_0] = abar V x_0 / (abar^2 V + sbar^2) for Gaussian data, x_0 being where the chain
 * without the step ends; and a run in pieces takes the step once. */
static void test_posterior_mean(void **state)
{
    ebm_levels off = coarse_levels(false), on = coarse_levels(true);
    double a = off.abar[0], s = off.sbar[0];
    float noisy[N], clean[N], pieces[N];
    (void)state;
    assert_int_equal(run(&off, INT64_MAX, noisy), 24);
    assert_int_equal(run(&on, INT64_MAX, clean), 25);
    assert_int_equal(run(&on, 1, pieces), 25);
    for (int i = 0; i < N; i++)
        assert_close((double)clean[i], a * V * (double)noisy[i] / (a * a * V + s * s), 1e-6);
    assert_memory_equal(clean, pieces, sizeof clean);
    ebm_levels_clear(&off);
    ebm_levels_clear(&on);
}

/* With normal transitions the network at t = 0 knows the slope of level 1, not of level 0. */
static void test_refused_without_a_chain(void **state)
{
    ebm_levels l = coarse_levels(true), copy;
    ebm_error err = {0};
    (void)state;
    assert_int_equal(ebm_levels_check(&l, NULL), EBM_OK);
    assert_int_equal(ebm_levels_copy(&l, &copy, NULL), EBM_OK);
    assert_true(copy.denoise);
    ebm_levels_use_normal(&l);
    assert_int_equal(ebm_levels_check(&l, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "/sampling/denoise");
    ebm_levels_clear(&l);
    ebm_levels_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posterior_mean),
        cmocka_unit_test(test_refused_without_a_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
