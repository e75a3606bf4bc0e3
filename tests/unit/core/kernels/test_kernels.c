/* Every kernel set by identities: a convolution is linear, its data gradient is its adjoint, its
 * weight gradient is the adjoint in the weights, and a shifted delta shifts the image. Two sets are
 * compared only where they promise the same bits. */
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
#include "random_net.h"

/* <W x, y> = <x, W^T y> */
static void check_adjoint(const ebm_kernels *k)
{
    for (size_t i = 0; i < rig_shape_count; i++) {
        const ebm_conv_shape *s = &rig_shapes[i];
        rig r = make_rig(k, s);
        float *x = randoms(4, in_size(s)), *y = randoms(5, out_size(s));
        float *wx = floats(out_size(s)), *wty = floats(in_size(s));
        rig_forward(&r, r.zeros, x, NULL, wx);
        rig_backward_data(&r, y, wty);
        assert_close(dot(wx, y, out_size(s)), dot(x, wty, in_size(s)),
                     2.0 * precision(k) * norm(wx, out_size(s)) * norm(y, out_size(s)));
        ebm_free(x);
        ebm_free(y);
        ebm_free(wx);
        ebm_free(wty);
        free_rig(&r);
    }
}

/* <dW, V> = <dy, V*x> for any V: the gradient in the weights is the adjoint of V -> V*x. */
static void check_weight_gradient(const ebm_kernels *k)
{
    for (size_t i = 0; i < rig_shape_count; i++) {
        const ebm_conv_shape *s = &rig_shapes[i];
        rig r = make_rig(k, s);
        float *x = randoms(4, in_size(s)), *dy = randoms(5, out_size(s));
        float *dw = randoms(6, weight_size(s)), *vx = floats(out_size(s));
        double before = dot(dw, r.w, weight_size(s));
        rig_backward_weights(&r, x, dy, dw);
        k->conv_pack(s, r.w, NULL, r.packed);
        rig_forward(&r, r.zeros, x, NULL, vx);
        assert_close(dot(dw, r.w, weight_size(s)) - before, dot(dy, vx, out_size(s)),
                     2.0 * precision(k) * norm(dw, weight_size(s)) * norm(r.w, weight_size(s)));
        ebm_free(x);
        ebm_free(dy);
        ebm_free(dw);
        ebm_free(vx);
        free_rig(&r);
    }
}

/* W(2x) + bias + r = 2 Wx + bias + r; and gain g is the same as weights multiplied by g. */
static void check_affine(const ebm_kernels *k)
{
    for (size_t i = 0; i < rig_shape_count; i++) {
        const ebm_conv_shape *s = &rig_shapes[i];
        rig r = make_rig(k, s);
        size_t pixels = (size_t)(s->h * s->w);
        float *x = randoms(4, in_size(s)), *residual = randoms(5, out_size(s));
        float *plain = floats(out_size(s)), *full = floats(out_size(s));
        for (size_t j = 0; j < weight_size(s); j++)
            r.w[j] *= r.gain[j / (weight_size(s) / (size_t)s->c_out)];
        rig_forward(&r, r.bias, x, residual, full);
        k->conv_pack(s, r.w, NULL, r.packed);
        for (size_t j = 0; j < in_size(s); j++)
            x[j] *= 2.0f;
        rig_forward(&r, r.zeros, x, NULL, plain);
        for (size_t j = 0; j < out_size(s); j++)
            plain[j] = 0.5f * plain[j] + r.bias[j / pixels] + residual[j];
        assert_rel_l2(full, plain, out_size(s), precision(k));
        ebm_free(x);
        ebm_free(residual);
        ebm_free(plain);
        ebm_free(full);
        free_rig(&r);
    }
}

/* A kernel that is 1 at one tap and 0 elsewhere moves the image by that tap's offset. */
static void check_shift(const ebm_kernels *k)
{
    const ebm_conv_shape s = {1, 1, 6, 5, 3};
    rig r = make_rig(k, &s);
    float *x = randoms(7, 30), *y = floats(30);
    for (int tap = 0; tap < 9; tap++) {
        float w[9] = {0};
        w[tap] = 1.0f;
        k->conv_pack(&s, w, NULL, r.packed);
        rig_forward(&r, r.zeros, x, NULL, y);
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 5; j++) {
                int row = i + tap / 3 - 1, col = j + tap % 3 - 1;
                bool inside = row >= 0 && row < 6 && col >= 0 && col < 5;
                assert_true(y[i * 5 + j] == (inside ? x[row * 5 + col] : 0.0f));
            }
    }
    ebm_free(x);
    ebm_free(y);
    free_rig(&r);
}

/* The same with many channels, each the shifted next one. Tiles end inside the image. */
static void check_shift_channels(const ebm_kernels *k)
{
    const ebm_conv_shape s = {35, 35, 10, 7, 3};
    rig r = make_rig(k, &s);
    float *x = randoms(7, in_size(&s)), *y = floats(out_size(&s)), *expected = floats(out_size(&s));
    for (int tap = 0; tap < 9; tap++) {
        float *w = floats(weight_size(&s));
        for (int c = 0; c < 35; c++)
            w[(c * 35 + (c + 1) % 35) * 9 + tap] = 1.0f;
        for (int i = 0; i < 35 * 70; i++) {
            int row = i / 7 % 10 + tap / 3 - 1, col = i % 7 + tap % 3 - 1;
            bool inside = row >= 0 && row < 10 && col >= 0 && col < 7;
            expected[i] = inside ? x[(i / 70 + 1) % 35 * 70 + row * 7 + col] : 0.0f;
        }
        k->conv_pack(&s, w, NULL, r.packed);
        rig_forward(&r, r.zeros, x, NULL, y);
        assert_rel_l2(y, expected, out_size(&s), precision(k));
        ebm_free(w);
    }
    ebm_free(x);
    ebm_free(y);
    ebm_free(expected);
    free_rig(&r);
}

/* One pixel of one input and one of one output, a tap apart: that tap's weight alone gets their
 * product, for every tap, and for inputs and outputs in all parts of a register block. */
static void check_weight_delta(const ebm_kernels *k)
{
    const ebm_conv_shape s = {36, 40, 7, 6, 3};
    const size_t inputs[] = {0, 15, 16, 35}, outputs[] = {39, 17, 31, 0};
    rig r = make_rig(k, &s);
    for (size_t tap = 0; tap < 9; tap++) {
        size_t i = inputs[tap % 4], o = outputs[tap % 4];
        size_t row = tap % 2 ? 1 : 5, column = tap % 2 ? 4 : 1; /* of the output's pixel */
        float *x = floats(in_size(&s)), *dy = floats(out_size(&s)), *dw = floats(weight_size(&s));
        x[(i * 7 + row + tap / 3 - 1) * 6 + column + tap % 3 - 1] = 1.5f;
        dy[(o * 7 + row) * 6 + column] = -2.0f;
        for (size_t j = 0; j < weight_size(&s); j++)
            dw[j] = 1.0f;
        rig_backward_weights(&r, x, dy, dw);
        for (size_t j = 0; j < weight_size(&s); j++)
            assert_true(dw[j] == (j == (o * 36 + i) * 9 + tap ? -2.0f : 1.0f));
        ebm_free(x);
        ebm_free(dy);
        ebm_free(dw);
    }
    free_rig(&r);
}

static void test_adjoint(void **state)
{
    (void)state;
    for_each_set(check_adjoint);
}

static void test_weight_gradient(void **state)
{
    (void)state;
    for_each_set(check_weight_gradient);
}

static void test_weight_delta(void **state)
{
    (void)state;
    for_each_set(check_weight_delta);
}

static void test_affine(void **state)
{
    (void)state;
    for_each_set(check_affine);
}

static void test_shift(void **state)
{
    (void)state;
    for_each_set(check_shift);
    for_each_set(check_shift_channels);
}

/* Sets of one class give the same bits. */
static void test_one_class_same_bits(void **state)
{
    bool first, second;
    (void)state;
    for (int32_t a = 0; ebm_kernels_name(a, &first); a++)
        for (int32_t b = 0; ebm_kernels_name(b, &second) && b < a; b++) {
            const ebm_kernels *ka = kernel_set(ebm_kernels_name(a, NULL));
            const ebm_kernels *kb = kernel_set(ebm_kernels_name(b, NULL));
            if (!first || !second || strcmp(ka->kernel_class, kb->kernel_class) != 0)
                continue;
            for (size_t i = 0; i < rig_shape_count; i++) {
                const ebm_conv_shape *s = &rig_shapes[i];
                rig ra = make_rig(ka, s), rb = make_rig(kb, s);
                float *x = randoms(4, in_size(s));
                float *ya = floats(out_size(s)), *yb = floats(out_size(s));
                rig_forward(&ra, ra.bias, x, NULL, ya);
                rig_forward(&rb, rb.bias, x, NULL, yb);
                assert_memory_equal(ya, yb, out_size(s) * sizeof *ya);
                ebm_free(x);
                ebm_free(ya);
                ebm_free(yb);
                free_rig(&ra);
                free_rig(&rb);
            }
        }
}

static void test_selection(void **state)
{
    const ebm_kernels *k;
    ebm_error err = {0};
    (void)state;
    assert_int_equal(ebm_kernels_select("nonsense", &k, &err), EBM_ERR_NOT_FOUND);
    assert_null(k);
    assert_string_equal(err.where, "kernels");
    assert_int_equal(ebm_kernels_select(NULL, &k, NULL), EBM_OK);
    assert_int_equal(ebm_kernels_select("ref", &k, NULL), EBM_OK);
    assert_string_equal(k->name, "ref");
    /* the environment decides when the caller does not, and is checked like any input */
    assert_int_equal(setenv("EBM_KERNELS", "ref", 1), 0);
    assert_int_equal(ebm_kernels_select("auto", &k, NULL), EBM_OK);
    assert_string_equal(k->name, "ref");
    assert_int_equal(ebm_kernels_select("blas", &k, NULL), EBM_OK);
    assert_string_equal(k->name, "blas");
    assert_int_equal(setenv("EBM_KERNELS", "nonsense", 1), 0);
    err = (ebm_error){0};
    assert_int_equal(ebm_kernels_select(NULL, &k, &err), EBM_ERR_NOT_FOUND);
    assert_string_equal(err.where, "EBM_KERNELS");
    assert_int_equal(setenv("EBM_KERNELS", "", 1), 0);
    assert_int_equal(ebm_kernels_select(NULL, &k, NULL), EBM_OK);
    assert_int_equal(unsetenv("EBM_KERNELS"), 0);
    assert_null(ebm_kernels_name(-1, NULL));
    assert_null(ebm_kernels_name(1000, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adjoint),      cmocka_unit_test(test_weight_gradient),
        cmocka_unit_test(test_weight_delta), cmocka_unit_test(test_affine),
        cmocka_unit_test(test_shift),        cmocka_unit_test(test_one_class_same_bits),
        cmocka_unit_test(test_selection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
