/* Forward paths, mixed noise, spherical interpolation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/forward.h"

#define N 20000

static ebm_levels make_levels(void)
{
    const ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels levels;
    assert_int_equal(ebm_levels_t6(&schedule, &levels, NULL), EBM_OK);
    return levels;
}

/* Rows of a path: mean abar x, variance sbar^2, and lag-one covariance a_i sbar_{i-1}^2: the noise
 * is carried on, not drawn anew. 4 standard errors of each over N draws. */
static void test_path_moments(void **state)
{
    static float image[N], path[7 * N], alone[N];
    const ebm_noise noise = {.seed = 5, .index = 2};
    ebm_levels l = make_levels();
    (void)state;
    for (size_t i = 0; i < N; i++)
        image[i] = 0.5f;
    ebm_forward_path(&l, &noise, N, image, 6, path);
    for (int32_t t = 0; t <= 6; t++) {
        const float *row = path + (size_t)t * N;
        double mean = 0, var = 0, lag = 0, s2 = l.sbar[t] * l.sbar[t];
        for (size_t i = 0; i < N; i++) {
            double d = (double)row[i] - 0.5 * l.abar[t];
            mean += d / N;
            var += d * d / N;
            if (t > 0)
                lag += d * ((double)(row - N)[i] - 0.5 * l.abar[t - 1]) / N;
        }
        assert_close(mean, 0.0, 4.0 * l.sbar[t] / sqrt(N) + 1e-7);
        assert_close(var, s2, 4.0 * s2 * sqrt(2.0 / N));
        if (t > 0)
            assert_close(lag, l.a[t] * l.sbar[t - 1] * l.sbar[t - 1],
                         4.0 * sqrt(2.0 / N) * l.sbar[t] * l.sbar[t - 1]);
        ebm_forward_state(&l, &noise, N, image, t, alone);
        assert_memory_equal(alone, row, sizeof alone);
    }
    ebm_levels_clear(&l);
}

/* Marginals of mixed noise stay N(0,1); its covariance with each end is the weight; the ends are
 * the draws of one seed alone, bit for bit; pieces equal the whole. */
static void test_mixed_noise(void **state)
{
    static float a[N], b[N], mixed[N], piece[1000];
    const ebm_draw draw = {.purpose = EBM_PURPOSE_LANGEVIN, .level = 3, .step = 8};
    ebm_noise noise = {.seed = 1, .index = 4, .seed_b = 2, .index_b = 9};
    (void)state;
    ebm_noise_normal(&noise, draw, 0, N, a);
    noise.lambda = 1.0;
    ebm_noise_normal(&noise, draw, 0, N, b);
    const ebm_stream second = {
        .seed = 2, .purpose = EBM_PURPOSE_LANGEVIN, .chain = 9, .level = 3, .step = 8};
    ebm_rng_normal(&second, 0, N, mixed);
    assert_memory_equal(b, mixed, sizeof b);
    for (noise.lambda = 0.125; noise.lambda < 1.0; noise.lambda += 0.25) {
        double var = 0, with_a = 0, with_b = 0, angle = noise.lambda * acos(0.0);
        ebm_noise_normal(&noise, draw, 0, N, mixed);
        for (size_t i = 0; i < N; i++) {
            var += (double)mixed[i] * (double)mixed[i] / N;
            with_a += (double)mixed[i] * (double)a[i] / N;
            with_b += (double)mixed[i] * (double)b[i] / N;
        }
        assert_close(var, 1.0, 4.0 * sqrt(2.0 / N));
        assert_close(with_a, cos(angle), 4.0 * sqrt(2.0 / N));
        assert_close(with_b, sin(angle), 4.0 * sqrt(2.0 / N));
        ebm_noise_normal(&noise, draw, 500, 1000, piece);
        assert_memory_equal(piece, mixed + 500, sizeof piece);
    }
}

/* Between equal seeds nothing changes on the way; a stream mixed with itself would have variance 2
 * half way. Another index is another stream. */
static void test_equal_seeds(void **state)
{
    static float a[N], between[N];
    const ebm_draw draw = {.purpose = EBM_PURPOSE_FORWARD, .level = 2};
    ebm_noise noise = {.seed = 7, .index = 3, .seed_b = 7, .index_b = 3};
    (void)state;
    ebm_noise_normal(&noise, draw, 0, N, a);
    for (noise.lambda = 0.25; noise.lambda <= 1.0; noise.lambda += 0.25) {
        ebm_noise_normal(&noise, draw, 0, N, between);
        assert_memory_equal(between, a, sizeof a);
    }
    noise.lambda = 0.5;
    noise.index_b = 4;
    ebm_noise_normal(&noise, draw, 0, N, between);
    assert_memory_not_equal(between, a, sizeof a);
}

/* On a circle the arc is divided evenly; ends are ends; parallel vectors give the chord. */
static void test_slerp(void **state)
{
    const float a[2] = {2.0f, 0.0f}, b[2] = {0.0f, 2.0f}, c[2] = {4.0f, 0.0f};
    float out[2];
    (void)state;
    for (double lambda = 0.0; lambda <= 1.0; lambda += 0.25) {
        ebm_slerp(a, b, lambda, 2, out);
        assert_close((double)out[0], 2.0 * cos(lambda * acos(0.0)), 1e-6);
        assert_close((double)out[1], 2.0 * sin(lambda * acos(0.0)), 1e-6);
    }
    ebm_slerp(a, c, 0.25, 2, out);
    assert_close((double)out[0], 2.5, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_moments),
        cmocka_unit_test(test_mixed_noise),
        cmocka_unit_test(test_equal_seeds),
        cmocka_unit_test(test_slerp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
