/* Long chains on a Gaussian whose truth is known: a correct sampler keeps the chains where the
 * test images are, one with a far too long step does not, one that stands still shows it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/io.h"
#include "eval/embedding.h"
#include "fail_alloc.h"
#include "long_scene.h"
#include "random_net.h"

/* Means and variances of exp(-|y-m|^2/(2v)) in 4 dimensions: log density has mean -2 and sd
 * sqrt(2). 200 independent chains at each of four marks: bounds of 4 standard errors are missed by
 * a right sampler once in 15,000 times each; this seed is one that holds. The band's own edges,
 * from 600 images, move the share by up to 0.01. */
static void check_equilibrium(const ebmt_long_mark *m)
{
    assert_close(m->log_density.value, -2.0, 4.0 * sqrt(2.0 / LONG_CHAINS));
    assert_close(m->log_density_sd, sqrt(2.0), 4.0 * sqrt(2.0) * sqrt(2.0 / LONG_CHAINS));
    assert_close(m->inside.value, 0.99, 4.0 * sqrt(0.01 * 0.99 / LONG_CHAINS) + 0.01);
    assert_close(m->frechet_unbiased.value, 0.0, 5.0 * m->frechet_unbiased.se);
    assert_int_equal(m->diverged, 0);
}

static void test_right_samplers(void **state)
{
    static const int64_t marks[] = {-200, 0, 100, 1000, 1200};
    static long_scene s;
    (void)state;
    for (int kind = EBM_SAMPLER_MALA; kind <= EBM_SAMPLER_HMC; kind++) {
        long_scene_make(&s, 2, (ebm_sampler_kind)kind);
        long_scene_run(&s);
        assert_int_equal(s.report.n_marks, 5);
        assert_int_equal(s.report.burn_in, 200);
        assert_int_equal(s.report.band_images, LONG_IMAGES);
        /* chi square of 4 degrees: 0.5 % and 99.5 % at 0.207 and 14.86 */
        assert_close(s.report.band.high, -0.5 * 0.207, 0.05);
        assert_close(s.report.band.low, -0.5 * 14.86, 1.5);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(s.report.mark[i].steps, marks[i]);
            if (i > 0)
                check_equilibrium(&s.report.mark[i]);
        }
        assert_true(isnan(s.report.mark[1].acceptance));
        assert_true(s.report.mark[4].acceptance > 0.45 && s.report.mark[4].acceptance < 0.95);
        long_scene_clear(&s);
    }
}

/* The samples are drawn; from now on a step is nearly as long as the stability bound allows. */
static void lengthen_steps(void *user, const ebmt_long_report *report)
{
    long_scene *s = user;
    if (report->n_marks == 1)
        assert_int_equal(ebm_levels_match_curvature(&s->levels, 2.0, 60, NULL), EBM_OK);
    if (report->n_marks == 1)
        s->levels.step2[0] *= 9.0;
}

/* exp(-|y|^2/(2v)) by Langevin steps of h = 3.24 v has a variance of h/(1 - (1 - h/(2v))^2) = 5.3
 * v: most chains leave. */
static void test_too_long_a_step(void **state)
{
    static long_scene s;
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_LANGEVIN);
    const double v =
        s.levels.scale[0] * s.levels.scale[0] *
        (s.levels.abar[0] * s.levels.abar[0] * 0.04 + s.levels.sbar[0] * s.levels.sbar[0]);
    s.opt.plan.steps = 300;
    s.opt.on_mark = lengthen_steps;
    s.opt.user = &s;
    long_scene_run(&s);
    assert_close(s.levels.step2[0], 3.24 * v, 0.01 * v);
    assert_int_equal(s.report.n_marks, 3); /* no burn-in: 0 is as drawn */
    assert_int_equal(s.report.burn_in, 0);
    assert_true(s.report.mark[0].inside.value > 0.95);
    assert_true(s.report.mark[2].inside.value < 0.5);
    assert_true(s.report.mark[2].frechet_unbiased.value >
                10.0 * s.report.mark[2].frechet_unbiased.se);
    assert_true(isnan(s.report.mark[2].acceptance));
    long_scene_clear(&s);
}

/* Beyond the bound the chains are lost: counted, outside of the band, the command goes on. */
static void test_divergence(void **state)
{
    static long_scene s;
    (void)state;
    long_scene_make(&s, 2, EBM_SAMPLER_LANGEVIN);
    s.opt.plan.steps = 100;
    s.opt.on_mark = long_scene_unstable;
    s.opt.user = &s;
    long_scene_run(&s);
    assert_int_equal(s.report.mark[1].diverged, LONG_CHAINS);
    assert_close(s.report.mark[1].inside.value, 0.0, 0);
    assert_true(isnan(s.report.mark[1].log_density.value));
    long_scene_clear(&s);
}

/* A test image without a log density has no place in a band. */
static void test_band_of_nothing(void **state)
{
    static long_scene s;
    ebm_error err = {0};
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_MALA);
    s.gauss[0].mean[0] = NAN;
    assert_int_equal(ebmt__long_chains_run(&s.ground, &s.opt, &s.report, &err), EBM_ERR_DIVERGED);
    assert_non_null(strstr(err.text, "test image "));
    long_scene_clear(&s);
}

/* Proposals that are never taken: chains stay in the band, the acceptance says why. */
static void test_standing_still(void **state)
{
    static long_scene s;
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_MALA);
    s.opt.plan.burn_in = 0;
    s.opt.plan.steps = 100;
    s.opt.plan.step_scale = 1e3;
    long_scene_run(&s);
    assert_int_equal(s.report.n_marks, 2);
    assert_true(s.report.mark[1].acceptance < 1e-6);
    assert_close(s.report.mark[1].log_density.value, s.report.mark[0].log_density.value, 1e-9);
    long_scene_clear(&s);
}

/* Without noise Langevin climbs to the mode: likelier than any image, and outside, too. */
static void test_too_likely(void **state)
{
    static long_scene s;
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_LANGEVIN);
    s.opt.plan.noise_scale = 0.0;
    s.opt.plan.steps = 100;
    long_scene_run(&s);
    assert_close(s.report.mark[1].log_density.value, 0.0, 1e-3);
    assert_close(s.report.mark[1].inside.value, 0.0, 0);
    long_scene_clear(&s);
}

/* The images of all marks, one after another. */
typedef struct album {
    uint8_t pixels[4][16 * LONG_PIXELS];
    int64_t first; /* chain of the album that a run begins with */
    int mark;
} album;

static ebm_status stick_in(void *user, int64_t steps, const ebmt_dataset *images, ebm_error *err)
{
    album *a = user;
    (void)steps, (void)err;
    memcpy(a->pixels[a->mark++] + a->first * LONG_PIXELS, images->pixels,
           (size_t)images->count * LONG_PIXELS);
    return EBM_OK;
}

/* Sixteen chains at once, and eight and eight, are the same chains. */
static void test_parts(void **state)
{
    static long_scene s;
    album whole = {.first = 0}, parts = {.first = 0};
    (void)state;
    long_scene_make(&s, 2, EBM_SAMPLER_MALA);
    s.opt.plan.burn_in = 50;
    s.opt.plan.steps = 200;
    s.opt.on_images = stick_in;
    s.opt.user = &whole;
    s.opt.draw.n = 16;
    long_scene_run(&s);
    s.opt.user = &parts;
    s.opt.draw.n = 8;
    for (parts.first = 0; parts.first < 16; parts.first += 8) {
        parts.mark = 0;
        s.opt.draw.first_index = (int32_t)parts.first;
        long_scene_run(&s);
    }
    assert_int_equal(whole.mark, 4); /* as drawn, 0, 100, 200 */
    assert_memory_equal(whole.pixels, parts.pixels, sizeof whole.pixels);
    assert_memory_not_equal(whole.pixels[0], whole.pixels[3], sizeof whole.pixels[0]);
    long_scene_clear(&s);
}

static ebm_status refuse_images(void *user, int64_t steps, const ebmt_dataset *images,
                                ebm_error *err)
{
    int64_t *seen = user;
    (void)images;
    *seen = steps;
    return steps < 100 ? EBM_OK : ebm_error_set(err, EBM_ERR_IO, "images", "the disk is full");
}

/* Images that cannot be kept end the run at their mark. */
static void test_images_refused(void **state)
{
    static long_scene s;
    ebm_error err = {0};
    int64_t seen = -1;
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_MALA);
    s.opt.on_images = refuse_images;
    s.opt.user = &seen;
    assert_int_equal(ebmt__long_chains_run(&s.ground, &s.opt, &s.report, &err), EBM_ERR_IO);
    assert_string_equal(err.where, "images");
    assert_int_equal(seen, 100);
    assert_int_equal(s.report.n_marks, 2); /* as drawn, and 0 */
    long_scene_clear(&s);
}

/* Without a ruler there are no distances, and all else is what it was. */
static void test_no_ruler(void **state)
{
    static long_scene with, without;
    (void)state;
    long_scene_make(&with, 2, EBM_SAMPLER_MALA);
    long_scene_make(&without, 2, EBM_SAMPLER_MALA);
    with.opt.plan.burn_in = without.opt.plan.burn_in = 5;
    with.opt.plan.steps = without.opt.plan.steps = 20;
    without.opt.ruler = NULL;
    long_scene_run(&with);
    long_scene_run(&without);
    assert_null(without.report.ruler);
    assert_int_equal(without.report.n_marks, with.report.n_marks);
    for (int i = 0; i < with.report.n_marks; i++) {
        const ebmt_long_mark *a = &with.report.mark[i], *b = &without.report.mark[i];
        assert_true(isnan(b->frechet.value) && isnan(b->frechet_unbiased.value));
        assert_close(b->log_density.value, a->log_density.value, 0);
        assert_close(b->inside.value, a->inside.value, 0);
    }
    long_scene_clear(&with);
    long_scene_clear(&without);
}

/* Chain k is what its index says: 16 chains are 8 and the next 8. */
static void test_indices(void **state)
{
    static long_scene s;
    double mean[3];
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_MALA);
    s.opt.plan.burn_in = 20;
    s.opt.plan.steps = 20;
    for (int part = 0; part < 3; part++) {
        s.opt.draw.n = part == 0 ? 16 : 8;
        s.opt.draw.first_index = part == 2 ? 8 : 0;
        long_scene_run(&s);
        mean[part] = s.report.mark[2].log_density.value;
    }
    assert_close(mean[0], (mean[1] + mean[2]) / 2.0, 1e-12);
    long_scene_clear(&s);
}

/* --- on a model ---------------------------------------------------------------------------- */

/* Embeds 8x8 images by four of their pixels. */
static ebm_status embed_corner(const void *self, const ebmt_dataset *images, ebmt_pool *pool,
                               ebmt_embedding *out, ebm_error *err)
{
    (void)self, (void)pool;
    ebm_status st = ebmt__embedding_init(images->count, LONG_PIXELS, 2, out, err);
    for (int64_t i = 0; st == EBM_OK && i < images->count; i++)
        for (int j = 0; j < LONG_PIXELS; j++)
            out->features[i * LONG_PIXELS + j] = images->pixels[i * 64 + j];
    if (st != EBM_OK)
        ebmt_embedding_clear(out);
    return st;
}

/* The first mark shows exactly the images of ebmt_draw_images(): its distance to them is that of a
 * set to itself. Threads change no bit. */
static void test_on_a_model(void **state)
{
    const ebm_network_config network = small_network();
    ebm_model *m = random_net(&network, kernel_set("blas"), 1);
    const ebmt_ruler ruler = {.name = "corner", .embed = embed_corner};
    ebmt_dataset drawn;
    ebmt_long_report a, b;
    ebmt_long_options opt = {
        .ruler = &ruler,
        .test = &drawn,
        .draw = {.n = 9, .seed = 11, .steps_per_level = 2, .first_index = 4, .noise_scale = 1},
        .plan = ebm_mcmc_plan_default(EBM_SAMPLER_HMC)};
    (void)state;
    opt.plan.steps = 3;
    opt.plan.burn_in = 2;
    assert_int_equal(ebmt_pool_create(2, &opt.pool, NULL), EBM_OK);
    assert_int_equal(ebmt_draw_images(m, &opt.draw, opt.pool, &drawn, NULL), EBM_OK);
    assert_int_equal(ebmt_long_chains(m, &opt, &a, NULL), EBM_OK);
    assert_int_equal(a.n_marks, 3);
    assert_close(a.mark[0].frechet.value, 0.0, 1e-6);
    ebmt_pool_free(opt.pool);
    assert_int_equal(ebmt_pool_create(1, &opt.pool, NULL), EBM_OK);
    assert_int_equal(ebmt_long_chains(m, &opt, &b, NULL), EBM_OK);
    assert_memory_equal(&a, &b, sizeof a);
    opt.draw.n = drawn.count = 8;
    opt.draw.steps_per_level = 1;
    opt.plan.steps = 1;
    opt.plan.burn_in = 0;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_long_chains(m, &opt, &b, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    ebmt_pool_free(opt.pool);
    ebmt_dataset_clear(&drawn);
    ebm_model_unref(m);
}

/* Where models end with a denoising step, the first mark shows denoised images, too; the chains
 * themselves go on from the noisy state. */
static void test_denoised_images(void **state)
{
    static long_scene s;
    float y[LONG_PIXELS], anchor[LONG_PIXELS], work[2 * LONG_PIXELS];
    uint8_t pixels[LONG_CHAINS * LONG_PIXELS];
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_MALA);
    s.levels.denoise = true;
    const ebm_langevin how = {.noise_scale = s.levels.noise_scale};
    for (uint32_t k = 0; k < LONG_CHAINS; k++) {
        ebm_chain chain = {.y = y, .anchor = anchor};
        ebm_chain_start(&chain, &s.levels, LONG_PIXELS, s.opt.draw.seed, k);
        assert_int_equal(
            ebm_chain_advance(&chain, &s.density[0], &s.levels, &how, INT64_MAX, work, NULL),
            EBM_OK);
        ebm_image_from_tensor(y, 1, 2, 2, pixels + k * LONG_PIXELS);
    }
    const ebmt_dataset drawn = {
        .count = LONG_CHAINS, .channels = 1, .height = 2, .width = 2, .pixels = pixels};
    s.opt.test = &drawn;
    long_scene_run(&s);
    assert_close(s.report.mark[0].frechet.value, 0.0, 1e-6);
    check_equilibrium(&s.report.mark[3]);
    long_scene_clear(&s);
}

static void test_refusals(void **state)
{
    static long_scene s;
    (void)state;
    long_scene_make(&s, 1, EBM_SAMPLER_MALA);
    const ebmt_long_options good = s.opt;
    ebm_error err = {0};
#define REFUSED(change, status, name)                                                              \
    do {                                                                                           \
        s.opt = good;                                                                              \
        err = (ebm_error){0};                                                                      \
        s.opt.change;                                                                              \
        assert_int_equal(ebmt__long_chains_run(&s.ground, &s.opt, &s.report, &err), status);       \
        assert_string_equal(err.where, name);                                                      \
    } while (0)
    REFUSED(draw.n = 7, EBM_ERR_RANGE, "chains");
    REFUSED(draw.n = EBMT_LONG_MAX_CHAINS + 1, EBM_ERR_RANGE, "chains");
    REFUSED(draw.first_index = INT32_MAX - 5, EBM_ERR_RANGE, "first_index");
    REFUSED(plan.steps = 0, EBM_ERR_RANGE, "steps");
    REFUSED(plan.steps = EBMT_LONG_MAX_STEPS + 1, EBM_ERR_RANGE, "steps");
    REFUSED(plan.burn_in = -1, EBM_ERR_RANGE, "steps");
    REFUSED(plan.leapfrog = 0, EBM_ERR_RANGE, "leapfrog");
    s.test.count = 7;
    REFUSED(draw.n = 8, EBM_ERR_RANGE, "images");
    const ebmt_dataset wide = {.count = LONG_IMAGES, .channels = 1, .height = 1, .width = 4};
    REFUSED(test = &wide, EBM_ERR_SHAPE, "long chains");
    s.opt = good;
    long_scene_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_samplers), cmocka_unit_test(test_too_long_a_step),
        cmocka_unit_test(test_divergence),     cmocka_unit_test(test_band_of_nothing),
        cmocka_unit_test(test_divergence),     cmocka_unit_test(test_standing_still),
        cmocka_unit_test(test_on_a_model),     cmocka_unit_test(test_denoised_images),
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_images_refused),
        cmocka_unit_test(test_no_ruler),       cmocka_unit_test(test_too_likely),
        cmocka_unit_test(test_indices),        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
