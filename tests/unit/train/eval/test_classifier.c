/* The classifier: it learns what can be learned, threads change no bit, files come back whole and
 * are not trusted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "bars.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "eval/classifier_internal.h"
#include "fail_alloc.h"
#include "temp_dir.h"

static ebmt_pool *pool_of(int32_t threads)
{
    ebmt_pool *pool = NULL;
    assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
    return pool;
}

static ebmt_classifier *train(const ebmt_dataset *data, const ebmt_dataset *test, int32_t threads,
                              int32_t epochs)
{
    ebmt_classifier_options opt = ebmt_classifier_options_default();
    ebmt_pool *pool = pool_of(threads);
    ebmt_classifier *c = NULL;
    opt.epochs = epochs;
    assert_int_equal(ebmt_classifier_train(&opt, data, test, pool, &c, NULL), EBM_OK);
    ebmt_pool_free(pool);
    return c;
}

static void test_learns(void **state)
{
    ebmt_dataset data, test;
    (void)state;
    bars_make(960, 1, &data);
    bars_make(300, 2, &test);
    ebmt_classifier *c = train(&data, &test, 2, 12);
    const ebmt_classifier_info *info = ebmt_classifier_describe(c);
    assert_int_equal(info->classes, 3);
    assert_int_equal(info->features, EBMT_CLASSIFIER_FEATURES);
    assert_true(info->train_accuracy > 0.95);
    assert_true(info->test_accuracy > 0.9); /* guessing gives 0.33 +- 0.03 */
    ebmt_classifier_free(c);
    ebmt_dataset_clear(&data);
    ebmt_dataset_clear(&test);
}

static void test_threads_change_no_bit(void **state)
{
    ebmt_dataset data;
    (void)state;
    bars_make(200, 1, &data);
    ebmt_classifier *one = train(&data, NULL, 1, 1), *three = train(&data, NULL, 3, 1);
    assert_memory_equal(one->params, three->params, one->net.n_params * sizeof(float));
    assert_true(isnan(ebmt_classifier_describe(one)->test_accuracy));
    ebmt_classifier_free(one);
    ebmt_classifier_free(three);
    ebmt_dataset_clear(&data);
}

/* The gradient of the whole network along a random direction, against central differences: the
 * loss is smooth but for ReLU and maximum, whose kinks 1e-3 rarely meets. */
static void test_gradient(void **state)
{
    const ebm_stream stream = {.seed = 8, .purpose = EBM_PURPOSE_TEST};
    ebmt__net net;
    ebmt__net_scratch s;
    uint8_t labels[EBMT_NET_IMAGES];
    (void)state;
    ebmt__net_plan(2, 9, 8, 4, &net);
    assert_int_equal(net.n_blocks, 1);
    float *params = ebm_alloc(net.n_params, sizeof(float));
    float *grad = ebm_alloc(net.n_params, sizeof(float));
    float *v = ebm_alloc(net.n_params, sizeof(float));
    assert_true(params && grad && v);
    assert_int_equal(ebmt__net_scratch_init(&net, &s, NULL), EBM_OK);
    ebmt__net_init(&net, 5, params);
    ebm_rng_normal(&stream, 0, net.n_params, v);
    ebm_rng_normal(&stream, 1u << 20, EBMT_NET_IMAGES * 9 * 8 * 2, s.x);
    for (int i = 0; i < EBMT_NET_IMAGES; i++)
        labels[i] = (uint8_t)(i % 4);
    ebmt__net_forward(&net, params, &s);
    (void)ebmt__net_backward(&net, params, &s, labels, grad);
    double slope = 0, side[2];
    for (size_t i = 0; i < net.n_params; i++)
        slope += (double)v[i] * (double)grad[i];
    for (int k = 0; k < 2; k++) {
        memset(grad, 0, net.n_params * sizeof *grad);
        for (size_t i = 0; i < net.n_params; i++)
            params[i] += (k == 0 ? 1e-3f : -2e-3f) * v[i];
        ebmt__net_forward(&net, params, &s);
        side[k] = ebmt__net_backward(&net, params, &s, labels, grad);
    }
    assert_close((side[0] - side[1]) / 2e-3, slope, 0.02 * fabs(slope));
    ebmt__net_scratch_clear(&s);
    ebm_free(params);
    ebm_free(grad);
    ebm_free(v);
}

static void test_embedding(void **state)
{
    ebmt_dataset data;
    ebmt_embedding e;
    ebmt_pool *pool = pool_of(2);
    (void)state;
    bars_make(37, 1, &data); /* not a multiple of 16 */
    ebmt_classifier *c = train(&data, NULL, 1, 1);
    assert_int_equal(ebmt_classifier_embed(c, &data, pool, &e, NULL), EBM_OK);
    assert_int_equal(e.n, 37);
    for (int64_t i = 0; i < e.n; i++) {
        double sum = 0;
        for (int32_t k = 0; k < e.classes; k++)
            sum += e.probs[i * e.classes + k];
        assert_close(sum, 1, 1e-12);
    }
    ebmt_embedding_clear(&e);
    data.width = 4;
    ebm_error err = {0};
    assert_int_equal(ebmt_classifier_embed(c, &data, pool, &e, &err), EBM_ERR_SHAPE);
    ebmt_embedding_clear(&e);
    ebmt_classifier_free(c);
    ebmt_pool_free(pool);
    ebmt_dataset_clear(&data);
}

/* Colour: the class is which channel has the lying bar, the others have upright ones. Whoever looks
 * at one channel alone is right for two images in three, whoever looks at their sum for one. */
static void test_colour(void **state)
{
    ebmt_dataset bars, data = {.count = 300, .channels = 3, .height = 8, .width = 8};
    ebmt_dataset gray = {.channels = 1, .height = 8, .width = 8};
    ebm_error err = {0};
    (void)state;
    bars_make(9 * data.count, 6, &bars);
    data.pixels = ebm_alloc((size_t)data.count * 3, 64);
    data.labels = ebm_alloc((size_t)data.count, 1);
    assert_true(data.pixels && data.labels);
    for (int64_t i = 0; i < data.count; i++) {
        data.labels[i] = (uint8_t)(i % 3);
        for (int64_t c = 0; c < 3; c++)
            memcpy(data.pixels + (3 * i + c) * 64,
                   bars.pixels + (3 * (3 * i + c) + (c == i % 3)) * 64, 64);
    }
    ebmt_classifier *c = train(&data, NULL, 1, 30);
    assert_int_equal(ebmt_classifier_describe(c)->channels, 3);
    assert_true(ebmt_classifier_describe(c)->train_accuracy > 0.9);
    assert_int_equal(ebmt_classifier_fits(c, &data, NULL), EBM_OK);
    assert_int_equal(ebmt_classifier_fits(c, &gray, &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "8x8x3"));
    assert_non_null(strstr(err.text, "8x8x1"));
    ebmt_classifier_free(c);
    ebmt_dataset_clear(&data);
    ebmt_dataset_clear(&bars);
}

static void test_refusals(void **state)
{
    ebmt_classifier_options good = ebmt_classifier_options_default(), bad;
    ebmt_classifier *c = NULL;
    ebmt_dataset data, other;
    ebmt_pool *pool = pool_of(1);
    ebm_error err = {0};
    (void)state;
    bars_make(32, 1, &data);
    other = data;
    other.height = 4;
    assert_int_equal(ebmt_classifier_train(&good, &data, &other, pool, &c, NULL), EBM_ERR_SHAPE);
    bad = good;
    bad.batch = 24;
    assert_int_equal(ebmt_classifier_train(&bad, &data, NULL, pool, &c, &err), EBM_ERR_RANGE);
    assert_string_equal(err.where, "batch");
    bad = good;
    bad.lr = NAN;
    assert_int_equal(ebmt_classifier_train(&bad, &data, NULL, pool, &c, NULL), EBM_ERR_RANGE);
    ebm_free(data.labels);
    data.labels = NULL;
    assert_int_equal(ebmt_classifier_train(&good, &data, NULL, pool, &c, NULL), EBM_ERR_ARG);
    assert_null(c);
    ebmt_pool_free(pool);
    ebmt_dataset_clear(&data);
}

/* --- files --------------------------------------------------------------------------------- */

static void saved(char dir[TEMP_PATH_MAX], ebmt_classifier **out)
{
    ebmt_dataset data;
    assert_true(temp_dir_make(dir));
    bars_make(64, 1, &data);
    *out = train(&data, NULL, 1, 1);
    assert_int_equal(ebmt_classifier_save(*out, dir, NULL), EBM_OK);
    ebmt_dataset_clear(&data);
}

static void test_saved_and_opened(void **state)
{
    char dir[TEMP_PATH_MAX];
    ebmt_classifier *c, *again = NULL;
    (void)state;
    saved(dir, &c);
    assert_int_equal(ebmt_classifier_open(dir, &again, NULL), EBM_OK);
    assert_memory_equal(c->params, again->params, c->net.n_params * sizeof(float));
    assert_string_equal(c->info.sha256, again->info.sha256);
    assert_true(again->info.mean[0] == c->info.mean[0] && again->info.std[0] == c->info.std[0]);
    assert_true(isnan(again->info.test_accuracy));
    ebmt_classifier_free(c);
    ebmt_classifier_free(again);
    temp_dir_remove(dir);
}

static void expect_open(const char *dir, ebm_status want)
{
    ebmt_classifier *c = NULL;
    ebm_error err = {0};
    assert_int_equal(ebmt_classifier_open(dir, &c, &err), want);
    assert_null(c);
    assert_true(err.where[0] != '\0');
}

/* Writes classifier.json with `from` replaced by `to`. */
static void damage(const char *dir, const char *text, const char *from, const char *to)
{
    char out[4096];
    const char *at = strstr(text, from);
    assert_non_null(at);
    int n = snprintf(out, sizeof out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_in_range(n, 1, sizeof out - 1);
    assert_true(temp_dir_write(dir, "classifier.json", out, (size_t)n));
}

static void test_hostile_files(void **state)
{
    static const struct {
        const char *from, *to;
        ebm_status want;
    } rows[] = {
        {"\"format\": 1", "\"format\": 2", EBM_ERR_FORMAT},
        {"\"width\": 8", "\"width\": \"8\"", EBM_ERR_FORMAT},
        {"\"width\": 8", "\"width\": 0", EBM_ERR_RANGE},
        {"\"width\": 8", "\"width\": 4000", EBM_ERR_RANGE},
        {"\"width\": 8", "\"width\": 16", EBM_ERR_SHAPE},
        {"\"width\": 8", "\"width\": 8, \"width\": 8", EBM_ERR_FORMAT},
        {"\"channels\": 1", "\"channels\": 9", EBM_ERR_FORMAT},
        {"\"classes\": 3", "\"classes\": 1", EBM_ERR_RANGE},
        {"\"classes\": 3", "\"classes\": 4", EBM_ERR_SHAPE},
        {"\"features\": 64", "\"features\": 65", EBM_ERR_FORMAT},
        {"\"std\": [", "\"std\": [0.5, ", EBM_ERR_FORMAT},
        {"\"std\": [", "\"std\": [0.0], \"x\": [", EBM_ERR_FORMAT},
        {"\"test_accuracy\": null", "\"test_accuracy\": 1.5", EBM_ERR_FORMAT},
        {"\"sha256\": \"", "\"sha256\": \"0", EBM_ERR_FORMAT},
        {"\"epochs\": 1", "\"epochs\": -1", EBM_ERR_FORMAT},
    };
    char dir[TEMP_PATH_MAX];
    ebmt_classifier *c;
    unsigned char *text = NULL;
    size_t size;
    (void)state;
    saved(dir, &c);
    assert_int_equal(ebm_file_read(dir, "classifier.json", 4096, &text, &size, NULL), EBM_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        damage(dir, (const char *)text, rows[i].from, rows[i].to);
        expect_open(dir, rows[i].want);
    }
    assert_true(temp_dir_write(dir, "classifier.json", "[]", 2));
    expect_open(dir, EBM_ERR_FORMAT);
    assert_true(temp_dir_write(dir, "classifier.json", text, size));
    assert_true(temp_dir_write(dir, "classifier.safetensors", "x", 1));
    expect_open(dir, EBM_ERR_DIGEST);
    ebm_free(text);
    ebmt_classifier_free(c);
    temp_dir_remove(dir);
    expect_open(dir, EBM_ERR_NOT_FOUND);
}

static void test_no_memory(void **state)
{
    char dir[TEMP_PATH_MAX];
    ebmt_classifier *c, *again = NULL;
    (void)state;
    saved(dir, &c);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_classifier_open(dir, &again, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_classifier_free(again);
    }
    ebmt_classifier_free(c);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),           cmocka_unit_test(test_threads_change_no_bit),
        cmocka_unit_test(test_gradient),         cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_colour),           cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_saved_and_opened), cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
