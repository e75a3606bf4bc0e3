/* Annealed importance sampling against normalisers known in closed form. */
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
#include "ebm/forward.h"
#include "ebm/likelihood.h"

enum { MAX = 4, PARTICLES = 4000 };

typedef struct bench {
    ebm_levels levels;
    analytic_gauss gauss;
    ebm_density density;
    ebm_ais how;
    float work[10 * MAX];
    double tuned[6];
} bench;

static ebm_particle particles[PARTICLES];

static void init_bench(bench *b, size_t n)
{
    *b = (bench){.levels = analytic_levels()};
    b->gauss = (analytic_gauss){
        .levels = &b->levels, .n = n, .copies = 1, .mean = {0.2, -0.1}, .cov = {{0.25}}};
    if (n == 2) {
        const double cov[2][2] = {{0.3, 0.1}, {0.1, 0.2}};
        for (int i = 0; i < 2; i++)
            memcpy(b->gauss.cov[i], cov[i], sizeof cov[i]);
    }
    b->density = analytic_gauss_density(&b->gauss);
    b->how = ebm_ais_default(&b->density, &b->levels, 17);
}

static void tune(bench *b, bool tether, int32_t steps)
{
    const float image[2] = {0.4f, -0.3f};
    assert_int_equal(ebm_ais_tune(&b->how, tether, image, steps, b->work, b->tuned, NULL), EBM_OK);
    b->how.tuned = b->tuned;
}

/* A draw of x_t of the data. @eq x = mean + chol(cov) e, then the forward path */
static void data_state(const bench *b, uint32_t k, int32_t t, float *x)
{
    const ebm_noise noise = {.seed = 1000 + b->how.seed, .index = k};
    const double l = sqrt(b->gauss.cov[0][0]), m = b->gauss.cov[0][1] / l;
    float e[MAX];
    ebm_noise_normal(&noise, (ebm_draw){.purpose = EBM_PURPOSE_TEST}, 0, MAX, e);
    x[0] = (float)(b->gauss.mean[0] + l * (double)e[0]);
    if (b->gauss.n == 2)
        x[1] = (float)(b->gauss.mean[1] + m * (double)e[0] +
                       sqrt(b->gauss.cov[1][1] - m * m) * (double)e[1]);
    ebm_forward_state(&b->levels, &noise, b->gauss.n, x, t, x);
}

/* Every rung of the ladder in one dimension, v = 0.25, J = 40 temperatures, 4,000 particles: within
 * 4 standard errors of the truth, 0.3847, 0.3249 and 0.1706 at t = 4, 2, 0. */
static void test_ladder_rungs(void **state)
{
    static double log_z[PARTICLES][6];
    bench b;
    (void)state;
    init_bench(&b, 1);
    b.how.temperatures = 40;
    tune(&b, false, 400);
    for (uint32_t k = 0; k < PARTICLES; k++) {
        ebm_particle last;
        assert_int_equal(ebm_ais_ladder(&b.how, NULL, k, b.work, log_z[k], &last, NULL), EBM_OK);
        assert_true(last.log_weight == log_z[k][0]);
        assert_true(last.acceptance > 0.4 && last.acceptance <= 1.0);
    }
    for (int32_t t = 5; t >= 0; t--) {
        ebm_log_z z;
        double truth = analytic_gauss_logz(&b.gauss, t);
        for (size_t k = 0; k < PARTICLES; k++)
            particles[k] = (ebm_particle){.log_weight = log_z[k][t]};
        assert_int_equal(ebm_log_z_of(particles, PARTICLES, 0, &z, NULL), EBM_OK);
        assert_close(z.value, truth, 4.0 * z.std_error);
        assert_true(z.std_error < 0.01);
        print_message("log Z_%d: %.4f, true %.4f, se %.4f\n", t, z.value, truth, z.std_error);
        assert_true(z.bound <= z.value);
    }
    assert_close(analytic_gauss_logz(&b.gauss, 4), 0.3847, 5e-5);
    assert_close(analytic_gauss_logz(&b.gauss, 2), 0.3249, 5e-5);
    assert_close(analytic_gauss_logz(&b.gauss, 0), 0.1706, 5e-5);
    ebm_levels_clear(&b.levels);
}

/* Where the data is wide, the guess for noise-only directions is far too small at the lowest level
 * and about right above: Lmax = 11,170 there, against 1/0.2238. */
static void test_tuning(void **state)
{
    bench b;
    ebm_error err = {0};
    const float image = 0.1f;
    (void)state;
    init_bench(&b, 1);
    tune(&b, false, 400);
    assert_true(b.tuned[0] > 20.0 && b.tuned[0] < 110.0);
    assert_true(b.tuned[5] > 0.5 && b.tuned[5] < 2.5);
    assert_int_equal(ebm_ais_tune(&b.how, false, &image, 0, b.work, b.tuned, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "steps");
    ebm_levels_clear(&b.levels);
}

static ebm_log_z ladder(bench *b, size_t n, bool reverse)
{
    ebm_log_z z;
    float start[MAX];
    for (uint32_t k = 0; k < n; k++) {
        data_state(b, k, 0, start);
        for (size_t i = 0; i < b->gauss.n; i++)
            start[i] *= (float)b->levels.scale[0];
        assert_int_equal(
            ebm_ais_ladder(&b->how, reverse ? start : NULL, k, b->work, NULL, &particles[k], NULL),
            EBM_OK);
    }
    assert_int_equal(ebm_log_z_of(particles, n, reverse, &z, NULL), EBM_OK);
    return z;
}

/* 100 seeded runs, in one and in two dimensions: the interval of both directions covers the truth
 * at least 90 times. */
static void test_ladder_intervals_cover(void **state)
{
    int covered = 0, below = 0, above = 0;
    double width = 0.0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        bench b;
        init_bench(&b, 1 + seed % 2);
        tune(&b, false, 200);
        b.how.seed = seed;
        b.how.temperatures = 16;
        ebm_log_z f = ladder(&b, 20, false), r = ladder(&b, 20, true);
        ebm_interval i = ebm_log_z_interval(&f, &r);
        double truth = analytic_gauss_logz(&b.gauss, 0);
        covered += i.low <= truth && truth <= i.high;
        below += f.bound <= truth;
        above += r.bound >= truth;
        width += (i.high - i.low) / 100.0;
        ebm_levels_clear(&b.levels);
    }
    print_message("covered %d of 100, mean width %.3f\n", covered, width);
    assert_true(covered >= 90);
    assert_true(width < 1.6); /* not by being wide */
    /* the means of log weights are on their sides of the truth */
    assert_true(below >= 90 && above >= 90);
}

/* log G_t(x) in closed form: E exp(-(y-m)^2/(2c)) under N(x, s^2) is a Gaussian integral. */
static double gauss_log_g(const bench *b, int32_t t, double x)
{
    const ebm_levels *l = &b->levels;
    double a = l->scale[t] * l->abar[t], s2 = l->sigma[t + 1] * l->sigma[t + 1];
    double c = a * a * b->gauss.cov[0][0] + pow(l->scale[t] * l->sbar[t], 2.0);
    double d = x - a * b->gauss.mean[0];
    return 0.5 * log(c / (c + s2)) - 0.5 * d * d / (c + s2);
}

/* Local normalisers at every transition, forward and reverse, within 4 standard errors; 100 seeded
 * runs of the hardest one are covered at least 90 times. */
static void test_recovery_normalisers(void **state)
{
    const float x = 0.7f;
    int covered = 0;
    (void)state;
    for (int run = 0; run < 106; run++) {
        bench b;
        ebm_log_z z[2];
        int32_t t = run < 6 ? run : 0;
        init_bench(&b, 1);
        b.how.seed = 50 + (uint64_t)run;
        b.how.temperatures = run < 6 ? 40 : 10;
        tune(&b, true, 200);
        size_t n = run < 6 ? 300 : 20;
        for (int reverse = 0; reverse < 2; reverse++) {
            double c = pow(b.levels.scale[t], 2.0) *
                       (pow(b.levels.abar[t], 2.0) * 0.25 + pow(b.levels.sbar[t], 2.0));
            double s2 = pow(b.levels.sigma[t + 1], 2.0), v = c * s2 / (c + s2);
            double mean = b.levels.scale[t] * b.levels.abar[t] * 0.2;
            mean += c / (c + s2) * ((double)x - mean);
            for (uint32_t k = 0; k < n; k++) {
                const ebm_noise noise = {.seed = b.how.seed, .index = k};
                float start;
                ebm_noise_normal(&noise, (ebm_draw){.purpose = EBM_PURPOSE_TEST}, 0, 1, &start);
                start = (float)(mean + sqrt(v) * (double)start);
                assert_int_equal(ebm_ais_recovery(&b.how, t, &x, reverse ? &start : NULL, k, b.work,
                                                  &particles[k], NULL),
                                 EBM_OK);
            }
            assert_int_equal(ebm_log_z_of(particles, n, reverse, &z[reverse], NULL), EBM_OK);
            if (run < 6)
                assert_close(z[reverse].value, gauss_log_g(&b, t, (double)x),
                             4.0 * z[reverse].std_error);
        }
        ebm_interval i = ebm_log_z_interval(&z[0], &z[1]);
        double truth = gauss_log_g(&b, t, (double)x);
        covered += run >= 6 && i.low <= truth && truth <= i.high;
        ebm_levels_clear(&b.levels);
    }
    print_message("covered %d of 100\n", covered);
    assert_true(covered >= 90);
}

/* Burn-in at the target brings reverse particles in from a start that is no draw of it. */
static void test_burn_in(void **state)
{
    bench b;
    ebm_log_z z;
    const float far = 9.0f;
    (void)state;
    init_bench(&b, 1);
    b.how.burn_in = 100;
    b.how.temperatures = 40;
    for (uint32_t k = 0; k < 500; k++)
        assert_int_equal(
            ebm_ais_recovery(&b.how, 2, &(float){0.7f}, &far, k, b.work, &particles[k], NULL),
            EBM_OK);
    assert_int_equal(ebm_log_z_of(particles, 500, 1, &z, NULL), EBM_OK);
    assert_close(z.value, gauss_log_g(&b, 2, (double)0.7f), 4.0 * z.std_error);
    ebm_levels_clear(&b.levels);
}

/* A particle is a function of (seed, number): run alone, it is the same. */
static void test_particles_are_named(void **state)
{
    bench b;
    ebm_particle again, other;
    (void)state;
    init_bench(&b, 2);
    b.how.temperatures = 5;
    (void)ladder(&b, 10, false);
    assert_int_equal(ebm_ais_ladder(&b.how, NULL, 7, b.work, NULL, &again, NULL), EBM_OK);
    assert_memory_equal(&again, &particles[7], sizeof again);
    assert_int_equal(ebm_ais_ladder(&b.how, NULL, 11, b.work, NULL, &other, NULL), EBM_OK);
    assert_true(other.log_weight != again.log_weight);
    ebm_levels_clear(&b.levels);
}

/* Goes on in pieces of 1 to 7 moves; state and place alone are carried over: scratch is poisoned,
 * as it would be in another process. */
static ebm_particle in_pieces(const bench *b, ebm_particle_task task)
{
    ebm_particle_state state = {0};
    uint32_t shuffle = task.particle;
    float work[10 * MAX], y[MAX] = {0};
    task.work = work;
    task.y = y;
    while (!ebm_particle_done(&b->how, &task, &state)) {
        shuffle = shuffle * 1664525u + 1013904223u;
        memset(work, 0xff, sizeof work);
        assert_true(ebm_particle_state_ok(&b->how, task.t < 0, &state));
        assert_int_equal(
            ebm_particle_advance(&b->how, &task, 1 + (shuffle >> 16) % 7, &state, NULL), EBM_OK);
    }
    return ebm_particle_of(&state);
}

/* A particle that is stopped at any move, and gone on with elsewhere, has the bits of one that is
 * not: on the ladder and for a local normaliser, forward and reverse. */
static void test_particles_in_pieces(void **state)
{
    const float x[2] = {0.7f, -0.2f}, start[2] = {0.5f, 0.1f};
    bench b;
    (void)state;
    init_bench(&b, 2);
    b.how.temperatures = 9;
    b.how.moves = 3;
    b.how.burn_in = 8;
    tune(&b, false, 50);
    for (uint32_t k = 0; k < 40; k++) {
        const bool reverse = k & 1, local = k & 2;
        ebm_particle whole, pieces;
        double log_z[2][6] = {{0}};
        ebm_particle_task task = {.t = local ? (int32_t)(k / 4 % 6) : -1,
                                  .particle = k,
                                  .x = x,
                                  .start = reverse ? start : NULL,
                                  .log_z = reverse || local ? NULL : log_z[1]};
        ebm_status st =
            local ? ebm_ais_recovery(&b.how, task.t, x, task.start, k, b.work, &whole, NULL)
                  : ebm_ais_ladder(&b.how, task.start, k, b.work, log_z[0], &whole, NULL);
        assert_int_equal(st, EBM_OK);
        pieces = in_pieces(&b, task);
        assert_memory_equal(&whole, &pieces, sizeof whole);
        assert_memory_equal(log_z[0], log_z[1], sizeof log_z[0]);
    }
    ebm_levels_clear(&b.levels);
}

/* Tuning, too. */
static void test_tuning_in_pieces(void **state)
{
    const float image[2] = {0.4f, -0.3f};
    bench b;
    (void)state;
    init_bench(&b, 2);
    for (int tether = 0; tether < 2; tether++) {
        float chain[2 * MAX] = {0};
        double factors[6];
        ebm_tune_state s = {0};
        ebm_tune_task task = {.tether = tether,
                              .steps = 50,
                              .image = image,
                              .chain = chain,
                              .work = b.work,
                              .factors = factors};
        b.how.tuned = NULL;
        tune(&b, tether, 50);
        b.how.tuned = NULL;
        for (uint32_t turn = 0; s.level < 6; turn++) {
            memset(b.work, 0xff, sizeof b.work);
            assert_true(ebm_tune_state_ok(&b.how, 50, &s));
            assert_int_equal(ebm_tune_advance(&b.how, &task, 1 + turn % 17, &s, NULL), EBM_OK);
        }
        assert_memory_equal(factors, b.tuned, sizeof factors);
    }
    ebm_levels_clear(&b.levels);
}

/* Numbers that no run can have come to are known as such, one by one. */
static void test_states_are_checked(void **state)
{
    const ebm_particle_state bad[] = {
        {.rung = -1}, {.rung = 6}, {.temperature = -1}, {.temperature = 9},
        {.move = -1}, {.move = 3}, {.moves = -1},       {.moves = 8 + 6 * 9 * 3 + 1}};
    const ebm_tune_state tune_bad[] = {{.level = -1},    {.level = 7},        {.step = -1},
                                       {.step = 50},     {.step_size = -1.0}, {.step_size = NAN},
                                       {.running = 1.1}, {.running = NAN}};
    bench b;
    (void)state;
    init_bench(&b, 1);
    b.how.temperatures = 9;
    b.how.moves = 3;
    b.how.burn_in = 8;
    assert_true(ebm_particle_state_ok(&b.how, true, &(ebm_particle_state){.rung = 5}));
    assert_false(ebm_particle_state_ok(&b.how, false, &(ebm_particle_state){.rung = 1}));
    assert_true(ebm_tune_state_ok(&b.how, 50, &(ebm_tune_state){.step = 49}));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ebm_particle_state_ok(&b.how, true, &bad[i]));
    for (size_t i = 0; i < sizeof tune_bad / sizeof tune_bad[0]; i++)
        assert_false(ebm_tune_state_ok(&b.how, 50, &tune_bad[i]));
    ebm_levels_clear(&b.levels);
}

/* Weights log 1, log 3: mean 2, log mean log 2; sd of {1,3} is sqrt 2, so se = 1/2. */
static void test_summary_by_hand(void **state)
{
    const ebm_particle p[2] = {{.log_weight = 1000.0, .acceptance = 0.5},
                               {.log_weight = 1000.0 + log(3.0), .acceptance = 1.0}};
    ebm_log_z z;
    (void)state;
    assert_int_equal(ebm_log_z_of(p, 2, 0, &z, NULL), EBM_OK);
    assert_close(z.value, 1000.0 + log(2.0), 1e-9);
    assert_close(z.bound, 1000.0 + 0.5 * log(3.0), 1e-9);
    assert_close(z.std_error, 0.5, 1e-9);
    assert_close(z.ess, 16.0 / 10.0, 1e-9);
    assert_close(z.acceptance, 0.75, 1e-12);
    assert_int_equal(ebm_log_z_of(p, 2, 1, &z, NULL), EBM_OK);
    assert_close(z.value, -1000.0 - log(2.0), 1e-9);
    assert_int_equal(ebm_log_z_of(p, 1, 0, &z, NULL), EBM_ERR_RANGE);
}

static void vanish(void *self, const float *y, int32_t level, float *net, float *grad)
{
    (void)self;
    (void)y;
    (void)level;
    *net = NAN;
    grad[0] = 0.0f;
}

static void test_refusals(void **state)
{
    ebm_levels levels = analytic_levels();
    const ebm_density density = {.dim = 1, .gradient = vanish};
    ebm_ais bad[6];
    const char *const where[6] = {"temperatures", "moves",      "leapfrog",
                                  "burn_in",      "step_scale", "step_scale"};
    float work[10];
    ebm_particle p;
    ebm_error err = {0};
    (void)state;
    for (int i = 0; i < 6; i++)
        bad[i] = ebm_ais_default(&density, &levels, 1);
    assert_int_equal(ebm_ais_check(&bad[0], NULL), EBM_OK);
    assert_int_equal(ebm_ais_ladder(&bad[0], NULL, 9, work, NULL, &p, &err), EBM_ERR_DIVERGED);
    assert_int_equal(err.index, 9);
    bad[0].temperatures = 0;
    bad[1].moves = 1001;
    bad[2].leapfrog = 0;
    bad[3].burn_in = -1;
    bad[4].step_scale = 0.0;
    bad[5].step_scale = NAN;
    for (int i = 0; i < 6; i++) {
        ebm_error e = {0};
        assert_int_equal(ebm_ais_check(&bad[i], &e), EBM_ERR_RANGE);
        assert_string_equal(e.where, where[i]);
    }
    ebm_levels_clear(&levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ladder_rungs),
        cmocka_unit_test(test_tuning),
        cmocka_unit_test(test_ladder_intervals_cover),
        cmocka_unit_test(test_recovery_normalisers),
        cmocka_unit_test(test_burn_in),
        cmocka_unit_test(test_particles_are_named),
        cmocka_unit_test(test_particles_in_pieces),
        cmocka_unit_test(test_tuning_in_pieces),
        cmocka_unit_test(test_states_are_checked),
        cmocka_unit_test(test_summary_by_hand),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
