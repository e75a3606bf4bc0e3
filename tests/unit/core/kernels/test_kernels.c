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

#include "amx_emulator.h"
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

/* Relative rounding error of a value that a set has stored. */
static double precision(const ebm_kernels *k)
{
    return strncmp(k->kernel_class, "bf16", 4) == 0 ? 4e-3 : 1e-6;
}

/* act'(x) from its definition. */
static float act_slope(ebm_act kind, float x)
{
    double s = 1.0 / (1.0 + exp(-(double)x));
    if (kind == EBM_ACT_SILU)
        return (float)(s * (1.0 + (double)x * (1.0 - s)));
    if (kind == EBM_ACT_NONE || x > 0.0f)
        return 1.0f;
    return kind == EBM_ACT_LEAKY_RELU ? 0.2f : 0.0f;
}

static double act_value(ebm_act kind, float x)
{
    if (kind == EBM_ACT_SILU)
        return (double)x / (1.0 + exp(-(double)x));
    return kind == EBM_ACT_NONE ? (double)x : (double)x * (double)act_slope(kind, x);
}

static double act_curve(ebm_act kind, float x)
{
    double s = 1.0 / (1.0 + exp(-(double)x));
    return kind == EBM_ACT_SILU ? s * (1.0 - s) * (2.0 + (double)x * (1.0 - 2.0 * s)) : 0.0;
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

static ebm_map_shape input_shape(const ebm_conv_shape *s)
{
    return (ebm_map_shape){.c = s->c_in, .h = s->h, .w = s->w};
}

static ebm_map_shape output_shape(const ebm_conv_shape *s)
{
    return (ebm_map_shape){.c = s->c_out, .h = s->h, .w = s->w};
}

/* Maps of plain images [c,h,w] in the layout of the set. @own ebm_free() */
static float *as_value(const ebm_kernels *k, ebm_map_shape m, const float *image)
{
    float *map = floats(k->value_floats(&m));
    k->value_load(&m, image, map);
    return map;
}

static float *as_operand(const ebm_kernels *k, ebm_map_shape m, const float *image)
{
    float *value = as_value(k, m, image), *map = floats(k->operand_floats(&m));
    k->act_forward((ebm_activation){.kind = EBM_ACT_NONE}, &m, value, map, EBM_ALONE);
    ebm_free(value);
    return map;
}

/* A value map as an image, rounded as the set rounds operands. */
static void from_value(const ebm_kernels *k, ebm_map_shape m, const float *value, float *image)
{
    float *map = floats(k->operand_floats(&m));
    k->act_forward((ebm_activation){.kind = EBM_ACT_NONE}, &m, value, map, EBM_ALONE);
    k->operand_store(&m, map, image);
    ebm_free(map);
}

/* Maps full of rubbish: nothing may rely on zeros. @own ebm_free() */
static float *used_value(const ebm_kernels *k, ebm_map_shape m)
{
    return randoms(99, k->value_floats(&m));
}

static float *used_operand(const ebm_kernels *k, ebm_map_shape m)
{
    return randoms(98, k->operand_floats(&m));
}

static ebm_activation act_of(ebm_act kind)
{
    return (ebm_activation){.kind = kind, .slope = 0.2f};
}

/* The three kernels on plain images; residual may be NULL. */
static void forward(const rig *r, const float *bias, const float *x, const float *residual,
                    float *y)
{
    ebm_map_shape in = input_shape(r->s), out = output_shape(r->s);
    float *mx = as_operand(r->k, in, x);
    float *mr = residual ? as_value(r->k, out, residual) : NULL;
    float *my = used_value(r->k, out);
    const ebm_conv_result result = {.bias = bias, .residual = mr, .y = my};
    r->k->conv_forward(r->s, r->packed, mx, &result, r->scratch, EBM_ALONE);
    from_value(r->k, out, my, y);
    ebm_free(mx);
    ebm_free(mr);
    ebm_free(my);
}

static void backward_data(const rig *r, const float *dy, float *dx)
{
    ebm_map_shape in = input_shape(r->s), out = output_shape(r->s);
    float *mdy = as_operand(r->k, out, dy);
    float *mdx = used_operand(r->k, in);
    const ebm_conv_gradient result = {.dx = mdx};
    r->k->conv_backward_data(r->s, r->packed, mdy, &result, r->scratch, EBM_ALONE);
    r->k->operand_store(&in, mdx, dx);
    ebm_free(mdy);
    ebm_free(mdx);
}

static void backward_weights(const rig *r, const float *x, const float *dy, float *dw)
{
    float *mx = as_operand(r->k, input_shape(r->s), x);
    float *mdy = as_operand(r->k, output_shape(r->s), dy);
    r->k->conv_backward_weights(r->s, mx, mdy, dw, r->scratch);
    ebm_free(mx);
    ebm_free(mdy);
}

static void for_each_set(void (*check)(const ebm_kernels *k))
{
    bool supported;
    for (int32_t i = 0; ebm_kernels_name(i, &supported); i++)
        if (supported)
            check(kernel_set(ebm_kernels_name(i, NULL)));
    if (emulated_amx())
        check(emulated_amx());
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

/* act(x) and act'(x) v of three values. */
static void act_values(const ebm_kernels *k, ebm_activation act, const float x[3], float y[3])
{
    const ebm_map_shape m = {1, 1, 3};
    float *mx = as_value(k, m, x), *my = used_operand(k, m);
    k->act_forward(act, &m, mx, my, EBM_ALONE);
    k->operand_store(&m, my, y);
    ebm_free(mx);
    ebm_free(my);
}

static void act_slopes(const ebm_kernels *k, ebm_activation act, const float x[3], const float v[3],
                       float y[3])
{
    const ebm_map_shape m = {1, 1, 3};
    float *mx = as_value(k, m, x), *ma = used_operand(k, m), *mv = as_value(k, m, v);
    float *my = used_operand(k, m);
    const ebm_gate gate = {.act = act, .x = mx, .activated = ma};
    k->act_forward(act, &m, mx, ma, EBM_ALONE);
    k->act_tangent(&gate, &m, mv, my, EBM_ALONE);
    k->operand_store(&m, my, y);
    ebm_free(mx);
    ebm_free(ma);
    ebm_free(mv);
    ebm_free(my);
}

static const ebm_act acts[] = {EBM_ACT_NONE, EBM_ACT_LEAKY_RELU, EBM_ACT_RELU, EBM_ACT_SILU};
#define N_ACTS (sizeof acts / sizeof acts[0])

/* Derivatives of the activations by central differences, away from the kinks. */
static void check_activations(const ebm_kernels *k)
{
    const float h = 0.0625f, twos[3] = {2.0f, 2.0f, 2.0f};
    for (size_t a = 0; a < N_ACTS; a++)
        for (float x = -6.03f; x < 6.0f; x += 0.37f) {
            const float around[3] = {x - h, x, x + h};
            float y[3], d[3];
            act_values(k, act_of(acts[a]), around, y);
            act_slopes(k, act_of(acts[a]), around, twos, d);
            assert_close((double)d[1] / 2.0, (double)(y[2] - y[0]) / (2.0 * (double)h),
                         1e-3 + precision(k) * (1.0 + fabs((double)x)) / (double)h);
        }
}

/* A network that overflows must not look healthy at the end: NaN goes through everything. */
static void check_nan_stays(const ebm_kernels *k)
{
    const ebm_map_shape three = {1, 1, 3};
    const float x[3] = {1.0f, NAN, 2.0f};
    float *map = as_value(k, three, x);
    for (size_t a = 0; a < N_ACTS; a++) {
        float y[3], sum;
        act_values(k, act_of(acts[a]), x, y);
        assert_true(isnan(y[1]) && !isnan(y[0]) && !isnan(y[2]));
        k->head_sum(act_of(acts[a]), &three, map, &sum, EBM_ALONE);
        assert_true(isnan(sum));
    }
    ebm_free(map);
}

/* SiLU against libm, and where it saturates. */
static void check_silu(const ebm_kernels *k)
{
    for (float x = -120.0f; x < 120.0f; x += 0.173f) {
        const float three[3] = {x, x, x};
        float y[3];
        act_values(k, act_of(EBM_ACT_SILU), three, y);
        double want = (double)x / (1.0 + exp(-(double)x));
        assert_close((double)y[0], want, precision(k) * fabs(want) + 1e-30);
    }
}

/* The same three with channels enough for every layout: channel c holds x - c. */
static void check_wide_maps(const ebm_kernels *k)
{
    const ebm_map_shape m = {37, 2, 3};
    size_t n = 37 * 6;
    float *x = randoms(3, n), *v = randoms(4, n), *y = floats(n), *rounded = floats(n);
    float *mx = as_value(k, m, x), *mv = as_value(k, m, v);
    float *ma = used_operand(k, m), *my = used_operand(k, m), *mo = as_operand(k, m, x);
    float sums[37], tangent[37], plain[37];
    k->operand_store(&m, mo, rounded);
    k->operand_sum(&m, mo, plain);
    for (size_t a = 0; a < N_ACTS; a++) {
        const ebm_gate gate = {.act = act_of(acts[a]), .x = mx, .activated = ma};
        k->act_forward(gate.act, &m, mx, ma, EBM_ALONE);
        k->act_tangent(&gate, &m, mv, my, EBM_ALONE);
        k->operand_store(&m, my, y);
        k->head_sum(gate.act, &m, mx, sums, EBM_ALONE);
        k->head_tangent(gate.act, &m, mx, mv, tangent);
        for (size_t c = 0; c < 37; c++) {
            double sum = 0.0, along = 0.0, operand = 0.0;
            for (size_t i = c * 6; i < c * 6 + 6; i++) {
                double slope = (double)act_slope(acts[a], x[i]);
                assert_close((double)y[i], slope * (double)v[i],
                             2.0 * precision(k) * fabs((double)v[i]));
                sum += act_value(acts[a], x[i]);
                along += slope * (double)v[i];
                operand += (double)rounded[i];
            }
            assert_close((double)sums[c], sum, 1e-5);
            assert_close((double)tangent[c], along, 1e-5);
            assert_close((double)plain[c], operand, 1e-5);
        }
    }
    for (size_t a = 0; a < N_ACTS; a++) { /* what passes back: act'(x) u, then + act''(x) v u */
        const ebm_gate gate = {.act = act_of(acts[a]), .x = mx, .activated = ma};
        k->act_forward(gate.act, &m, mx, ma, EBM_ALONE);
        k->gate_backward(&gate, &m, mo, my, false);
        k->curve_backward(gate.act, &m, mx, mv, mo, my, true);
        k->operand_store(&m, my, y);
        for (size_t i = 0; i < n; i++) {
            double first = (double)act_slope(acts[a], x[i]) * (double)rounded[i];
            double second = act_curve(acts[a], x[i]) * (double)v[i] * (double)rounded[i];
            assert_close((double)y[i], first + second,
                         1e-6 + 2.0 * precision(k) * (fabs(first) + fabs(second)));
        }
        k->curve_backward(gate.act, &m, mx, mv, mo, my, false);
        k->gate_backward(&gate, &m, mo, my, true);
        k->operand_store(&m, my, y);
        for (size_t i = 0; i < n; i++) {
            double first = (double)act_slope(acts[a], x[i]) * (double)rounded[i];
            double second = act_curve(acts[a], x[i]) * (double)v[i] * (double)rounded[i];
            assert_close((double)y[i], first + second,
                         1e-6 + 2.0 * precision(k) * (fabs(first) + fabs(second)));
        }
    }
    k->add(&m, mo, mo, EBM_ALONE);
    k->operand_store(&m, mo, y);
    for (size_t i = 0; i < n; i++)
        assert_true(y[i] == 2.0f * rounded[i]);
    float *all[] = {x, v, y, rounded, mx, mv, ma, my, mo};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ebm_free(all[i]);
}

/* Pooling: averages by hand, and its gradient is its adjoint; odd edges are dropped. Channels are
 * repeated until every layout is met. */
static void check_pool(const ebm_kernels *k, int32_t channels)
{
    const float plane[15] = {1, 2, 3, 4, 100, 5, 6, 7, 8, 100, 100, 100, 100, 100, 100};
    const float want[2] = {3.5f, 5.5f}, g[2] = {4, -8};
    const ebm_map_shape large = {channels, 3, 5}, small = {channels, 1, 2};
    size_t c = (size_t)channels;
    float *x = floats(15 * c), *y = floats(2 * c), *dy = floats(2 * c), *dx = floats(15 * c);
    for (size_t i = 0; i < 15 * c; i++)
        x[i] = plane[i % 15];
    for (size_t i = 0; i < 2 * c; i++)
        dy[i] = g[i % 2];
    float *mx = as_value(k, large, x), *my = used_value(k, small), *ma = used_operand(k, small);
    float *mg = as_operand(k, small, dy), *mdx = used_operand(k, large);
    k->pool_forward(&large, mx, my, act_of(EBM_ACT_NONE), ma, EBM_ALONE);
    from_value(k, small, my, y);
    for (size_t i = 0; i < 2 * c; i++)
        assert_true(y[i] == want[i % 2]);
    k->operand_store(&small, ma, y);
    for (size_t i = 0; i < 2 * c; i++)
        assert_true(y[i] == want[i % 2]);
    k->pool_backward(&large, mg, mdx, EBM_ALONE);
    k->operand_store(&large, mdx, dx);
    assert_close(dot(x, dx, 15 * c), dot(y, dy, 2 * c), 1e-3);
    assert_true(dx[0] == 1.0f && dx[2] == -2.0f && dx[4] == 0.0f && dx[10] == 0.0f);
    float *all[] = {x, y, dy, dx, mx, my, ma, mg, mdx};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ebm_free(all[i]);
}

static void check_pools(const ebm_kernels *k)
{
    for (int32_t channels = 1; channels < 70; channels += 34)
        check_pool(k, channels);
}

/* The way back from a pool, by hand: an odd edge has the residual alone; its gradient sums. Nothing
 * depends on whether somebody reads the value too. */
static void check_up(const ebm_kernels *k, int32_t channels)
{
    const float want[15] = {4, 5, -6, -5, 5, 9, 10, -1, 0, 10, 11, 12, 13, 14, 15};
    const ebm_map_shape large = {channels, 3, 5}, small = {channels, 1, 2};
    const size_t c = (size_t)channels;
    float *x = floats(2 * c), *y = floats(15 * c), *dy = floats(15 * c);
    for (size_t i = 0; i < 2 * c; i++)
        x[i] = i % 2 ? -9.0f : 3.0f;
    for (size_t i = 0; i < 15 * c; i++) {
        y[i] = (float)(i % 15 + 1);
        dy[i] = (float)(i % 7) - 3.0f;
    }
    float *mx = as_value(k, small, x), *residual = as_value(k, large, y);
    float *my = used_value(k, large), *ma = used_operand(k, large);
    float *mg = as_operand(k, large, dy), *mdx = used_operand(k, small);
    for (int read = 0; read < 2; read++) {
        const ebm_conv_result out = {.residual = residual,
                                     .y = read ? my : NULL,
                                     .act = act_of(EBM_ACT_RELU),
                                     .activated = ma};
        k->up_forward(&large, mx, &out, EBM_ALONE);
        k->operand_store(&large, ma, y);
        for (size_t i = 0; i < 15 * c; i++)
            assert_true(y[i] == (want[i % 15] > 0 ? want[i % 15] : 0.0f));
    }
    from_value(k, large, my, y);
    for (size_t i = 0; i < 15 * c; i++)
        assert_true(y[i] == want[i % 15]);
    k->up_backward(&large, mg, mdx, EBM_ALONE);
    k->operand_store(&small, mdx, x);
    assert_true(x[0] == dy[0] + dy[1] + dy[5] + dy[6] && x[1] == dy[2] + dy[3] + dy[7] + dy[8]);
    float *all[] = {x, y, dy, mx, residual, my, ma, mg, mdx};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ebm_free(all[i]);
}

static void check_ups(const ebm_kernels *k)
{
    for (int32_t channels = 1; channels < 70; channels += 34)
        check_up(k, channels);
}

/* The head's sums and their gradient. */
static void check_head(const ebm_kernels *k)
{
    const float x[6] = {-1, 2, 3, -4, -5, 6}, d[2] = {10, 20};
    const ebm_map_shape m = {2, 1, 3};
    float sums[2], dx[6];
    const float want[6] = {0, 10, 10, 0, 0, 20};
    float *mx = as_value(k, m, x), *mdx = used_operand(k, m);
    k->head_sum(act_of(EBM_ACT_RELU), &m, mx, sums, EBM_ALONE);
    assert_true(sums[0] == 5.0f && sums[1] == 6.0f);
    k->head_backward(act_of(EBM_ACT_RELU), &m, mx, d, mdx, EBM_ALONE);
    k->operand_store(&m, mdx, dx);
    assert_memory_equal(dx, want, sizeof want);
    k->head_sum(act_of(EBM_ACT_SQUARE), &m, mx, sums, EBM_ALONE);
    assert_true(sums[0] == 7.0f && sums[1] == 38.5f); /* halves of 1+4+9 and 16+25+36 */
    k->head_backward(act_of(EBM_ACT_SQUARE), &m, mx, d, mdx, EBM_ALONE);
    k->operand_store(&m, mdx, dx);
    for (int i = 0; i < 6; i++)
        assert_true(dx[i] == x[i] * d[i / 3]);
    ebm_free(mx);
    ebm_free(mdx);
}

/* The ends of a convolution: activated = act(y), and dx (+)= act'(x) W^T dy. */
static void check_ends(const ebm_kernels *k)
{
    const ebm_conv_shape *s = &shapes[1];
    const ebm_map_shape in = input_shape(s), out = output_shape(s);
    rig r = make_rig(k, s);
    float *x = randoms(4, in_size(s)), *dy = randoms(5, out_size(s));
    float *mx = as_value(k, in, x), *mo = as_operand(k, in, x), *mdy = as_operand(k, out, dy);
    float *my = used_value(k, out), *ma = used_operand(k, out), *mxa = used_operand(k, in);
    float *plain = floats(in_size(s)), *a = floats(out_size(s)), *b = floats(out_size(s));
    float *dx = floats(in_size(s)), *sum = floats(in_size(s));
    backward_data(&r, dy, plain);
    for (size_t i = 1; i < N_ACTS; i++) {
        const ebm_activation act = act_of(acts[i]);
        const ebm_conv_result result = {.bias = r.bias, .y = my, .act = act, .activated = ma};
        float *mdx = used_operand(k, in);
        ebm_conv_gradient gradient = {.gate = {.act = act, .x = mx, .activated = mxa}, .dx = mdx};
        k->act_forward(act, &in, mx, mxa, EBM_ALONE);
        k->conv_forward(s, r.packed, mo, &result, r.scratch, EBM_ALONE);
        from_value(k, out, my, b);
        k->operand_store(&out, ma, a);
        for (size_t j = 0; j < out_size(s); j++)
            b[j] = (float)act_value(acts[i], b[j]);
        assert_rel_l2(a, b, out_size(s), 2.0 * precision(k));
        k->conv_backward_data(s, r.packed, mdy, &gradient, r.scratch, EBM_ALONE);
        k->operand_store(&in, mdx, dx);
        for (size_t j = 0; j < in_size(s); j++)
            sum[j] = plain[j] * act_slope(acts[i], x[j]);
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
    for (size_t i = 0; i < N_SHAPES; i++)
        for (int32_t count = 2; count < 6; count++)
            check_team_of(k, &shapes[i], count);
}

/* Padding is zero in whatever a kernel makes, also when it lies in used memory: a map that was
 * computed is byte for byte the one that its image makes when loaded. */
static void check_padding(const ebm_kernels *k)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_conv_shape *s = &shapes[i];
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
    for_each_set(check_wide_maps);
    for_each_set(check_pools);
    for_each_set(check_ups);
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
        cmocka_unit_test(test_ends),    cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
