/* Building graphs: the architecture's shape and size, and what does not fit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/graph.h"
#include "ebmm/models.h"
#include "fail_alloc.h"
#include "random_net.h"

/* The paper's CIFAR-10 network has 34,833,408 parameters (34.8 M in the literature). */
static void test_parameter_count_of_the_paper(void **state)
{
    const ebm_network_config cifar = {.architecture = "drl-resnet",
                                      .width = 32,
                                      .height = 32,
                                      .channels = 3,
                                      .ch = 128,
                                      .n_mult = 4,
                                      .ch_mult = {1, 2, 2, 2},
                                      .num_res_blocks = 8,
                                      .activation = EBM_ACT_LEAKY_RELU,
                                      .leaky_slope = 0.2f};
    ebm_graph *g = NULL;
    (void)state;
    assert_int_equal(ebmm_graph_build(&cifar, &g, NULL), EBM_OK);
    assert_int_equal(ebm_graph_describe(g)->n_params, 34833408);
    ebm_graph_free(g);
}

/* Tensors tile the parameter vector without holes, and have the names of a PyTorch state dict. */
static void test_tensor_table(void **state)
{
    ebm_network_config c = small_network();
    ebm_graph *g = NULL;
    size_t end = 0;
    (void)state;
    assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
    const ebm_graph_info *info = ebm_graph_describe(g);
    for (int32_t i = 0; i < info->n_tensors; i++) {
        assert_int_equal(info->tensors[i].offset, end);
        end += info->tensors[i].count;
        assert_int_equal(ebm_graph_find(g, info->tensors[i].name), i);
    }
    assert_int_equal(end, info->n_params);
    assert_int_not_equal(ebm_graph_find(g, "levels.1.0.shortcut.weight"), EBM_NONE);
    assert_int_not_equal(ebm_graph_find(g, "levels.0.0.gain"), EBM_NONE);
    assert_int_not_equal(ebm_graph_find(g, "temb_out.bias"), EBM_NONE);
    assert_int_equal(ebm_graph_find(g, "levels.0.0.shortcut.weight"), EBM_NONE);
    ebm_graph_free(g);
}

static void test_bad_configurations(void **state)
{
    ebm_network_config bad[14];
    (void)state;
    for (int i = 0; i < 14; i++)
        bad[i] = small_network();
    strcpy(bad[0].architecture, "unknown");
    bad[1].ch = 7;
    bad[2].ch = 2;
    bad[3].ch = 2048;
    bad[4].n_mult = 0;
    bad[5].n_mult = 9;
    bad[6].ch_mult[1] = 0;
    bad[7].num_res_blocks = 0;
    bad[8].num_res_blocks = 65;
    bad[9].activation = EBM_ACT_RELU;
    bad[10].leaky_slope = NAN;
    bad[11].width = 0;
    bad[12].height = 100000;
    bad[13].width = 1; /* cannot be halved */
    for (int i = 0; i < 14; i++) {
        ebm_graph *g = (ebm_graph *)1;
        ebm_error err = {0};
        assert_int_not_equal(ebmm_graph_build(&bad[i], &g, &err), EBM_OK);
        assert_null(g);
        assert_true(err.where[0] != 0 && err.text[0] != 0);
    }
}

static void test_nodes_must_fit(void **state)
{
    const ebm_graph_spec spec = {.channels = 1,
                                 .height = 6,
                                 .width = 6,
                                 .time_dim = 4,
                                 .time_hidden = 8,
                                 .act = EBM_ACT_RELU,
                                 .act_out = EBM_ACT_RELU};
    ebm_conv_spec conv = {.name = "c", .residual = EBM_NONE, .c_out = 2, .k = 3};
    ebm_graph *g = NULL;
    int32_t node, pooled;
    (void)state;
    assert_int_equal(ebm_graph_create(&spec, &g, NULL), EBM_OK);
    assert_int_equal(ebm_graph_conv(g, &conv, &node, NULL), EBM_OK);
    assert_int_equal(ebm_graph_conv(g, &conv, &node, NULL), EBM_ERR_ARG); /* name taken */
    conv.name = "d";
    conv.k = 5;
    assert_int_equal(ebm_graph_conv(g, &conv, &node, NULL), EBM_ERR_SHAPE);
    conv.k = 3;
    conv.input = 99;
    assert_int_equal(ebm_graph_conv(g, &conv, &node, NULL), EBM_ERR_SHAPE);
    conv.input = node;
    assert_int_equal(ebm_graph_pool(g, node, &pooled, NULL), EBM_OK);
    conv.residual = pooled; /* other size */
    assert_int_equal(ebm_graph_conv(g, &conv, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_head(g, pooled, "v", NULL), EBM_OK);
    assert_int_equal(ebm_graph_pool(g, node, &pooled, NULL), EBM_ERR_SHAPE); /* closed */
    ebm_graph_free(g);
}

static void test_every_allocation_may_fail(void **state)
{
    const ebm_network_config c = small_network();
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_graph *g = NULL;
        ebm_status st = ebmm_graph_build(&c, &g, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        assert_true((g != NULL) == (st == EBM_OK));
        ebm_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_count_of_the_paper), cmocka_unit_test(test_tensor_table),
        cmocka_unit_test(test_bad_configurations),           cmocka_unit_test(test_nodes_must_fit),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
