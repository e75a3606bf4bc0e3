/* What guards a run: the stop before a divergence, the validation gap, a start from other weights.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "ebmt/train.h"
#include "random_net.h"
#include "run_scene.h"
#include "temp_dir.h"
#include "trainer.h"
#include "validate.h"

/* A learning rate that no network survives: the run stops, and a model of earlier weights is left.
 */
static void test_last_good_weights(void **state)
{
    char dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_model *m = NULL;
    ebm_error err = {0};
    assert_true(temp_dir_join(*state, "burnt", dir));
    ebmt_run_options opt = {.config = run_config(EBMT_HYBRID),
                            .data = &data,
                            .out_dir = dir,
                            .checkpoint_every = 1,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 300;
    opt.config.lr = opt.config.lr_warm_start = 0.5;
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_DIVERGED);
    assert_non_null(strstr(err.text, "diverge"));
    assert_int_equal(ebmm_model_open(dir, kernel_set("ref"), &m, NULL), EBM_OK);
    assert_in_range(strtol(ebm_model_describe(m)->version, NULL, 10), 1, 299);
    ebm_model_unref(m);
}

static bool stop_at(void *user, const ebmt_report *report)
{
    const int64_t *last = user;
    return report->iteration < *last;
}

/* A run that is stopped and resumed on its way to a divergence diverges where it would have: what
 * the guard has seen is part of the checkpoint, and none is made of weights that look bad. */
static void test_guard_survives_a_stop(void **state)
{
    char dir[2][TEMP_PATH_MAX], said[200];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_error err = {0};
    int64_t last = 0;
    assert_true(temp_dir_join(*state, "whole", dir[0]) && temp_dir_join(*state, "cut", dir[1]));
    ebmt_run_options opt = {.config = run_config(EBMT_HYBRID),
                            .data = &data,
                            .out_dir = dir[0],
                            .checkpoint_every = 1,
                            .hooks = {.user = &last, .report = stop_at},
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = last = 300;
    opt.config.lr = opt.config.lr_warm_start = 0.002;
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_DIVERGED);
    const char *at = strstr(err.text, "at iteration ");
    assert_non_null(at);
    memcpy(said, err.text, sizeof said);
    last = strtol(at + strlen("at iteration "), NULL, 10) - 1;
    opt.out_dir = dir[1];
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    opt.resume = true;
    last = 300;
    err = (ebm_error){0};
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_DIVERGED);
    assert_string_equal(err.text, said);
}

/* What the first look at held-out images would stumble over ends the run before it begins. */
static void test_held_out_of_another_shape(void **state)
{
    char dir[TEMP_PATH_MAX], saved[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_dataset wide = data;
    ebm_error err = {0};
    wide.width *= 2;
    wide.height /= 2;
    assert_true(temp_dir_join(*state, "wide", dir) && temp_dir_join(dir, "metrics.jsonl", saved));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .held_out = &wide,
                            .validation_every = 1000,
                            .out_dir = dir,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_SHAPE);
    assert_string_equal(err.where, "held-out");
    assert_int_equal(access(saved, F_OK), -1);
}

/* Held-out images that are the training images have no gap; others have one, with the sign of the
 * energies: a network whose output is the sum of its input, brightened, prefers bright images. */
static void test_validation_gap(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM], bright[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = run_config(EBMT_RECOVERY);
    ebmt_dataset other = data;
    ebmt__trainer *tr = NULL;
    double gap[6], error[6];
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    assert_int_equal(ebmt__validate(tr, &data, gap, error, NULL), EBM_OK);
    for (int t = 0; t < 6; t++)
        assert_true(gap[t] == 0.0 && error[t] == 0.0);
    memset(bright, 255, sizeof bright);
    other.pixels = bright;
    assert_int_equal(ebmt__validate(tr, &other, gap, error, NULL), EBM_OK);
    for (int t = 0; t < 6; t++)
        assert_true(fabs(gap[t]) > error[t] && error[t] > 0.0);
    const double first = gap[0];
    assert_int_equal(ebmt__validate(tr, &other, gap, error, NULL), EBM_OK);
    assert_true(gap[0] == first);
    other.width = 4;
    assert_int_equal(ebmt__validate(tr, &other, gap, error, NULL), EBM_ERR_SHAPE);
    ebmt__trainer_free(tr);
}

static bool count_gaps(void *user, const ebmt_report *report)
{
    int *seen = user;
    *seen += report->validation_gap && report->validation_error;
    return true;
}

/* A run looks at held-out images when it is asked to, and is not changed by looking. The model it
 * leaves can be started from: same energies, other settings. */
static void test_start_from_a_model(void **state)
{
    char dir[2][TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = run_config(EBMT_RECOVERY);
    ebm_model *m[2] = {NULL, NULL};
    int seen = 0;
    assert_true(temp_dir_join(*state, "one", dir[0]) && temp_dir_join(*state, "two", dir[1]));
    for (int i = 0; i < 2; i++) {
        ebmt_run_options opt = {.config = c,
                                .data = &data,
                                .held_out = i ? NULL : &data,
                                .validation_every = 3,
                                .out_dir = dir[i],
                                .threads = 2,
                                .hooks = {.user = &seen, .report = count_gaps},
                                .kernels = kernel_set("blas")};
        assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
        assert_int_equal(ebmm_model_open(dir[i], kernel_set("blas"), &m[i], NULL), EBM_OK);
    }
    assert_int_equal(seen, 2); /* iterations 3 and 6 of 8 */
    assert_string_equal(ebm_model_describe(m[0])->sha256, ebm_model_describe(m[1])->sha256);

    ebmt__trainer *tr = NULL;
    ebmt_run_options opt = {
        .config = c, .data = &data, .threads = 1, .kernels = kernel_set("blas"), .init = m[0]};
    opt.config.lr = 1e-12;
    assert_int_equal(ebmt__trainer_create(&opt, "t", &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    /* the saved weights have norm 1 as far as 20 power iterations tell, which on such a young
     * network is some per cent too little */
    assert_rel_l2(tr->used, ebm_model_params(m[0]), tr->g->n_params, 0.05);
    ebmt__trainer_free(tr);

    ebm_error err = {0};
    opt.config.network.ch_mult[1] = 3;
    assert_int_equal(ebmt__trainer_create(&opt, "t", &tr, &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "another network"));
    ebm_model_unref(m[0]);
    ebm_model_unref(m[1]);
}

/* A run that ends between the sheet of an iteration and its checkpoint, here because the sheet
 * can't be written, has no checkpoint of that iteration: when resumed it draws the sheet after all.
 */
static void test_no_checkpoint_without_its_sheet(void **state)
{
    char dir[TEMP_PATH_MAX], sheet[TEMP_PATH_MAX], saved[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    assert_true(temp_dir_join(*state, "cut", dir) &&
                temp_dir_join(dir, "samples-000000004.png", sheet) &&
                temp_dir_join(dir, "checkpoint-4.safetensors", saved));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .checkpoint_every = 2,
                            .samples_every = 4,
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 5;
    assert_true(mkdir(dir, 0700) == 0 && mkdir(sheet, 0700) == 0);
    assert_int_equal(ebmt_run(&opt, NULL), EBM_ERR_IO);
    assert_int_equal(access(saved, F_OK), -1);
    assert_int_equal(rmdir(sheet), 0);
    opt.resume = true;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    assert_int_equal(access(sheet, F_OK), 0);
    assert_int_equal(access(saved, F_OK), 0);
}

/* A title that the manifest cannot hold ends a run before it begins; a command line never does. */
static void test_texts_for_the_manifest(void **state)
{
    char dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_model *m = NULL;
    ebm_error err = {0};
    assert_true(temp_dir_join(*state, "named", dir));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .title = "two\nlines",
                            .threads = 2,
                            .kernels = kernel_set("blas")};
    opt.config.iterations = 1;
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "title");
    opt.title = "\xc3\x84pfel";
    opt.licence = "\xff";
    err = (ebm_error){0};
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "licence");
    assert_int_equal(access(dir, F_OK), -1);
    opt.licence = "CC0";
    opt.command_line = "ebm train --data \"d\xff\n\\\"";
    assert_int_equal(ebmt_run(&opt, &err), EBM_OK);
    assert_int_equal(ebmm_model_open(dir, kernel_set("ref"), &m, NULL), EBM_OK);
    assert_string_equal(ebm_model_describe(m)->title, opt.title);
    ebm_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_last_good_weights),
        TEMP_DIR_TEST(test_guard_survives_a_stop),
        TEMP_DIR_TEST(test_held_out_of_another_shape),
        cmocka_unit_test(test_validation_gap),
        TEMP_DIR_TEST(test_start_from_a_model),
        TEMP_DIR_TEST(test_no_checkpoint_without_its_sheet),
        TEMP_DIR_TEST(test_texts_for_the_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
