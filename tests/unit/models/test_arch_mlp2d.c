/* The network of points: its shape, and that points side by side do not see each other. */
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

static ebm_network_config plane(int32_t width)
{
    return (ebm_network_config){.architecture = "mlp2d",
                                .width = width,
                                .height = 1,
                                .channels = 2,
                                .ch = 8,
                                .n_mult = 2,
                                .ch_mult = {1, 2},
                                .num_res_blocks = 2,
                                .activation = EBM_ACT_SILU};
}

/* ch 8: temb 32*8+32 + 32*32+32; conv_in 2*8+8; two blocks of 8 channels, one from 8 to 16 with
 * its shortcut, one of 16; head 16*32+16. A block: conv1, temb, conv2, gain. */
static void test_parameter_count(void **state)
{
    const ebm_network_config c = plane(1);
    const size_t narrow = 8 * 8 + 8 + 8 * 32 + 8 + 8 * 8 + 8 + 8;
    const size_t widening = 16 * 8 + 16 + 16 * 32 + 16 + 16 * 8 + 16 + 16 * 16 + 16 + 16;
    const size_t wide = 16 * 16 + 16 + 16 * 32 + 16 + 16 * 16 + 16 + 16;
    ebm_graph *g = NULL;
    (void)state;
    assert_int_equal(ebmm_graph_build(&c, &g, NULL), EBM_OK);
    const ebm_graph_info *info = ebm_graph_describe(g);
    assert_int_equal(info->n_params, 32 * 8 + 32 + 32 * 32 + 32 + 2 * 8 + 8 + 2 * narrow +
                                         widening + wide + 16 * 32 + 16);
    for (int32_t i = 0; i < info->n_nodes; i++)
        assert_true(info->nodes[i].op != EBM_OP_POOL && info->nodes[i].w == 1);
    ebm_graph_free(g);
}

/* Five points in one evaluation: net is the sum of their nets, the gradient of each its own. */
static void test_points_are_independent(void **state)
{
    const ebm_network_config five = plane(5), one = plane(1);
    ebm_model *many = random_net(&five, kernel_set("ref"), 3);
    ebm_model *single = random_net(&one, kernel_set("ref"), 3);
    ebm_session *s[2];
    float x[10], grad[10], want[10], sum = 0.0f;
    (void)state;
    random_floats(4, 0, 10, x);
    assert_int_equal(ebm_session_create(many, NULL, &s[0], NULL), EBM_OK);
    assert_int_equal(ebm_session_create(single, NULL, &s[1], NULL), EBM_OK);
    float net = ebm_session_gradient(s[0], x, 2, grad);
    for (int i = 0; i < 5; i++) {
        const float point[2] = {x[i], x[5 + i]};
        float g[2];
        sum += ebm_session_gradient(s[1], point, 2, g);
        want[i] = g[0];
        want[5 + i] = g[1];
    }
    assert_close((double)net, (double)sum, 1e-4);
    assert_rel_l2(grad, want, 10, 1e-5);
    for (int i = 0; i < 2; i++)
        ebm_session_free(s[i]);
    ebm_model_unref(many);
    ebm_model_unref(single);
}

static void test_only_points(void **state)
{
    (void)state;
    static const char *const where[] = {"/image", "/image", "/network/ch", "/network/attention"};
    for (int i = 0; i < 4; i++) {
        ebm_network_config c = plane(1);
        ebm_graph *g = NULL;
        ebm_error err = {0};
        c.height = i == 0 ? 2 : 1;
        c.channels = i == 1 ? 3 : 2;
        c.ch = i == 2 ? 7 : 8;
        c.attention = i == 3; /* the points of one evaluation have nothing to do with each other */
        assert_int_not_equal(ebmm_graph_build(&c, &g, &err), EBM_OK);
        assert_string_equal(err.where, where[i]);
        assert_null(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_count),
        cmocka_unit_test(test_points_are_independent),
        cmocka_unit_test(test_only_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
