/* Sessions: gradients by finite differences, the same bits whatever came before, nothing
 * allocated while running, memory as announced. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "amx_emulator.h"
#include "assert_numbers.h"
#include "ebm/session.h"
#include "fail_alloc.h"
#include "random_net.h"

#define DIM 64 /* pixels of small_network() */

static ebm_session *open_session(const ebm_network_config *c, const char *kernels, bool tangent)
{
    const ebm_session_options opt = {.tangent = tangent};
    ebm_session *s = NULL;
    ebm_model *m = random_net(c, kernel_set(kernels), 5);
    assert_int_equal(ebm_session_create(m, &opt, &s, NULL), EBM_OK);
    ebm_model_unref(m); /* the session keeps its own reference */
    return s;
}

/* Sets on which a session of a small network is to be tested: all that this CPU can run, amx
 * emulated if need be. That is slow, and its attention is that of avx512bf16: without. */
static size_t all_sets(int which, const ebm_kernels *sets[8])
{
    size_t n = 0;
    bool supported;
    for (int32_t i = 0; ebm_kernels_name(i, &supported) && n < 7; i++)
        if (supported)
            sets[n++] = kernel_set(ebm_kernels_name(i, NULL));
    if (which < 2 && emulated_amx())
        sets[n++] = emulated_amx();
    return n;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* d/dh net(x + h v) by central differences equals <v, grad>. SiLU is smooth: second-order error.
 * Float rounding of net (about 1e-7 |net|) over 2h limits the agreement to 1e-3. */
static void check_gradient_by_differences(const ebm_network_config *c)
{
    float x[DIM], v[DIM], moved[DIM], grad[DIM];
    const double h = 1e-2;
    ebm_session *s = open_session(c, "ref", false);
    for (uint32_t trial = 0; trial < 12; trial++) {
        int32_t level = (int32_t)(trial % 6);
        double side[2];
        random_floats(7, 2 * trial, DIM, x);
        random_floats(7, 2 * trial + 1, DIM, v);
        ebm_session_gradient(s, x, level, grad);
        for (int k = 0; k < 2; k++) {
            for (int i = 0; i < DIM; i++)
                moved[i] = x[i] + (float)(k ? h : -h) * v[i];
            side[k] = (double)ebm_session_net(s, moved, level);
        }
        double scale = sqrt(dot(grad, grad, DIM) * dot(v, v, DIM));
        assert_close((side[1] - side[0]) / (2.0 * h), dot(v, grad, DIM), 2e-3 * scale);
    }
    ebm_session_free(s);
}

static void test_gradient_by_differences(void **state)
{
    (void)state;
    for (int which = 0; which < SMALL_NETWORKS; which++) {
        const ebm_network_config c = small_network_of(which, EBM_ACT_SILU);
        check_gradient_by_differences(&c);
    }
}

/* A graph that no architecture here has: one node serves twice as a residual and twice as an
 * input, so its gradient is a sum of four parts; attention reads one node as keys and values, and
 * is read through the activation alone. */
static ebm_model *tangled_model(void)
{
    const ebm_graph_spec spec = {.channels = 1,
                                 .height = 8,
                                 .width = 8,
                                 .time_dim = 4,
                                 .time_hidden = 8,
                                 .act = EBM_ACT_SILU,
                                 .act_out = EBM_ACT_SILU};
    const ebm_network_config none = {.architecture = "none"};
    ebm_schedule_t6 schedule = ebm_schedule_t6_default();
    ebm_levels levels;
    ebm_graph *g = NULL;
    ebm_model *m = NULL;
    int32_t a, b, c, d, e;
    assert_int_equal(ebm_graph_create(&spec, &g, NULL), EBM_OK);
    ebm_conv_spec conv = {.name = "a", .residual = EBM_NONE, .c_out = 3, .k = 3};
    assert_int_equal(ebm_graph_conv(g, &conv, &a, NULL), EBM_OK);
    conv = (ebm_conv_spec){
        .name = "b", .input = a, .residual = a, .activated = true, .c_out = 3, .k = 3};
    assert_int_equal(ebm_graph_conv(g, &conv, &b, NULL), EBM_OK);
    conv = (ebm_conv_spec){.name = "c", .input = b, .residual = a, .c_out = 3, .k = 1};
    assert_int_equal(ebm_graph_conv(g, &conv, &c, NULL), EBM_OK);
    conv = (ebm_conv_spec){
        .name = "d", .input = a, .residual = c, .activated = true, .c_out = 3, .k = 3};
    assert_int_equal(ebm_graph_conv(g, &conv, &d, NULL), EBM_OK);
    assert_int_equal(ebm_graph_attention(g, a, d, d, &e, NULL), EBM_OK);
    conv = (ebm_conv_spec){
        .name = "e", .input = e, .residual = d, .activated = true, .c_out = 3, .k = 1};
    assert_int_equal(ebm_graph_conv(g, &conv, &e, NULL), EBM_OK);
    assert_int_equal(ebm_graph_head(g, e, "v", NULL), EBM_OK);
    assert_int_equal(ebm_levels_t6(&schedule, &levels, NULL), EBM_OK);
    assert_int_equal(ebm_model_create("tangled", &none, g, &levels, kernel_set("ref"), &m, NULL),
                     EBM_OK);
    ebm_levels_clear(&levels);
    size_t n = ebm_model_describe(m)->graph->n_params;
    float *params = calloc(n, sizeof *params);
    assert_non_null(params);
    random_floats(12, 0, n, params);
    for (size_t i = 0; i < n; i++)
        params[i] *= 0.3f;
    ebm_model_set_params(m, params);
    free(params);
    return m;
}

static void test_gradient_of_a_tangled_graph(void **state)
{
    float x[DIM], v[DIM], moved[DIM], grad[DIM];
    const double h = 1e-2;
    double side[2];
    ebm_session *s = NULL;
    ebm_model *m = tangled_model();
    (void)state;
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    random_floats(13, 0, DIM, x);
    random_floats(13, 1, DIM, v);
    ebm_session_gradient(s, x, 1, grad);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < DIM; i++)
            moved[i] = x[i] + (float)(k ? h : -h) * v[i];
        side[k] = (double)ebm_session_net(s, moved, 1);
    }
    double scale = sqrt(dot(grad, grad, DIM) * dot(v, v, DIM));
    assert_close((side[1] - side[0]) / (2.0 * h), dot(v, grad, DIM), 2e-3 * scale);
    ebm_session_free(s);
    ebm_model_unref(m);
}

/* @eq logp = net(scale_0 x, 0)/step2_0 */
static void test_logp_of_an_image(void **state)
{
    const ebm_network_config c = small_network();
    float x[DIM], y[DIM], work[DIM];
    ebm_session *s = open_session(&c, "blas", false);
    const ebm_levels *l = ebm_model_describe(ebm_session_model(s))->levels;
    (void)state;
    random_floats(14, 0, DIM, x);
    for (int i = 0; i < DIM; i++)
        y[i] = (float)((double)x[i] * l->scale[0]);
    double want = (double)ebm_session_net(s, y, 0) / l->step2[0];
    assert_close(ebm_session_logp(s, x, work), want, 1e-12 * fabs(want));
    ebm_session_free(s);
}

/* What is read again lives until the backward pass, gradients are handed on: four more blocks cost
 * the eight activations of their convolutions' inputs, the four values that residuals read, and no
 * more gradients. */
static void test_gradient_slots_are_reused(void **state)
{
    ebm_network_config c = small_network();
    size_t bytes[2];
    (void)state;
    c.n_mult = 1;
    for (int i = 0; i < 2; i++) {
        c.num_res_blocks = i ? 8 : 4;
        ebm_model *m = random_net(&c, kernel_set("ref"), 5);
        bytes[i] = ebm_session_bytes(m, NULL);
        ebm_model_unref(m);
    }
    size_t value = 8 * DIM * sizeof(float);
    assert_true(bytes[1] - bytes[0] >= 12 * value && bytes[1] - bytes[0] < 13 * value);
}

/* Three passes of a new session: the first ones with a team are made by all its members, whatever
 * the clock says; only then does a session try whether one thread alone would be faster. */
static void check_members(ebm_model *m, int32_t members, const float *x, float net,
                          const float *want)
{
    float grad[DIM];
    ebm_session *s = NULL;
    ebm_team *team = NULL;
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    assert_int_equal(ebm_team_create(members, &team, NULL), EBM_OK);
    assert_int_equal(ebm_session_use_team(s, team, NULL), EBM_OK);
    for (int again = 0; again < 3; again++) {
        memset(grad, 0, sizeof grad);
        assert_true(ebm_session_gradient(s, x, 2, grad) == net);
        assert_memory_equal(grad, want, sizeof grad);
    }
    ebm_session_leave_team(s);
    ebm_team_free(team);
    ebm_session_free(s);
}

static void check_team(const ebm_network_config *c, const ebm_kernels *set)
{
    float x[DIM], want[DIM];
    ebm_session *s = NULL;
    ebm_model *m = random_net(c, set, 5);
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    random_floats(3, 0, DIM, x);
    float net = ebm_session_gradient(s, x, 2, want);
    for (int32_t members = 1; members <= 4; members++)
        check_members(m, members, x, net, want);
    ebm_session_free(s);
    ebm_model_unref(m);
}

/* A team of any size computes what one thread computes, byte for byte, on every set; and works
 * again after it has slept. */
static void test_team_same_bits(void **state)
{
    const ebm_kernels *sets[8];
    (void)state;
    for (int which = 0; which < SMALL_NETWORKS; which++) {
        ebm_network_config c = small_network_of(which, EBM_ACT_LEAKY_RELU);
        size_t n = all_sets(which, sets);
        c.ch = 34; /* two blocks of channels in the padded layouts, one of them nearly empty */
        for (size_t i = 0; i < n; i++)
            check_team(&c, sets[i]);
    }
}

/* Sets with bfloat16 operands stay near the truth: bounds of `ebm check`. The network is smooth,
 * so that no activation jumps. */
static void check_near_ref(const ebm_network_config *c, const ebm_kernels *set)
{
    float x[DIM], want[DIM], grad[DIM];
    ebm_session *truth = open_session(c, "ref", false), *s = NULL;
    ebm_model *m = random_net(c, set, 5);
    bool rounded = strncmp(set->kernel_class, "bf16", 4) == 0;
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    for (int32_t level = 0; level < 6; level++) {
        random_floats(4, (uint32_t)level, DIM, x);
        double net = (double)ebm_session_gradient(truth, x, level, want);
        assert_close((double)ebm_session_gradient(s, x, level, grad), net,
                     (rounded ? 2e-3 : 1e-5) * fabs(net) + (rounded ? 2e-2 : 1e-5));
        assert_rel_l2(grad, want, DIM, rounded ? 2e-2 : 1e-5);
    }
    ebm_session_free(s);
    ebm_session_free(truth);
    ebm_model_unref(m);
}

static void test_rounded_sets_near_ref(void **state)
{
    const ebm_kernels *sets[8];
    (void)state;
    for (int which = 0; which < SMALL_NETWORKS; which++) {
        ebm_network_config c = small_network_of(which, EBM_ACT_SILU);
        size_t n = all_sets(which, sets);
        c.ch = 32;
        for (size_t i = 0; i < n; i++)
            check_near_ref(&c, sets[i]);
    }
}

/* <v, grad net> by pushing v forward equals the dot product with the gradient. */
static void test_tangent_is_the_directional_derivative(void **state)
{
    static const ebm_act acts[] = {EBM_ACT_LEAKY_RELU, EBM_ACT_SILU};
    (void)state;
    for (uint32_t a = 0; a < 2 * SMALL_NETWORKS; a++) {
        const ebm_network_config c = small_network_of((int)a / 2, acts[a % 2]);
        float x[DIM], v[DIM], grad[DIM];
        ebm_session *s = open_session(&c, "blas", true);
        for (uint32_t trial = 0; trial < 6; trial++) {
            random_floats(8, 2 * trial, DIM, x);
            random_floats(8, 2 * trial + 1, DIM, v);
            ebm_session_gradient(s, x, (int32_t)trial, grad);
            double scale = sqrt(dot(grad, grad, DIM) * dot(v, v, DIM));
            assert_close((double)ebm_session_tangent(s, v), dot(v, grad, DIM), 1e-5 * scale);
        }
        ebm_session_free(s);
    }
}

/* What a session answers does not depend on what it was asked before. */
static void test_no_memory_of_the_past(void **state)
{
    const ebm_network_config c = small_network();
    float x[DIM], other[DIM], first[DIM], again[DIM];
    ebm_session *s = open_session(&c, "blas", true);
    (void)state;
    random_floats(9, 0, DIM, x);
    random_floats(9, 1, DIM, other);
    float net = ebm_session_gradient(s, x, 2, first);
    ebm_session_gradient(s, other, 5, again);
    ebm_session_tangent(s, x);
    ebm_session_backward(s, -3.0f, NULL, NULL, NULL);
    assert_true(ebm_session_gradient(s, x, 2, again) == net);
    assert_memory_equal(first, again, sizeof first);
    assert_true(ebm_session_net(s, x, 2) == net);
    ebm_session_free(s);
}

/* Bit for bit the same in another session of the same model. */
static void test_sessions_agree(void **state)
{
    const ebm_network_config c = small_network();
    float x[DIM], one[DIM], two[DIM];
    ebm_session *s = open_session(&c, "blas", false), *t = NULL;
    (void)state;
    assert_int_equal(ebm_session_create(ebm_session_model(s), NULL, &t, NULL), EBM_OK);
    random_floats(10, 0, DIM, x);
    ebm_session_gradient(s, x, 4, one);
    ebm_session_gradient(t, x, 4, two);
    assert_memory_equal(one, two, sizeof one);
    ebm_session_free(s);
    ebm_session_free(t);
}

/* The announced bytes are what a session takes, workspace and tables. */
static void test_announced_bytes(void **state)
{
    const ebm_network_config c = small_network();
    ebm_session *s = NULL;
    ebm_model *m = random_net(&c, kernel_set("blas"), 5);
    const ebm_session_options tangent = {.tangent = true};
    (void)state;
    size_t plain = ebm_session_bytes(m, NULL), with_tangent = ebm_session_bytes(m, &tangent);
    assert_true(plain > 0 && with_tangent > plain);
    fail_alloc_reset();
    assert_int_equal(ebm_session_create(m, NULL, &s, NULL), EBM_OK);
    /* planning needs two small tables that are gone afterwards */
    assert_true(fail_alloc_bytes() >= plain && fail_alloc_bytes() < plain + 4096);
    ebm_session_free(s);
    ebm_model_unref(m);
}

static void test_every_allocation_may_fail(void **state)
{
    const ebm_network_config c = small_network();
    ebm_model *m = random_net(&c, kernel_set("blas"), 5);
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_session *s = NULL;
        ebm_status st = ebm_session_create(m, NULL, &s, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_session_free(s);
    }
    ebm_model_unref(m);
}

/* Helpers have their scratch from the team: without memory for it the session goes on alone, and
 * the second session of a size asks for nothing. */
static void test_team_without_memory(void **state)
{
    float x[DIM], want[DIM], grad[DIM];
    const ebm_network_config c = small_network();
    ebm_session *s = open_session(&c, "ref", false), *other = open_session(&c, "ref", false);
    ebm_team *team = NULL;
    (void)state;
    random_floats(3, 0, DIM, x);
    const float net = ebm_session_gradient(s, x, 2, want);
    assert_int_equal(ebm_team_create(3, &team, NULL), EBM_OK);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_session_use_team(s, team, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        assert_true(ebm_session_gradient(s, x, 2, grad) == net);
        assert_memory_equal(grad, want, sizeof grad);
    }
    fail_alloc_reset();
    assert_int_equal(ebm_session_use_team(other, team, NULL), EBM_OK);
    assert_int_equal(fail_alloc_count(), 0);
    ebm_session_free(s);
    ebm_session_free(other);
    ebm_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_gradient_of_a_tangled_graph),
        cmocka_unit_test(test_logp_of_an_image),
        cmocka_unit_test(test_team_same_bits),
        cmocka_unit_test(test_rounded_sets_near_ref),
        cmocka_unit_test(test_gradient_slots_are_reused),
        cmocka_unit_test(test_tangent_is_the_directional_derivative),
        cmocka_unit_test(test_no_memory_of_the_past),
        cmocka_unit_test(test_sessions_agree),
        cmocka_unit_test(test_announced_bytes),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_team_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
