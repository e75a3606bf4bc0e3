/* Gradients in the parameters: golden values of an independent float64 implementation, and central
 * differences through everything (gain, time embedding, spectral norm, gradient matching). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/memory.h"
#include "ebmt/grad.h"
#include "random_net.h"
#include "spectral.h"

#define DIM 64 /* pixels of small_network() */

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static float *floats(size_t n)
{
    float *p = ebm_alloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

/* A network whose parameters are moved along a direction. */
typedef struct rig {
    ebm_model *m;
    ebm_session *s;
    const ebm_graph_info *g;
    float *params, *direction, *moved, *grad;
} rig;

static rig make_rig(int which, ebm_act act, bool tangent)
{
    const ebm_session_options opt = {.tangent = tangent};
    const ebm_network_config c = small_network_of(which, act);
    rig r = {0};
    r.m = random_net(&c, kernel_set("ref"), 21);
    r.g = ebm_model_describe(r.m)->graph;
    r.params = floats(r.g->n_params);
    r.direction = floats(r.g->n_params);
    r.moved = floats(r.g->n_params);
    r.grad = floats(r.g->n_params);
    memcpy(r.params, ebm_model_params(r.m, 0), r.g->n_params * sizeof(float));
    assert_int_equal(ebm_session_create(r.m, &opt, &r.s, NULL), EBM_OK);
    return r;
}

static void free_rig(rig *r)
{
    ebm_session_free(r->s);
    ebm_model_unref(r->m);
    ebm_free(r->params);
    ebm_free(r->direction);
    ebm_free(r->moved);
    ebm_free(r->grad);
}

/* Moves one tensor (or all, with EBM_NONE) a step along a random direction. */
static void choose_direction(rig *r, int32_t tensor, uint32_t trial)
{
    random_floats(22, trial, r->g->n_params, r->direction);
    for (size_t i = 0; i < r->g->n_params; i++) {
        bool inside =
            tensor == EBM_NONE || (i >= r->g->tensors[tensor].offset &&
                                   i < r->g->tensors[tensor].offset + r->g->tensors[tensor].count);
        r->direction[i] *= inside ? 1.0f : 0.0f;
    }
}

static void move(rig *r, double h)
{
    for (size_t i = 0; i < r->g->n_params; i++)
        r->moved[i] = r->params[i] + (float)h * r->direction[i];
    ebm_model_set_params(r->m, r->moved);
}

/* Every tensor alone: d net / d params against central differences on a smooth network. */
static void check_each_tensor(int which)
{
    float x[DIM];
    const double h = 5e-3;
    rig r = make_rig(which, EBM_ACT_SILU, false);
    random_floats(23, 0, DIM, x);
    assert_int_equal(ebmt_parameter_gradient(r.s, x, 3, 1.0f, r.grad, NULL), EBM_OK);
    for (int32_t k = 0; k < r.g->n_tensors; k++) {
        choose_direction(&r, k, (uint32_t)k);
        move(&r, h);
        double up = (double)ebm_session_net(r.s, x, 3);
        move(&r, -h);
        double down = (double)ebm_session_net(r.s, x, 3);
        double exact = dot(r.direction, r.grad, r.g->n_params);
        double scale = sqrt(dot(r.direction, r.direction, r.g->n_params)) *
                       sqrt(dot(r.grad + r.g->tensors[k].offset, r.grad + r.g->tensors[k].offset,
                                r.g->tensors[k].count));
        assert_close((up - down) / (2.0 * h), exact, 5e-3 * scale + 2e-4);
    }
    free_rig(&r);
}

static void test_each_tensor_by_differences(void **state)
{
    (void)state;
    for (int which = 0; which < SMALL_NETWORKS; which++)
        check_each_tensor(which);
}

/* Weights of samples add up: the gradient accumulates, never assigns. */
static void test_gradients_accumulate(void **state)
{
    float x[2][DIM];
    rig r = make_rig(0, EBM_ACT_LEAKY_RELU, false);
    float *twice = floats(r.g->n_params), *parts = floats(r.g->n_params);
    (void)state;
    random_floats(23, 1, DIM, x[0]);
    random_floats(23, 2, DIM, x[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ebmt_parameter_gradient(r.s, x[i], i, i ? -0.5f : 2.0f, twice, NULL), 0);
        memset(r.grad, 0, r.g->n_params * sizeof(float));
        assert_int_equal(ebmt_parameter_gradient(r.s, x[i], i, 1.0f, r.grad, NULL), 0);
        for (size_t k = 0; k < r.g->n_params; k++)
            parts[k] += (i ? -0.5f : 2.0f) * r.grad[k];
    }
    assert_rel_l2(twice, parts, r.g->n_params, 1e-6);
    ebm_free(twice);
    ebm_free(parts);
    free_rig(&r);
}

/* Biases of +-20 over weak weights keep every activation on one side of its kink, half of them on
 * each: the network is then smooth in its parameters, with masks of both kinds. */
static void push_away_from_kinks(rig *r)
{
    for (int32_t k = 0; k < r->g->n_tensors; k++) {
        const ebm_tensor_info *t = &r->g->tensors[k];
        bool conv = strstr(t->name, "conv") || strstr(t->name, "shortcut");
        bool score = strstr(t->name, ".q.weight") || strstr(t->name, ".k.weight");
        for (size_t i = 0; conv && i < t->count; i++)
            r->params[t->offset + i] *= t->rank == 1 ? 0.0f : 0.05f;
        for (size_t i = 0; conv && t->rank == 1 && i < t->count; i++)
            r->params[t->offset + i] = i % 2 ? 20.0f : -20.0f;
        for (size_t i = 0; score && i < t->count; i++)
            r->params[t->offset + i] *= 0.05f; /* a softmax between one and all pixels */
    }
    ebm_model_set_params(r->m, r->params);
}

/* d <v, grad_x net> / d params against central differences of the directional derivative. */
static void check_matching(int which)
{
    float x[DIM], v[DIM], gx[DIM];
    const double h = 1e-3; /* a softmax of large scores bends within 2e-3 */
    rig r = make_rig(which, EBM_ACT_LEAKY_RELU, true);
    ebmt_grads sums;
    push_away_from_kinks(&r);
    random_floats(24, 0, DIM, x);
    random_floats(24, 1, DIM, v);
    assert_int_equal(ebmt_grads_init(r.g, 6, &sums, NULL), EBM_OK);
    ebm_session_gradient(r.s, x, 2, gx);
    ebm_session_tangent(r.s, v);
    ebmt_grads_backward_tangent(&sums, r.s, 1.0f);
    assert_int_equal(ebmt_grads_finish(&sums, r.params, r.grad, NULL), EBM_OK);
    for (uint32_t trial = 0; trial < 8; trial++) {
        double side[2];
        choose_direction(&r, EBM_NONE, 100 + trial);
        for (int k = 0; k < 2; k++) {
            move(&r, k ? h : -h);
            ebm_session_gradient(r.s, x, 2, gx);
            side[k] = dot(v, gx, DIM);
        }
        double exact = dot(r.direction, r.grad, r.g->n_params);
        double scale =
            sqrt(dot(r.grad, r.grad, r.g->n_params) * dot(r.direction, r.direction, r.g->n_params));
        assert_close((side[1] - side[0]) / (2.0 * h), exact, 1e-4 * scale);
    }
    ebmt_grads_clear(&sums);
    free_rig(&r);
}

static void test_matching_gradient_by_differences(void **state)
{
    (void)state;
    for (int which = 0; which < SMALL_NETWORKS; which++)
        check_matching(which);
}

/* The same with a smooth activation, each tensor alone: biases, gains and the time embedding now
 * have a part in the slope through the curvature of the activation. */
static void check_smooth_matching(int which)
{
    float x[DIM], v[DIM], gx[DIM];
    const double h = 4e-3;
    rig r = make_rig(which, EBM_ACT_SILU, true);
    ebmt_grads sums;
    random_floats(24, 2, DIM, x);
    random_floats(24, 3, DIM, v);
    assert_int_equal(ebmt_grads_init(r.g, 6, &sums, NULL), EBM_OK);
    ebm_session_gradient(r.s, x, 2, gx);
    assert_close((double)ebm_session_tangent(r.s, v), dot(v, gx, DIM), 1e-4);
    ebmt_grads_backward_tangent(&sums, r.s, 1.0f);
    assert_int_equal(ebmt_grads_finish(&sums, r.params, r.grad, NULL), EBM_OK);
    for (int32_t k = 0; k < r.g->n_tensors; k++) {
        const float *part = r.grad + r.g->tensors[k].offset;
        double side[2];
        choose_direction(&r, k, 200 + (uint32_t)k);
        for (int j = 0; j < 2; j++) {
            move(&r, j ? h : -h);
            ebm_session_gradient(r.s, x, 2, gx);
            side[j] = dot(v, gx, DIM);
        }
        double scale = sqrt(dot(part, part, r.g->tensors[k].count) *
                            dot(r.direction, r.direction, r.g->n_params));
        assert_close((side[1] - side[0]) / (2.0 * h), dot(r.direction, r.grad, r.g->n_params),
                     5e-3 * scale + 5e-4);
    }
    ebmt_grads_clear(&sums);
    free_rig(&r);
}

static void test_smooth_matching_gradient_by_differences(void **state)
{
    (void)state;
    for (int which = 0; which < SMALL_NETWORKS; which++)
        check_smooth_matching(which);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_tensor_by_differences),
        cmocka_unit_test(test_gradients_accumulate),
        cmocka_unit_test(test_matching_gradient_by_differences),
        cmocka_unit_test(test_smooth_matching_gradient_by_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
