/* Spectral normalisation: norms of known matrices, the lower-bound variant, and its gradient. */
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
#include "random_net.h"
#include "spectral.h"

typedef struct rig {
    ebm_model *m;
    const ebm_graph_info *g;
    ebmt__spectral s;
    float *params, *u, *used, *grad;
} rig;

static float *floats(size_t n)
{
    float *p = ebm_alloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

static rig make_rig(void)
{
    const ebm_network_config c = small_network_of(2, EBM_ACT_LEAKY_RELU);
    rig r = {0};
    r.m = random_net(&c, kernel_set("ref"), 31);
    r.g = ebm_model_describe(r.m)->graph;
    assert_int_equal(ebmt__spectral_init(r.g, &r.s, NULL), EBM_OK);
    r.params = floats(r.g->n_params);
    r.used = floats(r.g->n_params);
    r.grad = floats(r.g->n_params);
    r.u = floats(r.s.n_u);
    memcpy(r.params, ebm_model_params(r.m, 0), r.g->n_params * sizeof(float));
    random_floats(32, 0, r.s.n_u, r.u);
    return r;
}

static void free_rig(rig *r)
{
    ebmt__spectral_clear(&r->s);
    ebm_model_unref(r->m);
    ebm_free(r->params);
    ebm_free(r->used);
    ebm_free(r->grad);
    ebm_free(r->u);
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Which tensors: every convolution and dense layer but the head's. */
static void test_which_tensors(void **state)
{
    rig r = make_rig();
    int32_t wide = 0;
    (void)state;
    for (int32_t i = 0; i < r.g->n_tensors; i++)
        wide += r.g->tensors[i].rank >= 2;
    assert_int_equal(r.s.n, wide - 1);
    for (int32_t k = 0; k < r.s.n; k++) {
        const char *name = r.g->tensors[r.s.row[k].tensor].name;
        assert_string_not_equal(name, "temb_out.weight");
        assert_int_equal(r.s.row[k].lower_bound,
                         strstr(name, "conv2.weight") || strstr(name, "attention.proj.weight"));
    }
    free_rig(&r);
}

/* A matrix s0 a b^T + s1 c d^T with orthonormal vectors has norm s0. */
static void test_known_norm(void **state)
{
    rig r = make_rig();
    (void)state;
    for (int32_t k = 0; k < r.s.n; k++) {
        const ebmt__spectral_row *row = &r.s.row[k];
        float *w = r.params + r.g->tensors[row->tensor].offset;
        memset(w, 0, row->rows * row->cols * sizeof *w);
        w[0] = 3.0f;             /* e0 e0^T */
        w[row->cols + 1] = 1.5f; /* e1 e1^T */
    }
    ebmt__spectral_apply(&r.s, r.g, 60, r.params, r.u, r.used);
    for (int32_t k = 0; k < r.s.n; k++) {
        assert_close(r.s.sigma[k], 3.0, 1e-5);
        assert_close((double)r.used[r.g->tensors[r.s.row[k].tensor].offset], 1.0, 1e-5);
    }
    free_rig(&r);
}

/* What ends a branch is never amplified, everything else is brought to norm 1. */
static void test_lower_bound(void **state)
{
    rig r = make_rig();
    (void)state;
    for (size_t i = 0; i < r.g->n_params; i++)
        r.params[i] *= 1e-3f;
    ebmt__spectral_apply(&r.s, r.g, 60, r.params, r.u, r.used);
    for (int32_t k = 0; k < r.s.n; k++) {
        const ebmt__spectral_row *row = &r.s.row[k];
        size_t at = r.g->tensors[row->tensor].offset, n = row->rows * row->cols;
        double before = dot(r.params + at, r.params + at, n),
               after = dot(r.used + at, r.used + at, n);
        if (row->lower_bound)
            assert_true(after == before);
        else
            assert_close(sqrt(after / before) * r.s.sigma[k], 1.0, 1e-5);
    }
    free_rig(&r);
}

/* @eq d <G, used(W)> / dW by central differences; power iteration has converged, so that holding u
 *     and v constant is exact to first order. */
static void test_gradient_by_differences(void **state)
{
    const double h = 1e-3;
    rig r = make_rig();
    float *direction = floats(r.g->n_params), *moved = floats(r.g->n_params);
    float *g = floats(r.g->n_params), *u = floats(r.s.n_u);
    (void)state;
    random_floats(33, 0, r.g->n_params, g);
    ebmt__spectral_apply(&r.s, r.g, 300, r.params, r.u, r.used);
    memcpy(r.grad, g, r.g->n_params * sizeof *g);
    ebmt__spectral_gradient(&r.s, r.g, r.params, r.u, r.grad);
    for (uint32_t trial = 1; trial <= 4; trial++) {
        double side[2];
        random_floats(33, trial, r.g->n_params, direction);
        for (int k = 0; k < 2; k++) {
            for (size_t i = 0; i < r.g->n_params; i++)
                moved[i] = r.params[i] + (float)(k ? h : -h) * direction[i];
            memcpy(u, r.u, r.s.n_u * sizeof *u);
            ebmt__spectral_apply(&r.s, r.g, 300, moved, u, r.used);
            side[k] = dot(g, r.used, r.g->n_params);
        }
        double scale =
            sqrt(dot(r.grad, r.grad, r.g->n_params) * dot(direction, direction, r.g->n_params));
        assert_close((side[1] - side[0]) / (2.0 * h), dot(direction, r.grad, r.g->n_params),
                     1e-3 * scale);
    }
    ebm_free(direction);
    ebm_free(moved);
    ebm_free(g);
    ebm_free(u);
    free_rig(&r);
}

/* A normalised tensor does not change when its raw weights grow: the gradient has no part along
 * them, also when the gradient in the used weights points right there. */
static void test_gradient_is_orthogonal_to_the_weights(void **state)
{
    rig r = make_rig();
    (void)state;
    ebmt__spectral_apply(&r.s, r.g, 300, r.params, r.u, r.used);
    memcpy(r.grad, r.params, r.g->n_params * sizeof *r.grad);
    ebmt__spectral_gradient(&r.s, r.g, r.params, r.u, r.grad);
    for (int32_t k = 0; k < r.s.n; k++) {
        const ebmt__spectral_row *row = &r.s.row[k];
        size_t at = r.g->tensors[row->tensor].offset, n = row->rows * row->cols;
        if (!row->lower_bound || r.s.sigma[k] > 1.0)
            assert_close(dot(r.grad + at, r.params + at, n), 0.0,
                         1e-4 * dot(r.params + at, r.params + at, n));
    }
    free_rig(&r);
}

/* No iterations: weights and gradients as they are. */
static void test_off(void **state)
{
    const ebm_network_config c = small_network();
    ebm_model *m = random_net(&c, kernel_set("ref"), 5);
    const ebm_graph_info *g = ebm_model_describe(m)->graph;
    const float *params = ebm_model_params(m, 0);
    ebmt__spectral s;
    (void)state;
    assert_int_equal(ebmt__spectral_init(g, &s, NULL), EBM_OK);
    float *u = ebm_alloc(s.n_u, sizeof *u), *used = ebm_alloc(g->n_params, sizeof *used);
    assert_true(u && used);
    random_floats(6, 0, s.n_u, u);
    ebmt__spectral_apply(&s, g, 0, params, u, used);
    assert_memory_equal(used, params, g->n_params * sizeof *used);
    ebmt__spectral_gradient(&s, g, params, u, used);
    assert_memory_equal(used, params, g->n_params * sizeof *used);
    ebm_free(u);
    ebm_free(used);
    ebmt__spectral_clear(&s);
    ebm_model_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_which_tensors),
        cmocka_unit_test(test_known_norm),
        cmocka_unit_test(test_lower_bound),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_gradient_is_orthogonal_to_the_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
