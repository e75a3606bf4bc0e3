/* Attention on every kernel set: by hand, by identities, and against the formulas written out in
 * double, whose derivatives are central differences. */
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
#include "graph/attention.h"
#include "kernel_rig.h"

#define MAX_VALUES 512 /* of a map in these tests */

/* Odd, less than a panel, a panel, more than one and not a whole number of them; one channel. */
static const ebm_map_shape shapes[] = {{3, 1, 2}, {2, 3, 3}, {8, 4, 4}, {5, 5, 7}, {1, 3, 6}};
#define N_SHAPES (sizeof shapes / sizeof shapes[0])

/* --- the op on plain images --------------------------------------------------------------------
 */

/* Query, key and value, and the like of them, as images [C][pixels]. */
typedef struct images {
    float at[3][MAX_VALUES];
} images;

typedef struct bench {
    const ebm_kernels *k;
    ebm_map_shape m;
    float *work, *panels;
    ebm__attention a;
} bench;

static bench open_bench(const ebm_kernels *k, ebm_map_shape m)
{
    bench b = {.k = k, .m = m};
    assert_true(m.c * m.h * m.w <= MAX_VALUES);
    b.work = randoms(99, ebm__attention_floats(&m, true)); /* nothing may rely on zeros */
    b.panels = randoms(98, 4 * ebm__attention_panel_floats(&m, true));
    ebm__attention_init(k, &b.m, true, b.work, &b.a);
    return b;
}

static void close_bench(bench *b)
{
    ebm_free(b->work);
    ebm_free(b->panels);
}

static void put(const bench *b, const float *image, float *planes)
{
    for (size_t c = 0; c < b->a.channels; c++)
        memcpy(planes + c * b->a.stride, image + c * b->a.pixels, b->a.pixels * sizeof *image);
}

static void put_maps(const bench *b, const images *from, const ebm__attention_maps *to)
{
    put(b, from->at[0], to->query);
    put(b, from->at[1], to->key);
    put(b, from->at[2], to->value);
}

static void take(const bench *b, const float *planes, float *image)
{
    for (size_t c = 0; c < b->a.channels; c++)
        memcpy(image + c * b->a.pixels, planes + c * b->a.stride, b->a.pixels * sizeof *image);
}

static void take_maps(const bench *b, const ebm__attention_maps *from, images *to)
{
    take(b, from->query, to->at[0]);
    take(b, from->key, to->at[1]);
    take(b, from->value, to->at[2]);
}

typedef void (*part)(const ebm__attention *a, float *panels, ebm_share share);

/* All shares of a team, the last one first. */
static void run(const bench *b, part what, int32_t members)
{
    size_t step = ebm__attention_panel_floats(&b->m, true);
    for (int32_t i = members; i-- > 0;)
        what(&b->a, b->panels + (size_t)i * step, (ebm_share){.index = i, .count = members});
}

static void forward(const ebm_kernels *k, ebm_map_shape m, const images *x, float *y)
{
    bench b = open_bench(k, m);
    put_maps(&b, x, &b.a.x);
    run(&b, ebm__attention_forward, 1);
    take(&b, b.a.y, y);
    close_bench(&b);
}

static images random_images(ebm_map_shape m, uint32_t which)
{
    size_t n = (size_t)(m.c * m.h * m.w);
    images out;
    for (uint32_t i = 0; i < 3; i++) {
        float *values = randoms(3 * which + i, n);
        memcpy(out.at[i], values, n * sizeof *values);
        ebm_free(values);
    }
    return out;
}

/* --- the same in double, as the formulas are written --------------------------------------------
 */

typedef struct exact {
    size_t channels, pixels;
    double x[3][MAX_VALUES], t[3][MAX_VALUES];
    double y[MAX_VALUES], dy[MAX_VALUES]; /* the result and its tangent */
} exact;

static exact exact_of(ebm_map_shape m, const images *x, const images *t)
{
    exact e = {.channels = (size_t)m.c, .pixels = (size_t)(m.h * m.w)};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < e.channels * e.pixels; i++) {
            e.x[k][i] = (double)x->at[k][i];
            e.t[k][i] = t ? (double)t->at[k][i] : 0.0;
        }
    return e;
}

/* a at pixel i times b at pixel j, over the channels */
static double pair(const exact *e, const double *a, size_t i, const double *b, size_t j)
{
    double sum = 0.0;
    for (size_t c = 0; c < e->channels; c++)
        sum += a[c * e->pixels + i] * b[c * e->pixels + j];
    return sum;
}

/* @eq s_j = q.k_j/sqrt(C), p = softmax(s), y = sum p_j v_j;
 *     s'_j = (q'.k_j + q.k'_j)/sqrt(C), y' = sum p_j (s'_j - sum_l p_l s'_l) v_j + p_j v'_j */
static void compute(exact *e)
{
    const double scale = 1.0 / sqrt((double)e->channels);
    for (size_t i = 0; i < e->pixels; i++) {
        double p[MAX_VALUES], s[MAX_VALUES], sum = 0.0, mean = 0.0;
        for (size_t j = 0; j < e->pixels; j++) {
            p[j] = exp(scale * pair(e, e->x[0], i, e->x[1], j));
            s[j] = scale * (pair(e, e->t[0], i, e->x[1], j) + pair(e, e->x[0], i, e->t[1], j));
            sum += p[j];
        }
        for (size_t j = 0; j < e->pixels; j++) {
            p[j] /= sum;
            mean += p[j] * s[j];
        }
        for (size_t c = 0; c < e->channels; c++) {
            const double *v = e->x[2] + c * e->pixels, *tv = e->t[2] + c * e->pixels;
            double y = 0.0, dy = 0.0;
            for (size_t j = 0; j < e->pixels; j++) {
                y += p[j] * v[j];
                dy += p[j] * (s[j] - mean) * v[j] + p[j] * tv[j];
            }
            e->y[c * e->pixels + i] = y;
            e->dy[c * e->pixels + i] = dy;
        }
    }
}

static void narrow(const double *from, size_t n, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

/* <g, y'> + <h, y> */
static double loss(exact *e, const float *g, const float *h)
{
    double sum = 0.0;
    compute(e);
    for (size_t i = 0; i < e->channels * e->pixels; i++)
        sum += (g ? (double)g[i] * e->dy[i] : 0.0) + (double)h[i] * e->y[i];
    return sum;
}

/* Gradient of the loss in one of the arrays of e, by central differences: their error, of the
 * order of h^2 = 1e-8 and of 1e-16/h, is far below that of float32. */
static void differences(exact *e, double *array, const float *g, const float *h, float *out)
{
    const double step = 1e-4;
    for (size_t i = 0; i < e->channels * e->pixels; i++) {
        const double here = array[i];
        array[i] = here + step;
        double up = loss(e, g, h);
        array[i] = here - step;
        double down = loss(e, g, h);
        array[i] = here;
        out[i] = (float)((up - down) / (2.0 * step));
    }
}

/* --- known answers ------------------------------------------------------------------------------
 */

/* Two pixels, one channel: s = q_i k_j; by q = 0 both weigh 1/2, by q = ln 3 the key 1 weighs three
 * times the key 0. */
static void check_by_hand(const ebm_kernels *k)
{
    const ebm_map_shape m = {1, 1, 2};
    const images x = {.at = {{0.0f, 1.09861229f}, {0.0f, 1.0f}, {8.0f, 4.0f}}};
    const float want[2] = {6.0f, 5.0f};
    float y[2];
    forward(k, m, &x, y);
    assert_rel_l2(y, want, 2, 1e-6);
}

/* The scores are divided by sqrt(C): four channels that score 2 ln 3 together are ln 3. */
static void check_scale(const ebm_kernels *k)
{
    const ebm_map_shape m = {4, 1, 2};
    images x = {.at = {{0}}};
    float y[8];
    for (int c = 0; c < 4; c++) {
        x.at[0][2 * c] = 0.5f * 1.09861229f;
        x.at[1][2 * c + 1] = 1.0f;
        x.at[2][2 * c] = 8.0f;
        x.at[2][2 * c + 1] = 4.0f;
    }
    forward(k, m, &x, y);
    for (int c = 0; c < 4; c++) {
        assert_close((double)y[2 * c], 5.0, 1e-5);
        assert_close((double)y[2 * c + 1], 6.0, 1e-5);
    }
}

/* Keys that are all the same weigh the same: every pixel is the mean of the values. */
static void check_equal_keys(const ebm_kernels *k)
{
    const ebm_map_shape m = {5, 5, 7};
    images x = random_images(m, 1);
    float y[175], want[175];
    for (int c = 0; c < 5; c++) {
        double sum = 0.0;
        for (int i = 0; i < 35; i++) {
            x.at[1][c * 35 + i] = 0.3f * (float)c;
            sum += (double)x.at[2][c * 35 + i];
        }
        for (int i = 0; i < 35; i++)
            want[c * 35 + i] = (float)(sum / 35.0);
    }
    forward(k, m, &x, y);
    assert_rel_l2(y, want, 175, 2e-6);
}

/* Attention has no sense of place: where the pixels go, their results go. */
static void check_permutation(const ebm_kernels *k)
{
    const ebm_map_shape m = {5, 5, 7};
    const images x = random_images(m, 2);
    images moved;
    float y[175], want[175];
    forward(k, m, &x, want);
    for (int i = 0; i < 175; i++) /* 12 and 35 have no common divisor */
        for (int a = 0; a < 3; a++)
            moved.at[a][i] = x.at[a][i / 35 * 35 + i % 35 * 12 % 35];
    forward(k, m, &moved, y);
    for (int i = 0; i < 175; i++)
        assert_close((double)y[i], (double)want[i / 35 * 35 + i % 35 * 12 % 35], 2e-6);
}

/* Scores far beyond what exp can take: the largest key wins. */
static void check_large_scores(const ebm_kernels *k)
{
    const ebm_map_shape m = {1, 1, 3};
    const images x = {.at = {{1e4f, -1e4f, 1e3f}, {1.0f, 3.0f, -2.0f}, {5.0f, 7.0f, 9.0f}}};
    const float want[3] = {7.0f, 9.0f, 7.0f};
    float y[3];
    forward(k, m, &x, y);
    assert_rel_l2(y, want, 3, 1e-6);
}

/* A network that overflows must not look healthy at the end. */
static void check_nan_stays(const ebm_kernels *k)
{
    const ebm_map_shape m = {1, 1, 3};
    for (int a = 0; a < 3; a++) {
        images x = random_images(m, 3);
        float y[3];
        x.at[a][1] = NAN;
        forward(k, m, &x, y);
        assert_true(isnan(y[1]));
        assert_true(a == 0 ? !isnan(y[0]) && !isnan(y[2]) : isnan(y[0]) && isnan(y[2]));
    }
}

static void check_known_answers(const ebm_kernels *k)
{
    check_by_hand(k);
    check_scale(k);
    check_equal_keys(k);
    check_permutation(k);
    check_large_scores(k);
    check_nan_stays(k);
}

static void test_known_answers(void **state)
{
    (void)state;
    for_each_set(check_known_answers);
}

/* --- against double -----------------------------------------------------------------------------
 */

static void check_values(const ebm_kernels *k)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_map_shape m = shapes[i];
        const size_t n = (size_t)(m.c * m.h * m.w);
        const images x = random_images(m, 10), t = random_images(m, 11);
        float got[MAX_VALUES], want[MAX_VALUES];
        exact e = exact_of(m, &x, &t);
        bench b = open_bench(k, m);
        compute(&e);
        put_maps(&b, &x, &b.a.x);
        put_maps(&b, &t, &b.a.t);
        run(&b, ebm__attention_forward, 1);
        take(&b, b.a.y, got);
        narrow(e.y, n, want);
        assert_rel_l2(got, want, n, 2e-6);
        run(&b, ebm__attention_tangent, 1);
        take(&b, b.a.y, got);
        narrow(e.dy, n, want);
        assert_rel_l2(got, want, n, 5e-6);
        close_bench(&b);
    }
}

static void test_values_and_tangents(void **state)
{
    (void)state;
    for_each_set(check_values);
}

static void check_maps(exact *e, double (*arrays)[MAX_VALUES], const images *got, const float *g,
                       const float *h)
{
    float want[MAX_VALUES];
    for (size_t a = 0; a < 3; a++) {
        differences(e, arrays[a], g, h, want);
        if (norm(want, e->channels * e->pixels) > 1e-9)
            assert_rel_l2(got->at[a], want, e->channels * e->pixels, 1e-5);
    }
}

static void check_gradients(const ebm_kernels *k)
{
    for (size_t i = 0; i < N_SHAPES; i++) {
        const ebm_map_shape m = shapes[i];
        const images x = random_images(m, 20), t = random_images(m, 21), g = random_images(m, 22);
        images got;
        exact e = exact_of(m, &x, &t);
        bench b = open_bench(k, m);
        put_maps(&b, &x, &b.a.x);
        put(&b, g.at[0], b.a.y);
        run(&b, ebm__attention_backward_query, 1);
        run(&b, ebm__attention_backward_key, 1);
        take_maps(&b, &b.a.dx, &got);
        check_maps(&e, e.x, &got, NULL, g.at[0]);

        put_maps(&b, &t, &b.a.t);
        put(&b, g.at[1], b.a.y2);
        run(&b, ebm__attention_second_query, 1);
        run(&b, ebm__attention_second_key, 1);
        take_maps(&b, &b.a.dt, &got);
        check_maps(&e, e.t, &got, g.at[0], g.at[1]);
        take_maps(&b, &b.a.dx, &got);
        check_maps(&e, e.x, &got, g.at[0], g.at[1]);
        close_bench(&b);
    }
}

static void test_gradients_by_differences(void **state)
{
    (void)state;
    for_each_set(check_gradients);
}

/* --- bits ---------------------------------------------------------------------------------------
 */

typedef struct outcome {
    float y[MAX_VALUES], tangent[MAX_VALUES];
    images dx, dt, second;
} outcome;

static void run_all(const ebm_kernels *k, ebm_map_shape m, int32_t members, outcome *out)
{
    const images x = random_images(m, 30), t = random_images(m, 31), g = random_images(m, 32);
    bench b = open_bench(k, m);
    memset(out, 0, sizeof *out);
    put_maps(&b, &x, &b.a.x);
    put_maps(&b, &t, &b.a.t);
    run(&b, ebm__attention_forward, members);
    take(&b, b.a.y, out->y);
    run(&b, ebm__attention_tangent, members);
    take(&b, b.a.y, out->tangent);
    put(&b, g.at[0], b.a.y);
    put(&b, g.at[1], b.a.y2);
    run(&b, ebm__attention_backward_query, members);
    run(&b, ebm__attention_backward_key, members);
    take_maps(&b, &b.a.dx, &out->dx);
    run(&b, ebm__attention_second_query, members);
    run(&b, ebm__attention_second_key, members);
    take_maps(&b, &b.a.dt, &out->dt);
    take_maps(&b, &b.a.dx, &out->second);
    close_bench(&b);
}

/* Shared in any way: the same bits. */
static void check_shares(const ebm_kernels *k)
{
    static outcome alone, together;
    for (size_t i = 0; i < N_SHAPES; i++) {
        run_all(k, shapes[i], 1, &alone);
        for (int32_t members = 2; members <= 4; members++) {
            run_all(k, shapes[i], members, &together);
            assert_memory_equal(&alone, &together, sizeof alone);
        }
    }
}

static void test_shares_same_bits(void **state)
{
    (void)state;
    for_each_set(check_shares);
}

/* The float32 sets have different vectors and the same arithmetic. */
static void check_same_as_blas(const ebm_kernels *k)
{
    static outcome want, got;
    const ebm_kernels *blas = NULL;
    assert_int_equal(ebm_kernels_select("blas", &blas, NULL), EBM_OK);
    if (strcmp(k->name, "ref") == 0)
        return;
    for (size_t i = 0; i < N_SHAPES; i++) {
        run_all(blas, shapes[i], 1, &want);
        run_all(k, shapes[i], 1, &got);
        assert_memory_equal(&want, &got, sizeof want);
    }
}

static void test_sets_same_bits(void **state)
{
    (void)state;
    for_each_set(check_same_as_blas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_values_and_tangents),
        cmocka_unit_test(test_gradients_by_differences),
        cmocka_unit_test(test_shares_same_bits),
        cmocka_unit_test(test_sets_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
