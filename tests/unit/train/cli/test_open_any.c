/* Golden directories: the shipped ones open; every field of the configuration and every tensor
 * is checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/open_any.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "temp_dir.h"

#define GOLDEN "tests/golden/tiny-gray28"

static const ebm_kernels *kernels(void)
{
    const ebm_kernels *k = NULL;
    assert_int_equal(ebm_kernels_select("ref", &k, NULL), EBM_OK);
    return k;
}

static void test_shipped(void **state)
{
    ebm_model *model = NULL;
    ebm_error err = {0};
    (void)state;
    if (ebmt__open_any(GOLDEN, kernels(), &model, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
    const ebm_model_info *info = ebm_model_describe(model);
    assert_string_equal(info->id, "tiny-gray28");
    assert_int_equal(info->levels->count, 6);
    assert_int_equal(info->graph->n_params, 13776);
    ebm_model_unref(model);
}

/* Copies the weights and a changed configuration into DIR: FROM becomes TO. */
static void make_golden(const char *dir, const char *from, const char *to)
{
    unsigned char *weights, *config;
    size_t n_weights, n_config;
    char text[2048];
    assert_int_equal(ebm_file_read(GOLDEN, "config.json", 1024, &config, &n_config, NULL), EBM_OK);
    assert_int_equal(
        ebm_file_read(GOLDEN, "model.safetensors", 1 << 20, &weights, &n_weights, NULL), EBM_OK);
    const char *at = strstr((const char *)config, from);
    assert_non_null(at);
    size_t head = (size_t)(at - (const char *)config);
    memcpy(text, config, head);
    strcpy(text + head, to);
    strcat(text, at + strlen(from));
    assert_true(temp_dir_write(dir, "config.json", text, strlen(text)));
    assert_true(temp_dir_write(dir, "model.safetensors", weights, n_weights));
    ebm_free(weights);
    ebm_free(config);
}

static const struct {
    const char *from, *to, *where; /* where: NULL if it should open */
} changes[] = {
    {"\"ch\"", "\"ch\"", NULL},
    {"\"leaky_slope\"", "\"activation\": \"leaky_relu\", \"leaky_slope\"", NULL},
    {"\"ch\": 8", "\"ch\": 8, \"attention\": 0", NULL},
    {"\"ch\": 8", "\"ch\": 8, \"attention\": 15", "/network/attention"},
    {"\"ch\": 8", "\"ch\": 8, \"attention\": \"14\"", "attention"},
    {"\"ch\": 8", "\"ch\": 8, \"architecture\": \"drl-resnet\"", NULL},
    {"\"ch\": 8", "\"ch\": 8, \"architecture\": \"none\"", "/architecture"},
    {"\"ch\": 8", "\"ch\": 8, \"architecture\": 1", "architecture"},
    {"\"ch\": 8",
     "\"ch\": 8, \"architecture\": \"a-name-that-has-more-letters-than-there-is-room\"",
     "architecture"},
    {"\"ch\": 8", "\"ch\": 8.0", "ch"},
    {"\"ch\": 8", "\"ch\": \"8\"", "ch"},
    {"\"ch\": 8", "\"ch\": -8", "ch"},
    {"\"ch\": 8", "\"ch\": 8, \"ch\": 8", "config.json"},
    {"\"ch\": 8", "\"ch\": 8, \"cha\": 8", "cha"},
    {"\"ch\": 8", "\"ch\": 8, \"ch|ch_mult\": 8", "ch|ch_mult"},
    {"\"ch\": 8,", "", "ch"},
    {"\"image_size\": 28", "\"image_size\": 28000000000", "image_size"},
    {"\"num_res_blocks\": 1", "\"num_res_blocks\": true", "num_res_blocks"},
    {"\"leaky_slope\"", "\"activation\": \"tanh\", \"leaky_slope\"", "activation"},
    {"\"leaky_slope\"", "\"activation\": 1, \"leaky_slope\"", "activation"},
    {"\"beta_start\": 0.0001", "\"beta_start\": \"small\"", "beta_start"},
    {"\"ch_mult\": [", "\"ch_mult\": [0, ", "ch_mult"},
    {"\"ch_mult\": [", "\"ch_mult\": [1,1,1,1,1,1, ", "ch_mult"},
    {"{", "[{", "config.json"},
};

static void test_configurations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char dir[TEMP_PATH_MAX];
        ebm_model *model = NULL;
        ebm_error err = {0};
        assert_true(temp_dir_make(dir));
        make_golden(dir, changes[i].from, changes[i].to);
        ebm_status st = ebmt__open_any(dir, kernels(), &model, &err);
        if (changes[i].where ? strcmp(err.where, changes[i].where) != 0 : st != EBM_OK)
            fail_msg("%s: %s at '%s': %s", changes[i].to, ebm_status_name(st), err.where, err.text);
        assert_true((model != NULL) == (st == EBM_OK));
        ebm_model_unref(model);
        temp_dir_remove(dir);
    }
}

/* A network of another width, number of blocks or architecture than the weights are for. */
static void test_weights_must_fit(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {{"\"ch\": 8", "\"ch\": 16"},
                 {"\"num_res_blocks\": 1", "\"num_res_blocks\": 2"},
                 {"\"ch\": 8", "\"ch\": 8, \"architecture\": \"drl-unet\""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char dir[TEMP_PATH_MAX];
        ebm_model *model = NULL;
        assert_true(temp_dir_make(dir));
        make_golden(dir, cases[i].from, cases[i].to);
        assert_int_equal(ebmt__open_any(dir, kernels(), &model, NULL), EBM_ERR_SHAPE);
        assert_null(model);
        temp_dir_remove(dir);
    }
}

/* The same number of values in another shape: rows and columns of a dense layer changed places. */
static void test_shapes_must_fit(void **state)
{
    char dir[TEMP_PATH_MAX];
    unsigned char *weights;
    size_t n;
    ebm_model *model = NULL;
    ebm_error err = {0};
    (void)state;
    assert_true(temp_dir_make(dir));
    make_golden(dir, "{", "{");
    assert_int_equal(ebm_file_read(dir, "model.safetensors", 1 << 20, &weights, &n, NULL), EBM_OK);
    char *shape = strstr((char *)weights + 8, "[32,8]");
    assert_non_null(shape);
    memcpy(shape, "[8,32]", 6);
    assert_true(temp_dir_write(dir, "model.safetensors", weights, n));
    assert_int_equal(ebmt__open_any(dir, kernels(), &model, &err), EBM_ERR_SHAPE);
    assert_string_equal(err.where, "temb0.weight");
    ebm_free(weights);
    temp_dir_remove(dir);
}

static const struct {
    const char *path, *id;
} paths[] = {
    {"models/demo", "demo"},
    {"demo", "demo"},
    {"/demo/", "demo"},
    {"a/b.c-1_x//", "b.c-1_x"},
    {"", NULL},
    {"/", NULL},
    {".", NULL},
    {"a/..", NULL},
    {"models/Demo", NULL},
    {"models/a b", NULL},
    {"m/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL}, /* 65 */
};

static void test_ids(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char id[EBM_MODEL_ID_MAX + 1];
        const char *got = ebmt__id_of_path(paths[i].path, id);
        if (paths[i].id)
            assert_string_equal(got, paths[i].id);
        else
            assert_null(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_weights_must_fit),
        cmocka_unit_test(test_shapes_must_fit),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
