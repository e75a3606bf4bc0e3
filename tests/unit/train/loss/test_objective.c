/* The terms of the objective: their values by hand, their gradients against the parts they are
 * made of, and the negative chain against the sampler. */
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
#include "ebm/rng.h"
#include "ebm/sampler.h"
#include "loss/acceptance.h"
#include "loss/objective.h"
#include "random_net.h"

enum { DIM = 64 };

typedef struct rig {
    ebm_model *m;
    ebm_session *s;
    const ebm_graph_info *g;
    const ebm_levels *levels;
    ebm_levels normal; /* the same noise, every transition normal */
    ebmt_grads grads;
    float *got, *want;
    float clean[DIM], y_plus[DIM], x_next[DIM], y_minus[DIM], work[4 * DIM];
    ebmt__pair pair;
} rig;

static rig *make_rig_of(ebm_act activation)
{
    const ebm_session_options opt = {.tangent = true};
    ebm_network_config c = small_network();
    c.activation = activation;
    rig *r = ebm_alloc(1, sizeof *r);
    assert_non_null(r);
    r->m = random_net(&c, kernel_set("ref"), 41);
    assert_int_equal(ebm_levels_copy(ebm_model_describe(r->m)->levels, &r->normal, NULL), EBM_OK);
    ebm_levels_use_normal(&r->normal);
    r->g = ebm_model_describe(r->m)->graph;
    r->levels = ebm_model_describe(r->m)->levels;
    assert_int_equal(ebm_session_create(r->m, &opt, &r->s, NULL), EBM_OK);
    assert_int_equal(ebmt_grads_init(r->g, 6, &r->grads, NULL), EBM_OK);
    r->got = ebm_alloc(r->g->n_params, sizeof *r->got);
    r->want = ebm_alloc(r->g->n_params, sizeof *r->want);
    assert_true(r->got && r->want);
    random_floats(42, 0, DIM, r->clean);
    random_floats(42, 1, DIM, r->y_plus);
    random_floats(42, 2, DIM, r->x_next);
    random_floats(42, 3, DIM, r->y_minus);
    r->pair = (ebmt__pair){.level = 2,
                           .mix = 0.25,
                           .clean = r->clean,
                           .y_plus = r->y_plus,
                           .x_next = r->x_next,
                           .y_minus = r->y_minus};
    return r;
}

static rig *make_rig(void)
{
    return make_rig_of(EBM_ACT_LEAKY_RELU);
}

static void free_rig(rig *r)
{
    ebm_levels_clear(&r->normal);
    ebmt_grads_clear(&r->grads);
    ebm_session_free(r->s);
    ebm_model_unref(r->m);
    ebm_free(r->got);
    ebm_free(r->want);
    ebm_free(r);
}

/* loss = net(y-) - net(y+); its gradient is weight times the difference of two gradients. */
static void test_recovery_term(void **state)
{
    rig *r = make_rig();
    double gap, weight = 0.7;
    (void)state;
    double loss = ebmt__recovery_term(r->s, &r->pair, weight, &r->grads, &gap);
    double minus = (double)ebm_session_net(r->s, r->y_minus, 2);
    double plus = (double)ebm_session_net(r->s, r->y_plus, 2);
    assert_close(loss, minus - plus, 1e-12);
    assert_close(gap, plus - minus, 1e-12);
    assert_int_equal(ebmt_grads_finish(&r->grads, ebm_model_params(r->m, 0), r->got, NULL), EBM_OK);
    assert_int_equal(ebmt_parameter_gradient(r->s, r->y_minus, 2, (float)weight, r->want, NULL), 0);
    assert_int_equal(ebmt_parameter_gradient(r->s, r->y_plus, 2, (float)-weight, r->want, NULL), 0);
    assert_rel_l2(r->got, r->want, r->g->n_params, 1e-5);
    free_rig(r);
}

/* The negative is K_t steps of the sampler from x_next, with exact noise. */
static void test_negative_is_the_samplers_chain(void **state)
{
    rig *r = make_rig();
    (void)state;
    for (int32_t t = 0; t < 6; t++) {
        float y[DIM], anchor[DIM], work[2 * DIM];
        const ebm_langevin how = {.noise_scale = 1.0};
        const ebm_density density = ebm_density_of_session(r->s);
        ebm_chain chain = {.seed = 77, .index = 5, .level = t, .y = y, .anchor = anchor};
        memcpy(y, r->x_next, sizeof y);
        memcpy(anchor, r->x_next, sizeof anchor);
        assert_int_equal(ebm_chain_advance(&chain, &density, r->levels, &how, 30, work, NULL),
                         EBM_OK);
        r->pair.level = t;
        ebmt__negative(r->s, r->levels, 77, 5, &r->pair, r->work);
        for (int i = 0; i < DIM; i++)
            y[i] *= (float)r->levels->scale[t];
        assert_rel_l2(r->y_minus, y, DIM, 1e-6);
    }
    free_rig(r);
}

/* What it says of its moves is what the places say between which the sampler moves. */
static void test_moves_are_judged(void **state)
{
    rig *r = make_rig();
    const int32_t t = 2, steps = r->levels->steps[t];
    const ebm_langevin how = {.noise_scale = 1.0};
    const ebm_density density = ebm_density_of_session(r->s);
    float at[2][DIM], grad[2][DIM], anchor[DIM], work[2 * DIM];
    ebmt__stand stand[2];
    double accepted = 0.0;
    (void)state;
    memcpy(at[0], r->x_next, sizeof at[0]);
    memcpy(anchor, r->x_next, sizeof anchor);
    for (int32_t k = 0; k < steps; k++) {
        float *here = at[k % 2], *next = at[(k + 1) % 2];
        ebm_chain chain = {
            .seed = 77, .index = 5, .level = t, .step = k, .y = next, .anchor = anchor};
        double net = (double)ebm_session_gradient(r->s, here, t, grad[k % 2]);
        stand[k % 2] = (ebmt__stand){here, grad[k % 2], net};
        if (k > 0)
            accepted +=
                ebmt__acceptance(r->levels, t, DIM, r->x_next, &stand[(k + 1) % 2], &stand[k % 2]);
        memcpy(next, here, sizeof at[0]);
        assert_int_equal(ebm_chain_advance(&chain, &density, r->levels, &how, 1, work, NULL),
                         EBM_OK);
    }
    r->pair.level = t;
    const ebmt__moves moves = ebmt__negative(r->s, r->levels, 77, 5, &r->pair, r->work);
    assert_int_equal(moves.n, steps - 1);
    assert_close(moves.accepted, accepted, 1e-3);
    assert_true(accepted > 0.0 && accepted < steps - 1);
    free_rig(r);
}

/* A normal transition draws its negative once. */
static void test_normal_negative(void **state)
{
    rig *r = make_rig();
    float grad[DIM], noise[DIM];
    const ebm_stream stream = {.seed = 77, .purpose = EBM_PURPOSE_LANGEVIN, .chain = 5, .level = 2};
    (void)state;
    ebmt__negative(r->s, &r->normal, 77, 5, &r->pair, r->work);
    ebm_session_gradient(r->s, r->x_next, 2, grad);
    ebm_rng_normal(&stream, 0, DIM, noise);
    for (int i = 0; i < DIM; i++)
        noise[i] = r->x_next[i] + grad[i] + (float)r->normal.sigma[3] * noise[i];
    assert_rel_l2(r->y_minus, noise, DIM, 1e-6);
    free_rig(r);
}

/* With a normal transition the gradient of f at x_{t+1} is asked to be the score of x_{t+1}:
 * (m - x_{t+1})/(v + sigma^2), the same number as the variance of x_{t+1} around m. */
static void test_matching_of_normal_transitions(void **state)
{
    rig *r = make_rig();
    const ebm_levels *l = &r->normal;
    float grad[DIM];
    double noise = l->scale[2] * l->sbar[2], sigma = l->sigma[3], sum = 0.0;
    double variance = noise * noise + sigma * sigma;
    (void)state;
    double loss = ebmt__matching_term(r->s, l, &r->pair, 0.1, &r->grads, r->work);
    ebm_session_gradient(r->s, r->x_next, 2, grad);
    for (int i = 0; i < DIM; i++) {
        double mean = l->scale[2] * l->abar[2] * (double)r->clean[i];
        double score = (mean - (double)r->x_next[i]) / variance;
        sum += pow((double)grad[i] / l->step2[2] - score, 2);
    }
    assert_close(loss / (sum / DIM * variance), 1.0, 1e-4);
    assert_close(l->sbar[3] * l->sbar[3], variance, 1e-9);
    free_rig(r);
}

/* The loss worked out from the gradient in the image; no mixing at the top. */
static void test_matching_loss_by_hand(void **state)
{
    rig *r = make_rig();
    (void)state;
    for (int32_t t = 0; t < 6; t++) {
        const ebm_levels *l = r->levels;
        double noise = l->scale[t] * l->sbar[t], sigma = l->sigma[t + 1];
        double c = l->step2[t] / (2.0 * noise * noise), q = t == 5 ? 0.0 : 0.25, sum = 0.0;
        float z[DIM], grad[DIM];
        r->pair.level = t;
        double loss = ebmt__matching_term(r->s, l, &r->pair, 0.1, &r->grads, r->work);
        for (int i = 0; i < DIM; i++)
            z[i] = (float)((1.0 - q) * (double)r->y_plus[i] + q * (double)r->x_next[i]);
        ebm_session_gradient(r->s, z, t, grad);
        for (int i = 0; i < DIM; i++) {
            double target = c * (l->scale[t] * l->abar[t] * (double)r->clean[i] - (double)z[i]);
            sum += pow(0.5 * (double)grad[i] - target, 2);
        }
        assert_close(loss / (sum / (DIM * c * c * (noise * noise + sigma * sigma))), 1.0, 1e-4);
    }
    free_rig(r);
}

/* A step against the gradient of the matching term makes it smaller, by what the gradient says. */
static void test_matching_gradient_descends(void **state)
{
    rig *r = make_rig();
    size_t n = r->g->n_params;
    double square = 0.0;
    (void)state;
    memcpy(r->want, ebm_model_params(r->m, 0), n * sizeof *r->want);
    double before = ebmt__matching_term(r->s, r->levels, &r->pair, 1.0, &r->grads, r->work);
    assert_int_equal(ebmt_grads_finish(&r->grads, r->want, r->got, NULL), EBM_OK);
    for (size_t i = 0; i < n; i++)
        square += (double)r->got[i] * (double)r->got[i];
    double step = 1e-3 * before / square; /* a thousandth of the loss, if it were linear */
    for (size_t i = 0; i < n; i++)
        r->want[i] -= (float)step * r->got[i];
    ebm_model_set_params(r->m, r->want);
    double after = ebmt__matching_term(r->s, r->levels, &r->pair, 1.0, &r->grads, r->work);
    assert_close((before - after) / before, 1e-3, 2e-4);
    free_rig(r);
}

/* The matching loss with the model's parameters moved along a direction of unit length. */
static double loss_moved(rig *r, const float *params, double step, const float *direction)
{
    for (size_t i = 0; i < r->g->n_params; i++)
        r->want[i] = params[i] + (float)step * direction[i];
    ebm_model_set_params(r->m, r->want);
    return ebmt__matching_term(r->s, r->levels, &r->pair, 1.0, &r->grads, r->work);
}

/* A smooth network: the gradient against central differences of the loss in the weights, along
 * directions near it; biases and time terms take part, which the tangent pass leaves out. Both
 * differences are good to some 1e-3 in float32. */
static void test_matching_gradient_of_smooth_networks(void **state)
{
    rig *r = make_rig_of(EBM_ACT_SILU);
    size_t n = r->g->n_params;
    float *direction = ebm_alloc(2 * n, sizeof *direction), *params = direction + n;
    const double h = 2e-3;
    (void)state;
    assert_non_null(direction);
    memcpy(params, ebm_model_params(r->m, 0), n * sizeof *params);
    ebmt__matching_term(r->s, r->levels, &r->pair, 1.0, &r->grads, r->work);
    assert_int_equal(ebmt_grads_finish(&r->grads, params, r->got, NULL), EBM_OK);
    for (uint32_t k = 0; k < 4; k++) {
        double along = 0.0, square = 0.0;
        random_floats(43, k, n, direction);
        for (size_t i = 0; i < n; i++) {
            direction[i] = 0.01f * direction[i] + r->got[i];
            square += (double)direction[i] * (double)direction[i];
        }
        for (size_t i = 0; i < n; i++) {
            direction[i] *= (float)(1.0 / sqrt(square));
            along += (double)direction[i] * (double)r->got[i];
        }
        double rise = loss_moved(r, params, h, direction) - loss_moved(r, params, -h, direction);
        assert_close(rise / (2.0 * h) / along, 1.0, 1e-2);
    }
    ebm_free(direction);
    free_rig(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recovery_term),
        cmocka_unit_test(test_negative_is_the_samplers_chain),
        cmocka_unit_test(test_moves_are_judged),
        cmocka_unit_test(test_normal_negative),
        cmocka_unit_test(test_matching_of_normal_transitions),
        cmocka_unit_test(test_matching_loss_by_hand),
        cmocka_unit_test(test_matching_gradient_descends),
        cmocka_unit_test(test_matching_gradient_of_smooth_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
