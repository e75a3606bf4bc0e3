/* The network that goes back to full size: its tensors and shapes, sizes that cannot be halved
 * evenly, and that its energy is a sum of squares. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/session.h"
#include "ebmm/models.h"
#include "random_net.h"

static ebm_network_config unet(int32_t height, int32_t width)
{
    ebm_network_config c = small_network_of(1, EBM_ACT_SILU);
    c.height = height;
    c.width = width;
    return c;
}

/* ch 8: temb 32*8+32 + 32*32+32; conv_in 9*8+8; down: a block of 8 channels and one from 8 to 16
 * with its shortcut; back: a convolution from 16 to 8 and a block of 8. The head has no parameters.
 */
static void test_parameter_count(void **state)
{
    const ebm_network_config c = unet(8, 8);
    const size_t block = 2 * (9 * 8 * 8 + 8) + 8 * 32 + 8 + 8;
    const size_t widening =
        9 * 16 * 8 + 16 + 16 * 32 + 16 + 9 * 16 * 16 + 16 + 16 + 9 * 16 * 8 + 16;
    ebm_graph *g = NULL;
    (void)state;
    assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
    const ebm_graph_info *info = ebm_graph_describe(g);
    assert_int_equal(info->n_params, 32 * 8 + 32 + 32 * 32 + 32 + 9 * 8 + 8 + block + widening +
                                         9 * 16 * 8 + 8 + block);
    assert_int_not_equal(ebm_graph_find(g, "up.0.conv.weight"), EBM_NONE);
    assert_int_not_equal(ebm_graph_find(g, "up.0.0.conv2.bias"), EBM_NONE);
    assert_int_equal(ebm_graph_find(g, "temb_out.weight"), EBM_NONE);
    ebm_graph_free(g);
}

/* Attention is there on the way down and on the way back; among the smallest maps, which have no
 * way back, once. */
static void test_attention(void **state)
{
    ebm_network_config c = unet(8, 8);
    (void)state;
    for (int small = 0; small < 2; small++) {
        ebm_graph *plain = NULL, *g = NULL;
        size_t width = small ? 16 : 8;
        c.attention = 0;
        assert_int_equal(ebmm_graph_build(&c, &plain, NULL), EBM_OK);
        c.attention = small ? 4 : 8;
        assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
        assert_int_equal(ebm_graph_describe(g)->n_params - ebm_graph_describe(plain)->n_params,
                         (small ? 1U : 2U) * 4 * (width * width + width));
        assert_true((ebm_graph_find(g, "up.0.0.attention.proj.weight") == EBM_NONE) == small);
        ebm_graph_free(g);
        ebm_graph_free(plain);
    }
}

/* What is summed at the end is as large as the image, also where a side is odd. */
static void test_full_size_again(void **state)
{
    static const int32_t sides[][2] = {{8, 8}, {7, 8}, {5, 11}, {2, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const ebm_network_config c = unet(sides[i][0], sides[i][1]);
        ebm_graph *g = NULL;
        assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
        const ebm_graph_info *info = ebm_graph_describe(g);
        const ebm_node *last = &info->nodes[info->nodes[info->n_nodes - 1].input];
        assert_true(last->c == 8 && last->h == sides[i][0] && last->w == sides[i][1]);
        ebm_graph_free(g);
    }
}

/* Without biases the SiLU network is not homogeneous, but its head is: gains of zero leave linear
 * layers, and net(2x) = 4 net(x) < 0. */
static void test_energy_is_quadratic(void **state)
{
    const ebm_network_config c = unet(8, 8);
    ebm_session *s = NULL;
    float x[64], twice[64];
    ebm_model *m = random_net(&c, kernel_set("ref"), 4);
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    float *params = malloc(g->n_params * sizeof *params);
    (void)state;
    assert_non_null(params);
    memcpy(params, ebm_model_params(m, 0), g->n_params * sizeof *params);
    for (int32_t i = 0; i < g->n_tensors; i++) {
        const ebm_tensor_info *t = &g->tensors[i];
        if (strstr(t->name, "gain") || strstr(t->name, "bias"))
            memset(params + t->offset, 0, t->count * sizeof *params);
    }
    ebm_model_set_params(m, params);
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    random_floats(5, 0, 64, x);
    for (int i = 0; i < 64; i++)
        twice[i] = 2.0f * x[i];
    double net = (double)ebm_session_net(s, x, 2);
    assert_true(net < 0.0);
    assert_close((double)ebm_session_net(s, twice, 2), 4.0 * net, 1e-5 * fabs(net));
    free(params);
    ebm_session_free(s);
    ebm_model_unref(m);
}

static void test_bad_nodes(void **state)
{
    const ebm_network_config c = unet(1, 8); /* cannot be halved */
    const ebm_graph_spec spec = {
        .channels = 2, .height = 4, .width = 4, .time_dim = 4, .time_hidden = 8};
    ebm_graph *g = NULL;
    int32_t small, node;
    (void)state;
    assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_create(&spec, &g, NULL), EBM_OK);
    assert_int_equal(ebm_graph_pool(g, 0, &small, NULL), EBM_OK);
    assert_int_equal(ebm_graph_up(g, 0, 0, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_up(g, small, small, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_up(g, small, 99, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_up(g, -1, 0, &node, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebm_graph_up(g, small, 0, &node, NULL), EBM_OK);
    ebm_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_count), cmocka_unit_test(test_attention),
        cmocka_unit_test(test_full_size_again), cmocka_unit_test(test_energy_is_quadratic),
        cmocka_unit_test(test_bad_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
