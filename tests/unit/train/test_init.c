/* Initial weights: the limits of every kind of tensor. */
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
#include "init.h"
#include "random_net.h"

/* A network with new weights. */
typedef struct fresh {
    ebm_model *m;
    const ebm_graph_info *g;
    ebmt__spectral spectral;
    ebmt_state s;
} fresh;

static void init_fresh(fresh *f, const ebm_network_config *c)
{
    f->m = random_net(c, kernel_set("ref"), 1);
    f->g = ebm_model_describe(f->m)->graph;
    assert_int_equal(ebmt__spectral_init(f->g, &f->spectral, NULL), EBM_OK);
    const ebmt_state_sizes size = {.params = f->g->n_params, .spectral = f->spectral.n_u};
    assert_int_equal(ebmt_state_init(&size, &f->s, NULL), EBM_OK);
    ebmt__init_weights(f->g, &f->spectral, 5, &f->s);
}

static void clear_fresh(fresh *f)
{
    ebmt_state_clear(&f->s);
    ebmt__spectral_clear(&f->spectral);
    ebm_model_unref(f->m);
}

static double largest_of(const fresh *f, const ebm_tensor_info *t)
{
    double largest = 0.0;
    for (size_t i = 0; i < t->count; i++)
        largest = fmax(largest, fabs((double)f->s.params[t->offset + i]));
    return largest;
}

/* @eq Glorot uniform on [-limit, limit], limit = sqrt(6/(fan_in + fan_out)), taps in both fans; a
 *     second convolution, and what follows attention, 1e-5 of it. The largest of n >= 72 draws is
 * above 0.9 limit but for a chance of 0.9^72 = 5e-4; the seed is fixed. */
static void test_limits(void **state)
{
    const ebm_network_config c = small_network_of(2, EBM_ACT_LEAKY_RELU);
    fresh f;
    (void)state;
    init_fresh(&f, &c);
    for (int32_t k = 0; k < f.g->n_tensors; k++) {
        const ebm_tensor_info *t = &f.g->tensors[k];
        double taps = t->rank == 4 ? (double)(t->dim[2] * t->dim[3]) : 1.0, limit = 0.0,
               largest = largest_of(&f, t);
        if (t->rank >= 2)
            limit = sqrt(6.0 / (taps * (double)(t->dim[0] + t->dim[1])));
        if (strstr(t->name, "conv2") || strstr(t->name, "attention.proj"))
            limit *= 1e-5;
        if (strstr(t->name, "gain"))
            assert_close(largest, 1.0, 0.0);
        else
            assert_true(largest <= 1.0000001 * limit && largest >= 0.9 * limit);
    }
    assert_memory_equal(f.s.params, f.s.ema, f.g->n_params * sizeof *f.s.ema);
    clear_fresh(&f);
}

/* A network of squares: variance 1/(fan in), uniform; gains 0.3, and what follows attention, which
 * has none, 0.3 of that; biases 0. */
static void test_squares(void **state)
{
    const ebm_network_config c = small_network_of(3, EBM_ACT_SILU);
    fresh f;
    (void)state;
    init_fresh(&f, &c);
    for (int32_t k = 0; k < f.g->n_tensors; k++) {
        const ebm_tensor_info *t = &f.g->tensors[k];
        double limit = sqrt(3.0 * (double)t->dim[0] / (double)t->count);
        double largest = largest_of(&f, t);
        limit *= strstr(t->name, "attention.proj") ? 0.3 : 1.0;
        if (strstr(t->name, "gain"))
            assert_close(largest, 0.3, 1e-7);
        else if (t->rank == 1)
            assert_true(largest == 0.0);
        else
            assert_true(largest <= 1.0000001 * limit && largest >= 0.9 * limit);
    }
    clear_fresh(&f);
}

/* Weights are taken over from the same network alone: the first tensor that differs is named. */
static void test_start_from_another(void **state)
{
    const ebm_network_config with = small_network_of(2, EBM_ACT_LEAKY_RELU);
    const ebm_network_config without = small_network();
    fresh f, g;
    ebm_error err = {0};
    (void)state;
    init_fresh(&f, &with);
    init_fresh(&g, &without);
    float *used = calloc(f.g->n_params, sizeof *used);
    assert_non_null(used);
    assert_int_equal(ebmt__init_from(f.m, f.g, &f.spectral, used, &f.s, &err), EBM_OK);
    assert_int_equal(ebmt__init_from(g.m, f.g, &f.spectral, used, &f.s, &err), EBM_ERR_SHAPE);
    assert_string_equal(err.where, "levels.1.0.attention.q.weight");
    err = (ebm_error){0};
    assert_int_equal(ebmt__init_from(f.m, g.g, &g.spectral, used, &g.s, &err), EBM_ERR_SHAPE);
    assert_string_equal(err.where, "temb_out.weight"); /* where it has attention */
    free(used);
    clear_fresh(&f);
    clear_fresh(&g);
}

static const ebm_tensor_info *tensor_named(const ebm_graph_info *g, const char *name)
{
    for (int32_t k = 0; k < g->n_tensors; k++)
        if (strcmp(g->tensors[k].name, name) == 0)
            return &g->tensors[k];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* Points: ridges within 8 in the first layer, the head 0, so that net is 0 everywhere. */
static void test_plane(void **state)
{
    const ebm_network_config c = {.architecture = "mlp2d",
                                  .width = 1,
                                  .height = 1,
                                  .channels = 2,
                                  .ch = 64,
                                  .n_mult = 1,
                                  .ch_mult = {1},
                                  .num_res_blocks = 1,
                                  .activation = EBM_ACT_SILU};
    const char *const ridges[] = {"conv_in.weight", "conv_in.bias"};
    const float point[2] = {0.3f, -0.8f};
    ebm_session *session = NULL;
    fresh f;
    (void)state;
    init_fresh(&f, &c);
    for (int k = 0; k < 2; k++) { /* 64 draws: the largest is above 0.9 but for 0.9^64 = 1e-3 */
        const ebm_tensor_info *t = tensor_named(f.g, ridges[k]);
        double largest = largest_of(&f, t);
        assert_true(largest <= 8.0 && largest > 7.2);
    }
    ebm_model_set_params(f.m, f.s.params);
    assert_int_equal(ebm_session_create(f.m, NULL, &session, NULL), EBM_OK);
    for (int32_t t = 0; t < 6; t++)
        assert_true(ebm_session_net(session, point, t) == 0.0f);
    ebm_session_free(session);
    clear_fresh(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_squares),
        cmocka_unit_test(test_start_from_another),
        cmocka_unit_test(test_plane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
