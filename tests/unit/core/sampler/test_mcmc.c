/* Chains of every kind on densities with known moments; adaptation; traces; splitting. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/mcmc.h"

/* A chain with its buffers, for densities of up to 64 dimensions. */
typedef struct bench {
    ebm_levels levels;
    ebm_mcmc_plan plan;
    ebm_density density;
    ebm_mcmc_setup setup;
    ebm_mcmc chain;
    float y[64], anchor[64], work[256];
} bench;

static void init_bench(bench *b, ebm_sampler_kind sampler)
{
    *b = (bench){.levels = analytic_levels(), .plan = ebm_mcmc_plan_default(sampler)};
    b->setup = (ebm_mcmc_setup){.density = &b->density, .levels = &b->levels, .plan = &b->plan};
    b->chain = (ebm_mcmc){.noise = {.seed = 7, .index = 1}, .y = b->y, .anchor = b->anchor};
}

static void run(bench *b, int64_t steps, ebm_trace *trace)
{
    assert_int_equal(ebm_mcmc_advance(&b->chain, &b->setup, steps, trace, b->work, NULL), EBM_OK);
}

static analytic_gauss correlated(const ebm_levels *levels)
{
    return (analytic_gauss){.levels = levels,
                            .n = 2,
                            .copies = 1,
                            .mean = {0.3, -0.2},
                            .cov = {{0.30, 0.18}, {0.18, 0.25}}};
}

/* Sum and batch sums of a statistic; the standard error comes from 100 batches of 1,000. */
typedef struct batches {
    double total[100];
} batches;

static void check_mean(const batches *s, double expected, const char *what)
{
    double mean = 0, var = 0;
    for (int i = 0; i < 100; i++)
        mean += s->total[i] / 1e5;
    for (int i = 0; i < 100; i++)
        var += (s->total[i] / 1e3 - mean) * (s->total[i] / 1e3 - mean) / 99.0;
    if (!(fabs(mean - expected) <= 4.0 * sqrt(var / 100.0)))
        print_error("%s: got %.6g, want %.6g, se %.2g\n", what, mean, expected, sqrt(var / 100.0));
    assert_true(fabs(mean - expected) <= 4.0 * sqrt(var / 100.0));
    assert_true(sqrt(var / 100.0) < 0.05); /* and the bound means something */
}

/* Moments at 10^5 draws within 4 Monte-Carlo standard errors: for a fresh seed each of the 5
 * moments of a correct sampler would fail in 1 of 10^4 runs or so (t with 99 degrees). */
static void check_gauss_moments(ebm_sampler_kind sampler, bool tether)
{
    bench b;
    init_bench(&b, sampler);
    analytic_gauss g = correlated(&b.levels);
    const float anchor[2] = {0.9f, -0.5f};
    double s2 = b.levels.sigma[2] * b.levels.sigma[2], a = b.levels.scale[1] * b.levels.abar[1];
    double noise = b.levels.scale[1] * b.levels.sbar[1], c[2][2], mean[2];
    batches m[5] = {0};
    b.density = analytic_gauss_density(&g);
    b.plan.ladder = false;
    b.plan.tether = tether;
    b.plan.steps = 102000;
    b.plan.burn_in = 2000;
    ebm_mcmc_start_state(&b.chain, &b.setup, anchor, anchor, 1);
    run(&b, 2000, NULL);
    for (int k = 0; k < 100000; k++) {
        run(&b, 1, NULL);
        const double y[2] = {(double)b.y[0], (double)b.y[1]};
        const double value[5] = {y[0], y[1], y[0] * y[0], y[1] * y[1], y[0] * y[1]};
        for (int i = 0; i < 5; i++)
            m[i].total[k / 1000] += value[i];
    }
    assert_true(ebm_mcmc_done(&b.chain, &b.plan));
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            c[i][j] = a * a * g.cov[i][j] + (i == j ? noise * noise : 0.0);
    for (int i = 0; i < 2; i++)
        mean[i] = a * g.mean[i];
    if (tether) { /* N(mean, C) times N(anchor, s2): posterior C - C (C+s2)^-1 C */
        double p = c[0][0] + s2, q = c[0][1], r = c[1][1] + s2, det = p * r - q * q;
        const double inv[2][2] = {{r / det, -q / det}, {-q / det, p / det}};
        double gain[2][2], post[2][2], d[2] = {0.9 - mean[0], -0.5 - mean[1]};
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                gain[i][j] = c[i][0] * inv[0][j] + c[i][1] * inv[1][j];
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                post[i][j] = gain[i][j] * s2;
        for (int i = 0; i < 2; i++)
            mean[i] += gain[i][0] * d[0] + gain[i][1] * d[1];
        memcpy(c, post, sizeof c);
    }
    check_mean(&m[0], mean[0], "mean 0");
    check_mean(&m[1], mean[1], "mean 1");
    check_mean(&m[2], c[0][0] + mean[0] * mean[0], "square 0");
    check_mean(&m[3], c[1][1] + mean[1] * mean[1], "square 1");
    check_mean(&m[4], c[0][1] + mean[0] * mean[1], "product");
    double rate = b.chain.accept / (double)b.chain.moves;
    assert_int_equal(b.chain.moves, 100000);
    if (sampler == EBM_SAMPLER_MALA)
        assert_close(rate, 0.57, 0.08);
    else
        assert_close(rate, 0.75, 0.18);
    ebm_levels_clear(&b.levels);
}

static void test_mala_gauss(void **state)
{
    (void)state;
    check_gauss_moments(EBM_SAMPLER_MALA, false);
    check_gauss_moments(EBM_SAMPLER_MALA, true);
}

static void test_hmc_gauss(void **state)
{
    (void)state;
    check_gauss_moments(EBM_SAMPLER_HMC, false);
    check_gauss_moments(EBM_SAMPLER_HMC, true);
}

/* Two overlapping components: mean, square and fourth power of y, at 10^5 draws. */
static void check_mixture_moments(ebm_sampler_kind sampler)
{
    bench b;
    init_bench(&b, sampler);
    analytic_mixture mix = {.levels = &b.levels, .k = 2, .mean = {-0.9, 0.5}, .var = 0.05};
    double a = b.levels.scale[2] * b.levels.abar[2], noise = b.levels.scale[2] * b.levels.sbar[2];
    double v = a * a * mix.var + noise * noise, want[3] = {0, 0, 0};
    batches m[3] = {0};
    b.density = analytic_mixture_density(&mix);
    b.plan.ladder = false;
    b.plan.steps = 102000;
    b.plan.burn_in = 2000;
    ebm_mcmc_start_noise(&b.chain, &b.setup, 2);
    run(&b, 2000, NULL);
    for (int k = 0; k < 100000; k++) {
        run(&b, 1, NULL);
        const double y = (double)b.y[0], value[3] = {y, y * y, y * y * y * y};
        for (int i = 0; i < 3; i++)
            m[i].total[k / 1000] += value[i];
    }
    for (int k = 0; k < 2; k++) {
        double c = a * mix.mean[k];
        want[0] += 0.5 * c;
        want[1] += 0.5 * (c * c + v);
        want[2] += 0.5 * (c * c * c * c + 6 * c * c * v + 3 * v * v);
    }
    check_mean(&m[0], want[0], "mean");
    check_mean(&m[1], want[1], "square");
    check_mean(&m[2], want[2], "fourth power");
    ebm_levels_clear(&b.levels);
}

static void test_mixture(void **state)
{
    (void)state;
    check_mixture_moments(EBM_SAMPLER_MALA);
    check_mixture_moments(EBM_SAMPLER_HMC);
}

/* With a small step every move is accepted; with a huge one none. */
static void test_step_scale(void **state)
{
    static const double scale[2] = {1e-3, 1e3}, want[2] = {1.0, 0.0};
    (void)state;
    for (int k = 0; k < 2; k++)
        for (int s = EBM_SAMPLER_MALA; s <= EBM_SAMPLER_HMC; s++) {
            bench b;
            init_bench(&b, (ebm_sampler_kind)s);
            analytic_gauss g = correlated(&b.levels);
            b.density = analytic_gauss_density(&g);
            b.plan.ladder = false;
            b.plan.steps = 300;
            b.plan.step_scale = scale[k];
            ebm_mcmc_start_noise(&b.chain, &b.setup, 3);
            run(&b, 300, NULL);
            assert_close(b.chain.accept / 300.0, want[k], 0.01);
            ebm_levels_clear(&b.levels);
        }
}

/* The step size changes in burn-in and never after it. */
static void test_adaptation_freezes(void **state)
{
    bench b;
    (void)state;
    init_bench(&b, EBM_SAMPLER_HMC);
    analytic_gauss g = correlated(&b.levels);
    b.density = analytic_gauss_density(&g);
    b.plan.ladder = false;
    b.plan.steps = 500;
    b.plan.burn_in = 200;
    b.plan.step_scale = 0.05;
    ebm_mcmc_start_noise(&b.chain, &b.setup, 3);
    run(&b, 1, NULL);
    double first = b.chain.step_size;
    run(&b, 199, NULL);
    double frozen = b.chain.step_size;
    assert_true(frozen > 5.0 * first);
    run(&b, 300, NULL);
    assert_true(b.chain.step_size == frozen);
    assert_int_equal(b.chain.moves, 300);
    ebm_levels_clear(&b.levels);
}

/* A ladder with HMC ends at the true variance, where Langevin with the paper's 30 steps is ten
 * times off (test_langevin.c). 60 chains of 64 pixels: se of a variance over 3,840 values is
 * v sqrt(2/3840) = 0.023 v; bound 4 of them, one false alarm in 16,000 seeds. */
static void test_ladder_with_hmc(void **state)
{
    double sum = 0.0;
    (void)state;
    for (uint32_t k = 0; k < 60; k++) {
        bench b;
        init_bench(&b, EBM_SAMPLER_HMC);
        analytic_gauss g = {.levels = &b.levels, .n = 1, .copies = 64, .cov = {{0.25}}};
        b.density = analytic_gauss_density(&g);
        b.plan.steps_per_level = 600;
        b.plan.burn_in = 400;
        b.chain.noise.index = k;
        ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
        run(&b, ebm_mcmc_total_steps(&b.plan, &b.levels, 5), NULL);
        assert_int_equal(b.chain.level, -1);
        for (int i = 0; i < 64; i++)
            sum += (double)b.y[i] * (double)b.y[i];
        ebm_levels_clear(&b.levels);
    }
    assert_close(sum / 3840.0, 0.25007, 0.25007 * 4.0 * sqrt(2.0 / 3840.0));
}

/* The general chain as Langevin ladder is the plain chain, bit for bit. */
static void test_langevin_is_the_plain_chain(void **state)
{
    bench b;
    float y[4], anchor[4];
    ebm_chain plain = {.y = y, .anchor = anchor};
    const ebm_langevin how = {.steps_per_level = 9, .noise_scale = 0.99};
    (void)state;
    init_bench(&b, EBM_SAMPLER_LANGEVIN);
    analytic_gauss g = correlated(&b.levels);
    g.copies = 2;
    b.density = analytic_gauss_density(&g);
    b.plan.steps_per_level = 9;
    b.plan.noise_scale = 0.99;
    ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
    run(&b, 1000, NULL);
    ebm_chain_start(&plain, &b.levels, 4, 7, 1);
    assert_int_equal(ebm_chain_advance(&plain, &b.density, &b.levels, &how, 1000, b.work, NULL),
                     EBM_OK);
    assert_memory_equal(y, b.y, sizeof y);
    assert_int_equal(ebm_mcmc_total_steps(&b.plan, &b.levels, 5), 54);
    ebm_levels_clear(&b.levels);
}

/* Rows are the states in front of every third step; a full trace stops the chain and loses
 * nothing; a divided run leaves the same rows. */
static void test_trace(void **state)
{
    double whole[40][4], parts[40][4];
    float directions[2 * 2];
    int32_t level[40];
    (void)state;
    ebm_trace_directions(2, 2, directions);
    for (int s = EBM_SAMPLER_LANGEVIN; s <= EBM_SAMPLER_HMC; s++) {
        for (int divided = 0; divided < 2; divided++) {
            bench b;
            init_bench(&b, (ebm_sampler_kind)s);
            analytic_gauss g = correlated(&b.levels);
            ebm_trace trace = {.thin = 3,
                               .n_directions = 2,
                               .directions = directions,
                               .room = divided ? 1 : 40,
                               .level = level,
                               .scalars = divided ? parts[0] : whole[0]};
            b.density = analytic_gauss_density(&g);
            b.plan.steps_per_level = 20;
            ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
            double projection =
                (double)b.y[0] * (double)directions[2] + (double)b.y[1] * (double)directions[3];
            float net, grad[2];
            b.density.gradient(b.density.self, b.y, 5, &net, grad);
            for (int row = 0; b.chain.level >= 0; row++) {
                run(&b, 1000, &trace);
                if (!divided)
                    break;
                assert_int_equal(trace.count, 1);
                memcpy(parts[row], trace.scalars, sizeof parts[0]);
                trace.scalars = parts[row + 1 < 40 ? row + 1 : 39];
                trace.count = 0;
            }
            assert_int_equal(b.chain.level, -1);
            assert_close(divided ? parts[0][3] : whole[0][3], projection, 1e-6);
            if (!divided) {
                assert_int_equal(trace.count, 40);
                assert_close(whole[0][0], (double)net / b.levels.step2[5], 1e-6);
                assert_int_equal(level[0], 5);
                assert_int_equal(level[39], 0);
            }
            ebm_levels_clear(&b.levels);
        }
        assert_memory_equal(whole, parts, sizeof whole);
    }
}

static void vanish(void *self, const float *y, int32_t level, float *net, float *grad)
{
    (void)self;
    (void)y;
    (void)level;
    if (net)
        *net = NAN;
    grad[0] = grad[1] = 0.0f;
}

/* A chain whose density is not finite is reported, with its index. */
static void test_divergence(void **state)
{
    (void)state;
    for (int s = EBM_SAMPLER_MALA; s <= EBM_SAMPLER_HMC; s++) {
        bench b;
        ebm_error err = {0};
        init_bench(&b, (ebm_sampler_kind)s);
        b.density = (ebm_density){.dim = 2, .gradient = vanish};
        b.chain.noise.index = 33;
        ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
        assert_int_equal(ebm_mcmc_advance(&b.chain, &b.setup, 3, NULL, b.work, &err),
                         EBM_ERR_DIVERGED);
        assert_int_equal(err.index, 33);
        ebm_levels_clear(&b.levels);
    }
}

/* Each bound of a plan by the field it names. */
static void test_plan_bounds(void **state)
{
    ebm_mcmc_plan bad[11];
    const char *const where[11] = {"sampler",    "leapfrog",    "leapfrog",  "steps_per_level",
                                   "repeats",    "polish",      "steps",     "burn_in",
                                   "step_scale", "noise_scale", "step_scale"};
    (void)state;
    for (int i = 0; i < 11; i++)
        bad[i] = ebm_mcmc_plan_default(EBM_SAMPLER_HMC);
    assert_int_equal(ebm_mcmc_plan_check(&bad[0], NULL), EBM_OK);
    bad[0].sampler = (ebm_sampler_kind)3;
    bad[1].leapfrog = 0;
    bad[2].leapfrog = 65;
    bad[3].steps_per_level = -1;
    bad[4].repeats = 0;
    bad[5].polish = -1;
    bad[6].steps = 0;
    bad[7].burn_in = -1;
    bad[8].step_scale = 0.0;
    bad[9].noise_scale = 2.5;
    bad[10].step_scale = NAN;
    for (int i = 0; i < 11; i++) {
        ebm_error err = {0};
        assert_int_equal(ebm_mcmc_plan_check(&bad[i], &err), EBM_ERR_RANGE);
        assert_string_equal(err.where, where[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mala_gauss),
        cmocka_unit_test(test_hmc_gauss),
        cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_step_scale),
        cmocka_unit_test(test_adaptation_freezes),
        cmocka_unit_test(test_ladder_with_hmc),
        cmocka_unit_test(test_langevin_is_the_plain_chain),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_plan_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
