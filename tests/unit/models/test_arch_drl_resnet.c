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
#include "ebm/session.h"
#include "ebmm/models.h"
#include "fail_alloc.h"
#include "random_net.h"

static const ebm_network_config cifar = {.architecture = "drl-resnet",
                                         .width = 32,
                                         .height = 32,
                                         .channels = 3,
                                         .ch = 128,
                                         .n_mult = 4,
                                         .ch_mult = {1, 2, 2, 2},
                                         .num_res_blocks = 8,
                                         .activation = EBM_ACT_LEAKY_RELU,
                                         .leaky_slope = 0.2f};

/* The paper's CIFAR-10 network has 34,833,408 parameters (34.8 M in the literature). */
static void test_parameter_count_of_the_paper(void **state)
{
    ebm_graph *g = NULL;
    (void)state;
    assert_int_equal(ebmm_graph_build(&cifar, &g, NULL), EBM_OK);
    assert_int_equal(ebm_graph_describe(g)->n_params, 34833408);
    ebm_graph_free(g);
}

/* The other networks of the literature and three small ones, counted by another program. A graph
 * holds no numbers, so the largest costs nothing. */
static void test_parameter_counts(void **state)
{
    static const struct {
        int32_t size, channels, ch, n_mult, ch_mult[6], blocks;
        size_t params;
    } rows[] = {
        {28, 1, 16, 3, {1, 2, 2}, 1, 54432},
        {28, 1, 32, 3, {1, 2, 2}, 1, 216384},
        {32, 1, 32, 4, {1, 2, 2, 2}, 2, 567744},
        {64, 3, 128, 5, {1, 2, 2, 2, 4}, 6, 56269568},
        {64, 3, 128, 5, {1, 2, 2, 2, 4}, 2, 19153664},
        {128, 3, 128, 6, {1, 2, 2, 2, 4, 4}, 2, 29119232},
        {128, 3, 128, 6, {1, 2, 2, 2, 4, 4}, 5, 71904512},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_network_config c = cifar;
        ebm_graph *g = NULL;
        c.width = c.height = rows[i].size;
        c.channels = rows[i].channels;
        c.ch = rows[i].ch;
        c.n_mult = rows[i].n_mult;
        memcpy(c.ch_mult, rows[i].ch_mult, sizeof rows[i].ch_mult);
        c.num_res_blocks = rows[i].blocks;
        assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
        assert_int_equal(ebm_graph_describe(g)->n_params, rows[i].params);
        ebm_graph_free(g);
    }
}

/* Its maps of 16 pixels have 256 channels and 8 blocks; behind each block four layers of 256 to 256
 * with biases. */
static void test_parameter_count_with_attention(void **state)
{
    ebm_network_config c = cifar;
    ebm_graph *g = NULL;
    (void)state;
    c.attention = 16;
    assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
    const ebm_graph_info *info = ebm_graph_describe(g);
    assert_int_equal(info->n_params, 34833408 + 8 * 4 * (256 * 256 + 256));
    const ebm_tensor_info *t =
        &info->tensors[ebm_graph_find(g, "levels.1.7.attention.proj.weight")];
    assert_true(t->rank == 4 && t->dim[0] == 256 && t->dim[1] == 256 && t->dim[2] == 1);
    assert_int_not_equal(ebm_graph_find(g, "levels.1.0.attention.q.bias"), EBM_NONE);
    assert_int_not_equal(ebm_graph_find(g, "levels.1.0.attention.k.weight"), EBM_NONE);
    assert_int_not_equal(ebm_graph_find(g, "levels.1.0.attention.v.weight"), EBM_NONE);
    assert_int_equal(ebm_graph_find(g, "levels.0.0.attention.q.weight"), EBM_NONE);
    assert_int_equal(ebm_graph_find(g, "levels.2.0.attention.q.weight"), EBM_NONE);
    ebm_graph_free(g);
}

/* A branch that ends in zeros is not there: what attention adds is nothing, bit for bit. */
static void test_attention_is_a_residual(void **state)
{
    const ebm_network_config c = small_network_of(2, EBM_ACT_SILU);
    ebm_network_config without = c;
    float x[64], net[2];
    (void)state;
    without.attention = 0;
    random_floats(6, 0, 64, x);
    ebm_model *m[2] = {random_net(&c, kernel_set("ref"), 4),
                       random_net(&without, kernel_set("ref"), 4)};
    const ebm_graph_info *g[2] = {ebm_model_describe(m[0])->graph, ebm_model_describe(m[1])->graph};
    float *params[2] = {calloc(g[0]->n_params, sizeof(float)),
                        calloc(g[1]->n_params, sizeof(float))};
    assert_non_null(params[0]);
    assert_non_null(params[1]);
    memcpy(params[0], ebm_model_params(m[0], 0), g[0]->n_params * sizeof(float));
    size_t at = 0; /* of the network without, whose tensors come in the same order */
    for (int32_t i = 0; i < g[0]->n_tensors; i++) {
        const ebm_tensor_info *t = &g[0]->tensors[i];
        if (strstr(t->name, "attention.proj"))
            memset(params[0] + t->offset, 0, t->count * sizeof(float));
        if (strstr(t->name, "attention"))
            continue;
        memcpy(params[1] + at, params[0] + t->offset, t->count * sizeof(float));
        at += t->count;
    }
    assert_int_equal(at, g[1]->n_params);
    for (int i = 0; i < 2; i++) {
        ebm_session *s = NULL;
        ebm_model_set_params(m[i], params[i]);
        assert_int_equal(ebm_session_create(m[i], NULL, &s, NULL), EBM_OK);
        net[i] = ebm_session_net(s, x, 1);
        ebm_session_free(s);
        ebm_model_unref(m[i]);
        free(params[i]);
    }
    assert_true(net[0] == net[1]);
}

/* Heights at which the small network has no maps, and maps that are too large. */
static void test_bad_attention(void **state)
{
    static const struct {
        int32_t height, width, attention;
        ebm_status want;
    } rows[] = {
        {8, 8, 8, EBM_OK},
        {8, 8, 4, EBM_OK},
        {9, 9, 4, EBM_OK},
        {8, 8, 16, EBM_ERR_RANGE},
        {8, 8, 2, EBM_ERR_RANGE},
        {8, 8, 5, EBM_ERR_RANGE},
        {8, 8, -4, EBM_ERR_RANGE},
        {9, 9, 5, EBM_ERR_RANGE},
        {8, 16, 16, EBM_ERR_RANGE},
        {16, 8, 16, EBM_OK},
        {64, 64, 64, EBM_OK},
        {65, 64, 65, EBM_ERR_RANGE},
        {64, 65, 64, EBM_ERR_RANGE},
        {128, 128, 64, EBM_OK},
        {999999, 999999, 999999, EBM_ERR_RANGE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebm_network_config c = small_network();
        ebm_graph *g = NULL;
        ebm_error err = {0};
        c.height = rows[i].height;
        c.width = rows[i].width;
        c.attention = rows[i].attention;
        assert_int_equal(ebmm_graph_build(&c, &g, &err), rows[i].want);
        assert_string_equal(err.where, rows[i].want == EBM_OK ? "" : "/network/attention");
        ebm_graph_free(g);
    }
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
    assert_int_equal(ebm_graph_attention(g, node, node, pooled, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_attention(g, node, 99, node, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_attention(g, -1, node, node, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_head(g, pooled, "v", NULL), EBM_OK);
    assert_int_equal(ebm_graph_pool(g, node, &pooled, NULL), EBM_ERR_SHAPE); /* closed */
    ebm_graph_free(g);
}

static void test_attention_is_bounded(void **state)
{
    ebm_graph_spec spec = {
        .channels = 1, .height = 64, .width = 64, .time_dim = 4, .time_hidden = 8};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ebm_graph *g = NULL;
        int32_t node;
        spec.width += i;
        assert_int_equal(ebm_graph_create(&spec, &g, NULL), EBM_OK);
        assert_int_equal(ebm_graph_attention(g, 0, 0, 0, &node, NULL),
                         i == 0 ? EBM_OK : EBM_ERR_LIMIT);
        ebm_graph_free(g);
    }
}

static void test_every_allocation_may_fail(void **state)
{
    const ebm_network_config c = small_network_of(2, EBM_ACT_SILU);
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
        cmocka_unit_test(test_parameter_count_of_the_paper),
        cmocka_unit_test(test_parameter_counts),
        cmocka_unit_test(test_tensor_table),
        cmocka_unit_test(test_bad_configurations),
        cmocka_unit_test(test_nodes_must_fit),
        cmocka_unit_test(test_parameter_count_with_attention),
        cmocka_unit_test(test_attention_is_a_residual),
        cmocka_unit_test(test_bad_attention),
        cmocka_unit_test(test_attention_is_bounded),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
