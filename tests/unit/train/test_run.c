/* Training runs: bits that depend on nothing but configuration and data, resume, and a clear stop
 * when the loss is no longer finite. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "ebmt/train.h"
#include "picture_maker.h"
#include "random_net.h"
#include "run_scene.h"
#include "temp_dir.h"
#include "trainer.h"

/* Runs n iterations with some number of threads; the averaged weights go to ema. */
static void train(const ebmt_config *c, const ebmt_dataset *data, int32_t threads, int n,
                  float **ema, size_t *count)
{
    ebmt__trainer *tr = NULL;
    assert_int_equal(run_trainer(c, data, threads, &tr, NULL), EBM_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    *count = tr->state.size.params;
    *ema = ebm_alloc(*count, sizeof **ema);
    assert_non_null(*ema);
    memcpy(*ema, tr->state.ema, *count * sizeof **ema);
    ebmt__trainer_free(tr);
}

static void test_threads_change_nothing(void **state)
{
    static const ebmt_objective objectives[] = {EBMT_RECOVERY, EBMT_MATCHING, EBMT_HYBRID};
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    (void)state;
    for (int o = 0; o < 3; o++) {
        const ebmt_config c = run_config(objectives[o]);
        float *one, *three;
        size_t n;
        train(&c, &data, 1, 5, &one, &n);
        train(&c, &data, 3, 5, &three, &n);
        assert_memory_equal(one, three, n * sizeof *one);
        ebm_free(one);
        ebm_free(three);
    }
}

/* The bars as a NumPy array, read on demand. */
static ebmt_dataset streamed_bars(const char *dir, const uint8_t *pixels)
{
    char path[TEMP_PATH_MAX];
    ebmt_dataset data;
    made_file f = npy_make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 8, 8), }",
                           pixels, (size_t)RUN_IMAGES * RUN_DIM);
    assert_true(temp_dir_write(dir, "bars.npy", f.bytes, f.size));
    assert_true(temp_dir_join(dir, "bars.npy", path));
    const ebmt_data_options options = {.path = path};
    assert_int_equal(ebmt_dataset_open(&options, &data, NULL), EBM_OK);
    assert_null(data.pixels);
    free(f.bytes);
    return data;
}

/* Where the images lie, and how many threads ask for them, is no part of the result. */
static void test_streaming_changes_nothing(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_dataset streamed = streamed_bars(*state, pixels);
    ebmt_config c = run_config(EBMT_HYBRID);
    float *memory, *demand;
    size_t n;
    c.flip = true;
    train(&c, &data, 1, 5, &memory, &n);
    train(&c, &streamed, 3, 5, &demand, &n);
    assert_memory_equal(memory, demand, n * sizeof *memory);
    ebm_free(memory);
    ebm_free(demand);
    ebmt_dataset_clear(&streamed);
}

/* A file that shrinks under a run ends it with the file's name, and with the state of before. */
static void test_data_that_vanish(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    char path[TEMP_PATH_MAX];
    (void)run_bars(pixels);
    ebmt_dataset streamed = streamed_bars(*state, pixels);
    const ebmt_config c = run_config(EBMT_MATCHING);
    ebmt__trainer *tr = NULL;
    ebm_error err = {0};
    assert_int_equal(run_trainer(&c, &streamed, 2, &tr, NULL), EBM_OK);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    assert_true(temp_dir_join(*state, "bars.npy", path));
    assert_int_equal(truncate(path, 128), 0);
    assert_int_equal(ebmt__trainer_step(tr, &err), EBM_ERR_IO);
    assert_non_null(strstr(err.where, "bars.npy"));
    assert_int_equal(tr->state.iteration, 1);
    ebmt__trainer_free(tr);
    ebmt_dataset_clear(&streamed);
}

/* All moves of all chains but the last of each are judged, and those of normal transitions, which
 * are none, are not. */
static void check_acceptance(const ebmt__trainer *tr)
{
    for (int32_t t = 0; t < tr->levels->count; t++) {
        int64_t steps = tr->levels->steps[t];
        double share = tr->stats.acceptance[t];
        assert_int_equal(tr->stats.moves[t], steps > 1 ? tr->stats.seen[t] * (steps - 1) : 0);
        assert_true(tr->stats.moves[t] > 0 ? share > 0.0 && share <= 1.0 : isnan(share));
    }
}

/* Every objective runs on the other schedules too, with any number of levels. */
static void test_other_schedules(void **state)
{
    static const ebmt_schedule schedules[] = {EBMT_SCHEDULE_GEOMETRIC, EBMT_SCHEDULE_LINEAR};
    static const ebmt_objective objectives[] = {EBMT_RECOVERY, EBMT_MATCHING, EBMT_HYBRID};
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    (void)state;
    for (int o = 0; o < 6; o++) {
        ebmt_config c = run_config(objectives[o % 3]);
        ebmt__trainer *tr = NULL;
        ebmt_config_use_schedule(&c, schedules[o / 3]);
        c.schedule.count = 5 + 11 * o;
        assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
        for (int i = 0; i < 6; i++)
            assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
        assert_int_equal(tr->levels->count, 5 + 11 * o);
        assert_true(tr->grad_norm > 0.0);
        check_acceptance(tr);
        ebmt__trainer_free(tr);
    }
}

/* Matching gets better within some steps: a smoke test of the signs from the loss down to the
 * update of the weights, not of quality. Those of the likelihood term are tested with the
 * objective. */
static void test_matching_improves(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = run_config(EBMT_MATCHING);
    ebmt__trainer *tr = NULL;
    double first = 0.0, last = 0.0;
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), 0);
    for (int i = 0; i < 120; i++) {
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
        first += i < 20 ? tr->matching : 0.0;
        last += i >= 100 ? tr->matching : 0.0;
    }
    assert_true(last < 0.7 * first);
    ebmt__trainer_free(tr);
}

/* Another number of shards adds the same gradients in another order: no sample is lost or counted
 * twice. */
static void test_shards_cover_the_batch(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebmt_config c = run_config(EBMT_HYBRID);
    double norm[3];
    (void)state;
    c.warm_start = 0;
    for (int32_t shards = 1; shards <= 3; shards++) {
        ebmt__trainer *tr = NULL;
        c.shards = shards == 3 ? 7 : shards;
        assert_int_equal(run_trainer(&c, &data, 2, &tr, NULL), EBM_OK);
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
        norm[shards - 1] = tr->grad_norm;
        ebmt__trainer_free(tr);
    }
    assert_close(norm[1] / norm[0], 1.0, 1e-4);
    assert_close(norm[2] / norm[0], 1.0, 1e-4);
}

/* The end of the warm start is a new objective: Adam forgets what it knew, the weights stay. */
static void test_adam_is_reset_after_the_warm_start(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = run_config(EBMT_HYBRID);
    ebmt__trainer *tr = NULL;
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 1, &tr, NULL), EBM_OK);
    for (int i = 1; i <= 4; i++) {
        assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
        assert_int_equal(tr->state.adam_step, i < 3 ? i : i - 3); /* warm_start is 3 */
    }
    ebmt__trainer_free(tr);
}

static bool stop_at_four(void *user, const ebmt_report *report)
{
    (void)user;
    return report->iteration < 4;
}

static void read_file(const char *dir, const char *name, unsigned char **data, size_t *size)
{
    assert_int_equal(ebm_file_read(dir, name, 1 << 24, data, size, NULL), EBM_OK);
}

/* Stop, resume, finish: the same model file as the undivided run, byte for byte, and metrics that
 * have every iteration once. */
static void test_resume_is_exact(void **state)
{
    char whole_dir[TEMP_PATH_MAX], split_dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    unsigned char *a, *b, *lines;
    size_t na, nb, nl, newlines = 0;
    assert_true(temp_dir_join(*state, "whole", whole_dir) &&
                temp_dir_join(*state, "split", split_dir));
    ebmt_run_options opt = {.config = run_config(EBMT_HYBRID),
                            .data = &data,
                            .out_dir = whole_dir,
                            .checkpoint_every = 3,
                            .threads = 2,
                            .kernels = kernel_set("blas"),
                            .title = "t",
                            .command_line = "ebm train \"quoted\""};
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    opt.out_dir = split_dir;
    opt.hooks.report = stop_at_four;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    opt.hooks.report = NULL;
    opt.resume = true;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    read_file(whole_dir, "model.safetensors", &a, &na);
    read_file(split_dir, "model.safetensors", &b, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na);
    read_file(split_dir, "metrics.jsonl", &lines, &nl);
    for (size_t i = 0; i < nl; i++)
        newlines += lines[i] == '\n';
    assert_int_equal(newlines, 8);
    ebm_free(a);
    ebm_free(b);
    ebm_free(lines);

    /* other settings are refused; another number of iterations is not */
    ebm_error err = {0};
    opt.config.lr = 2e-3;
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "resume");
    opt.config.lr = 1e-3;
    err = (ebm_error){0};
    opt.config.schedule.count++; /* changes the length of what a checkpoint holds, too */
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "resume");
    assert_non_null(strstr(err.text, "num_levels is 7, was 6"));
    opt.config.schedule.count--;
    opt.config.iterations = 9;
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);

    /* as many as are done: there is nothing to do, and nobody asked for a stop */
    assert_int_equal(ebmt_run(&opt, NULL), EBM_OK);
    opt.config.iterations = 8;
    err = (ebm_error){0};
    assert_int_equal(ebmt_run(&opt, &err), EBM_ERR_ARG);
    assert_string_equal(err.where, "iterations");
    assert_string_equal(err.text, "8 are asked for, and the checkpoint has 9");
    read_file(split_dir, "report.html", &a, &na);
    assert_non_null(strstr((const char *)a, "9 iterations. The run is complete."));
    ebm_free(a);
}

/* What a run leaves behind opens as a model. */
static void test_result_opens(void **state)
{
    char dir[TEMP_PATH_MAX];
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    ebm_model *m = NULL;
    ebm_error err = {0};
    assert_true(temp_dir_join(*state, "my-model", dir));
    ebmt_run_options opt = {.config = run_config(EBMT_RECOVERY),
                            .data = &data,
                            .out_dir = dir,
                            .samples_every = 4,
                            .threads = 1,
                            .kernels = kernel_set("blas")};
    opt.config.sampling_factor = 3;
    assert_int_equal(ebmt_run(&opt, &err), EBM_OK);
    assert_int_equal(ebmm_model_open(dir, kernel_set("ref"), &m, &err), EBM_OK);
    const ebm_model_info *info = ebm_model_describe(m);
    assert_string_equal(info->id, "my-model");
    assert_string_equal(info->version, "8");
    assert_int_equal(info->levels->count, 6);
    for (int t = 0; t < 6; t++)
        assert_int_equal(info->levels->steps[t], 3 * opt.config.schedule.steps);
    ebm_model_unref(m);
}

/* Weights that blow up stop the run at once; the state is the one before. */
static void test_divergence_stops(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    const ebmt_dataset data = run_bars(pixels);
    const ebmt_config c = run_config(EBMT_RECOVERY);
    ebmt__trainer *tr = NULL;
    ebm_error err = {0};
    (void)state;
    assert_int_equal(run_trainer(&c, &data, 1, &tr, NULL), 0);
    assert_int_equal(ebmt__trainer_step(tr, NULL), EBM_OK);
    tr->state.params[tr->g->tensors[tr->g->n_tensors - 1].offset] = NAN;
    float before = tr->state.ema[0];
    assert_int_equal(ebmt__trainer_step(tr, &err), EBM_ERR_DIVERGED);
    assert_true(tr->state.iteration == 1 && tr->state.ema[0] == before);
    assert_non_null(strstr(err.text, "iteration 1"));
    ebmt__trainer_free(tr);
}

static void test_data_must_fit(void **state)
{
    uint8_t pixels[RUN_IMAGES * RUN_DIM];
    ebmt_dataset data = run_bars(pixels);
    ebmt_config c = run_config(EBMT_RECOVERY);
    ebmt__trainer *tr = NULL;
    (void)state;
    c.batch = RUN_IMAGES + 1;
    assert_int_equal(run_trainer(&c, &data, 1, &tr, NULL), EBM_ERR_RANGE);
    c.batch = 4;
    data.width = 9;
    assert_int_equal(run_trainer(&c, &data, 1, &tr, NULL), EBM_ERR_SHAPE);
    assert_null(tr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        TEMP_DIR_TEST(test_streaming_changes_nothing),
        TEMP_DIR_TEST(test_data_that_vanish),
        cmocka_unit_test(test_other_schedules),
        cmocka_unit_test(test_matching_improves),
        cmocka_unit_test(test_shards_cover_the_batch),
        cmocka_unit_test(test_adam_is_reset_after_the_warm_start),
        TEMP_DIR_TEST(test_resume_is_exact),
        TEMP_DIR_TEST(test_result_opens),
        cmocka_unit_test(test_divergence_stops),
        cmocka_unit_test(test_data_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
