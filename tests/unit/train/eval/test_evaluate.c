/* The whole comparison on sets whose relation is known, the Gaussian fit's moments, drawing in
 * parts, and the two forms of the report. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "assert_numbers.h"
#include "bars.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmt/eval.h"
#include "eval/image_sets.h"
#include "fail_alloc.h"
#include "random_net.h"

static ebmt_pool *pool_of(int32_t threads)
{
    ebmt_pool *pool = NULL;
    assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
    return pool;
}

/* --- sets ---------------------------------------------------------------------------------- */

/* 3000 draws from a fit of 600 images with levels 100..160: mean and covariance of two pixels
 * agree within five standard errors of about sd/sqrt(3000). Rounding adds 1/12 to the variance,
 * clipping is 6 sd away. */
static void test_gaussian_moments(void **state)
{
    enum { N = 600, M = 3000, D = 4 };
    static uint8_t pixels[N * D];
    const ebm_stream stream = {.seed = 2, .purpose = EBM_PURPOSE_TEST};
    const ebmt_dataset set = {.count = N, .channels = 1, .height = 2, .width = 2, .pixels = pixels};
    ebmt_dataset out, again;
    ebmt_pool *one = pool_of(1), *two = pool_of(2);
    double m[2][2] = {{0}}, cov[2] = {0};
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        uint8_t a = (uint8_t)(100 + ebm_rng_word(&stream, i) % 61);
        memcpy(pixels + i * D, (const uint8_t[]){a, (uint8_t)(260 - a), 7, a}, D);
    }
    assert_int_equal(ebmt_gaussian_images(&set, M, 5, one, &out, NULL), EBM_OK);
    assert_int_equal(ebmt_gaussian_images(&set, M, 5, two, &again, NULL), EBM_OK);
    assert_memory_equal(out.pixels, again.pixels, M * D);
    for (int which = 0; which < 2; which++) {
        const uint8_t *p = which ? out.pixels : pixels;
        int n = which ? M : N;
        for (int i = 0; i < n; i++) {
            m[which][0] += p[i * D] / (double)n;
            m[which][1] += p[i * D + 1] / (double)n;
        }
        for (int i = 0; i < n; i++)
            cov[which] += (p[i * D] - m[which][0]) * (p[i * D + 1] - m[which][1]) / (n - 1.0);
    }
    /* sd 17.6: mean 5*17.6/55 = 1.6; covariance -310 with a standard error of 310 sqrt(2/3000) */
    assert_close(m[1][0], m[0][0], 1.6);
    assert_close(m[1][1], m[0][1], 1.6);
    assert_close(cov[1], cov[0], 5 * 310 * sqrt(2.0 / M));
    assert_int_equal(out.pixels[2], 7); /* a pixel without variation stays what it is */
    ebmt_dataset_clear(&out);
    ebmt_dataset_clear(&again);
    ebmt_pool_free(one);
    ebmt_pool_free(two);
}

static void test_choice(void **state)
{
    uint8_t pixels[10];
    const ebmt_dataset set = {
        .count = 10, .channels = 1, .height = 1, .width = 1, .pixels = pixels};
    ebmt_dataset out;
    int seen[10] = {0};
    (void)state;
    for (int i = 0; i < 10; i++)
        pixels[i] = (uint8_t)i;
    assert_int_equal(ebmt_choose_images(&set, 10, 3, &out, NULL), EBM_OK);
    for (int i = 0; i < 10; i++)
        seen[out.pixels[i]]++;
    for (int i = 0; i < 10; i++)
        assert_int_equal(seen[i], 1);
    ebmt_dataset_clear(&out);
    assert_int_equal(ebmt_choose_images(&set, 11, 3, &out, NULL), EBM_ERR_RANGE);
}

/* Of seven images three from all over, or all of them. */
static void test_spread(void **state)
{
    static uint8_t pixels[] = {0, 10, 20, 30, 40, 50, 60};
    const ebmt_dataset set = {.count = 7, .channels = 1, .height = 1, .width = 1, .pixels = pixels};
    ebmt_dataset out;
    (void)state;
    assert_int_equal(ebmt__images_spread(&set, 3, &out, NULL), EBM_OK);
    assert_int_equal(out.count, 3);
    assert_memory_equal(out.pixels, ((const uint8_t[]){0, 20, 40}), 3);
    ebmt_dataset_clear(&out);
    assert_int_equal(ebmt__images_spread(&set, 8, &out, NULL), EBM_OK);
    assert_int_equal(out.count, 7);
    assert_memory_equal(out.pixels, pixels, 7);
    ebmt_dataset_clear(&out);
    assert_int_equal(ebmt__images_spread(&set, 0, &out, NULL), EBM_ERR_RANGE);
}

/* Images 0..6 in one go on two threads, and 3..6 alone on one. */
static void test_drawing_in_parts(void **state)
{
    const ebm_network_config network = small_network();
    ebm_model *m = random_net(&network, kernel_set("ref"), 1);
    ebmt_pool *one = pool_of(1), *two = pool_of(2);
    ebmt_draw how = {.n = 7, .seed = 11, .steps_per_level = 2, .noise_scale = 1};
    ebmt_dataset all, part;
    (void)state;
    assert_int_equal(ebmt_draw_images(m, &how, two, &all, NULL), EBM_OK);
    how.n = 4;
    how.first_index = 3;
    assert_int_equal(ebmt_draw_images(m, &how, one, &part, NULL), EBM_OK);
    assert_memory_equal(all.pixels + 3 * 64, part.pixels, 4 * 64);
    assert_memory_not_equal(all.pixels, part.pixels, 64);
    ebmt_dataset_clear(&all);
    ebmt_dataset_clear(&part);
    how.n = 0;
    assert_int_equal(ebmt_draw_images(m, &how, one, &part, NULL), EBM_ERR_RANGE);
    ebmt_pool_free(one);
    ebmt_pool_free(two);
    ebm_model_unref(m);
}

/* --- the comparison ------------------------------------------------------------------------ */

typedef struct scene {
    ebmt_dataset train, test, samples;
    ebmt_classifier *classifier;
    ebmt_inception *inception;
    ebmt_ruler rulers[2];
    ebmt_pool *pool;
    ebmt_eval_options options;
} scene;

static void scene_make(scene *s)
{
    ebmt_classifier_options opt = ebmt_classifier_options_default();
    s->pool = pool_of(2);
    bars_make(480, 1, &s->train);
    bars_make(150, 2, &s->test);
    bars_make(90, 3, &s->samples);
    opt.epochs = 8;
    assert_int_equal(
        ebmt_classifier_train(&opt, &s->train, &s->test, s->pool, &s->classifier, NULL), EBM_OK);
    s->rulers[0] = ebmt_classifier_ruler(s->classifier);
    s->options = (ebmt_eval_options){.rulers = s->rulers,
                                     .n_rulers = 1,
                                     .samples = &s->samples,
                                     .train = &s->train,
                                     .test = &s->test,
                                     .pool = s->pool,
                                     .seed = 1};
}

static void scene_clear(scene *s)
{
    ebmt_dataset_clear(&s->train);
    ebmt_dataset_clear(&s->test);
    ebmt_dataset_clear(&s->samples);
    ebmt_classifier_free(s->classifier);
    ebmt_inception_free(s->inception);
    ebmt_pool_free(s->pool);
}

/* From the sample that comes closest by pixels to its training image. @unit as
 * ebmt_memorisation */
static double closest_distance(const scene *s, const ebmt_eval_report *r)
{
    double sum = 0;
    for (int i = 0; i < 64; i++) {
        double d = (double)s->samples.pixels[r->closest_sample[0] * 64 + i] -
                   (double)s->train.pixels[r->closest_train[0] * 64 + i];
        sum += d * d;
    }
    return sqrt(sum / 64);
}

/* Samples of the test images' own law are near, the Gaussian fit is far; planted copies of
 * training images are found. */
static void test_known_relations(void **state)
{
    static ebmt_eval_report r;
    scene s = {0};
    (void)state;
    scene_make(&s);
    for (int64_t i = 0; i < 5; i++) { /* copies with one pixel a little off */
        memcpy(s.samples.pixels + (10 + i) * 64, s.train.pixels + (40 + i) * 64, 64);
        s.samples.pixels[(10 + i) * 64] ^= 3;
    }
    assert_int_equal(ebmt_evaluate(&s.options, &r, NULL), EBM_OK);
    assert_true(r.complete);
    /* of 90 points the plain distance is mostly bias */
    assert_true(r.ruler[0].samples.frechet_unbiased.value <
                0.5 * r.ruler[0].gaussian.frechet_unbiased.value);
    assert_true(r.ruler[0].samples.precision.value > 0.7);
    assert_int_equal(r.ruler[0].samples.n, 90);
    assert_int_equal(r.ruler[0].halves.n, 75);
    assert_close(r.ruler[0].samples.classes.entropy, log(3), 0.1);
    assert_true(r.pixels.copies.value == 5 && r.pixels.copies.n == 90);
    assert_true(r.pixels.test_copies.value == 0 && r.pixels.test_copies.se == 0);
    const double share = r.pixels.below.value; /* the test images' quantile is an estimate, too */
    assert_true(share >= 5.0 / 90.0);
    assert_close(r.pixels.below.se,
                 sqrt(share * (1.0 - share) / 90.0 + 0.0099 / (double)r.pixels.test_median.n),
                 1e-12);
    assert_int_equal(r.n_closest, EBMT_CLOSEST);
    for (int i = 0; i < 5; i++) {
        assert_in_range(r.closest_sample[i], 10, 14);
        assert_int_equal(r.closest_train[i], r.closest_sample[i] + 30);
    }
    assert_close(r.pixels.closest, closest_distance(&s, &r), 1e-12);
    assert_true(r.pixels.closest > 0 && r.pixels.closest < r.pixels.median.value);
    for (int64_t k = 10 * 8; k < 15 * 8; k++) /* rows of the five, mirrored: copies as before */
        for (int64_t j = 0; j < 4; j++) {
            uint8_t *row = s.samples.pixels + k * 8, left = row[j];
            row[j] = row[7 - j];
            row[7 - j] = left;
        }
    assert_int_equal(ebmt_evaluate(&s.options, &r, NULL), EBM_OK);
    assert_true(r.pixels.copies.value == 5 && r.ruler[0].features.copies.value >= 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(r.closest_train[i], r.closest_sample[i] + 30);
    s.options.distance_only = true;
    double before = r.ruler[0].samples.frechet.value;
    assert_int_equal(ebmt_evaluate(&s.options, &r, NULL), EBM_OK);
    assert_false(r.complete);
    assert_close(r.ruler[0].samples.frechet.value, before, 0);
    s.samples.count = 7;
    assert_int_equal(ebmt_evaluate(&s.options, &r, NULL), EBM_ERR_RANGE);
    scene_clear(&s);
}

/* Two rulers: the second changes nothing of what the first says, measures the same floors, and has
 * no shares of classes that are not the data's. */
static void test_two_rulers(void **state)
{
    static ebmt_eval_report one, two;
    scene s = {0};
    char *text = NULL;
    (void)state;
    scene_make(&s);
    s.samples.count = s.test.count = 12; /* two passes of 299x299 for each */
    assert_int_equal(ebmt_evaluate(&s.options, &one, NULL), EBM_OK);
    assert_int_equal(ebmt_inception_open("tests/fixtures/inception/fid.safetensors",
                                         EBMT_INCEPTION_BILINEAR, &s.inception, NULL),
                     EBM_OK);
    s.rulers[1] = ebmt_inception_ruler(s.inception);
    s.options.n_rulers = 2;
    assert_int_equal(ebmt_evaluate(&s.options, &two, NULL), EBM_OK);
    assert_int_equal(two.n_rulers, 2);
    assert_memory_equal(&one.ruler[0].samples, &two.ruler[0].samples, sizeof one.ruler[0].samples);
    assert_memory_equal(&one.pixels, &two.pixels, sizeof one.pixels);
    assert_int_equal(two.ruler[1].gaussian.n, 12);
    assert_true(two.ruler[1].gaussian.frechet.value > two.ruler[1].train.frechet.value);
    assert_in_range((int)two.ruler[1].samples.classes.score.value, 1, 7);
    const ebmt_eval_facts facts = {.classifier = ebmt_classifier_describe(s.classifier),
                                   .inception = ebmt_inception_describe(s.inception)};
    assert_int_equal(ebmt_eval_json(&two, &facts, &text, NULL), EBM_OK);
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *second = json_array_get(json_object_get(o, "rulers"), 1);
    assert_string_equal(json_string_value(json_object_get(second, "ruler")), "inception");
    assert_null(json_object_get(json_object_get(second, "samples"), "class_shares"));
    assert_non_null(json_object_get(second, "floors"));
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(o, "inception"), "graph")), "fid");
    json_decref(o);
    ebm_free(text);
    s.options.n_rulers = 3;
    assert_int_equal(ebmt_evaluate(&s.options, &two, NULL), EBM_ERR_RANGE);
    scene_clear(&s);
}

/* Without rulers there are pixels, the same as beside a ruler, and a report that says so. */
static void test_no_ruler(void **state)
{
    static ebmt_eval_report with, without;
    scene s = {0};
    char *text = NULL;
    (void)state;
    scene_make(&s);
    s.samples.count = s.test.count = 12;
    assert_int_equal(ebmt_evaluate(&s.options, &with, NULL), EBM_OK);
    s.options.n_rulers = 0;
    assert_int_equal(ebmt_evaluate(&s.options, &without, NULL), EBM_OK);
    assert_true(without.complete);
    assert_int_equal(without.n_rulers, 0);
    assert_memory_equal(&with.pixels, &without.pixels, sizeof with.pixels);
    const ebmt_eval_facts facts = {.test_sha256 = "ab", .n_test = 12, .test_from = "elsewhere"};
    assert_int_equal(ebmt_eval_json(&without, &facts, &text, NULL), EBM_OK);
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "rulers")), 0);
    assert_true(json_is_array(json_object_get(o, "rulers")));
    assert_true(json_is_null(json_object_get(o, "classifier")));
    assert_non_null(json_object_get(json_object_get(o, "pixel_memorisation"), "copies"));
    json_t *test = json_object_get(json_object_get(o, "source"), "test_images");
    assert_int_equal(json_integer_value(json_object_get(test, "n")), 12);
    json_decref(o);
    ebm_free(text);
    assert_int_equal(ebmt_eval_html(&without, &facts, &s.options, &text, NULL), EBM_OK);
    assert_non_null(strstr(text, "No ruler was given"));
    assert_non_null(strstr(text, "12, elsewhere"));
    ebm_free(text);
    scene_clear(&s);
}

/* Of 480 training images as test images, 90 from all over look for the nearest other one: nobody
 * is a copy of itself, in pixels or features, and the two that are equal find each other. */
static void test_training_images_as_test(void **state)
{
    static ebmt_eval_report r, other;
    scene s = {0};
    (void)state;
    scene_make(&s);
    memcpy(s.train.pixels + 3 * 64, s.train.pixels + 16 * 64, 64); /* 16 is the fourth of the 90 */
    s.options.test = &s.train;
    assert_int_equal(ebmt_evaluate(&s.options, &r, NULL), EBM_OK);
    assert_true(r.test_is_train);
    assert_true(r.pixels.test_copies.value == 1);
    assert_close(r.pixels.test_closest, 0, 0);
    assert_true(r.pixels.test_median.value > 10);
    assert_true(r.ruler[0].features.test_copies.value == 2);
    assert_true(r.pixels.copies.n == 90 && r.ruler[0].features.test_copies.n == 480);
    assert_true(isnan(r.ruler[0].train.frechet.value)); /* the reference is no floor of its own */
    assert_true(isfinite(r.ruler[0].halves.frechet.value));
    s.options.n_rulers = 0;
    s.options.test = &s.test; /* all but one byte is the same: these are others */
    ebmt_dataset_clear(&s.test);
    assert_int_equal(ebmt_choose_images(&s.train, 480, 1, &s.test, NULL), EBM_OK);
    memcpy(s.test.pixels, s.train.pixels, (size_t)480 * 64);
    s.test.pixels[480 * 64 - 1] ^= 1;
    assert_int_equal(ebmt_evaluate(&s.options, &other, NULL), EBM_OK);
    assert_false(other.test_is_train);
    assert_close(other.pixels.test_median.value, 0, 0);
    assert_true(isnan(other.pixels.copies.value) && isnan(other.pixels.test_copies.value));
    assert_true(isnan(other.pixels.below.value));
    scene_clear(&s);
}

/* Every pair of sets, each of another height, width or number of channels: both are named. */
static void test_other_shapes(void **state)
{
    static ebmt_eval_report r;
    static const ebmt_dataset bad[] = {
        {.channels = 1, .height = 4, .width = 8},
        {.channels = 1, .height = 8, .width = 4},
        {.channels = 3, .height = 8, .width = 8},
    };
    static const char *const shape[] = {"8x4x1", "4x8x1", "8x8x3"};
    scene s = {0};
    (void)state;
    bars_make(9, 1, &s.train);
    bars_make(9, 2, &s.test);
    bars_make(9, 3, &s.samples);
    for (int k = 0; k < 6; k++) {
        const ebmt_dataset good = {.channels = 1, .height = 8, .width = 8};
        ebmt_dataset *set = k & 1 ? &s.train : &s.samples;
        ebm_error err = {0};
        set->channels = bad[k / 2].channels;
        set->height = bad[k / 2].height;
        set->width = bad[k / 2].width;
        s.options = (ebmt_eval_options){.samples = &s.samples, .train = &s.train, .test = &s.test};
        assert_int_equal(ebmt_evaluate(&s.options, &r, &err), EBM_ERR_SHAPE);
        assert_string_equal(err.where, k & 1 ? "training images" : "samples");
        assert_non_null(strstr(err.text, shape[k / 2]));
        assert_non_null(strstr(err.text, "8x8x1"));
        set->channels = good.channels;
        set->height = good.height;
        set->width = good.width;
    }
    scene_clear(&s);
}

static void check_json(const char *text, const ebmt_eval_report *r)
{
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    json_t *ruler = json_array_get(json_object_get(o, "rulers"), 0);
    json_t *frechet = json_object_get(json_object_get(ruler, "samples"), "frechet");
    assert_close(json_real_value(json_object_get(frechet, "value")),
                 r->ruler[0].samples.frechet.value, 1e-8 * r->ruler[0].samples.frechet.value);
    assert_int_equal(json_integer_value(json_object_get(frechet, "n")), 90);
    assert_int_equal(json_array_size(json_object_get(ruler, "floors")), 3);
    assert_non_null(json_object_get(json_object_get(ruler, "memorisation"), "copies"));
    assert_non_null(json_object_get(json_object_get(o, "pixel_memorisation"), "copies"));
    json_decref(o);
}

/* A classifier that met no test labels: JSON has null, the page a dash, neither a NaN. */
static void check_unknown_accuracy(const scene *s, const ebmt_eval_report *r)
{
    ebmt_classifier_info info = *ebmt_classifier_describe(s->classifier);
    const ebmt_eval_facts facts = {.classifier = &info};
    char *text = NULL;
    info.test_accuracy = NAN;
    info.train_count = 7;
    assert_int_equal(ebmt_eval_json(r, &facts, &text, NULL), EBM_OK);
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_null(json_object_get(json_object_get(o, "classifier"), "test_accuracy")));
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(o, "classifier"), "train_images")), 7);
    json_decref(o);
    ebm_free(text);
    assert_int_equal(ebmt_eval_html(r, &facts, &s->options, &text, NULL), EBM_OK);
    assert_non_null(strstr(text, "test accuracy &ndash;, "));
    assert_null(strstr(text, "accuracy nan"));
    ebm_free(text);
}

static void test_reports(void **state)
{
    static ebmt_eval_report r;
    scene s = {0};
    char *text = NULL;
    (void)state;
    scene_make(&s);
    assert_int_equal(ebmt_evaluate(&s.options, &r, NULL), EBM_OK);
    const ebmt_eval_facts facts = {.source = "runs/<script>x",
                                   .data = "d\xff",
                                   .classifier = ebmt_classifier_describe(s.classifier)};
    assert_int_equal(ebmt_eval_json(&r, &facts, &text, NULL), EBM_OK);
    check_json(text, &r);
    assert_non_null(strstr(text, "\"data\": \"d\\\\xff\"")); /* a path may hold any bytes */
    ebm_free(text);
    assert_int_equal(ebmt_eval_html(&r, &facts, &s.options, &text, NULL), EBM_OK);
    assert_null(strstr(text, "<script>"));
    assert_non_null(strstr(text, "runs/&#60;script&#62;x"));
    assert_null(strstr(text, "http")); /* nothing is fetched */
    assert_non_null(strstr(text, "data:image/png;base64,iVBOR"));
    ebm_free(text);
    check_unknown_accuracy(&s, &r);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_eval_html(&r, &facts, &s.options, &text, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(text);
    }
    scene_clear(&s);
}

/* Of images in rows of one level, and brighter ones for copies. */
static void calibrate(ebm_model *m, ebm_calibration *out)
{
    enum { N = EBM_CALIBRATION_MIN, DIM = 64, ROWS = (1 + EBM_SCORED_COPIES) * N };
    const ebm_levels *l = ebm_model_describe(m)->levels;
    const size_t numbers = EBM_FEATURES * (size_t)l->count;
    double *features = ebm_alloc(ROWS, numbers * sizeof *features);
    ebm_session *session;
    float image[DIM], work[3 * DIM];
    assert_int_equal(ebm_session_create(m, NULL, &session, NULL), EBM_OK);
    const ebm_density density = ebm_density_of_session(session);
    const ebm_scoring how = {&density, l, 3, 2};
    const ebm_scored set = {l->count, N, features, features + N * numbers};
    assert_non_null(features);
    for (int k = 0; k < ROWS; k++) {
        for (int i = 0; i < DIM; i++)
            image[i] = (float)((k * 7 + i / 8) % 20) / 10.0f - (k < N ? 1.0f : 0.7f);
        ebm_score_image(&how, image, (uint32_t)k, work, features + (size_t)k * numbers);
    }
    assert_int_equal(ebm_calibration_of(&set, out, NULL), EBM_OK);
    out->draws = 2;
    ebm_free(features);
    ebm_session_free(session);
}

/* The same images as test and as foreign ones have the same scores, so the area is 1/2 exactly; so
 * have images that are their own mirror image, each the score of its test image, so that the error
 * of pairs is 0. Upside down they differ. */
static void test_ood(void **state)
{
    const ebm_network_config network = small_network();
    ebm_model *m = random_net(&network, kernel_set("ref"), 1);
    ebmt_pool *one = pool_of(1), *two = pool_of(2);
    ebm_calibration calibration;
    ebmt_dataset images, small;
    ebmt_ood_report r;
    double a[12], b[12];
    (void)state;
    calibrate(m, &calibration);
    bars_make(12, 1, &images);
    for (int i = 0; i < 12 * 64; i++)
        images.pixels[i] = (uint8_t)(i / 8 % 8 * 30 + i / 64); /* each row of one level */
    ebmt_ood_options opt = {&images, &images, &calibration, one, 5};
    assert_int_equal(ebmt_ood_scores(m, &opt, &images, a, NULL), EBM_OK);
    opt.pool = two;
    assert_int_equal(ebmt_ood_scores(m, &opt, &images, b, NULL), EBM_OK);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(ebmt_ood_test(m, &opt, &r, NULL), EBM_OK);
    assert_int_equal(r.n_rows, EBMT_OOD_ROWS);
    assert_true(isnan(r.row[0].auroc.value));
    assert_close(r.row[1].auroc.value, 0.5, 0);
    assert_true(r.row[1].auroc.se > 0.05);
    assert_close(r.row[2].auroc.value, 0.5, 0);
    assert_close(r.row[2].auroc.se, 0, 0);
    assert_true(r.row[3].auroc.se > 0);
    assert_true(r.row[3].quantile[2] != r.row[0].quantile[2]);
    assert_close(r.row[0].quantile[2], ebmt_quantile(a, 12, 0.5), 0);
    small = images;
    small.height = 4;
    assert_int_equal(ebmt_ood_scores(m, &opt, &small, a, NULL), EBM_ERR_SHAPE);
    images.count = 3;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_ood_test(m, &opt, &r, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    ebm_calibration_clear(&calibration);
    ebmt_dataset_clear(&images);
    ebmt_pool_free(one);
    ebmt_pool_free(two);
    ebm_model_unref(m);
}

static void test_no_memory(void **state)
{
    static ebmt_eval_report r;
    scene s = {0};
    (void)state;
    scene_make(&s);
    s.samples.count = s.test.count = 8; /* four blocks: few eigenvalue problems a round */
    s.train.count = 32;
    s.options.distance_only = true;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_evaluate(&s.options, &r, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset out;
        ebm_status st = ebmt_gaussian_images(&s.train, 4, 1, s.pool, &out, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&out);
    }
    scene_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaussian_moments), cmocka_unit_test(test_choice),
        cmocka_unit_test(test_spread),           cmocka_unit_test(test_drawing_in_parts),
        cmocka_unit_test(test_known_relations),  cmocka_unit_test(test_two_rulers),
        cmocka_unit_test(test_no_ruler),         cmocka_unit_test(test_training_images_as_test),
        cmocka_unit_test(test_other_shapes),     cmocka_unit_test(test_reports),
        cmocka_unit_test(test_no_memory),        cmocka_unit_test(test_ood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
