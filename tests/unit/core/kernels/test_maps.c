/* The kernels that are no convolutions, on every set: activations, pooling and its way back, sums
 * of the head, images, panels, by hand or from their definitions. */
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

/* Derivatives of the activations by central differences, away from the kinks. */
static void check_activations(const ebm_kernels *k)
{
    const float h = 0.0625f, twos[3] = {2.0f, 2.0f, 2.0f};
    for (size_t a = 0; a < rig_act_count; a++)
        for (float x = -6.03f; x < 6.0f; x += 0.37f) {
            const float around[3] = {x - h, x, x + h};
            float y[3], d[3];
            act_values(k, act_of(rig_acts[a]), around, y);
            act_slopes(k, act_of(rig_acts[a]), around, twos, d);
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
    for (size_t a = 0; a < rig_act_count; a++) {
        float y[3], sum;
        act_values(k, act_of(rig_acts[a]), x, y);
        assert_true(isnan(y[1]) && !isnan(y[0]) && !isnan(y[2]));
        k->head_sum(act_of(rig_acts[a]), &three, map, &sum, EBM_ALONE);
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
    for (size_t a = 0; a < rig_act_count; a++) {
        const ebm_gate gate = {.act = act_of(rig_acts[a]), .x = mx, .activated = ma};
        k->act_forward(gate.act, &m, mx, ma, EBM_ALONE);
        k->act_tangent(&gate, &m, mv, my, EBM_ALONE);
        k->operand_store(&m, my, y);
        k->head_sum(gate.act, &m, mx, sums, EBM_ALONE);
        k->head_tangent(gate.act, &m, mx, mv, tangent);
        for (size_t c = 0; c < 37; c++) {
            double sum = 0.0, along = 0.0, operand = 0.0;
            for (size_t i = c * 6; i < c * 6 + 6; i++) {
                double slope = (double)act_slope(rig_acts[a], x[i]);
                assert_close((double)y[i], slope * (double)v[i],
                             2.0 * precision(k) * fabs((double)v[i]));
                sum += act_value(rig_acts[a], x[i]);
                along += slope * (double)v[i];
                operand += (double)rounded[i];
            }
            assert_close((double)sums[c], sum, 1e-5);
            assert_close((double)tangent[c], along, 1e-5);
            assert_close((double)plain[c], operand, 1e-5);
        }
    }
    for (size_t a = 0; a < rig_act_count;
         a++) { /* what passes back: act'(x) u, then + act''(x) v u */
        const ebm_gate gate = {.act = act_of(rig_acts[a]), .x = mx, .activated = ma};
        k->act_forward(gate.act, &m, mx, ma, EBM_ALONE);
        k->gate_backward(&gate, &m, mo, my, false);
        k->curve_backward(gate.act, &m, mx, mv, mo, my, true);
        k->operand_store(&m, my, y);
        for (size_t i = 0; i < n; i++) {
            double first = (double)act_slope(rig_acts[a], x[i]) * (double)rounded[i];
            double second = act_curve(rig_acts[a], x[i]) * (double)v[i] * (double)rounded[i];
            assert_close((double)y[i], first + second,
                         1e-6 + 2.0 * precision(k) * (fabs(first) + fabs(second)));
        }
        k->curve_backward(gate.act, &m, mx, mv, mo, my, false);
        k->gate_backward(&gate, &m, mo, my, true);
        k->operand_store(&m, my, y);
        for (size_t i = 0; i < n; i++) {
            double first = (double)act_slope(rig_acts[a], x[i]) * (double)rounded[i];
            double second = act_curve(rig_acts[a], x[i]) * (double)v[i] * (double)rounded[i];
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

static void test_activations(void **state)
{
    (void)state;
    for_each_set(check_activations);
    for_each_set(check_nan_stays);
    for_each_set(check_silu);
}

static void test_wide_maps(void **state)
{
    (void)state;
    for_each_set(check_wide_maps);
}

static void test_pool_and_up(void **state)
{
    (void)state;
    for_each_set(check_pools);
    for_each_set(check_ups);
}

static void test_head(void **state)
{
    (void)state;
    for_each_set(check_head);
}

/* Maps and images turn into each other; an operand comes back as rounded as it is kept. */
static void check_images(const ebm_kernels *k)
{
    for (size_t i = 0; i < rig_shape_count; i++) {
        const ebm_map_shape m = input_shape(&rig_shapes[i]);
        const size_t n = in_size(&rig_shapes[i]);
        float *image = randoms(40, n), *back = floats(n), *want = floats(n);
        float *value = as_value(k, m, image), *operand = used_operand(k, m);
        k->value_store(&m, value, back);
        assert_memory_equal(back, image, n * sizeof *image);
        k->operand_load(&m, image, operand);
        k->operand_store(&m, operand, back);
        from_value(k, m, value, want);
        assert_memory_equal(back, want, n * sizeof *want);
        float *same = as_operand(k, m, image); /* padding and all */
        assert_memory_equal(operand, same, k->operand_floats(&m) * sizeof *same);
        ebm_free(same);
        ebm_free(operand);
        ebm_free(value);
        ebm_free(want);
        ebm_free(back);
        ebm_free(image);
    }
}

static void test_images(void **state)
{
    (void)state;
    for_each_set(check_images);
}

#define PANEL_ROWS  11 /* register blocks and a rest */
#define PANEL_TERMS 37

/* out (+)= a*b by its definition; `a` row by row or column by column. */
static void check_panel(const ebm_kernels *k, bool transposed, bool accumulate)
{
    float *a = randoms(41, PANEL_ROWS * PANEL_TERMS), *b = randoms(42, PANEL_TERMS * 20);
    float *out = randoms(43, PANEL_ROWS * 18), *want = randoms(43, PANEL_ROWS * 18);
    const ebm_panel_product p = {.a = a,
                                 .row_step = transposed ? 1 : PANEL_TERMS,
                                 .term_step = transposed ? PANEL_ROWS : 1,
                                 .rows = PANEL_ROWS,
                                 .terms = PANEL_TERMS,
                                 .b = b,
                                 .b_step = 20,
                                 .out = out,
                                 .out_step = 18,
                                 .accumulate = accumulate};
    for (size_t r = 0; r < PANEL_ROWS; r++)
        for (size_t c = 0; c < EBM_PANEL; c++) {
            double sum = accumulate ? (double)out[r * 18 + c] : 0.0;
            for (size_t t = 0; t < PANEL_TERMS; t++)
                sum += (double)a[r * p.row_step + t * p.term_step] * (double)b[t * 20 + c];
            want[r * 18 + c] = (float)sum;
        }
    k->panel_product(&p);
    assert_rel_l2(out, want, PANEL_ROWS * 18, 1e-6);
    for (size_t r = 0; r < PANEL_ROWS; r++) /* nothing beside the panel is touched */
        assert_memory_equal(out + r * 18 + 16, want + r * 18 + 16, 2 * sizeof *out);
    ebm_free(a);
    ebm_free(b);
    ebm_free(out);
    ebm_free(want);
}

static void check_panels(const ebm_kernels *k)
{
    for (int which = 0; which < 4; which++)
        check_panel(k, which % 2 == 1, which / 2 == 1);
}

/* Against libm, and at the ends of its range. */
static void check_exponential(const ebm_kernels *k)
{
    float x[301];
    for (int i = 0; i < 301; i++)
        x[i] = -100.0f + (float)i * 0.667f;
    k->exponential(301, x);
    for (int i = 0; i < 301; i++) {
        double at = (double)(-100.0f + (float)i * 0.667f);
        double want = exp(at < -87.0 ? -87.0 : at > 88.0 ? 88.0 : at);
        assert_close((double)x[i], want, 1e-6 * want);
    }
    x[0] = NAN;
    k->exponential(1, x);
    assert_true(isnan(x[0]));
}

static void test_panels(void **state)
{
    (void)state;
    for_each_set(check_panels);
    for_each_set(check_exponential);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations), cmocka_unit_test(test_wide_maps),
        cmocka_unit_test(test_pool_and_up), cmocka_unit_test(test_head),
        cmocka_unit_test(test_images),      cmocka_unit_test(test_panels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
