/* Every kernel set by identities: a convolution is linear, its data gradient is its adjoint, its
 * weight gradient is the adjoint in the weights, and a shifted delta shifts the image. None of
 * this compares two sets with each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/kernels.h"
#include "ebm/memory.h"
#include "random_net.h"

static const ebm_conv_shape shapes[] = {
    {1, 32, 28, 28, 3},  {32, 1, 28, 28, 3}, {3, 8, 9, 5, 3},   {16, 16, 7, 7, 3},
    {64, 48, 14, 14, 3}, {5, 7, 1, 1, 3},    {20, 12, 1, 1, 1}, {24, 40, 4, 6, 1},
};
#define N_SHAPES (sizeof shapes / sizeof shapes[0])

static size_t in_size(const ebm_conv_shape *s)
{
    return (size_t)(s->c_in * s->h * s->w);
}
static size_t out_size(const ebm_conv_shape *s)
{
    return (size_t)(s->c_out * s->h * s->w);
}
static size_t weight_size(const ebm_conv_shape *s)
{
    return (size_t)(s->c_out * s->c_in * s->k * s->k);
}

static float *floats(size_t n)
{
    float *p = ebm_alloc(n, sizeof *p);
    assert_non_null(p);
    return p;
}

static float *randoms(uint32_t which, size_t n)
{
    float *p = floats(n);
    random_floats(11, which, n, p);
    return p;
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double norm(const float *a, size_t n)
{
    return sqrt(dot(a, a, n));
}

/* One convolution of one set with random weights, ready to run. */
typedef struct rig {
    const ebm_kernels *k;
    const ebm_conv_shape *s;
    float *w, *gain, *bias, *zeros, *packed, *scratch;
} rig;

static rig make_rig(const ebm_kernels *k, const ebm_conv_shape *s)
{
    rig r = {.k = k, .s = s};
    r.w = randoms(1, weight_size(s));
    r.gain = randoms(2, (size_t)s->c_out);
    r.bias = randoms(3, (size_t)s->c_out);
    r.zeros = floats((size_t)s->c_out);
    r.packed = floats(k->conv_packed_floats(s));
    r.scratch = floats(k->conv_scratch_floats(s));
    k->conv_pack(s, r.w, r.gain, r.packed);
    return r;
}

static void free_rig(rig *r)
{
    ebm_free(r->w);
    ebm_free(r->gain);
    ebm_free(r->bias);
    ebm_free(r->zeros);
    ebm_free(r->packed);
    ebm_free(r->scratch);
}

/* A plain image [c,h,w] in the layout of the set. @own ebm_free() */
static float *as_map(const ebm_kernels *k, int32_t c, int32_t h, int32_t w, const float *image)
{
    float *map = floats(k->map_floats(c, h, w));
    k->map_load(c, h, w, image, map);
    return map;
}

/* The three kernels on plain images; residual may be NULL. */
static void forward(const rig *r, const float *bias, const float *x, const float *residual,
                    float *y)
{
    const ebm_conv_shape *s = r->s;
    float *mx = as_map(r->k, s->c_in, s->h, s->w, x);
    float *mr = residual ? as_map(r->k, s->c_out, s->h, s->w, residual) : NULL;
    float *my = randoms(99, r->k->map_floats(s->c_out, s->h, s->w)); /* nothing may rely on zeros */
    r->k->conv_forward(s, r->packed, bias, mx, mr, my, r->scratch);
    r->k->map_store(s->c_out, s->h, s->w, my, y);
    ebm_free(mx);
    ebm_free(mr);
    ebm_free(my);
}

static void backward_data(const rig *r, const float *dy, float *dx)
{
    const ebm_conv_shape *s = r->s;
    float *mdy = as_map(r->k, s->c_out, s->h, s->w, dy);
    float *mdx = randoms(98, r->k->map_floats(s->c_in, s->h, s->w));
    r->k->conv_backward_data(s, r->packed, mdy, mdx, r->scratch);
    r->k->map_store(s->c_in, s->h, s->w, mdx, dx);
    ebm_free(mdy);
    ebm_free(mdx);
}

static void backward_weights(const rig *r, const float *x, const float *dy, float *dw)
{
    const ebm_conv_shape *s = r->s;
    float *mx = as_map(r->k, s->c_in, s->h, s->w, x);
    float *mdy = as_map(r->k, s->c_out, s->h, s->w, dy);
    r->k->conv_backward_weights(s, mx, mdy, dw, r->scratch);
    ebm_free(mx);
    ebm_free(mdy);
}

static void for_each_set(void (*check)(const ebm_kernels *k))
{
    bool supported;
    for (int32_t i = 0; ebm_kernels_name(i, &supported); i++)
        if (supported)
            check(kernel_set(ebm_kernels_name(i, NULL)));
}

/* <W x, y> = <x, W^T y> */
static void check_adjoint(const ebm_kernels *k)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_conv_shape *s = &shapes[i];
        rig r = make_rig(k, s);
        float *x = randoms(4, in_size(s)), *y = randoms(5, out_size(s));
        float *wx = floats(out_size(s)), *wty = floats(in_size(s));
        forward(&r, r.zeros, x, NULL, wx);
        backward_data(&r, y, wty);
        assert_close(dot(wx, y, out_size(s)), dot(x, wty, in_size(s)),
                     2e-6 * norm(wx, out_size(s)) * norm(y, out_size(s)));
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
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_conv_shape *s = &shapes[i];
        rig r = make_rig(k, s);
        float *x = randoms(4, in_size(s)), *dy = randoms(5, out_size(s));
        float *dw = randoms(6, weight_size(s)), *vx = floats(out_size(s));
        double before = dot(dw, r.w, weight_size(s));
        backward_weights(&r, x, dy, dw);
        k->conv_pack(s, r.w, NULL, r.packed);
        forward(&r, r.zeros, x, NULL, vx);
        assert_close(dot(dw, r.w, weight_size(s)) - before, dot(dy, vx, out_size(s)),
                     2e-6 * norm(dw, weight_size(s)) * norm(r.w, weight_size(s)));
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
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_conv_shape *s = &shapes[i];
        rig r = make_rig(k, s);
        size_t pixels = (size_t)(s->h * s->w);
        float *x = randoms(4, in_size(s)), *residual = randoms(5, out_size(s));
        float *plain = floats(out_size(s)), *full = floats(out_size(s));
        for (size_t j = 0; j < weight_size(s); j++)
            r.w[j] *= r.gain[j / (weight_size(s) / (size_t)s->c_out)];
        forward(&r, r.bias, x, residual, full);
        k->conv_pack(s, r.w, NULL, r.packed);
        for (size_t j = 0; j < in_size(s); j++)
            x[j] *= 2.0f;
        forward(&r, r.zeros, x, NULL, plain);
        for (size_t j = 0; j < out_size(s); j++)
            plain[j] = 0.5f * plain[j] + r.bias[j / pixels] + residual[j];
        assert_rel_l2(full, plain, out_size(s), 1e-6);
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
        forward(&r, r.zeros, x, NULL, y);
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

/* Derivatives of the activations by central differences, away from the kinks. */
static void check_activations(const ebm_kernels *k)
{
    static const ebm_act acts[] = {EBM_ACT_NONE, EBM_ACT_LEAKY_RELU, EBM_ACT_RELU, EBM_ACT_SILU};
    for (size_t a = 0; a < 4; a++)
        for (float x = -6.03f; x < 6.0f; x += 0.37f) {
            const float h = 0.01f, around[2] = {x - h, x + h}, one = 1.0f;
            float y[2], d, twice = 3.0f;
            k->act_forward(acts[a], 0.2f, 2, around, y);
            k->act_backward(acts[a], 0.2f, 1, &x, &one, &d, false);
            assert_close((double)d, (double)(y[1] - y[0]) / (2.0 * (double)h), 2e-4);
            k->act_backward(acts[a], 0.2f, 1, &x, &one, &twice, true);
            assert_true(twice == 3.0f + d);
        }
}

/* A network that overflows must not look healthy at the end: NaN goes through everything. */
static void check_nan_stays(const ebm_kernels *k)
{
    static const ebm_act acts[] = {EBM_ACT_NONE, EBM_ACT_LEAKY_RELU, EBM_ACT_RELU, EBM_ACT_SILU};
    const float x[3] = {1.0f, NAN, 2.0f};
    float *map = as_map(k, 1, 1, 3, x);
    for (size_t a = 0; a < 4; a++) {
        float y[3], sum;
        k->act_forward(acts[a], 0.2f, 3, x, y);
        assert_true(isnan(y[1]) && !isnan(y[0]) && !isnan(y[2]));
        k->head_sum(acts[a], 0.2f, 1, 1, 3, map, &sum);
        assert_true(isnan(sum));
    }
    ebm_free(map);
}

/* SiLU against libm, and where it saturates. */
static void check_silu(const ebm_kernels *k)
{
    for (float x = -120.0f; x < 120.0f; x += 0.173f) {
        float y;
        k->act_forward(EBM_ACT_SILU, 0.0f, 1, &x, &y);
        double want = (double)x / (1.0 + exp(-(double)x));
        assert_close((double)y, want, 1e-6 * fabs(want) + 1e-30);
    }
}

/* Pooling: averages by hand, and its gradient is its adjoint; odd edges are dropped. */
static void check_pool(const ebm_kernels *k)
{
    const float x[2 * 3 * 5] = {1,  2,  3,  4,  100, 5,  6,  7,  8,  100, 100, 100, 100, 100, 100,
                                10, 20, 30, 40, 100, 50, 60, 70, 80, 100, 100, 100, 100, 100, 100};
    float y[4], back[2 * 3 * 5];
    const float g[4] = {4, 8, 12, 16};
    float *mx = as_map(k, 2, 3, 5, x), *my = floats(k->map_floats(2, 1, 2));
    float *mg = as_map(k, 2, 1, 2, g), *mback = floats(k->map_floats(2, 3, 5));
    k->pool_forward(2, 3, 5, mx, my);
    k->map_store(2, 1, 2, my, y);
    assert_true(y[0] == 3.5f && y[1] == 5.5f && y[2] == 35.0f && y[3] == 55.0f);
    k->pool_backward(2, 3, 5, mg, mback);
    k->map_store(2, 3, 5, mback, back);
    ebm_free(mx);
    ebm_free(my);
    ebm_free(mg);
    ebm_free(mback);
    assert_close(dot(x, back, 30), dot(y, g, 4), 1e-3);
    assert_true(back[0] == 1.0f && back[4] == 0.0f && back[10] == 0.0f);
}

/* The head's sums and their gradient. */
static void check_head(const ebm_kernels *k)
{
    const float x[6] = {-1, 2, 3, -4, -5, 6}, d[2] = {10, 20};
    float sums[2], dx[6];
    const float want[6] = {0, 10, 10, 0, 0, 20};
    float *mx = as_map(k, 2, 1, 3, x), *mdx = floats(k->map_floats(2, 1, 3));
    k->head_sum(EBM_ACT_RELU, 0.0f, 2, 1, 3, mx, sums);
    assert_true(sums[0] == 5.0f && sums[1] == 6.0f);
    k->head_backward(EBM_ACT_RELU, 0.0f, 2, 1, 3, mx, d, mdx);
    k->map_store(2, 1, 3, mdx, dx);
    assert_memory_equal(dx, want, sizeof want);
    ebm_free(mx);
    ebm_free(mdx);
}

/* Padding is zero in whatever a kernel makes, also when it lies in used memory: the sum of all
 * floats of the map is the sum of the image. */
static void check_padding(const ebm_kernels *k)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_conv_shape *s = &shapes[i];
        size_t n = k->map_floats(s->c_out, s->h, s->w);
        rig r = make_rig(k, s);
        float *x = randoms(4, in_size(s)), *mx = as_map(k, s->c_in, s->h, s->w, x);
        float *my = randoms(5, n), *y = floats(out_size(s));
        k->conv_forward(s, r.packed, r.bias, mx, NULL, my, r.scratch);
        k->map_store(s->c_out, s->h, s->w, my, y);
        assert_close(dot(my, my, n), dot(y, y, out_size(s)), 1e-9 * dot(y, y, out_size(s)));
        ebm_free(x);
        ebm_free(mx);
        ebm_free(my);
        ebm_free(y);
        free_rig(&r);
    }
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
            for (size_t i = 0; i < N_SHAPES; i++) {
                const ebm_conv_shape *s = &shapes[i];
                rig ra = make_rig(ka, s), rb = make_rig(kb, s);
                float *x = randoms(4, in_size(s));
                float *ya = floats(out_size(s)), *yb = floats(out_size(s));
                forward(&ra, ra.bias, x, NULL, ya);
                forward(&rb, rb.bias, x, NULL, yb);
                assert_memory_equal(ya, yb, out_size(s) * sizeof *ya);
                ebm_free(x);
                ebm_free(ya);
                ebm_free(yb);
                free_rig(&ra);
                free_rig(&rb);
            }
        }
}

static void test_padding(void **state)
{
    (void)state;
    for_each_set(check_padding);
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
static void test_affine(void **state)
{
    (void)state;
    for_each_set(check_affine);
}
static void test_shift(void **state)
{
    (void)state;
    for_each_set(check_shift);
}
static void test_maps(void **state)
{
    (void)state;
    for_each_set(check_activations);
    for_each_set(check_nan_stays);
    for_each_set(check_silu);
    for_each_set(check_pool);
    for_each_set(check_head);
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
        cmocka_unit_test(test_adjoint), cmocka_unit_test(test_weight_gradient),
        cmocka_unit_test(test_affine),  cmocka_unit_test(test_shift),
        cmocka_unit_test(test_maps),    cmocka_unit_test(test_selection),
        cmocka_unit_test(test_padding), cmocka_unit_test(test_one_class_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
