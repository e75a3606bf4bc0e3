/* Where chains start and what they hold: inpainting, interpolation, editing. */
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

#include "ebm/io.h"

enum { MAX = 64 };

typedef struct bench {
    ebm_levels levels;
    ebm_mcmc_plan plan;
    ebm_density density;
    ebm_mcmc_setup setup;
    ebm_mcmc chain;
    analytic_gauss gauss;
    float y[MAX], anchor[MAX], path[7 * MAX], work[4 * MAX];
} bench;

/* iid data N(0, 0.25) of `dim` pixels, unless the test says otherwise. */
static void init_bench(bench *b, ebm_sampler_kind sampler, size_t dim)
{
    *b = (bench){.levels = analytic_levels(), .plan = ebm_mcmc_plan_default(sampler)};
    b->gauss = (analytic_gauss){.levels = &b->levels, .n = 1, .copies = dim, .cov = {{0.25}}};
    b->density = analytic_gauss_density(&b->gauss);
    b->setup = (ebm_mcmc_setup){.density = &b->density, .levels = &b->levels, .plan = &b->plan};
    b->chain = (ebm_mcmc){.noise = {.seed = 70, .index = 1}, .y = b->y, .anchor = b->anchor};
}

static void run(bench *b)
{
    assert_int_equal(ebm_mcmc_advance(&b->chain, &b->setup, INT64_MAX, NULL, b->work, NULL),
                     EBM_OK);
}

/* 1,000 random masks: known pixels come back byte for byte, with every sampler, repeats and
 * polish; and the unknown ones were painted. */
static void test_known_pixels_are_kept(void **state)
{
    uint8_t bytes[MAX], out[MAX];
    float image[MAX], mask[MAX];
    size_t painted = 0, unknown = 0;
    (void)state;
    for (uint32_t k = 0; k < 1000; k++) {
        const ebm_stream s = {.seed = 4, .purpose = EBM_PURPOSE_TEST, .chain = k};
        bench b;
        init_bench(&b, (ebm_sampler_kind)(k % 3), MAX);
        b.plan.steps_per_level = 2;
        b.plan.repeats = 1 + (int32_t)(k % 2);
        b.plan.polish = (int32_t)(k % 5);
        b.chain.noise.index = k;
        for (uint32_t i = 0; i < MAX; i++) {
            bytes[i] = (uint8_t)ebm_rng_word(&s, i);
            mask[i] = (float)(ebm_rng_word(&s, MAX + i) % 2);
        }
        ebm_image_to_tensor(bytes, 1, 8, 8, image);
        assert_int_equal(ebm_mcmc_know(&b.chain, &b.setup, image, mask, false, b.path, NULL),
                         EBM_OK);
        ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
        run(&b);
        ebm_image_from_tensor(b.y, 1, 8, 8, out);
        for (int i = 0; i < MAX; i++) {
            if (mask[i] == 1.0f)
                assert_memory_equal(&b.y[i], &image[i], sizeof image[i]);
            if (mask[i] == 1.0f)
                assert_int_equal(out[i], bytes[i]);
            unknown += mask[i] == 0.0f;
            painted += mask[i] == 0.0f && out[i] != bytes[i];
        }
        ebm_levels_clear(&b.levels);
    }
    assert_true(painted > unknown * 9 / 10);
}

/* Gaussian data in 3 pixels, the first one known: what the ladder with its polish leaves has the
 * conditional mean and covariance given k_0, the known pixel at level 0. 1,500 chains; 4 standard
 * errors: mean sd/sqrt(n), covariance sqrt((c_ii c_jj + c_ij^2)/n). */
static void test_conditional_moments(void **state)
{
    enum { CHAINS = 1500 };
    static const double cov[3][3] = {{0.3, 0.18, -0.1}, {0.18, 0.25, 0.0}, {-0.1, 0.0, 0.4}};
    const float image[3] = {0.8f, 0.0f, 0.0f}, mask[3] = {1.0f, 0.0f, 0.0f};
    double mean[2] = {0, 0}, sum[2][2] = {{0}}, want[2][2], c[3][3];
    (void)state;
    for (uint32_t k = 0; k < CHAINS; k++) {
        bench b;
        init_bench(&b, EBM_SAMPLER_LANGEVIN, 3);
        b.gauss = (analytic_gauss){.levels = &b.levels, .n = 3, .copies = 1, .mean = {0.1, 0.2, 0}};
        for (int i = 0; i < 3; i++)
            memcpy(b.gauss.cov[i], cov[i], sizeof cov[i]);
        b.density = analytic_gauss_density(&b.gauss);
        b.plan.steps_per_level = 5;
        b.plan.polish = 160;
        b.plan.burn_in = 60;
        b.plan.step_scale = 50.0;
        b.chain.noise.index = k;
        assert_int_equal(ebm_mcmc_know(&b.chain, &b.setup, image, mask, false, b.path, NULL),
                         EBM_OK);
        ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
        run(&b);
        double a = b.levels.abar[0], s = b.levels.sbar[0], r[2];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                c[i][j] = a * a * cov[i][j] + (i == j ? s * s : 0.0);
        for (int i = 0; i < 2; i++) {
            r[i] = (double)b.y[i + 1] - a * b.gauss.mean[i + 1] -
                   c[i + 1][0] / c[0][0] * ((double)b.path[0] - a * b.gauss.mean[0]);
            mean[i] += r[i] / CHAINS;
        }
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 2; j++)
                sum[i][j] += r[i] * r[j] / CHAINS;
        ebm_levels_clear(&b.levels);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            want[i][j] = c[i + 1][j + 1] - c[i + 1][0] * c[j + 1][0] / c[0][0];
    for (int i = 0; i < 2; i++) {
        assert_close(mean[i], 0.0, 4.0 * sqrt(want[i][i] / CHAINS));
        for (int j = 0; j < 2; j++)
            assert_close(sum[i][j], want[i][j],
                         4.0 * sqrt((want[i][i] * want[j][j] + want[i][j] * want[i][j]) / CHAINS));
    }
}

/* Known values follow one path: at every level y holds A k_t and the anchor k_{t+1}. */
static void test_known_values_follow_the_path(void **state)
{
    const float image[2] = {-0.0f, 0.0f}, mask[2] = {1.0f, 0.0f};
    bench b;
    (void)state;
    init_bench(&b, EBM_SAMPLER_LANGEVIN, 2);
    b.plan.steps_per_level = 3;
    assert_int_equal(ebm_mcmc_know(&b.chain, &b.setup, image, mask, false, b.path, NULL), EBM_OK);
    ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
    for (int32_t t = 5; t >= 0; t--) {
        assert_int_equal(b.chain.level, t);
        assert_true(b.anchor[0] == b.path[(t + 1) * 2]);
        assert_true(b.y[0] == (float)b.levels.scale[t] * b.path[t * 2]);
        float known = b.y[0], unknown = b.y[1];
        assert_int_equal(ebm_mcmc_advance(&b.chain, &b.setup, 2, NULL, b.work, NULL), EBM_OK);
        assert_true(b.y[0] == known && b.y[1] != unknown);
        assert_int_equal(ebm_mcmc_advance(&b.chain, &b.setup, 1, NULL, b.work, NULL), EBM_OK);
    }
    assert_memory_equal(&b.y[0], &image[0], sizeof image[0]);
    ebm_levels_clear(&b.levels);
}

/* Values between need the opt-in; NaN and what lies outside never pass; the place is named. */
static void test_masks_are_checked(void **state)
{
    static const struct {
        float image, mask;
        bool soft, good;
        const char *where;
    } rows[] = {
        {0.0f, 1.0f, false, true, NULL},    {0.0f, 0.5f, true, true, NULL},
        {0.0f, 0.5f, false, false, "mask"}, {0.0f, 1.5f, true, false, "mask"},
        {0.0f, -0.5f, true, false, "mask"}, {0.0f, NAN, true, false, "mask"},
        {NAN, 1.0f, true, false, "image"},  {INFINITY, 0.0f, false, false, "image"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const float image[2] = {0.0f, rows[i].image}, mask[2] = {0.0f, rows[i].mask};
        bench b;
        ebm_error err = {0};
        init_bench(&b, EBM_SAMPLER_LANGEVIN, 2);
        ebm_status st = ebm_mcmc_know(&b.chain, &b.setup, image, mask, rows[i].soft, b.path, &err);
        assert_int_equal(st, rows[i].good ? EBM_OK : EBM_ERR_RANGE);
        if (!rows[i].good) {
            assert_string_equal(err.where, rows[i].where);
            assert_int_equal(err.index, 1);
            assert_null(b.chain.path);
        }
        ebm_levels_clear(&b.levels);
    }
}

/* A soft value ends as the blend of image and sample. */
static void test_soft_mask_blends(void **state)
{
    const float image[1] = {1.0f}, mask[1] = {0.75f};
    bench b;
    (void)state;
    init_bench(&b, EBM_SAMPLER_LANGEVIN, 1);
    b.plan.steps_per_level = 5;
    assert_int_equal(ebm_mcmc_know(&b.chain, &b.setup, image, mask, true, b.path, NULL), EBM_OK);
    ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
    assert_int_equal(ebm_mcmc_advance(&b.chain, &b.setup, 29, NULL, b.work, NULL), EBM_OK);
    run(&b);
    float x0 = b.anchor[0]; /* x_0 before the image was laid over it */
    assert_close((double)b.y[0], 0.75 + 0.25 * (double)x0, 1e-6);
    ebm_levels_clear(&b.levels);
}

/* Ends of an interpolation are the two chains themselves, bit for bit, for every sampler. */
static void test_interpolation_ends(void **state)
{
    const ebm_noise a = {.seed = 3, .index = 5}, z = {.seed = 8, .index = 6};
    (void)state;
    for (int s = EBM_SAMPLER_LANGEVIN; s <= EBM_SAMPLER_HMC; s++)
        for (int end = 0; end < 2; end++) {
            bench alone, between;
            init_bench(&alone, (ebm_sampler_kind)s, 8);
            init_bench(&between, (ebm_sampler_kind)s, 8);
            alone.plan.steps_per_level = between.plan.steps_per_level = 6;
            alone.chain.noise = end ? z : a;
            between.chain.noise =
                (ebm_noise){.seed = 3, .index = 5, .seed_b = 8, .index_b = 6, .lambda = end};
            ebm_mcmc_start_noise(&alone.chain, &alone.setup, 5);
            ebm_mcmc_start_noise(&between.chain, &between.setup, 5);
            run(&alone);
            run(&between);
            assert_memory_equal(alone.y, between.y, 8 * sizeof(float));
            ebm_levels_clear(&alone.levels);
            ebm_levels_clear(&between.levels);
        }
}

/* Half way between two seeds the chain has the moments of any other chain: 2.903235 after the
 * paper's 30 steps a level (docs/math/langevin.md). 300 chains of 64 pixels: 4 se. */
static void test_interpolated_chains_have_the_same_law(void **state)
{
    enum { CHAINS = 300 };
    double sum = 0.0;
    (void)state;
    for (uint32_t k = 0; k < CHAINS; k++) {
        bench b;
        init_bench(&b, EBM_SAMPLER_LANGEVIN, MAX);
        b.chain.noise =
            (ebm_noise){.seed = 1, .index = k, .seed_b = 2, .index_b = k, .lambda = 0.3};
        ebm_mcmc_start_noise(&b.chain, &b.setup, 5);
        run(&b);
        for (int i = 0; i < MAX; i++)
            sum += (double)b.y[i] * (double)b.y[i] / (CHAINS * MAX);
        ebm_levels_clear(&b.levels);
    }
    assert_close(sum, 2.903235, 4.0 * 2.903235 * sqrt(2.0 / (CHAINS * MAX)));
}

/* Editing starts at x_{t+1} of the image's own path; at one level at its exact pair. Between two
 * images the ends are the images' own starts. */
static void test_starts_from_images(void **state)
{
    float a[8], z[8], want[8];
    (void)state;
    for (int i = 0; i < 8; i++) {
        a[i] = 0.1f * (float)i;
        z[i] = -a[i];
    }
    for (int32_t t = 0; t < 6; t++) {
        bench b;
        init_bench(&b, EBM_SAMPLER_LANGEVIN, 8);
        ebm_forward_state(&b.levels, &b.chain.noise, 8, a, t + 1, want);
        ebm_mcmc_start_image(&b.chain, &b.setup, a, t);
        assert_memory_equal(b.y, want, sizeof want);
        assert_memory_equal(b.anchor, want, sizeof want);
        assert_int_equal(b.chain.level, t);
        ebm_mcmc_start_between(&b.chain, &b.setup, a, z, t);
        assert_memory_equal(b.y, want, sizeof want);
        const ebm_noise second = {.seed = 71, .index = 2};
        b.chain.noise.seed_b = second.seed;
        b.chain.noise.index_b = second.index;
        b.chain.noise.lambda = 1.0;
        ebm_forward_state(&b.levels, &second, 8, z, t + 1, want);
        ebm_mcmc_start_between(&b.chain, &b.setup, a, z, t);
        assert_memory_equal(b.y, want, sizeof want);
        b.chain.noise.lambda = 0.0;
        ebm_forward_state(&b.levels, &b.chain.noise, 8, a, t + 1, want);
        b.plan.ladder = false;
        ebm_mcmc_start_image(&b.chain, &b.setup, a, t);
        assert_memory_equal(b.anchor, want, sizeof want);
        ebm_forward_state(&b.levels, &b.chain.noise, 8, a, t, want);
        for (int i = 0; i < 8; i++)
            assert_true(b.y[i] == want[i] * (float)b.levels.scale[t]);
        ebm_levels_clear(&b.levels);
    }
}

/* A sample that was not denoised is the state at level 0 itself: noised once more, it would begin
 * far from its density. One that was is an image. */
static void test_starts_from_samples(void **state)
{
    float sample[8], want[8];
    (void)state;
    for (int i = 0; i < 8; i++)
        sample[i] = 0.1f * (float)i;
    for (int32_t t = 0; t < 6; t++) {
        bench b;
        init_bench(&b, EBM_SAMPLER_LANGEVIN, 8);
        b.plan.ladder = false;
        memcpy(want, sample, sizeof want);
        for (int32_t i = 1; i <= t; i++) {
            const ebm_draw draw = {.purpose = EBM_PURPOSE_FORWARD, .level = i};
            ebm_forward_step(&b.levels, &b.chain.noise, draw, 8, want, want);
        }
        ebm_mcmc_start_sample(&b.chain, &b.setup, sample, t);
        for (int i = 0; i < 8; i++)
            assert_true(b.y[i] == want[i] * (float)b.levels.scale[t]);
        b.levels.denoise = true;
        ebm_forward_state(&b.levels, &b.chain.noise, 8, sample, t, want);
        ebm_mcmc_start_sample(&b.chain, &b.setup, sample, t);
        for (int i = 0; i < 8; i++)
            assert_true(b.y[i] == want[i] * (float)b.levels.scale[t]);
        ebm_levels_clear(&b.levels);
    }
}

/* Half way between two images: the noise part keeps its size, as on a sphere, where a straight
 * line would shrink it by sqrt(2). The images are zero, the noises independent. */
static void test_between_images_keeps_the_noise_level(void **state)
{
    const float zero[MAX] = {0};
    double sum = 0.0;
    (void)state;
    for (uint32_t k = 0; k < 50; k++) {
        bench b;
        init_bench(&b, EBM_SAMPLER_LANGEVIN, MAX);
        b.chain.noise =
            (ebm_noise){.seed = 1, .index = k, .seed_b = 2, .index_b = k, .lambda = 0.5};
        ebm_mcmc_start_between(&b.chain, &b.setup, zero, zero, 3);
        for (int i = 0; i < MAX; i++)
            sum += (double)b.y[i] * (double)b.y[i] / (50 * MAX);
        ebm_levels_clear(&b.levels);
    }
    const double s = 0.89801336;
    assert_close(sum, s * s, 4.0 * s * s * sqrt(2.0 / (50 * MAX)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_pixels_are_kept),
        cmocka_unit_test(test_conditional_moments),
        cmocka_unit_test(test_known_values_follow_the_path),
        cmocka_unit_test(test_masks_are_checked),
        cmocka_unit_test(test_soft_mask_blends),
        cmocka_unit_test(test_interpolation_ends),
        cmocka_unit_test(test_interpolated_chains_have_the_same_law),
        cmocka_unit_test(test_starts_from_images),
        cmocka_unit_test(test_starts_from_samples),
        cmocka_unit_test(test_between_images_keeps_the_noise_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
