/* The grid against closed forms: a network that is a known function of the point. */
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
#include "ebm/memory.h"
#include "ebmm/models.h"
#include "eval/grid2d.h"
#include "fail_alloc.h"
#include "random_net.h"
#include "temp_dir.h"

static ebm_levels levels_of(double ratio)
{
    const ebm_schedule_geometric schedule = {
        .count = 4, .ratio_min = ratio, .ratio_max = 100, .steps = 3};
    ebm_levels l;
    assert_int_equal(ebm_levels_geometric(&schedule, &l, NULL), EBM_OK);
    return l;
}

/* A model of points whose log density is constant: all parameters zero. */
static ebm_model *flat_model(double ratio)
{
    const ebm_network_config c = {.architecture = "mlp2d",
                                  .width = 1,
                                  .height = 1,
                                  .channels = 2,
                                  .ch = 4,
                                  .n_mult = 1,
                                  .ch_mult = {1},
                                  .num_res_blocks = 1,
                                  .activation = EBM_ACT_SILU};
    ebm_levels l = levels_of(ratio);
    ebm_graph *g = NULL;
    ebm_model *m = NULL;
    assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
    assert_int_equal(ebm_model_create("flat", &c, g, &l, kernel_set("ref"), &m, NULL), EBM_OK);
    float *zero = calloc(ebm_model_describe(m)->graph->n_params, sizeof *zero);
    assert_non_null(zero);
    ebm_model_set_params(m, zero);
    free(zero);
    ebm_levels_clear(&l);
    return m;
}

static ebmt__grid2d evaluate(ebm_model *m, ebmt_toy toy, int32_t side)
{
    const ebmt__grid2d_options opt = {.toy = toy, .side = side, .half = 1.5};
    ebmt_pool *pool = NULL;
    ebmt__grid2d g;
    assert_int_equal(ebmt_pool_create(2, &pool, NULL), EBM_OK);
    assert_int_equal(ebmt__grid2d_evaluate(m, &opt, pool, &g, NULL), EBM_OK);
    ebmt_pool_free(pool);
    return g;
}

/* Uniform over [-1.5,1.5]^2: log Z = log 9, KL(truth||model) = log 9 - entropy, rim 1 - 0.9^2. */
static void test_flat_model(void **state)
{
    (void)state;
    for (int toy = 0; toy < EBMT_TOY_COUNT; toy++) {
        ebm_model *m = flat_model(0.05);
        ebmt__grid2d g = evaluate(m, (ebmt_toy)toy, 160);
        assert_close(g.log_z, log(9.0), 1e-9);
        assert_close(g.kl, log(9.0) - g.entropy, 1e-9);
        assert_close(g.rim, 1.0 - 0.81, 1e-9);
        assert_true(g.kl_reverse > g.kl);
        ebmt__grid2d_clear(&g);
        ebm_model_unref(m);
    }
}

/* Entropy of the truth at level 0. Gaussians: eight hills that hardly touch, each of variance
 * abar^2 (0.06^2 + rounding) + sbar^2: log 8 + log(2 pi e variance). Checkerboard with little
 * noise: above log 2, the more the more its edges are blurred. */
static void test_entropy_of_truth(void **state)
{
    const double ratio = 0.05, abar2 = 1.0 / (1.0 + ratio * ratio);
    const double pi = 3.14159265358979323846;
    double variance = abar2 * (0.06 * 0.06 + EBMT_TOY_ROUNDING + ratio * ratio), before = log(2.0);
    (void)state;
    ebm_model *m = flat_model(ratio);
    ebmt__grid2d g = evaluate(m, EBMT_TOY_GAUSSIANS, 240);
    assert_close(g.entropy, log(8.0) + log(2.0 * pi * exp(1.0) * variance), 2e-3);
    ebmt__grid2d_clear(&g);
    ebm_model_unref(m);
    for (int i = 0; i < 3; i++) {
        m = flat_model(0.01 * (double)(1 << i));
        g = evaluate(m, EBMT_TOY_CHECKERBOARD, 240);
        assert_true(g.entropy > before + 0.02 && g.entropy < before + 0.3);
        before = g.entropy;
        ebmt__grid2d_clear(&g);
        ebm_model_unref(m);
    }
}

/* Probabilities per cell sum to 1, lie the way the plane does, and the picture has both. */
static void test_layout_and_picture(void **state)
{
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    unsigned char *png = NULL;
    size_t size = 0;
    double sum = 0.0;
    ebm_model *m = flat_model(0.02);
    ebmt__grid2d g = evaluate(m, EBMT_TOY_CHECKERBOARD, 60);
    (void)state;
    for (int i = 0; i < 3600; i++)
        sum += g.truth[i];
    assert_close(sum, 1.0, 1e-12);
    assert_true(g.truth[15 * 60 + 15] > 1e-3 && g.truth[15 * 60 + 25] < 1e-9);
    assert_true(temp_dir_make(dir) && temp_dir_join(dir, "g.png", path));
    assert_int_equal(ebmt__grid2d_draw(&g, path, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, "g.png", 1 << 20, &png, &size, NULL), EBM_OK);
    ebm_free(png);
    temp_dir_remove(dir);
    ebmt__grid2d_clear(&g);
    ebm_model_unref(m);
}

static void test_refused(void **state)
{
    const ebm_network_config images = small_network();
    ebmt__grid2d_options opt = {.toy = EBMT_TOY_RINGS, .side = 16, .half = 1.5};
    ebm_model *m = random_net(&images, kernel_set("ref"), 1);
    ebmt_pool *pool = NULL;
    ebmt__grid2d g;
    (void)state;
    assert_int_equal(ebmt_pool_create(1, &pool, NULL), EBM_OK);
    assert_int_equal(ebmt__grid2d_evaluate(m, &opt, pool, &g, NULL), EBM_ERR_SHAPE);
    ebm_model_unref(m);
    m = flat_model(0.02);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt__grid2d_evaluate(m, &opt, pool, &g, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt__grid2d_clear(&g);
    }
    opt.side = 15;
    assert_int_equal(ebmt__grid2d_evaluate(m, &opt, pool, &g, NULL), EBM_ERR_RANGE);
    opt.side = 16;
    opt.half = (double)NAN;
    assert_int_equal(ebmt__grid2d_evaluate(m, &opt, pool, &g, NULL), EBM_ERR_RANGE);
    assert_null(g.truth);
    ebm_model_unref(m);
    ebmt_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_model),
        cmocka_unit_test(test_entropy_of_truth),
        cmocka_unit_test(test_layout_and_picture),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
