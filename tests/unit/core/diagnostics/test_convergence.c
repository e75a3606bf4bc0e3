/* Diagnostics of chains whose effective sample size and mixing are known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"

#include "analytic.h"
#include "diagnostics/diagnostics_internal.h"
#include "ebm/mcmc.h"
#include "ebm/rng.h"
#include "fail_alloc.h"

enum { CHAINS = 4, DRAWS = 5000 };

static double values[CHAINS * DRAWS];

static const ebm_series series = {
    .values = values, .chains = CHAINS, .draws = DRAWS, .chain_stride = DRAWS, .stride = 1};

/* Stationary AR(1) chains of variance 1. @eq x_i = rho x_{i-1} + sqrt(1-rho^2) e_i */
static void fill_ar1(double rho)
{
    float e[DRAWS];
    for (uint32_t c = 0; c < CHAINS; c++) {
        const ebm_stream s = {.seed = 6, .purpose = EBM_PURPOSE_TEST, .chain = c};
        ebm_rng_normal(&s, 0, DRAWS, e);
        double *x = values + c * DRAWS;
        x[0] = (double)e[0];
        for (int i = 1; i < DRAWS; i++)
            x[i] = rho * x[i - 1] + sqrt(1.0 - rho * rho) * (double)e[i];
    }
}

static ebm_convergence diagnosed(void)
{
    ebm_convergence c;
    assert_int_equal(ebm_convergence_of(&series, &c, NULL), EBM_OK);
    return c;
}

/* ESS of an AR(1) mean is S (1-rho)/(1+rho); rho = 0 is independence. The estimator's own spread
 * at S = 20,000 is 3 to 5 %; bound 15 %, about 3 of it or more. */
static void test_known_ess(void **state)
{
    static const double rho[5] = {0.0, 0.3, 0.7, 0.9, -0.4};
    (void)state;
    for (int k = 0; k < 5; k++) {
        double want = CHAINS * DRAWS * (1.0 - rho[k]) / (1.0 + rho[k]);
        fill_ar1(rho[k]);
        ebm_convergence c = diagnosed();
        assert_close(c.ess_bulk, want, 0.15 * want);
        assert_true(c.rhat < 1.01 && c.rhat > 0.999);
        assert_true(c.mixed && !c.diverged);
        assert_close(c.mean, 0.0, 4.0 / sqrt(want));
        assert_close(c.sd, 1.0, 0.1);
        assert_true(c.ess_tail > 0.0 && c.ess_tail < 2.0 * CHAINS * DRAWS);
        if (rho[k] == 0.0)
            assert_close(c.ess_tail, want, 0.15 * want);
    }
}

/* A chain shifted by one sd, a common trend, one chain of three times the scale (the means agree:
 * only folding sees it): each is flagged. */
static void test_disagreement_is_flagged(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        fill_ar1(0.0);
        for (int i = 0; i < CHAINS * DRAWS; i++) {
            if (kind == 0 && i < DRAWS)
                values[i] += 1.0;
            if (kind == 1)
                values[i] += 2.0 * (i % DRAWS) / DRAWS;
            if (kind == 2 && i < DRAWS)
                values[i] *= 3.0;
        }
        ebm_convergence c = diagnosed();
        assert_true(c.rhat > 1.05);
        assert_false(c.mixed);
    }
}

/* R-hat by hand: rows {1,2,3} and {2,3,4}: W = 1, B/n = 1/2, so sqrt(2/3 + 1/2). */
static void test_rhat_by_hand(void **state)
{
    static const double x[6] = {1, 2, 3, 2, 3, 4};
    (void)state;
    assert_close(ebm__rhat((ebm__rows){.rows = 2, .n = 3, .x = x}), sqrt(2.0 / 3.0 + 0.5), 1e-14);
}

/* Two modes 12 sd apart at the lowest level: MALA chains that start in different modes stay
 * there, each perfectly mixed by itself, and must be flagged. */
static void test_a_mixture_that_cannot_mix(void **state)
{
    ebm_levels levels = analytic_levels();
    analytic_mixture mix = {.levels = &levels, .k = 2, .mean = {-0.6, 0.6}, .var = 0.01};
    ebm_density density = analytic_mixture_density(&mix);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_MALA);
    const ebm_mcmc_setup setup = {.density = &density, .levels = &levels, .plan = &plan};
    double positions[2][2000];
    float y[1], anchor[1], work[4];
    (void)state;
    plan.ladder = false;
    plan.steps = 2500;
    plan.burn_in = 500;
    for (uint32_t k = 0; k < 2; k++) {
        ebm_mcmc chain = {.noise = {.seed = 1, .index = k}, .y = y, .anchor = anchor};
        const float start = k ? 0.6f : -0.6f;
        ebm_mcmc_start_state(&chain, &setup, &start, &start, 0);
        assert_int_equal(ebm_mcmc_advance(&chain, &setup, 500, NULL, work, NULL), EBM_OK);
        for (int i = 0; i < 2000; i++) {
            assert_int_equal(ebm_mcmc_advance(&chain, &setup, 1, NULL, work, NULL), EBM_OK);
            positions[k][i] = (double)y[0];
        }
    }
    ebm_series s = {
        .values = positions[0], .chains = 2, .draws = 2000, .chain_stride = 2000, .stride = 1};
    ebm_convergence both, alone;
    assert_int_equal(ebm_convergence_of(&s, &both, NULL), EBM_OK);
    assert_true(both.rhat > 1.5);
    assert_false(both.mixed);
    s.chains = 1;
    assert_int_equal(ebm_convergence_of(&s, &alone, NULL), EBM_OK);
    assert_true(alone.rhat < 1.02);
    ebm_levels_clear(&levels);
}

static void test_autocovariance_is_its_sum(void **state)
{
    enum { N = 37 };
    double got[N], re[128], im[128], mean = 0.0;
    (void)state;
    fill_ar1(0.8);
    assert_int_equal(ebm__fft_length(N), 128);
    ebm__autocovariance(N, values, re, im, got);
    for (int i = 0; i < N; i++)
        mean += values[i] / N;
    for (int k = 0; k < N; k++) {
        double want = 0.0;
        for (int i = 0; i + k < N; i++)
            want += (values[i] - mean) * (values[i + k] - mean) / N;
        assert_close(got[k], want, 1e-12);
    }
}

static void test_normal_quantile(void **state)
{
    (void)state;
    for (int e = 1; e < 60; e++) {
        double p = ldexp(1.0, -e), x = ebm__normal_quantile(p);
        assert_close(0.5 * erfc(-x / sqrt(2.0)) / p, 1.0, 1e-12);
        if (e < 40)
            assert_close(ebm__normal_quantile(1.0 - p), -x, 1e-4);
    }
    assert_close(ebm__normal_quantile(0.975), 1.959963984540054, 1e-12);
}

/* Ties share a rank; scores of 1, 2, 2, 5: ranks 1, 2.5, 2.5, 4. */
static void test_ranks_with_ties(void **state)
{
    double x[4] = {5, 2, 1, 2};
    ebm__ranked scratch[4];
    (void)state;
    ebm__rank_normalise(4, x, scratch);
    assert_close(x[0], ebm__normal_quantile(3.625 / 4.25), 0.0);
    assert_close(x[1], 0.0, 1e-14);
    assert_close(x[3], 0.0, 1e-14);
    assert_close(x[2], -x[0], 1e-14);
}

static void test_odd_inputs(void **state)
{
    ebm_series s = series;
    ebm_convergence c;
    (void)state;
    fill_ar1(0.0);
    values[17] = NAN;
    c = diagnosed();
    assert_true(c.diverged && !c.mixed && isnan(c.rhat));
    for (int i = 0; i < CHAINS * DRAWS; i++)
        values[i] = 3.0;
    c = diagnosed();
    assert_true(isnan(c.rhat) && c.ess_bulk == 0.0 && !c.mixed && !c.diverged);
    s.draws = 7;
    assert_int_equal(ebm_convergence_of(&s, &c, NULL), EBM_ERR_RANGE);
    s.draws = SIZE_MAX;
    assert_int_equal(ebm_convergence_of(&s, &c, NULL), EBM_ERR_RANGE);
    s = series;
    s.chains = 0;
    assert_int_equal(ebm_convergence_of(&s, &c, NULL), EBM_ERR_RANGE);
}

static void test_no_memory(void **state)
{
    ebm_convergence c;
    (void)state;
    fill_ar1(0.0);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_convergence_of(&series, &c, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_ess),
        cmocka_unit_test(test_disagreement_is_flagged),
        cmocka_unit_test(test_rhat_by_hand),
        cmocka_unit_test(test_a_mixture_that_cannot_mix),
        cmocka_unit_test(test_autocovariance_is_its_sum),
        cmocka_unit_test(test_normal_quantile),
        cmocka_unit_test(test_ranks_with_ties),
        cmocka_unit_test(test_odd_inputs),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
