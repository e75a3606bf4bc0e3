/* Graphs that no architecture of ours makes: what a session could not run is refused, all else runs
 * on every set. */
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
#include "random_net.h"

#define SIDE   8
#define PIXELS (SIDE * SIDE)

static ebm_graph *begin(void)
{
    const ebm_graph_spec spec = {.channels = 1,
                                 .height = SIDE,
                                 .width = SIDE,
                                 .time_dim = 4,
                                 .time_hidden = 8,
                                 .act = EBM_ACT_LEAKY_RELU,
                                 .act_out = EBM_ACT_RELU,
                                 .slope = 0.2f};
    ebm_graph *g = NULL;
    assert_int_equal(ebm_graph_create(&spec, &g, NULL), EBM_OK);
    return g;
}

static int32_t conv(ebm_graph *g, const char *name, int32_t input, bool activated)
{
    const ebm_conv_spec spec = {.name = name,
                                .input = input,
                                .residual = EBM_NONE,
                                .activated = activated,
                                .c_out = 8,
                                .k = 3};
    int32_t node = -1;
    assert_int_equal(ebm_graph_conv(g, &spec, &node, NULL), EBM_OK);
    return node;
}

/* The backward pass would take what lies in memory for such a node's gradient. */
static void test_nodes_without_readers(void **state)
{
    ebm_graph *g = begin();
    ebm_error err = {0};
    (void)state;
    int32_t used = conv(g, "a", 0, false);
    (void)conv(g, "b", used, true);
    assert_int_equal(ebm_graph_head(g, used, "v", &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "node 2"));
    ebm_graph_free(g);
    g = begin();
    (void)conv(g, "a", 0, false);
    err = (ebm_error){0};
    assert_int_equal(ebm_graph_head(g, 0, "v", &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "node 1"));
    ebm_graph_free(g);
}

/* A pool of which nothing is read but its activated values: the same on all sets. */
static ebm_session *pooled(const char *kernels, ebm_model **m)
{
    ebm_graph *g = begin();
    ebm_levels levels = {0};
    const ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    const ebm_network_config none = {.architecture = "drl-resnet"};
    ebm_session *s = NULL;
    int32_t small = -1;
    assert_int_equal(ebm_graph_pool(g, conv(g, "a", 0, false), &small, NULL), EBM_OK);
    assert_int_equal(ebm_graph_head(g, conv(g, "b", small, true), "v", NULL), EBM_OK);
    assert_int_equal(ebm_levels_t6(&schedule, &levels, NULL), EBM_OK);
    assert_int_equal(ebm_model_create("pooled", &none, g, &levels, kernel_set(kernels), m, NULL),
                     EBM_OK);
    ebm_levels_clear(&levels);
    size_t n = ebm_model_describe(*m)->graph->n_params;
    float *params = calloc(n, sizeof *params);
    assert_non_null(params);
    random_floats(3, 0, n, params);
    ebm_model_set_params(*m, params);
    free(params);
    assert_int_equal(ebm_session_create(*m, NULL, &s, NULL), EBM_OK);
    return s;
}

static void test_pool_read_through_the_activation(void **state)
{
    float x[PIXELS], want[PIXELS], grad[PIXELS];
    bool supported;
    const char *name;
    (void)state;
    random_floats(4, 0, PIXELS, x);
    for (int32_t i = 0; (name = ebm_kernels_name(i, &supported)) != NULL; i++) {
        ebm_model *m;
        ebm_session *s = pooled("ref", &m);
        ebm_session_gradient(s, x, 1, want);
        ebm_session_free(s);
        ebm_model_unref(m);
        if (!supported)
            continue;
        s = pooled(name, &m);
        ebm_session_gradient(s, x, 1, grad);
        assert_rel_l2(grad, want, PIXELS,
                      strstr(name, "bf16") || strstr(name, "amx") ? 0.05 : 1e-5);
        ebm_session_free(s);
        ebm_model_unref(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_without_readers),
        cmocka_unit_test(test_pool_read_through_the_activation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
