/* Products, negations and mixtures of Gaussians, whose moments and shares are known, and of two
 * networks of different architecture. */
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
#include "ebm/compose.h"
#include "ebm/mcmc.h"
#include "random_net.h"

/* Two Gaussian models with step sizes of their own: units must not mix. */
typedef struct bench {
    ebm_levels levels, other;
    analytic_gauss gauss[2];
    ebm_compose_part parts[2];
    ebm_composition whole;
    ebm_density density;
    double log_z[2][6];
    float scratch[2];
} bench;

static void init_bench(bench *b, ebm_compose_kind kind)
{
    *b = (bench){.levels = analytic_levels(), .other = analytic_levels()};
    for (int t = 0; t < 6; t++)
        b->other.step2[t] *= 3.0 + t;
    b->gauss[0] =
        (analytic_gauss){.levels = &b->levels, .n = 1, .copies = 1, .mean = {0.5}, .cov = {{0.2}}};
    b->gauss[1] =
        (analytic_gauss){.levels = &b->other, .n = 1, .copies = 1, .mean = {-0.4}, .cov = {{0.5}}};
    for (int i = 0; i < 2; i++) {
        for (int32_t t = 0; t < 6; t++)
            b->log_z[i][t] = analytic_gauss_logz(&b->gauss[i], t);
        b->parts[i] = (ebm_compose_part){.density = analytic_gauss_density(&b->gauss[i]),
                                         .levels = b->gauss[i].levels,
                                         .weight = 1.0,
                                         .log_z = b->log_z[i]};
    }
    b->whole = (ebm_composition){
        .kind = kind, .parts = b->parts, .n_parts = 2, .levels = &b->levels, .scratch = b->scratch};
}

static void compose(bench *b)
{
    assert_int_equal(ebm_compose(&b->whole, &b->density, NULL), EBM_OK);
}

static void close_bench(bench *b)
{
    ebm_levels_clear(&b->levels);
    ebm_levels_clear(&b->other);
}

static double logp(const bench *b, int32_t t, double y, double *slope)
{
    float at = (float)y, net, grad;
    b->density.gradient(b->density.self, &at, t, &net, &grad);
    if (slope)
        *slope = (double)grad / b->levels.step2[t];
    return (double)net / b->levels.step2[t];
}

/* Mean and variance of part i's y at level t. */
static void part_moments(const bench *b, int i, int32_t t, double *mean, double *var)
{
    const ebm_levels *l = &b->levels;
    double a = l->scale[t] * l->abar[t], s = l->scale[t] * l->sbar[t];
    *mean = a * b->gauss[i].mean[0];
    *var = a * a * b->gauss[i].cov[0][0] + s * s;
}

/* Two numbers that are looked at in every state. */
typedef void (*statistic)(const bench *b, double y, const double *about, double out[2]);

/* Their means and standard errors from 50 batches of 1,000 draws of MALA at level 1. */
static void sample(bench *b, statistic look, const double *about, double mean[2], double se[2])
{
    double batch[50][2] = {{0}}, seen[2];
    float y[1], anchor[1], work[4];
    ebm_mcmc_plan plan = ebm_mcmc_plan_default(EBM_SAMPLER_MALA);
    plan.ladder = false;
    plan.steps = 51000;
    plan.burn_in = 1000;
    const ebm_mcmc_setup setup = {.density = &b->density, .levels = &b->levels, .plan = &plan};
    ebm_mcmc chain = {.noise = {.seed = 3}, .y = y, .anchor = anchor};
    ebm_mcmc_start_noise(&chain, &setup, 1);
    assert_int_equal(ebm_mcmc_advance(&chain, &setup, 1000, NULL, work, NULL), EBM_OK);
    for (int k = 0; k < 50000; k++) {
        assert_int_equal(ebm_mcmc_advance(&chain, &setup, 1, NULL, work, NULL), EBM_OK);
        look(b, (double)y[0], about, seen);
        for (int i = 0; i < 2; i++)
            batch[k / 1000][i] += seen[i] / 1000.0;
    }
    for (int i = 0; i < 2; i++) {
        mean[i] = se[i] = 0.0;
        for (int k = 0; k < 50; k++)
            mean[i] += batch[k][i] / 50.0;
        for (int k = 0; k < 50; k++)
            se[i] += (batch[k][i] - mean[i]) * (batch[k][i] - mean[i]) / (50.0 * 49.0);
        se[i] = sqrt(se[i]);
    }
}

static void central_moments(const bench *b, double y, const double *about, double out[2])
{
    (void)b;
    out[0] = y - *about;
    out[1] = out[0] * out[0];
}

/* A product of powers of Gaussians is Gaussian with precision sum w/v and mean sum (w/v
 * m)/precision; a negative weight is a negation. Mean and variance within 4 standard errors. */
static void test_product_moments(void **state)
{
    static const double weights[3][2] = {{1.0, 1.0}, {0.5, 2.0}, {1.3, -0.3}};
    (void)state;
    for (int row = 0; row < 3; row++) {
        bench b;
        double precision = 0.0, pull = 0.0, mean[2], se[2];
        init_bench(&b, EBM_COMPOSE_PRODUCT);
        for (int i = 0; i < 2; i++) {
            double m, v;
            part_moments(&b, i, 1, &m, &v);
            b.parts[i].weight = weights[row][i];
            precision += weights[row][i] / v;
            pull += weights[row][i] * m / v;
        }
        compose(&b);
        const double centre = pull / precision;
        sample(&b, central_moments, &centre, mean, se);
        assert_close(mean[0], 0.0, 4.0 * se[0]);
        assert_close(mean[1], 1.0 / precision, 4.0 * se[1]);
        assert_true(se[1] < 0.1 / precision);
        close_bench(&b);
    }
}

/* The chance that y came from part 0, whose share in the mixture is `about`; and y. */
static void membership(const bench *b, double y, const double *about, double out[2])
{
    double p[2];
    for (int i = 0; i < 2; i++) {
        double m, v;
        part_moments(b, i, 1, &m, &v);
        p[i] = (i ? 1.0 - *about : *about) * exp(-0.5 * (y - m) * (y - m) / v) / sqrt(v);
    }
    out[0] = p[0] / (p[0] + p[1]);
    out[1] = y;
}

/* Drawn from the mixture, the mean chance of part 0 is its share, exactly, and the mean of y that
 * of the parts by their shares. Without normalisers the shares are w Z. Within 4 standard errors.
 */
static void test_mixture_shares(void **state)
{
    static const double weights[3] = {0.3, 0.8, 0.3};
    (void)state;
    for (int row = 0; row < 3; row++) {
        bench b;
        double mean[2], se[2], m[2], v, share = weights[row];
        init_bench(&b, EBM_COMPOSE_MIXTURE);
        for (int i = 0; i < 2; i++) {
            b.parts[i].weight = i ? 1.0 - share : share;
            if (row == 2)
                b.parts[i].log_z = NULL;
            part_moments(&b, i, 1, &m[i], &v);
        }
        if (row == 2)
            share = 1.0 / (1.0 + (1.0 - share) / share * exp(b.log_z[1][1] - b.log_z[0][1]));
        compose(&b);
        sample(&b, membership, &share, mean, se);
        assert_close(mean[0], share, 4.0 * se[0]);
        assert_close(mean[1], share * m[0] + (1.0 - share) * m[1], 4.0 * se[1]);
        assert_true(se[0] < 0.05);
        close_bench(&b);
    }
}

/* log of 0.3 N(m0, v0) + 0.7 N(m1, v1), normalised because log_z is known, at every level. */
static void test_mixture_density(void **state)
{
    bench b;
    (void)state;
    init_bench(&b, EBM_COMPOSE_MIXTURE);
    b.parts[0].weight = 0.3;
    b.parts[1].weight = 0.7;
    compose(&b);
    for (int32_t t = 0; t < 6; t++)
        for (double y = -2.0; y <= 2.0; y += 0.25) {
            double sum = 0.0;
            for (int i = 0; i < 2; i++) {
                double m, v;
                part_moments(&b, i, t, &m, &v);
                sum += (i ? 0.7 : 0.3) * exp(-0.5 * (y - m) * (y - m) / v) /
                       sqrt(2.0 * acos(-1.0) * v);
            }
            assert_close(logp(&b, t, y, NULL), log(sum), 2e-6 * (1.0 + fabs(log(sum))));
        }
    close_bench(&b);
}

/* Gradients by central differences; net is a float32, so the step is wide and the bound loose. */
static void test_gradients(void **state)
{
    (void)state;
    for (int kind = EBM_COMPOSE_PRODUCT; kind <= EBM_COMPOSE_MIXTURE; kind++) {
        bench b;
        init_bench(&b, (ebm_compose_kind)kind);
        b.parts[1].weight = 0.5;
        compose(&b);
        for (int32_t t = 0; t < 6; t++)
            for (double y = -1.0; y <= 1.0; y += 0.5) {
                const double h = 1.0 / 128.0;
                double slope, other;
                double rise = logp(&b, t, y + h, &other) - logp(&b, t, y - h, &other);
                logp(&b, t, y, &slope);
                assert_close(slope, rise / (2.0 * h), 2e-3);
            }
        close_bench(&b);
    }
}

/* Far from every part nothing overflows: the nearest part decides. */
static void test_mixture_far_away(void **state)
{
    bench b;
    double slope, m, v;
    (void)state;
    init_bench(&b, EBM_COMPOSE_MIXTURE);
    compose(&b);
    double value = logp(&b, 0, 300.0, &slope);
    assert_true(isfinite(value));
    part_moments(&b, 1, 0, &m, &v);
    assert_close(slope, -(300.0 - m) / v, 1e-3 * 300.0 / v);
    close_bench(&b);
}

/* A residual network against a U-shaped one, on kernels of float32: the whole is the weighted sum
 * of their log densities and gradients, in the units of the chain's levels. */
static void test_two_networks(void **state)
{
    static const double weights[2] = {1.5, -0.5};
    ebm_model *model[2];
    ebm_session *session[2] = {NULL, NULL};
    ebm_compose_part parts[2];
    ebm_levels levels = analytic_levels();
    float scratch[2 * 64], y[64], grad[64], one[2][64], net, part_net[2];
    ebm_density density;
    (void)state;
    for (int t = 0; t < levels.count; t++)
        levels.step2[t] *= 2.0 + t;
    for (int i = 0; i < 2; i++) {
        const ebm_network_config network = small_network_of(i, EBM_ACT_SILU);
        model[i] = random_net(&network, kernel_set("ref"), 1 + (uint64_t)i);
        assert_int_equal(ebm_session_create(model[i], NULL, &session[i], NULL), EBM_OK);
        parts[i] = (ebm_compose_part){.density = ebm_density_of_session(session[i]),
                                      .levels = ebm_model_describe(model[i])->levels,
                                      .weight = weights[i]};
    }
    ebm_composition whole = {.parts = parts, .n_parts = 2, .levels = &levels, .scratch = scratch};
    assert_int_equal(ebm_compose(&whole, &density, NULL), EBM_OK);
    for (int32_t t = 0; t < levels.count; t++) {
        double logp = 0.0, size = 0.0, steepest = 0.0, off = 0.0;
        random_floats(4, (uint32_t)t, 64, y);
        density.gradient(density.self, y, t, &net, grad);
        for (int i = 0; i < 2; i++) {
            part_net[i] = ebm_session_gradient(session[i], y, t, one[i]);
            logp += weights[i] * (double)part_net[i] / parts[i].levels->step2[t];
            size += fabs(weights[i] * (double)part_net[i] / parts[i].levels->step2[t]);
        }
        assert_close((double)net / levels.step2[t], logp, 1e-6 * size);
        for (int j = 0; j < 64; j++) {
            double slope = 0.0;
            for (int i = 0; i < 2; i++)
                slope += weights[i] * (double)one[i][j] / parts[i].levels->step2[t];
            steepest = fmax(steepest, fabs(slope));
            off = fmax(off, fabs((double)grad[j] / levels.step2[t] - slope));
        }
        assert_true(off <= 1e-5 * steepest);
    }
    for (int i = 0; i < 2; i++) {
        ebm_session_free(session[i]);
        ebm_model_unref(model[i]);
    }
    ebm_levels_clear(&levels);
}

static void test_refusals(void **state)
{
    (void)state;
    for (int row = 0; row < 8; row++) {
        static const char *const where[8] = {"parts",  "parts",  "dim",    "levels",
                                             "weight", "weight", "weight", "log_z"};
        bench b;
        ebm_error err = {0};
        init_bench(&b, row >= 5 ? EBM_COMPOSE_MIXTURE : EBM_COMPOSE_PRODUCT);
        if (row < 2)
            b.whole.n_parts = row ? EBM_COMPOSE_MAX_PARTS + 1 : 0;
        if (row == 2)
            b.parts[1].density.dim = 2;
        if (row == 3)
            b.other.sigma[3] += 1e-6;
        if (row == 4)
            b.parts[1].weight = NAN;
        if (row == 5)
            b.parts[1].weight = -0.3;
        if (row == 6)
            b.parts[1].weight = 1e4;
        if (row == 7)
            b.log_z[1][5] = INFINITY;
        ebm_status st = ebm_compose(&b.whole, &b.density, &err);
        assert_int_equal(st, row == 2 || row == 3 ? EBM_ERR_SHAPE : EBM_ERR_RANGE);
        assert_string_equal(err.where, where[row]);
        if (row >= 2)
            assert_int_equal(err.index, 1);
        close_bench(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product_moments), cmocka_unit_test(test_mixture_density),
        cmocka_unit_test(test_gradients),       cmocka_unit_test(test_mixture_far_away),
        cmocka_unit_test(test_mixture_shares),  cmocka_unit_test(test_two_networks),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
