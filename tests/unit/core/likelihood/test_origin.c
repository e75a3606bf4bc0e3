/* Where reverse particles begin: draws of the model, and what climbs from the top level. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/likelihood.h"

enum { MAX = 4, PARTICLES = 2000 };

typedef struct bench {
    ebm_levels levels;
    analytic_gauss gauss;
    ebm_density density;
    ebm_ais how;
    float work[10 * MAX];
} bench;

static ebm_particle particles[PARTICLES];

/* Calibrated levels of many steps, whose chains mix, and data N(0, 0.25). */
static void init_bench(bench *b, size_t n, int32_t steps)
{
    const ebm_schedule_geometric schedule = {
        .count = 8, .ratio_min = 0.01, .ratio_max = 100, .steps = steps};
    *b = (bench){.gauss = {.levels = &b->levels, .n = 1, .copies = n, .cov = {{0.25}}}};
    assert_int_equal(ebm_levels_geometric(&schedule, &b->levels, NULL), EBM_OK);
    b->levels.noise_scale = 0.5; /* of which draws of the density know nothing */
    b->levels.denoise = true;
    b->density = analytic_gauss_density(&b->gauss);
    b->how = ebm_ais_default(&b->density, &b->levels, 17);
}

/* Every particle has a draw of its own, with the variance of the level, 0.25 and noise, within what
 * steps of that length leave, 8 % and 5 standard errors of 3,000, 13 %. */
static void test_origins(void **state)
{
    enum { N = 3000 };
    static float y[3][N];
    bench b;
    (void)state;
    init_bench(&b, 1, 100);
    for (int top = 0; top < 3; top++) {
        const int32_t t = top == 2 ? 7 : 5 * top;
        const double s = b.levels.scale[t], a = b.levels.abar[t], n = b.levels.sbar[t];
        double sum = 0;
        for (uint32_t k = 0; k < N; k++) {
            assert_int_equal(ebm_ais_origin(&b.how, t, k, b.work, &y[top][k], NULL), EBM_OK);
            sum += (double)y[top][k] * (double)y[top][k] / N;
            assert_true(k == 0 || y[top][k] != y[top][k - 1]);
        }
        assert_close(sum / (s * s * (a * a * 0.25 + n * n)), 1.0, 0.08 + 0.13);
    }
    ebm_levels_clear(&b.levels);
}

/* In pieces of 1 to 13 steps, with poisoned scratch, the bits are the same; states that no run
 * comes to are known. */
static void test_origins_in_pieces(void **state)
{
    bench b;
    (void)state;
    init_bench(&b, 2, 5);
    b.levels.predict = true;
    for (int32_t t = 0; t < 8; t++) {
        float whole[2], chain[4] = {0};
        ebm_origin_state s = {0};
        const ebm_origin_task task = {t, 3, chain, b.work};
        int64_t steps = 0;
        assert_int_equal(ebm_ais_origin(&b.how, t, 3, b.work, whole, NULL), EBM_OK);
        for (int turn = 0; !ebm_origin_done(&b.how, t, &s); turn++) {
            memset(b.work, 0xff, sizeof b.work);
            assert_int_equal(ebm_origin_advance(&b.how, &task, 1 + turn % 13, &s, NULL), EBM_OK);
            assert_true(ebm_origin_state_ok(&b.how, t, &s));
            steps += 1 + turn % 13;
        }
        assert_memory_equal(chain, whole, sizeof whole);
        assert_int_equal(s.total, ebm_origin_steps(&b.levels, t));
        assert_true(steps >= s.total && s.total == 5 * (8 - t) + 7 - t);
        assert_int_equal(ebm_origin_advance(&b.how, &task, 9, &s, NULL), EBM_OK);
        assert_memory_equal(chain, whole, sizeof whole);
    }
    const ebm_origin_state bad[] = {{1, 0, 0, 0},         {0, 0, 1, 0},
                                    {7, 0, 5, 5},         {7, 0, -1, -1},
                                    {8, 0, 0, 1},         {3, 0, 0, 40},
                                    {1, 0, 0, 6},         {-2, 0, 0, 47},
                                    {6, 0, INT64_MAX, 5}, {1, 0, INT64_MAX, INT64_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ebm_origin_state_ok(&b.how, 2, &bad[i]));
    assert_true(ebm_origin_state_ok(&b.how, 2, &(ebm_origin_state){6, 0, 0, 5}));
    ebm_levels_clear(&b.levels);
}

/* log Z of the top level, upwards from draws of it: within 4 standard errors of the truth, on the
 * other side of it than forward on average, and in pieces the same. */
static void test_top_from_both_sides(void **state)
{
    enum { N = PARTICLES };
    bench b;
    ebm_log_z z;
    (void)state;
    init_bench(&b, 1, 50);
    b.how.temperatures = 5;
    b.how.burn_in = 5;
    for (uint32_t k = 0; k < N; k++) {
        float start;
        ebm_particle_state s = ebm_particle_of_top(&b.how);
        assert_int_equal(ebm_ais_origin(&b.how, 7, k, b.work, &start, NULL), EBM_OK);
        assert_int_equal(ebm_ais_top(&b.how, &start, k, b.work, &particles[k], NULL), EBM_OK);
        if (k > 0)
            continue;
        float y = 0, work[10];
        const ebm_particle_task task = {.t = -1, .start = &start, .y = &y, .work = work};
        while (!ebm_particle_done(&b.how, &task, &s)) {
            memset(work, 0xff, sizeof work);
            assert_true(ebm_particle_state_ok(&b.how, true, &s));
            assert_int_equal(ebm_particle_advance(&b.how, &task, 1, &s, NULL), EBM_OK);
        }
        assert_true(ebm_particle_of(&s).log_weight == particles[0].log_weight);
        assert_int_equal(s.moves, 10);
    }
    assert_int_equal(ebm_log_z_of(particles, N, true, &z, NULL), EBM_OK);
    assert_close(z.value, analytic_gauss_logz(&b.gauss, 7), 4 * z.std_error + 1e-4);
    assert_true(z.bound >= z.value && z.std_error < 0.01);
    ebm_levels_clear(&b.levels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_origins_in_pieces),
        cmocka_unit_test(test_top_from_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
