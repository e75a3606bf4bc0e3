/* Langevin and progressive sampling on densities with known answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/mcmc.h"
#include "ebm/memory.h"
#include "ebm/sampler.h"

/* Data N(0, V) per pixel: every level is Gaussian, and the K-step chain a linear recursion whose
 * end variance is known exactly (docs/math/langevin.md).
 * @eq net(y,t) = -step2 |y|^2 / (2 A^2 (abar_t^2 V + sbar_t^2)) */
#define V 0.25

typedef struct gauss {
    const ebm_levels *levels;
    size_t dim;
    int calls;
} gauss;

static void gauss_gradient(void *self, const float *y, int32_t t, float *net, float *grad)
{
    gauss *g = self;
    const ebm_levels *l = g->levels;
    double variance =
        l->scale[t] * l->scale[t] * (l->abar[t] * l->abar[t] * V + l->sbar[t] * l->sbar[t]);
    double sum = 0.0;
    g->calls++;
    for (size_t i = 0; i < g->dim; i++) {
        sum += (double)y[i] * (double)y[i];
        grad[i] = (float)(-l->step2[t] / variance * (double)y[i]);
    }
    if (net)
        *net = (float)(-l->step2[t] / (2.0 * variance) * sum);
}

/* One chain of `dim` independent pixels on the paper's levels, with its buffers. */
typedef struct bench {
    ebm_levels levels;
    gauss g;
    ebm_density density;
    ebm_chain chain;
    float *floats;
} bench;

static bench make_bench(size_t dim)
{
    bench b = {0};
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    assert_int_equal(ebm_levels_t6(&schedule, &b.levels, NULL), EBM_OK);
    b.floats = ebm_alloc(4 * dim, sizeof *b.floats);
    assert_non_null(b.floats);
    b.chain.y = b.floats;
    b.chain.anchor = b.floats + dim;
    b.g.dim = dim;
    return b;
}

/* The pointers into the struct itself are set once it lies where it stays. */
static float *wire(bench *b)
{
    b->g.levels = &b->levels;
    b->density = (ebm_density){.dim = b->g.dim, .self = &b->g, .gradient = gauss_gradient};
    return b->floats + 2 * b->g.dim;
}

static void free_bench(bench *b)
{
    ebm_levels_clear(&b->levels);
    ebm_free(b->floats);
}

static double variance_of(const float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum / (double)n;
}

/* Exact variances of x_t along t = 5..0 for K = 30, at tau = 1 and 0.99. 400,000 pixels:
 * standard error of a variance v is v sqrt(2/n) = 0.0022 v; bound 4 of them, so a correct sampler
 * with a fresh seed would fail one of the 12 in fewer than one run in 1,000. */
static void test_gaussian_variances(void **state)
{
    static const struct {
        double tau, expected[6];
    } rows[] = {
        {1.00, {2.903235, 2.605736, 2.293452, 1.952755, 1.501619, 0.975422}},
        {0.99, {2.863184, 2.569793, 2.262137, 1.927020, 1.483599, 0.966773}},
    };
    const size_t n = 400000;
    (void)state;
    for (size_t r = 0; r < 2; r++) {
        bench b = make_bench(n);
        float *work = wire(&b);
        const ebm_langevin how = {.noise_scale = rows[r].tau};
        ebm_chain_start(&b.chain, &b.levels, n, 42 + r, 0);
        assert_close(variance_of(b.chain.y, n), 1.0, 4.0 * sqrt(2.0 / (double)n));
        for (int32_t t = 5; t >= 0; t--) {
            assert_int_equal(b.chain.level, t);
            assert_int_equal(
                ebm_chain_advance(&b.chain, &b.density, &b.levels, &how, 30, work, NULL), EBM_OK);
            assert_close(variance_of(b.chain.y, n), rows[r].expected[t],
                         4.0 * rows[r].expected[t] * sqrt(2.0 / (double)n));
        }
        assert_int_equal(b.chain.level, -1);
        assert_int_equal(b.g.calls, 180);
        free_bench(&b);
    }
}

/* Variance of x_t when the chain forgets its start: that of the conditional's mean plus its own,
 * times what the length of steps makes of it: 1/(1 - step L/4), or 1 exactly with paired noise.
 * @eq L = 1/v_y + r/sigma^2 is the precision of the conditional; docs/math/langevin.md */
static double mixed_variance(const ebm_levels *l, int32_t t, double before)
{
    double scale2 = l->scale[t] * l->scale[t], sigma2 = l->sigma[t + 1] * l->sigma[t + 1];
    double own = scale2 * (l->abar[t] * l->abar[t] * V + l->sbar[t] * l->sbar[t]);
    double pull = l->tether[t] / sigma2, precision = 1.0 / own + pull;
    double factor =
        l->paired_noise ? 1.0 : 1.0 / (1.0 - 0.25 * l->stride * l->step2[t] * precision);
    double towards = pull / precision;
    return (towards * towards * before + factor / precision) / scale2;
}

/* Long steps, 80 of them a level: with paired noise the variances are those of the data at every
 * level. Standard error v sqrt(2/n) = 0.0032 v; 4 of them, for 12 figures: false alarm below 1e-3.
 */
static void test_long_steps(void **state)
{
    const ebm_schedule_geometric schedule = {6, 0.03, 20.0, 80};
    const size_t n = 200000;
    (void)state;
    for (int paired = 0; paired < 2; paired++) {
        bench b = make_bench(n);
        float *work = wire(&b);
        const ebm_langevin how = {.noise_scale = 1.0};
        double want = 1.0;
        ebm_levels_clear(&b.levels);
        assert_int_equal(ebm_levels_geometric(&schedule, &b.levels, NULL), EBM_OK);
        b.levels.stride = 3.0;
        b.levels.paired_noise = paired;
        ebm_chain_start(&b.chain, &b.levels, n, 52, 0);
        for (int32_t t = 5; t >= 0; t--) {
            want = mixed_variance(&b.levels, t, want);
            assert_int_equal(
                ebm_chain_advance(&b.chain, &b.density, &b.levels, &how, 80, work, NULL), EBM_OK);
            assert_close(variance_of(b.chain.y, n), want, 4.0 * want * sqrt(2.0 / (double)n));
        }
        double truth =
            b.levels.abar[0] * b.levels.abar[0] * V + b.levels.sbar[0] * b.levels.sbar[0];
        assert_true(paired == (fabs(want / truth - 1.0) < 1e-3));
        free_bench(&b);
    }
}

/* Second moments of a state and its anchor. */
typedef struct moments {
    double state, anchor, both;
} moments;

/* One pass of a level from x_{t+1} with variance `before`, at paired noise that no two passes
 * share.
 * @eq y' = (1-d) y + p x~ + s (e_k + e_{k+1})/2; from the second step on y holds s e_k/2 */
static double pass_variance(const ebm_levels *l, int32_t t, int32_t steps, double before)
{
    const double a2 = l->scale[t] * l->scale[t], length = l->stride * l->step2[t];
    const double own = a2 * (l->abar[t] * l->abar[t] * V + l->sbar[t] * l->sbar[t]);
    const double p = 0.5 * length * l->tether[t] / (l->sigma[t + 1] * l->sigma[t + 1]);
    const double keep = 1.0 - 0.5 * length / own - p;
    moments m = {before, before, before};
    for (int32_t k = 0; k < steps; k++) {
        const double met = k > 0 ? 0.5 * keep * length : 0.0;
        m.state =
            keep * keep * m.state + p * p * m.anchor + 2.0 * keep * p * m.both + 0.5 * length + met;
        m.both = keep * m.both + p * m.anchor;
    }
    return m.state / a2;
}

/* The same of all passes of a level: between two of them x_t is noised up again. */
static double passes_variance(const ebm_levels *l, int32_t t, int32_t steps, int32_t passes,
                              double before)
{
    const double a = l->a[t + 1], s = l->sigma[t + 1];
    double v = pass_variance(l, t, steps, before);
    for (int32_t r = 1; r < passes; r++)
        v = pass_variance(l, t, steps, a * a * v + s * s);
    return v;
}

/* 20 passes of four long steps with paired noise: a pass that began with the noise that the last
 * one has ended with would be 3 % too wide at level 3. Standard error v sqrt(2/n) = 0.0045 v; 4.5
 * of them, for 6 figures: false alarm below 1e-4. */
static void test_repeated_passes(void **state)
{
    const ebm_schedule_geometric schedule = {6, 0.03, 20.0, 4};
    const size_t n = 100000;
    bench b = make_bench(n);
    float *work = wire(&b);
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_LANGEVIN);
    const ebm_mcmc_setup setup = {&b.density, &b.levels, &plan};
    ebm_mcmc chain = {.noise = {.seed = 53}, .y = b.chain.y, .anchor = b.chain.anchor};
    double want = 1.0;
    (void)state;
    ebm_levels_clear(&b.levels);
    assert_int_equal(ebm_levels_geometric(&schedule, &b.levels, NULL), EBM_OK);
    b.levels.stride = 2.0;
    b.levels.paired_noise = true;
    plan.repeats = 20;
    ebm_mcmc_start_noise(&chain, &setup, 5);
    for (int32_t t = 5; t >= 0; t--) {
        want = passes_variance(&b.levels, t, 4, 20, want);
        assert_int_equal(ebm_mcmc_advance(&chain, &setup, 80, NULL, work, NULL), EBM_OK);
        assert_int_equal(chain.level, t - 1);
        assert_close(variance_of(chain.y, n), want, 4.5 * want * sqrt(2.0 / (double)n));
    }
    free_bench(&b);
}

/* A chain run in pieces of any size equals the undivided run, bit for bit. */
static void test_split_run(void **state)
{
    enum { N = 50 };
    const ebm_langevin how = {.steps_per_level = 7, .noise_scale = 0.99};
    float whole[N];
    (void)state;
    for (int64_t piece = 42; piece >= 1; piece -= 5) {
        bench b = make_bench(N);
        float *work = wire(&b);
        ebm_chain_start(&b.chain, &b.levels, N, 3, 9);
        while (b.chain.level >= 0)
            assert_int_equal(
                ebm_chain_advance(&b.chain, &b.density, &b.levels, &how, piece, work, NULL),
                EBM_OK);
        if (piece == 42)
            memcpy(whole, b.chain.y, sizeof whole);
        assert_memory_equal(whole, b.chain.y, sizeof whole);
        assert_int_equal(b.g.calls, 42);
        free_bench(&b);
    }
}

/* Other seeds and other indices are other chains; the same ones are the same. */
static void test_chains_are_named_by_seed_and_index(void **state)
{
    enum { N = 16 };
    float y[4][N], anchor[N];
    bench b = make_bench(N);
    const uint64_t seeds[4] = {1, 1, 1, 2};
    const uint32_t indices[4] = {0, 0, 1, 0};
    (void)state;
    for (int i = 0; i < 4; i++) {
        ebm_chain c = {.y = y[i], .anchor = anchor};
        ebm_chain_start(&c, &b.levels, N, seeds[i], indices[i]);
        assert_memory_equal(y[i], anchor, sizeof anchor);
    }
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    assert_memory_not_equal(y[0], y[2], sizeof y[0]);
    assert_memory_not_equal(y[0], y[3], sizeof y[0]);
    free_bench(&b);
}

/* The update by hand: drift, tether, noise; no tether at the top. */
static void test_update_by_hand(void **state)
{
    bench b = make_bench(1);
    const float anchor = 0.5f, grad = 0.2f, noise = 2.0f;
    (void)state;
    for (int32_t t = 0; t < 6; t++) {
        float y = 1.0f;
        double s = b.levels.sigma[t + 1], d2 = b.levels.step2[t];
        double tether = t == 5 ? 0.0 : 0.5 * d2 * (1.0 - 0.5) / (s * s);
        ebm_langevin_update(&b.levels, t, 0.9, 1, &anchor, &grad, &noise, &y);
        assert_close((double)y, 1.0 + 0.1 - tether + sqrt(d2) * 0.9 * 2.0, 1e-6);
    }
    free_bench(&b);
}

static void explode(void *self, const float *y, int32_t level, float *net, float *grad)
{
    (void)y;
    (void)level;
    (void)net;
    grad[*(size_t *)self] = NAN;
}

static void test_divergence_is_reported(void **state)
{
    enum { N = 8 };
    (void)state;
    for (size_t bad = 0; bad < N; bad++) {
        bench b = make_bench(N);
        float *work = wire(&b);
        const ebm_langevin how = {.noise_scale = 1.0};
        const ebm_density density = {.dim = N, .self = &bad, .gradient = explode};
        ebm_error err = {0};
        ebm_chain_start(&b.chain, &b.levels, N, 1, 33);
        assert_int_equal(ebm_chain_advance(&b.chain, &density, &b.levels, &how, 1, work, &err),
                         EBM_ERR_DIVERGED);
        assert_int_equal(err.index, 33);
        free_bench(&b);
    }
}

static void test_total_steps(void **state)
{
    bench b = make_bench(1);
    const ebm_langevin own = {.noise_scale = 1.0}, seven = {.steps_per_level = 7};
    (void)state;
    assert_int_equal(ebm_chain_total_steps(&b.levels, &own), 180);
    assert_int_equal(ebm_chain_total_steps(&b.levels, &seven), 42);
    free_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaussian_variances),
        cmocka_unit_test(test_long_steps),
        cmocka_unit_test(test_repeated_passes),
        cmocka_unit_test(test_split_run),
        cmocka_unit_test(test_chains_are_named_by_seed_and_index),
        cmocka_unit_test(test_update_by_hand),
        cmocka_unit_test(test_divergence_is_reported),
        cmocka_unit_test(test_total_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
