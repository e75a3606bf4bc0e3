/* What may differ between a checkpoint and the run that continues it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/config_compare.h"
#include "ebm/memory.h"
#include "ebmt/train.h"

/* Compares configurations as a run would; the error's text goes to `err`. */
static ebm_status compare(const ebmt_config *saved, const ebmt_config *now, ebm_error *err)
{
    char *before = NULL, *after = NULL;
    ebmt__saved told = {0};
    assert_int_equal(ebmt_config_to_json(saved, &before, NULL), EBM_OK);
    assert_int_equal(ebmt_config_to_json(now, &after, NULL), EBM_OK);
    ebm_status st = ebmt__config_compare(before, after, &told, err);
    assert_int_equal(told.same_kernels, strcmp(saved->kernel_class, now->kernel_class) == 0);
    assert_int_equal(told.iterations, saved->iterations);
    ebm_free(before);
    ebm_free(after);
    return st;
}

static void test_iterations_may_differ(void **state)
{
    const ebmt_config saved = ebmt_config_default();
    ebmt_config now = saved;
    (void)state;
    now.iterations = saved.iterations + 1;
    assert_int_equal(compare(&saved, &now, NULL), EBM_OK);
}

/* A run may move to a machine of another kind; it is told. */
static void test_kernels_may_differ(void **state)
{
    const ebmt_config saved = ebmt_config_default();
    ebmt_config now = saved;
    (void)state;
    memcpy(now.kernel_class, "other", sizeof "other");
    assert_int_equal(compare(&saved, &now, NULL), EBM_OK);
}

/* What the saved model samples with is part of the result. */
static void test_sampling_may_not_differ(void **state)
{
    const ebmt_config saved = ebmt_config_default();
    ebmt_config now[4] = {saved, saved, saved, saved};
    (void)state;
    now[0].sampling_factor = 2;
    now[1].stride = 2.0;
    now[2].paired_noise = true;
    now[3].predict = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(compare(&saved, &now[i], NULL), EBM_ERR_ARG);
}

static void test_differences_are_named(void **state)
{
    const ebmt_config saved = ebmt_config_default();
    ebmt_config now = saved;
    ebm_error err = {0};
    (void)state;
    now.data.crop = EBMT_CROP_NONE;
    now.data.image_size = 32;
    now.lr = 0.25;
    assert_int_equal(compare(&saved, &now, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "resume");
    assert_non_null(strstr(err.text, "crop is \"none\", was \"center\""));
    assert_non_null(strstr(err.text, "image_size is 32, was 0"));
    assert_non_null(strstr(err.text, "lr is 0.25, was 0.0001"));
}

/* More differences than a line holds; and reals that differ in their last bit. */
static void test_many_and_small(void **state)
{
    const ebmt_config saved = ebmt_config_default();
    ebmt_config now = saved;
    (void)state;
    now.batch = 1;
    now.beta1 = now.beta2 = now.ema = now.kappa = now.clip = now.lr_final = now.rl_share = 0.125;
    now.seed = 5;
    now.shards = 3;
    assert_int_equal(compare(&saved, &now, NULL), EBM_ERR_ARG);
    now = saved;
    now.lr = 1e-4 + 1e-19;
    assert_true(now.lr != saved.lr);
    assert_int_equal(compare(&saved, &now, NULL), EBM_ERR_ARG);
}

/* Without a range, to -1 and to the top all levels are trained; in each order of saved and now. */
static void test_ranges_that_mean_the_same(void **state)
{
    static const struct {
        int32_t levels[2], lowest[2], highest[2];
        ebm_status expected;
    } rows[] = {
        {{6, 6}, {0, 0}, {-1, 5}, EBM_OK},
        {{6, 6}, {2, 2}, {-1, 5}, EBM_OK},
        {{6, 6}, {2, 2}, {5, 5}, EBM_OK},
        {{6, 6}, {0, 0}, {-1, 4}, EBM_ERR_ARG},
        {{6, 6}, {0, 0}, {5, 4}, EBM_ERR_ARG},
        {{6, 6}, {0, 2}, {-1, 5}, EBM_ERR_ARG},
        {{6, 6}, {1, 2}, {5, 5}, EBM_ERR_ARG},
        {{6, 7}, {0, 0}, {5, 6}, EBM_ERR_ARG}, /* num_levels */
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        ebmt_config c[2] = {ebmt_config_default(), ebmt_config_default()};
        for (int k = 0; k < 2; k++) {
            c[k].schedule.count = rows[i / 2].levels[k];
            c[k].lowest_level = rows[i / 2].lowest[k];
            c[k].highest_level = rows[i / 2].highest[k];
        }
        assert_int_equal(compare(&c[i % 2], &c[1 - i % 2], NULL), rows[i / 2].expected);
    }
}

static void test_other_fields(void **state)
{
    static const struct {
        const char *saved, *now;
        ebm_status expected;
    } rows[] = {
        {"{\"a\": 1}", "{\"a\": 1}", EBM_OK},
        {"{\"a\": 1}", "{\"a\": 1, \"b\": 2}", EBM_ERR_ARG},
        {"{\"a\": 1, \"b\": 2}", "{\"a\": 1}", EBM_ERR_ARG},
        {"{\"a\": 1}", "{\"a\": true}", EBM_ERR_ARG},
        {"{}", "{\"data_sha256\": \"ab\"}", EBM_OK}, /* a run from before there was one */
        {"{\"data_sha256\": \"ab\"}", "{\"data_sha256\": \"ac\"}", EBM_ERR_ARG},
        {"{\"init_sha256\": \"ab\"}", "{\"init_sha256\": \"\"}", EBM_OK}, /* not said again */
        {"{\"init_sha256\": \"ab\"}", "{\"init_sha256\": \"ac\"}", EBM_ERR_ARG},
        {"{\"init_sha256\": \"\"}", "{\"init_sha256\": \"ab\"}", EBM_ERR_ARG},
        {"", "{\"a\": 1}", EBM_ERR_FORMAT},
        {"[]", "{\"a\": 1}", EBM_ERR_FORMAT},
        {"{\"a\": 1, \"a\": 1}", "{\"a\": 1}", EBM_ERR_FORMAT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt__saved told;
        assert_int_equal(ebmt__config_compare(rows[i].saved, rows[i].now, &told, NULL),
                         rows[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iterations_may_differ),
        cmocka_unit_test(test_kernels_may_differ),
        cmocka_unit_test(test_sampling_may_not_differ),
        cmocka_unit_test(test_differences_are_named),
        cmocka_unit_test(test_many_and_small),
        cmocka_unit_test(test_ranges_that_mean_the_same),
        cmocka_unit_test(test_other_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
