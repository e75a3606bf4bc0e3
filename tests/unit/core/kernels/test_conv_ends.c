/* What convolutions do beside the product, on every set: activation, gate, residual and rounding of
 * the result, zeros around it, and its division among a team. */
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
#include "kernel_rig.h"

/* The ends of a convolution: activated = act(y), and dx (+)= act'(x) W^T dy. */
static void check_ends(const ebm_kernels *k)
{
    const ebm_conv_shape *s = &rig_shapes[1];
    const ebm_map_shape in = input_shape(s), out = output_shape(s);
    rig r = make_rig(k, s);
    float *x = randoms(4, in_size(s)), *dy = randoms(5, out_size(s));
    float *mx = as_value(k, in, x), *mo = as_operand(k, in, x), *mdy = as_operand(k, out, dy);
    float *my = used_value(k, out), *ma = used_operand(k, out), *mxa = used_operand(k, in);
    float *plain = floats(in_size(s)), *a = floats(out_size(s)), *b = floats(out_size(s));
    float *dx = floats(in_size(s)), *sum = floats(in_size(s));
    rig_backward_data(&r, dy, plain);
    for (size_t i = 1; i < rig_act_count; i++) {
        const ebm_activation act = act_of(rig_acts[i]);
        const ebm_conv_result result = {.bias = r.bias, .y = my, .act = act, .activated = ma};
        float *mdx = used_operand(k, in);
        ebm_conv_gradient gradient = {.gate = {.act = act, .x = mx, .activated = mxa}, .dx = mdx};
        k->act_forward(act, &in, mx, mxa, EBM_ALONE);
        k->conv_forward(s, r.packed, mo, &result, r.scratch, EBM_ALONE);
        from_value(k, out, my, b);
        k->operand_store(&out, ma, a);
        for (size_t j = 0; j < out_size(s); j++)
            b[j] = (float)act_value(rig_acts[i], b[j]);
        assert_rel_l2(a, b, out_size(s), 2.0 * precision(k));
        k->conv_backward_data(s, r.packed, mdy, &gradient, r.scratch, EBM_ALONE);
        k->operand_store(&in, mdx, dx);
        for (size_t j = 0; j < in_size(s); j++)
            sum[j] = plain[j] * act_slope(rig_acts[i], x[j]);
        assert_rel_l2(dx, sum, in_size(s), 1e-6 + 2.0 * precision(k));
        gradient.accumulate = true; /* onto what is there: twice as much */
        k->conv_backward_data(s, r.packed, mdy, &gradient, r.scratch, EBM_ALONE);
        k->operand_store(&in, mdx, dx);
        for (size_t j = 0; j < in_size(s); j++)
            sum[j] *= 2.0f;
        assert_rel_l2(dx, sum, in_size(s), 1e-6 + 2.0 * precision(k));
        ebm_free(mdx);
    }
    float *all[] = {x, dy, mx, mo, mdy, my, ma, mxa, plain, a, b, dx, sum};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ebm_free(all[i]);
    free_rig(&r);
}

/* A team's members together write what one alone writes, byte for byte, padding included. */
static void check_team_of(const ebm_kernels *k, const ebm_conv_shape *s, int32_t count)
{
    const ebm_map_shape in = input_shape(s), out = output_shape(s);
    rig r = make_rig(k, s);
    float *x = randoms(4, in_size(s)), *mx = as_operand(k, in, x), *vx = as_value(k, in, x);
    float *y[2] = {used_value(k, out), used_value(k, out)};
    float *a[2] = {used_operand(k, out), used_operand(k, out)};
    float *dx[2] = {used_operand(k, in), used_operand(k, in)};
    for (int team = 0; team < 2; team++) {
        const ebm_conv_result result = {
            .bias = r.bias, .y = y[team], .act = act_of(EBM_ACT_SILU), .activated = a[team]};
        const ebm_conv_gradient gradient = {
            .gate = {.act = act_of(EBM_ACT_LEAKY_RELU), .x = vx, .activated = mx}, .dx = dx[team]};
        int32_t members = team ? count : 1;
        for (int32_t m = members - 1; m >= 0; m--)
            k->conv_forward(s, r.packed, mx, &result, r.scratch,
                            (ebm_share){.index = m, .count = members});
        for (int32_t m = members - 1; m >= 0; m--)
            k->conv_backward_data(s, r.packed, a[team], &gradient, r.scratch,
                                  (ebm_share){.index = m, .count = members});
    }
    assert_memory_equal(y[0], y[1], k->value_floats(&out) * sizeof(float));
    assert_memory_equal(a[0], a[1], k->operand_floats(&out) * sizeof(float));
    assert_memory_equal(dx[0], dx[1], k->operand_floats(&in) * sizeof(float));
    float *all[] = {x, mx, vx, y[0], y[1], a[0], a[1], dx[0], dx[1]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ebm_free(all[i]);
    free_rig(&r);
}

static void check_shares(const ebm_kernels *k)
{
    for (size_t i = 0; i < rig_shape_count; i++)
        for (int32_t count = 2; count < 6; count++)
            check_team_of(k, &rig_shapes[i], count);
}

/* Padding is zero in whatever a kernel makes, also when it lies in used memory: a map that was
 * computed is byte for byte the one that its image makes when loaded. */
static void check_padding(const ebm_kernels *k)
{
    for (size_t i = 0; i < rig_shape_count; i++) {
        const ebm_conv_shape *s = &rig_shapes[i];
        const ebm_map_shape in = input_shape(s), out = output_shape(s);
        rig r = make_rig(k, s);
        float *x = randoms(4, in_size(s)), *mx = as_operand(k, in, x), *y = floats(out_size(s));
        float *my = used_value(k, out), *ma = used_operand(k, out), *mdx = used_operand(k, in);
        const ebm_conv_result result = {.bias = r.bias, .y = my, .activated = ma};
        const ebm_conv_gradient gradient = {.dx = mdx};
        k->conv_forward(s, r.packed, mx, &result, r.scratch, EBM_ALONE);
        k->operand_store(&out, ma, y);
        float *again = as_operand(k, out, y);
        assert_memory_equal(ma, again, k->operand_floats(&out) * sizeof *ma);
        ebm_free(again);
        again = floats(k->operand_floats(&out)); /* the value map, by way of an operand map */
        k->act_forward(act_of(EBM_ACT_NONE), &out, my, again, EBM_ALONE);
        assert_memory_equal(ma, again, k->operand_floats(&out) * sizeof *ma);
        ebm_free(again);
        k->conv_backward_data(s, r.packed, ma, &gradient, r.scratch, EBM_ALONE);
        k->operand_store(&in, mdx, x);
        again = as_operand(k, in, x);
        assert_memory_equal(mdx, again, k->operand_floats(&in) * sizeof *mdx);
        float *all[] = {x, mx, y, my, ma, mdx, again};
        for (size_t j = 0; j < sizeof all / sizeof all[0]; j++)
            ebm_free(all[j]);
        free_rig(&r);
    }
}

static void test_padding(void **state)
{
    (void)state;
    for_each_set(check_padding);
}

static void test_ends(void **state)
{
    (void)state;
    for_each_set(check_ends);
}

static void test_shares(void **state)
{
    (void)state;
    for_each_set(check_shares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
