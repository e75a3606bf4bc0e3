/* Likelihoods of a set: on the shipped model of points both sides hold the normaliser that a grid
 * gives; threads change no bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebmm/models.h"
#include "ebmt/eval.h"
#include "ebmt/toy2d.h"
#include "eval/grid2d.h"
#include "fail_alloc.h"
#include "random_net.h"

typedef struct scene {
    ebm_model *model;
    ebmt_dataset points;
    ebmt_bits_options opt;
} scene;

/* float32: the fastest that the CPU has */
static const ebm_kernels *kernels(void)
{
    if (kernel_set("avx512"))
        return kernel_set("avx512");
    return kernel_set("avx2") ? kernel_set("avx2") : kernel_set("blas");
}

static void scene_make(int64_t n, int32_t threads, scene *s)
{
    ebm_error err = {0};
    s->opt = ebmt_bits_options_default();
    assert_int_equal(ebmt_pool_create(threads, &s->opt.pool, NULL), EBM_OK);
    if (ebmm_model_open("models/points/checkerboard", kernels(), &s->model, &err) != EBM_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_int_equal(ebmt_toy_dataset(EBMT_TOY_CHECKERBOARD, n, 1, 7, &s->points, &err), EBM_OK);
    s->opt.images = &s->points;
}

static void scene_clear(scene *s)
{
    ebmt_pool_free(s->opt.pool);
    ebmt_dataset_clear(&s->points);
    ebm_model_unref(s->model);
}

/* The interval of both directions holds the grid's log Z of y_0 = A_0 x_0, which is that of x_0
 * plus D log A_0: 95 % by its law, this seed is one that does. The grid's bits follow from its
 * divergence and entropy; Few particles leave some nats; ten times as many and as many temperatures
 * give 43.3 +- 0.2 and 44.0 +- 0.2 around the grid's 43.35. */
static void test_grid(void **state)
{
    const ebmt__grid2d_options how = {.toy = EBMT_TOY_CHECKERBOARD, .side = 64, .half = 1.5};
    scene s = {0};
    ebmt_bits_report r;
    ebmt__grid2d grid = {0};
    (void)state;
    scene_make(4, 2, &s);
    s.opt.tuning = 100;
    s.opt.burn_in = 20;
    s.opt.particles = 40;
    s.opt.temperatures = 12;
    assert_int_equal(ebmt_bits_per_dim(s.model, &s.opt, &r, NULL), EBM_OK);
    assert_int_equal(ebmt__grid2d_evaluate(s.model, &how, s.opt.pool, &grid, NULL), EBM_OK);
    const double log_z = grid.log_z + 2.0 * log(ebm_model_describe(s.model)->levels->scale[0]);
    const ebm_interval both = ebm_log_z_interval(&r.forward, &r.reverse);
    print_message("log Z forward %.3f +- %.3f, reverse %.3f +- %.3f, grid %.3f\n", r.forward.value,
                  r.forward.std_error, r.reverse.value, r.reverse.std_error, log_z);
    assert_true(both.low <= log_z && log_z <= both.high);
    assert_true(both.high - both.low < 6);
    /* cross-entropy = entropy + divergence */
    const double want = (grid.entropy + grid.kl) / (2 * log(2.0)) + log2(127.5);
    print_message("bits: ladder %.3f %.3f +- %.3f, bound %.3f %.3f +- %.3f, grid %.3f\n",
                  r.ladder_low.value, r.ladder_high.value, r.ladder_low.se, r.bound_low.value,
                  r.bound_high.value, r.bound_low.se, want);
    assert_close(r.ladder_low.value, want, 4 * r.ladder_low.se);
    assert_true(r.ladder_high.value > want - 4 * r.ladder_high.se);
    assert_true(r.ladder_high.value < want + 3);
    /* levels that agree: the directed model is near the marginal one */
    assert_true(r.bound_low.value < r.bound_high.value);
    assert_close((r.bound_low.value + r.bound_high.value) / 2, want, 1.5);
    ebmt__grid2d_clear(&grid);
    scene_clear(&s);
}

static void test_threads_and_memory(void **state)
{
    scene s = {0}, t = {0};
    ebmt_bits_report a, b;
    (void)state;
    scene_make(2, 1, &s);
    scene_make(2, 3, &t);
    s.opt.particles = t.opt.particles = 3;
    s.opt.tuning = t.opt.tuning = s.opt.burn_in = t.opt.burn_in = 5;
    s.opt.temperatures = t.opt.temperatures = 3;
    assert_int_equal(ebmt_bits_per_dim(s.model, &s.opt, &a, NULL), EBM_OK);
    assert_int_equal(ebmt_bits_per_dim(t.model, &t.opt, &b, NULL), EBM_OK);
    assert_memory_equal(&a, &b, sizeof a);
    s.opt.burn_in = s.opt.tuning = s.opt.temperatures = 1;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_bits_per_dim(s.model, &s.opt, &a, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    s.opt.particles = 1;
    assert_int_equal(ebmt_bits_per_dim(s.model, &s.opt, &a, NULL), EBM_ERR_RANGE);
    s.points.height = 2;
    assert_int_equal(ebmt_bits_per_dim(s.model, &s.opt, &a, NULL), EBM_ERR_SHAPE);
    s.points.height = 1;
    scene_clear(&s);
    scene_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_threads_and_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
