/* The recovery bound: exact models give log p(x_0) on every path. */
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

enum { DIM = 2, PATHS = 10, PARTICLES = 10 };

typedef struct bench {
    ebm_levels levels;
    analytic_gauss gauss;
    ebm_density density;
    ebm_ais how;
    float work[10 * DIM], path[6 * DIM], start[DIM];
    double log_g[6], tuned[6];
    ebm_particle weight[PARTICLES];
} bench;

static void init_bench(bench *b)
{
    *b = (bench){.levels = analytic_levels()};
    b->gauss = (analytic_gauss){.levels = &b->levels, .n = 1, .copies = DIM, .cov = {{0.25}}};
    b->density = analytic_gauss_density(&b->gauss);
    b->how = ebm_ais_default(&b->density, &b->levels, 3);
}

/* @eq log G_t(x) = D/2 log(c/(c+s^2)) - |x|^2/(2(c+s^2)), c the variance of y_t */
static double exact_log_g(const bench *b, int32_t t, const float *x)
{
    const ebm_levels *l = &b->levels;
    double s2 = l->sigma[t + 1] * l->sigma[t + 1];
    double c =
        l->scale[t] * l->scale[t] * (l->abar[t] * l->abar[t] * 0.25 + l->sbar[t] * l->sbar[t]);
    double square = 0.0;
    for (int i = 0; i < DIM; i++)
        square += (double)x[i] * (double)x[i];
    return 0.5 * DIM * log(c / (c + s2)) - 0.5 * square / (c + s2);
}

/* With exact local normalisers the integrand is log p(x_0) on each path, whatever the noise: the
 * variance is zero. Tolerance: net is a float32, 6e-8 of values up to 100 at six levels. */
static void test_zero_variance_identity(void **state)
{
    const float image[DIM] = {0.4f, -0.8f};
    bench b;
    (void)state;
    init_bench(&b);
    for (uint32_t k = 0; k < 200; k++) {
        const ebm_noise noise = {.seed = 5, .index = k};
        ebm_forward_path(&b.levels, &noise, DIM, image, 5, b.path);
        for (int32_t t = 0; t < 5; t++)
            b.log_g[t] = exact_log_g(&b, t, b.path + (t + 1) * DIM);
        double logp =
            ebm_recovery_logp(&b.how, b.path, b.log_g, analytic_gauss_logz(&b.gauss, 5), b.work);
        assert_close(logp, analytic_gauss_logp0(&b.gauss, b.path), 2e-5);
        assert_close(ebm_ladder_logp(&b.how, b.path, analytic_gauss_logz(&b.gauss, 0), b.work),
                     analytic_gauss_logp0(&b.gauss, b.path), 5e-6);
    }
    ebm_levels_clear(&b.levels);
}

/* Mean of log p(x_0) over the noise of level 0 around one image. */
static double expected_logp(const bench *b, const float *image)
{
    const ebm_levels *l = &b->levels;
    double v = l->abar[0] * l->abar[0] * 0.25 + l->sbar[0] * l->sbar[0], square = 0.0;
    for (int i = 0; i < DIM; i++)
        square += pow(l->abar[0] * (double)image[i], 2.0) + l->sbar[0] * l->sbar[0];
    return -0.5 * DIM * log(2.0 * acos(-1.0) * v) - 0.5 * square / v;
}

/* 100 seeded runs with annealed normalisers: low and high have the truth between them at least 90
 * times. */
static void test_intervals_cover(void **state)
{
    const float image[DIM] = {0.4f, -0.8f};
    int covered = 0;
    double width = 0.0;
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        bench b;
        ebm_bound got;
        init_bench(&b);
        b.how.seed = seed;
        b.how.temperatures = 10;
        b.how.burn_in = 8;
        assert_int_equal(ebm_ais_tune(&b.how, true, image, 200, b.work, b.tuned, NULL), EBM_OK);
        b.how.tuned = b.tuned;
        const ebm_bound_room room = {
            .work = b.work, .path = b.path, .start = b.start, .log_g = b.log_g, .weight = b.weight};
        const ebm_log_z top = {.value = analytic_gauss_logz(&b.gauss, 5)};
        const ebm_bound_plan plan = {.paths = PATHS,
                                     .particles = PARTICLES,
                                     .index = (uint32_t)seed,
                                     .top = top,
                                     .top_reverse = top};
        assert_int_equal(ebm_recovery_bound(&b.how, &plan, image, &room, &got, NULL), EBM_OK);
        double truth = expected_logp(&b, image);
        covered += got.low <= truth && truth <= got.high;
        width += (got.high - got.low) / 100.0;
        assert_true(got.acceptance > 0.4 && got.acceptance <= 1.0);
        ebm_levels_clear(&b.levels);
    }
    print_message("covered %d of 100, mean width %.3f nats\n", covered, width);
    assert_true(covered >= 90);
    assert_true(width < 1.0);
}

/* In pieces of 1 to 5 moves, with nothing kept but what the header says, the bits are the same. */
static void test_in_pieces(void **state)
{
    const float image[DIM] = {0.4f, -0.8f};
    const ebm_bound_plan plan = {.paths = 2, .particles = 3, .top = {.value = 1.0}};
    bench b;
    ebm_bound whole, pieces;
    ebm_bound_state s = {0};
    float y[DIM] = {0};
    (void)state;
    init_bench(&b);
    b.how.temperatures = 4;
    b.how.burn_in = 3;
    ebm_bound_room room = {
        .work = b.work, .path = b.path, .start = b.start, .log_g = b.log_g, .weight = b.weight};
    assert_int_equal(ebm_recovery_bound(&b.how, &plan, image, &room, &whole, NULL), EBM_OK);
    memset(b.log_g, 0, sizeof b.log_g);
    memset(b.weight, 0, sizeof b.weight);
    room.y = y;
    for (int turn = 0; s.path < plan.paths; turn++) {
        memset(b.work, 0xff, sizeof b.work);
        memset(b.path, 0xff, sizeof b.path);
        memset(b.start, 0xff, sizeof b.start);
        assert_true(ebm_bound_state_ok(&b.how, &plan, &s));
        assert_int_equal(ebm_bound_advance(&b.how, &plan, image, &room, 1 + turn % 5, &s, NULL),
                         EBM_OK);
    }
    pieces = ebm_bound_of(&b.how, &plan, &s);
    assert_memory_equal(&whole, &pieces, sizeof whole);
    ebm_levels_clear(&b.levels);
}

static void test_states_are_checked(void **state)
{
    const ebm_bound_plan plan = {.paths = 2, .particles = 3};
    const ebm_bound_state bad[] = {{.path = -1},    {.path = 3},      {.reverse = -1},
                                   {.reverse = 2},  {.level = -1},    {.level = 6},
                                   {.particle = 3}, {.particle = -1}, {.present = {.rung = 1}}};
    bench b;
    (void)state;
    init_bench(&b);
    assert_true(ebm_bound_state_ok(&b.how, &plan, &(ebm_bound_state){.path = 2, .level = 5}));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ebm_bound_state_ok(&b.how, &plan, &bad[i]));
    ebm_levels_clear(&b.levels);
}

/* By hand: each side has its own log Z of the top, the wider error counts, and 2 paths have one
 * degree of freedom, 12.706. Means 5 and 3, sums of squares 8 and 2: se^2 = 8/2 + 0.5^2. */
static void test_sides(void **state)
{
    const float image[DIM] = {0.4f, -0.8f};
    ebm_bound_plan plan = {.paths = 2, .particles = 2, .top = {.std_error = 0.5}};
    const ebm_bound_state s = {.path = 2, .mean = {5, 3}, .m2 = {8, 2}};
    bench b;
    ebm_bound got, other;
    (void)state;
    init_bench(&b);
    got = ebm_bound_of(&b.how, &plan, &s);
    assert_close(got.std_error, sqrt(4.25), 1e-12);
    assert_close(got.low, 3 - 12.706205 * sqrt(4.25), 1e-4);
    assert_close(got.high, 5 + 12.706205 * sqrt(4.25), 1e-4);
    const ebm_bound_room room = {
        .work = b.work, .path = b.path, .start = b.start, .log_g = b.log_g, .weight = b.weight};
    assert_int_equal(ebm_recovery_bound(&b.how, &plan, image, &room, &got, NULL), EBM_OK);
    plan.top.value = 0.25;
    plan.top_reverse.value = 0.75;
    assert_int_equal(ebm_recovery_bound(&b.how, &plan, image, &room, &other, NULL), EBM_OK);
    assert_close(other.forward, got.forward - 0.25, 1e-9);
    assert_close(other.reverse, got.reverse - 0.75, 1e-9);
    ebm_levels_clear(&b.levels);
}

/* Paths of neighbouring seeds, and of neighbouring images, are other paths: what was path 1 of seed
 * 1 was path 0 of seed 2 when seeds were sums. With one level the bound of a path is a number of
 * its noise alone: the least number that a path has must not come back. */
static void test_paths_of_their_own(void **state)
{
    enum { SEEDS = 3, IMAGES = 2, EACH = 2 };
    const float image[DIM] = {0.4f, -0.8f};
    double seen[SEEDS * IMAGES * EACH];
    size_t n = 0;
    bench b;
    (void)state;
    init_bench(&b);
    b.levels.count = 1;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        for (uint32_t k = 0; k < IMAGES; k++) {
            const ebm_bound_plan plan = {.paths = EACH, .particles = 2, .index = k};
            const ebm_bound_room room = {.work = b.work,
                                         .path = b.path,
                                         .start = b.start,
                                         .log_g = b.log_g,
                                         .weight = b.weight};
            double sum = 0;
            ebm_bound_state s = {0};
            b.how.seed = seed;
            for (int path = 0; path < EACH; path++) {
                while (s.path == path)
                    assert_int_equal(ebm_bound_advance(&b.how, &plan, image, &room, 1, &s, NULL),
                                     EBM_OK);
                seen[n] = s.mean[0] * (path + 1) - sum;
                sum += seen[n++];
            }
        }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(fabs(seen[i] - seen[k]) > 1e-7);
    ebm_levels_clear(&b.levels);
}

static void test_refusals(void **state)
{
    const float image[DIM] = {0.0f, 0.0f};
    bench b;
    ebm_bound got;
    ebm_error err = {0};
    (void)state;
    init_bench(&b);
    const ebm_bound_room room = {.work = b.work};
    ebm_bound_plan plan = {.paths = 1, .particles = 2};
    assert_int_equal(ebm_recovery_bound(&b.how, &plan, image, &room, &got, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "paths");
    plan = (ebm_bound_plan){.paths = 2, .particles = 1};
    err = (ebm_error){0};
    assert_int_equal(ebm_recovery_bound(&b.how, &plan, image, &room, &got, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "particles");
    ebm_levels_clear(&b.levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_variance_identity),
        cmocka_unit_test(test_intervals_cover),
        cmocka_unit_test(test_in_pieces),
        cmocka_unit_test(test_states_are_checked),
        cmocka_unit_test(test_sides),
        cmocka_unit_test(test_paths_of_their_own),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
