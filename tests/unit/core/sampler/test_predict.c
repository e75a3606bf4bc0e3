/* Predicted beginnings of levels: exact means for Gaussian data, exact laws for a single image, and
 * steps of a chain like any other. */
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

enum { T = 6, K = 2, N = 24, SIDE = 200 };
#define V 0.25

static ebm_levels predicted_levels(void)
{
    const ebm_schedule_geometric schedule = {
        .count = T, .ratio_min = 0.03, .ratio_max = 20, .steps = K};
    ebm_levels l;
    assert_int_equal(ebm_levels_geometric(&schedule, &l, NULL), EBM_OK);
    l.predict = true;
    return l;
}

/* Variance of x_i for data of variance v. */
static double variance_at(const ebm_levels *l, int32_t i, double v)
{
    return l->abar[i] * l->abar[i] * v + l->sbar[i] * l->sbar[i];
}

/* The gradient of net at A x_{t+1} for data N(0, v). */
static float gradient_above(const ebm_levels *l, int32_t t, double v, double x)
{
    double scale = l->scale[t + 1];
    return (float)(-l->step2[t + 1] * x / (scale * variance_at(l, t + 1, v)));
}

/* For Gaussian data E[x_t | x_{t+1}] = a v_t/v_{t+1} x_{t+1}. The spread is what x_t has left when
 * clean image and x_{t+1} are known, so that for data without variance the whole law is exact:
 * x_{t+1} ~ N(0, sbar_{t+1}^2) gives x_t ~ N(0, sbar_t^2). */
static void test_exact_moments(void **state)
{
    ebm_levels l = predicted_levels();
    (void)state;
    for (int32_t t = 0; t < T - 1; t++) {
        const float x = 0.7f, none = 0.0f, one = 1.0f;
        const double a = l.a[t + 1], v = variance_at(&l, t, V), v_above = variance_at(&l, t + 1, V);
        float grad = gradient_above(&l, t, V, (double)x), y, keep, spread;
        ebm_predict_update(&l, t, 1, &x, &grad, &none, &y);
        assert_close((double)y, l.scale[t] * a * v / v_above * (double)x, 1e-6);

        grad = gradient_above(&l, t, 0.0, 1.0);
        ebm_predict_update(&l, t, 1, &one, &grad, &none, &keep);
        ebm_predict_update(&l, t, 1, &none, &none, &one, &spread);
        assert_close(((double)keep * (double)keep * variance_at(&l, t + 1, 0.0) +
                      (double)spread * (double)spread) /
                         (l.scale[t] * l.scale[t]),
                     l.sbar[t] * l.sbar[t], 1e-6 * l.sbar[t]);
    }
    ebm_levels_clear(&l);
}

/* --- chains --------------------------------------------------------------------------------- */

static double squares_of(const float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* Variance of x_t after a level of K Langevin steps, by hand: y = c x_{t+1} + noise of variance n,
 * both of which every step changes linearly. @param before of x_{t+1} */
static double variance_after(const ebm_levels *l, int32_t t, double before)
{
    const double scale = l->scale[t], own = scale * scale * variance_at(l, t, V);
    const double s2 = l->sigma[t + 1] * l->sigma[t + 1], half = 0.5 * l->step2[t];
    const double pull = half * l->tether[t] / s2, shrink = 1.0 - half / own - pull;
    double c = 1.0, n = 0.0;
    if (t < T - 1) {
        c = scale * l->a[t + 1] * variance_at(l, t, V) / variance_at(l, t + 1, V);
        n = scale * scale * s2 * l->sbar[t] * l->sbar[t] / (l->sbar[t + 1] * l->sbar[t + 1]);
    }
    for (int k = 0; k < K; k++) {
        c = shrink * c + pull;
        n = shrink * shrink * n + l->step2[t];
    }
    return (c * c * before + n) / (scale * scale);
}

/* Adds the squares of x_t at all levels, of one chain of SIDE pixels. */
static void add_squares(const ebm_levels *l, uint32_t index, double squares[T])
{
    float y[SIDE], anchor[SIDE], work[2 * SIDE];
    analytic_gauss g = {.levels = l, .n = 1, .copies = SIDE, .cov = {{V}}};
    const ebm_density density = analytic_gauss_density(&g);
    const ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    const ebm_mcmc_setup setup = {&density, l, &plan};
    ebm_mcmc chain = {.noise = {.seed = 12, .index = index}, .y = y, .anchor = anchor};
    ebm_mcmc_start_noise(&chain, &setup, T - 1);
    for (int32_t t = T - 1; t >= 0; t--) {
        const int64_t steps = K + (t < T - 1);
        assert_int_equal(chain.level, t);
        assert_int_equal(ebm_mcmc_advance(&chain, &setup, steps, NULL, work, NULL), EBM_OK);
        squares[t] += squares_of(y, SIDE);
    }
    assert_int_equal(chain.level, -1);
    assert_int_equal(g.calls, T * K + T - 1);
    assert_int_equal(ebm_mcmc_total_steps(&plan, l, T - 1), g.calls);
}

/* Two Langevin steps a level. 200,000 pixels: the standard error of a variance v is
 * v sqrt(2/n) = 0.0032 v; bound 4 of them for 6 figures, so a correct sampler with a fresh seed
 * fails in fewer than one run in 2,000. */
static void test_variances_down_the_ladder(void **state)
{
    const double n = 1000.0 * SIDE;
    ebm_levels l = predicted_levels();
    double squares[T] = {0}, expected = 1.0;
    (void)state;
    for (uint32_t index = 0; index < 1000; index++)
        add_squares(&l, index, squares);
    for (int32_t t = T - 1; t >= 0; t--) {
        expected = variance_after(&l, t, expected);
        assert_close(squares[t] / n, expected, 4 * expected * sqrt(2 / n));
    }
    ebm_levels_clear(&l);
}

/* Chain 3 of seed 1 around known pixels, every second one, with two passes a level; in pieces. */
static void run_around(const ebm_levels *l, int64_t piece, const float *image, float *x)
{
    float mask[N], anchor[N], path[(T + 1) * N], work[2 * N];
    analytic_gauss g = {.levels = l, .n = 2, .copies = N / 2, .cov = {{0.3, 0.25}, {0.25, 0.3}}};
    const ebm_density density = analytic_gauss_density(&g);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    const ebm_mcmc_setup setup = {&density, l, &plan};
    ebm_mcmc chain = {.noise = {.seed = 1, .index = 3}, .y = x, .anchor = anchor};
    plan.repeats = 2;
    for (int i = 0; i < N; i++)
        mask[i] = (float)(i % 2);
    assert_int_equal(ebm_mcmc_know(&chain, &setup, image, mask, false, path, NULL), EBM_OK);
    ebm_mcmc_start_noise(&chain, &setup, T - 1);
    while (!ebm_mcmc_done(&chain, &plan))
        assert_int_equal(ebm_mcmc_advance(&chain, &setup, piece, NULL, work, NULL), EBM_OK);
    assert_int_equal(g.calls, 2 * (T * K + T - 1));
}

/* Known pixels keep their bits, unknown ones follow them, and pieces change nothing. */
static void test_known_pixels(void **state)
{
    ebm_levels l = predicted_levels();
    float image[N], whole[N], parts[N];
    double product = 0.0;
    (void)state;
    for (int i = 0; i < N; i++)
        image[i] = i % 4 < 2 ? 0.8f : -0.8f;
    run_around(&l, INT64_MAX, image, whole);
    run_around(&l, 1, image, parts);
    assert_memory_equal(whole, parts, sizeof whole);
    for (int i = 0; i < N; i += 2) {
        assert_true(whole[i + 1] == image[i + 1]);
        product += (double)whole[i] * (double)image[i + 1] / (N / 2);
    }
    /* 0.83 of the known value, times 0.8; spread 0.3 over 12 pairs, 4 standard errors */
    assert_close(product, 0.8 * 0.8 * 0.25 / 0.3, 4 * 0.8 * 0.3 / sqrt(N / 2));
    ebm_levels_clear(&l);
}

/* The beginning of each pass by hand, around known pixels: from the anchor, with the noise of its
 * own step, and known pixels where their path has them. */
static void test_passes_by_hand(void **state)
{
    ebm_levels l = predicted_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = N, .cov = {{V}}};
    const ebm_density density = analytic_gauss_density(&g);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    const ebm_mcmc_setup setup = {&density, &l, &plan};
    float y[N], anchor[N], mask[N], path[(T + 1) * N], work[2 * N], grad[N], noise[N], want[N];
    const float image[N] = {0.5f, -0.5f};
    ebm_mcmc chain = {.noise = {.seed = 7}, .y = y, .anchor = anchor};
    (void)state;
    plan.repeats = 2;
    for (int i = 0; i < N; i++)
        mask[i] = i < 2 ? 1.0f : 0.0f;
    assert_int_equal(ebm_mcmc_know(&chain, &setup, image, mask, false, path, NULL), EBM_OK);
    ebm_mcmc_start_noise(&chain, &setup, T - 1);
    assert_int_equal(ebm_mcmc_advance(&chain, &setup, 2 * K, NULL, work, NULL), EBM_OK);
    for (int32_t t = T - 2; t >= 0; t--)
        for (uint32_t step = 0; step <= K + 1; step += K + 1) {
            const ebm_draw draw = {
                .purpose = EBM_PURPOSE_PREDICT, .level = t, .step = (int64_t)step};
            assert_int_equal(chain.level, t);
            for (int i = 0; i < N; i++)
                grad[i] = gradient_above(&l, t, V, (double)anchor[i]);
            ebm_noise_normal(&chain.noise, draw, 0, N, noise);
            ebm_predict_update(&l, t, N, anchor, grad, noise, want);
            for (int i = 0; i < 2; i++)
                want[i] = (float)l.scale[t] * path[t * N + i];
            assert_int_equal(ebm_mcmc_advance(&chain, &setup, 1, NULL, work, NULL), EBM_OK);
            assert_rel_l2(y, want, N, 1e-5);
            assert_int_equal(ebm_mcmc_advance(&chain, &setup, K, NULL, work, NULL), EBM_OK);
        }
    ebm_levels_clear(&l);
}

/* A plan that asks for it has the steps of a model that does; one that does not has none. */
static void test_asked_by_the_plan(void **state)
{
    ebm_levels l = predicted_levels();
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    const ebm_langevin how = {.begin = EBM_BEGIN_PREDICTED}, above = {.begin = EBM_BEGIN_ABOVE};
    (void)state;
    assert_int_equal(ebm_chain_total_steps(&l, &above), T * K);
    l.predict = false;
    assert_int_equal(ebm_chain_total_steps(&l, &how), T * K + T - 1);
    assert_int_equal(ebm_begin_check(&l, EBM_BEGIN_PREDICTED, NULL), EBM_OK);
    l.steps[2] = EBM_STEPS_NORMAL;
    assert_int_equal(ebm_begin_check(&l, EBM_BEGIN_ABOVE, NULL), EBM_OK);
    assert_int_equal(ebm_begin_check(&l, EBM_BEGIN_PREDICTED, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebm_chain_total_steps(&l, &how), T * K + T - 1 - K);
    plan.begin = (ebm_begin)3;
    assert_int_equal(ebm_mcmc_plan_check(&plan, NULL), EBM_ERR_RANGE);
    ebm_levels_clear(&l);
}

/* While a beginning is predicted the chain is still at x_{t+1}, and that is what a trace tells:
 * the log density of the level above, where it ends that level. */
static void test_trace(void **state)
{
    ebm_levels l = predicted_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = N, .cov = {{V}}};
    const ebm_density density = analytic_gauss_density(&g);
    const ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    const ebm_mcmc_setup setup = {&density, &l, &plan};
    float y[N], anchor[N], work[2 * N];
    int32_t level[T * K + T];
    double scalars[T * K + T][2], x2;
    ebm_trace trace = {.thin = 1, .room = T * K + T, .level = level, .scalars = scalars[0]};
    ebm_mcmc chain = {.noise = {.seed = 5}, .y = y, .anchor = anchor};
    (void)state;
    ebm_mcmc_start_noise(&chain, &setup, T - 1);
    assert_int_equal(ebm_mcmc_advance(&chain, &setup, K, &trace, work, NULL), EBM_OK);
    x2 = squares_of(chain.y, N);
    assert_int_equal(ebm_mcmc_advance(&chain, &setup, 2, &trace, work, NULL), EBM_OK);
    assert_int_equal(trace.count, K + 2);
    assert_int_equal(level[K - 1], T - 1);
    assert_int_equal(level[K], T - 1);
    assert_int_equal(level[K + 1], T - 2);
    assert_close(scalars[K][0], -x2 / (2 * variance_at(&l, T - 1, V)), 1e-4);
    assert_true(scalars[K][1] == 1.0);
    ebm_levels_clear(&l);
}

/* A normal transition's network knows the slope of the level above, not its own. */
static void test_refused_without_chains(void **state)
{
    ebm_levels l = predicted_levels(), copy;
    ebm_error err = {0};
    (void)state;
    assert_int_equal(ebm_levels_check(&l, NULL), EBM_OK);
    assert_int_equal(ebm_levels_copy(&l, &copy, NULL), EBM_OK);
    assert_true(copy.predict);
    l.steps[2] = EBM_STEPS_NORMAL;
    assert_int_equal(ebm_levels_check(&l, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "/sampling/predict");
    ebm_levels_clear(&l);
    ebm_levels_clear(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_moments),
        cmocka_unit_test(test_variances_down_the_ladder),
        cmocka_unit_test(test_known_pixels),
        cmocka_unit_test(test_passes_by_hand),
        cmocka_unit_test(test_asked_by_the_plan),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_refused_without_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
