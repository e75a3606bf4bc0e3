/* Distances between sets: closed forms, tiny cases by hand, one number of SciPy, and standard
 * errors that cover. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "ebmt/statistics.h"
#include "eval/symmetric.h"
#include "fail_alloc.h"

static ebmt_points points(const double *values, int64_t n, size_t dim)
{
    return (ebmt_points){.n = n, .dim = dim, .values = values};
}

/* n points of N(mean, diag(sd^2)), the same two numbers in every dimension. */
static double *normals(uint32_t chain, int64_t n, size_t dim, double mean, double sd)
{
    const ebm_stream stream = {.seed = 4, .purpose = EBM_PURPOSE_TEST, .chain = chain};
    size_t count = (size_t)n * dim;
    float *draws = ebm_alloc(count, sizeof *draws);
    double *out = ebm_alloc(count, sizeof *out);
    assert_true(draws && out);
    ebm_rng_normal(&stream, 0, count, draws);
    for (size_t i = 0; i < count; i++)
        out[i] = mean + sd * (double)draws[i];
    ebm_free(draws);
    return out;
}

/* --- matrices ------------------------------------------------------------------------------ */

static void test_matrices(void **state)
{
    double a[4] = {5, 4, 4, 5}, copy[4] = {5, 4, 4, 5}, values[2], trace;
    const double b[4] = {2, 0, 0, 8}, unit[4] = {1, 0, 0, 1};
    double bad[1] = {NAN};
    (void)state;
    assert_int_equal(ebmt__symmetric_eigen(2, a, values, NULL), EBM_OK);
    assert_close(values[0], 1, 1e-14);
    assert_close(values[1], 9, 1e-14);
    /* the root of 5 4 / 4 5 is 2 1 / 1 2 */
    assert_int_equal(ebmt__symmetric_sqrt(2, copy, NULL), EBM_OK);
    assert_rel_l2(copy, ((const double[4]){2, 1, 1, 2}), 4, 1e-14);
    assert_int_equal(ebmt__trace_sqrt_product(2, unit, b, &trace, NULL), EBM_OK);
    assert_close(trace, sqrt(2) + sqrt(8), 1e-14);
    assert_int_equal(ebmt__symmetric_eigen(1, bad, values, NULL), EBM_ERR_DIVERGED);
}

/* --- Frechet ------------------------------------------------------------------------------- */

/* In one dimension the distance is (m1-m2)^2 + (s1-s2)^2, here of the sample moments. */
static void test_frechet_line(void **state)
{
    const double a[4] = {-1, 1, -1, 1}, b[6] = {1, 5, 1, 5, 1, 5};
    const ebmt_points x = points(a, 4, 1), y = points(b, 6, 1);
    ebmt_number value, unbiased;
    double s1 = sqrt(4.0 / 3.0), s2 = sqrt(24.0 / 5.0);
    (void)state;
    assert_int_equal(ebmt_frechet(&x, &y, &value, &unbiased, NULL), EBM_OK);
    assert_close(value.value, 9 + (s1 - s2) * (s1 - s2), 1e-12);
    assert_int_equal(value.n, 4);
    assert_int_equal(ebmt_frechet(&x, &x, &value, &unbiased, NULL), EBM_OK);
    assert_close(value.value, 0, 1e-12);
}

/* N(0,1)^8 against N(0.5,2^2)^8: distance 8 (0.25 + 1) = 10. The bound is 5 standard errors, a
 * false alarm in 10^6 seeds; the standard error itself may not be absurd. */
static void test_frechet_gaussians(void **state)
{
    double *a = normals(1, 2000, 8, 0, 1), *b = normals(2, 3000, 8, 0.5, 2);
    const ebmt_points x = points(a, 2000, 8), y = points(b, 3000, 8);
    ebmt_number value, unbiased;
    (void)state;
    assert_int_equal(ebmt_frechet(&x, &y, &value, &unbiased, NULL), EBM_OK);
    assert_true(value.se > 0.05 && value.se < 0.5);
    assert_close(value.value, 10, 5 * value.se);
    assert_close(unbiased.value, 10, 5 * value.se);
    ebm_free(a);
    ebm_free(b);
}

/* Two sets of one law, 200 points in 16 dimensions: the plain distance is far over zero, its bias
 * of about dim^2/(2n) being 1.3 or less; the jackknife takes at least four fifths of that away. */
static void test_frechet_bias(void **state)
{
    double *a = normals(3, 200, 16, 0, 1), *b = normals(4, 20000, 16, 0, 1);
    const ebmt_points x = points(a, 200, 16), y = points(b, 20000, 16);
    ebmt_number value, unbiased;
    (void)state;
    assert_int_equal(ebmt_frechet(&x, &y, &value, &unbiased, NULL), EBM_OK);
    assert_true(value.value > 0.3);
    assert_true(fabs(unbiased.value) < 0.2 * value.value);
    ebm_free(a);
    ebm_free(b);
}

/* SciPy 1.17.1, NumPy 2.4.6: trace and difference of means by numpy.cov(rowvar=False), the root by
 * scipy.linalg.sqrtm(cov(x) @ cov(y)), on the points below. */
static void test_frechet_scipy(void **state)
{
    enum { N = 40, M = 50, D = 5 };
    double a[N * D], b[M * D];
    const ebmt_points x = points(a, N, D), y = points(b, M, D);
    ebmt_number value, unbiased;
    (void)state;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            a[i * D + j] = sin(1 + 0.37 * i * (j + 1) + j) + 0.1 * j;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < D; j++)
            b[i * D + j] = 1.5 * cos(2 + 0.53 * i * (j + 1)) - 0.2 * sin(0.11 * i);
    assert_int_equal(ebmt_frechet(&x, &y, &value, &unbiased, NULL), EBM_OK);
    assert_close(value.value, 1.0341949421899403, 1e-9);
}

/* --- kernel distance ----------------------------------------------------------------------- */

/* Four points a side make two blocks of two, worked out with (xy+1)^3 by hand:
 * block 0, x {0,2} y {1,1}: k(0,2) + k(1,1) - (2 k(0,1) + 2 k(2,1))/2 = 1 + 8 - 28 = -19;
 * block 1, x {1,1} y {0,0}: 8 + 1 - 2 = 7. */
static void test_kernel_by_hand(void **state)
{
    const double a[4] = {0, 1, 2, 1}, b[4] = {1, 0, 1, 0};
    const ebmt_points x = points(a, 4, 1), y = points(b, 4, 1);
    ebmt_number value;
    (void)state;
    assert_int_equal(ebmt_kernel_distance(&x, &y, &value, NULL), EBM_OK);
    assert_close(value.value, -6, 1e-12);
    assert_close(value.se, 13, 1e-12);
}

/* In one dimension E k(u,v) = Eu^3 Ev^3 + 3 Eu^2 Ev^2 + 3 Eu Ev + 1. x ~ N(0,1/4) has the moments
 * (0, 1/4, 0) and y ~ N(1/2,1/4) has (1/2, 1/2, 1/2), so the distance is 1.1875 + 2.75 - 2 * 1.375.
 * The bound is five standard errors. */
static void test_kernel_gaussians(void **state)
{
    double *a = normals(5, 4000, 1, 0, 0.5), *b = normals(6, 4000, 1, 0.5, 0.5);
    const ebmt_points x = points(a, 4000, 1), y = points(b, 4000, 1);
    ebmt_number value;
    (void)state;
    assert_int_equal(ebmt_kernel_distance(&x, &y, &value, NULL), EBM_OK);
    assert_true(value.se < 0.1);
    assert_close(value.value, 1.1875, 5 * value.se);
    ebm_free(a);
    ebm_free(b);
}

/* Blocks of more rows than are multiplied at a time: all x are 1 and all y 0, so k is 8, 1 and 1,
 * and a pair too many, or too few, would show. */
static void test_kernel_panels(void **state)
{
    static double ones[6000], zeros[6000];
    const ebmt_points x = points(ones, 6000, 1), y = points(zeros, 6000, 1);
    ebmt_number value;
    (void)state;
    for (int i = 0; i < 6000; i++)
        ones[i] = 1.0;
    assert_int_equal(ebmt_kernel_distance(&x, &y, &value, NULL), EBM_OK);
    assert_close(value.value, 8 + 1 - 2, 1e-12);
    assert_close(value.se, 0, 1e-12);
}

/* --- neighbours ---------------------------------------------------------------------------- */

static ebmt_pool *pool_of(int32_t threads)
{
    ebmt_pool *pool = NULL;
    assert_int_equal(ebmt_pool_create(threads, &pool, NULL), EBM_OK);
    return pool;
}

/* Points on a line at 0, 1, 3, 6: third neighbours reach 6, 5, 3, 6. */
static void test_precision_recall(void **state)
{
    const double a[5] = {-7, -5, 2, 12.5, 11.5}, b[4] = {0, 1, 3, 6};
    const ebmt_points x = points(a, 5, 1), y = points(b, 4, 1);
    ebmt_pool *pool = pool_of(1);
    ebmt_number precision, recall;
    (void)state;
    assert_int_equal(ebmt_precision_recall(&x, &y, 3, pool, &precision, &recall, NULL), EBM_OK);
    /* -7 and 12.5 are outside; -5, 2, 11.5 inside */
    assert_close(precision.value, 0.6, 1e-15);
    assert_close(precision.se, sqrt(0.6 * 0.4 / 5), 1e-15);
    /* third neighbours of x reach 18.5, 16.5, 9.5, 17.5, 16.5: everything is covered */
    assert_close(recall.value, 1, 0);
    assert_int_equal(ebmt_precision_recall(&y, &x, 4, pool, &precision, &recall, NULL),
                     EBM_ERR_RANGE);
    ebmt_pool_free(pool);
}

/* Bytes, more points than a tile holds, several threads: the planted twin is found exactly. */
static void test_nearest_bytes(void **state)
{
    enum { N = 300, M = 700, D = 9 };
    static uint8_t a[N * D], b[M * D];
    const ebm_stream stream = {.seed = 9, .purpose = EBM_PURPOSE_TEST};
    const ebmt_points x = {.n = N, .dim = D, .bytes = a}, y = {.n = M, .dim = D, .bytes = b};
    ebmt_pool *pool = pool_of(3);
    double distance[N];
    int64_t index[N];
    (void)state;
    for (uint32_t i = 0; i < M * D; i++)
        b[i] = (uint8_t)ebm_rng_word(&stream, i);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            a[i * D + j] = b[((i * 7 + 3) % M) * D + j];
    a[0] = (uint8_t)(a[0] ^ 1); /* one gray level off */
    assert_int_equal(ebmt_nearest(&x, &y, pool, distance, index, NULL), EBM_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(index[i], (i * 7 + 3) % M);
        assert_close(distance[i], i == 0 ? 1 : 0, 0);
    }
    ebmt_pool_free(pool);
}

/* Gaps of 1, 2, 3, 4, 5 on a line, and two equal points at the end; all of them, and every third.
 */
static void test_nearest_other(void **state)
{
    static const uint8_t line[] = {0, 1, 3, 6, 10, 15, 90, 30, 30}, third[] = {0, 6, 90};
    static const double want[] = {1, 1, 2, 3, 4, 5, 60, 0, 0}, want_third[] = {1, 3, 60};
    static const int64_t near[] = {1, 0, 1, 2, 3, 4, 7, 8, 7};
    const ebmt_points all = {.n = 9, .dim = 1, .bytes = line};
    const ebmt_points some = {.n = 3, .dim = 1, .bytes = third};
    const ebmt_points one = {.n = 1, .dim = 1, .bytes = line};
    ebmt_pool *pool = pool_of(2);
    double distance[9];
    int64_t index[9];
    (void)state;
    assert_int_equal(ebmt_nearest_other(&all, &all, pool, distance, index, NULL), EBM_OK);
    assert_memory_equal(distance, want, sizeof want);
    assert_memory_equal(index, near, sizeof near);
    assert_int_equal(ebmt_nearest_other(&some, &all, pool, distance, index, NULL), EBM_OK);
    assert_memory_equal(distance, want_third, sizeof want_third);
    for (int i = 0; i < 3; i++)
        assert_int_equal(index[i], near[3 * i]);
    assert_int_equal(ebmt_nearest_other(&one, &one, pool, distance, index, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_nearest_other(&all, &some, pool, distance, index, NULL), EBM_ERR_RANGE);
    ebmt_pool_free(pool);
}

/* --- classes and ranks --------------------------------------------------------------------- */

static void test_classes(void **state)
{
    double certain[40 * 4] = {0}, vague[8 * 2];
    ebmt_class_figures f;
    (void)state;
    /* every block sees each of the four classes once, with certainty: the score is 4 */
    for (int i = 0; i < 40; i++)
        certain[i * 4 + i / 10] = 1;
    assert_int_equal(ebmt_class_figures_measure(certain, 40, 4, &f, NULL), EBM_OK);
    assert_close(f.score.value, 4, 1e-12);
    assert_close(f.score.se, 0, 1e-12);
    assert_close(f.entropy, log(4), 1e-12);
    assert_close(f.share[2].value, 0.25, 1e-15);
    for (int i = 0; i < 8; i++) {
        vague[2 * i] = 0.7;
        vague[2 * i + 1] = 0.3;
    }
    assert_int_equal(ebmt_class_figures_measure(vague, 8, 2, &f, NULL), EBM_OK);
    assert_close(f.score.value, 1, 1e-12);
    assert_close(f.share[0].value, 1, 0);
    assert_close(f.entropy, 0, 0);
}

/* Shares 1/2, 1/4, 1/4 of 100: H = 1.5 log 2, sum p log^2 p = 2.5 log^2 2, so se = 0.5 log 2 / 10.
 */
static void test_class_entropy(void **state)
{
    double certain[100 * 3] = {0};
    ebmt_class_figures f;
    (void)state;
    for (int i = 0; i < 100; i++)
        certain[i * 3 + (i < 50 ? 0 : 1 + i % 2)] = 1;
    assert_int_equal(ebmt_class_figures_measure(certain, 100, 3, &f, NULL), EBM_OK);
    const ebmt_number h = ebmt_class_entropy(&f);
    assert_close(h.value, 1.5 * log(2), 1e-12);
    assert_close(h.se, 0.05 * log(2), 1e-12);
    assert_int_equal(h.n, 100);
    for (int i = 0; i < 100; i++)
        certain[3 * i] = certain[3 * i + 1] = i % 2 ? 1 : 0;
    assert_int_equal(ebmt_class_figures_measure(certain, 8, 2, &f, NULL), EBM_OK);
    assert_true(isfinite(ebmt_class_entropy(&f).se)); /* a class without images */
}

/* Positives 1 2 3 against 0 2 4: pairs won 1, 1.5, 2 of 3, area 1/2. DeLong: placements 1/3, 1/2,
 * 2/3 and (by symmetry) 0, 1/2, 1 with variances 1/36 and 1/4. */
static void test_auroc(void **state)
{
    const double p[3] = {3, 1, 2}, n[3] = {4, 2, 0}, high[2] = {8, 9}, nan[1] = {NAN};
    ebmt_number area;
    (void)state;
    assert_int_equal(ebmt_auroc(p, 3, n, 3, &area, NULL), EBM_OK);
    assert_close(area.value, 0.5, 1e-15);
    assert_close(area.se, sqrt(1.0 / 36 / 3 + 0.25 / 3), 1e-12);
    assert_int_equal(ebmt_auroc(high, 2, n, 3, &area, NULL), EBM_OK);
    assert_close(area.value, 1, 0);
    assert_close(area.se, 0, 0);
    assert_int_equal(ebmt_auroc(high, 1, n, 3, &area, NULL), EBM_OK);
    assert_true(isnan(area.se));
    assert_int_equal(ebmt_auroc(nan, 1, n, 3, &area, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_auroc(p, 0, n, 3, &area, NULL), EBM_ERR_RANGE);
}

/* N(1,1) against N(0,1): the area is Phi(1/sqrt 2) = 0.7602. Five standard errors. */
static void test_auroc_gaussians(void **state)
{
    double *p = normals(7, 3000, 1, 1, 1), *n = normals(8, 3000, 1, 0, 1);
    ebmt_number area;
    (void)state;
    assert_int_equal(ebmt_auroc(p, 3000, n, 3000, &area, NULL), EBM_OK);
    assert_true(area.se > 0.004 && area.se < 0.01); /* Hanley, McNeil 1982 gives 0.0061 */
    assert_close(area.value, 0.5 * erfc(-0.5), 5 * area.se);
    ebm_free(p);
    ebm_free(n);
}

/* Pairs (3,4) (1,2) (2,0): placements 2/3 1/3 1/2 of the positives and 1 1/2 0 of the negatives,
 * differences -1/3 -1/6 1/2 with variance 7/36. A pair of equals says nothing, however often. */
static void test_auroc_pairs(void **state)
{
    const double p[3] = {3, 1, 2}, n[3] = {4, 2, 0}, nan[2] = {0, NAN};
    ebmt_number area;
    (void)state;
    assert_int_equal(ebmt_auroc_pairs(p, n, 3, &area, NULL), EBM_OK);
    assert_close(area.value, 0.5, 1e-15);
    assert_close(area.se, sqrt(7.0 / 36 / 3), 1e-12);
    assert_int_equal(area.n, 6);
    assert_int_equal(ebmt_auroc_pairs(p, p, 3, &area, NULL), EBM_OK);
    assert_close(area.value, 0.5, 0);
    assert_close(area.se, 0, 0);
    assert_int_equal(ebmt_auroc_pairs(p, n, 1, &area, NULL), EBM_OK);
    assert_close(area.value, 0, 0);
    assert_true(isnan(area.se));
    assert_int_equal(ebmt_auroc_pairs(p, nan, 2, &area, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_auroc_pairs(p, n, 0, &area, NULL), EBM_ERR_RANGE);
}

/* Pairs of N(0,1) with correlation rho. Of 3000 placements are uniform and have the correlation
 * (6/pi) asin(rho/2) (Spearman's, Kruskal 1958), so that se^2 = (1 - that) / (6 n). The variance of
 * n values is good to sqrt(2/n), less for these: 5 % of the error are over three times that. */
static void test_auroc_of_correlated(void **state)
{
    static const double rho[] = {0, 0.95, -0.5};
    const int n = 3000;
    double *p = normals(7, n, 1, 0, 1), *other = normals(8, n, 1, 0, 1);
    double *q = ebm_alloc((size_t)n, sizeof *q);
    (void)state;
    assert_non_null(q);
    for (size_t k = 0; k < sizeof rho / sizeof rho[0]; k++) {
        ebmt_number area;
        for (int i = 0; i < n; i++)
            q[i] = rho[k] * p[i] + sqrt(1 - rho[k] * rho[k]) * other[i];
        assert_int_equal(ebmt_auroc_pairs(p, q, n, &area, NULL), EBM_OK);
        double se = sqrt((1 - 6 / acos(-1) * asin(rho[k] / 2)) / (6.0 * n));
        assert_close(area.se, se, 0.05 * se);
        assert_close(area.value, 0.5, 5 * se);
    }
    ebm_free(p);
    ebm_free(q);
    ebm_free(other);
}

/* Of 16 values the error reaches two ranks up and down from 7.5: 5.5 and 9.5 of 0..15. For
 * normals it is sqrt(pi/2n) on average: 300 sets of 400, whose mean has an
 * error of 1.5 %. */
static void test_median(void **state)
{
    double v[16], sum = 0.0;
    (void)state;
    for (int i = 0; i < 16; i++)
        v[i] = (double)((7 * i) % 16);
    const ebmt_number m = ebmt_median(v, 16);
    assert_close(m.value, 7.5, 1e-12);
    assert_close(m.se, 2.0, 1e-12);
    assert_int_equal(m.n, 16);
    assert_true(isnan(ebmt_median(v, 3).se));
    double *x = normals(77, 300 * 400, 1, 0.0, 1.0);
    for (int k = 0; k < 300; k++)
        sum += ebmt_median(x + 400 * k, 400).se / 300.0;
    assert_close(sum / sqrt(acos(-1.0) / 800.0), 1.0, 0.06);
    ebm_free(x);
}

static void test_quantile(void **state)
{
    double v[5] = {50, 10, 40, 20, 30};
    (void)state;
    assert_close(ebmt_quantile(v, 5, 0.5), 30, 0);
    assert_close(ebmt_quantile(v, 5, 0.1), 14, 1e-12);
    assert_close(ebmt_quantile(v, 5, 1), 50, 0);
    assert_close(ebmt_quantile(v, 1, 0.3), 10, 0);
}

/* Of values on (0,1) the quantile itself is the chance to be under it: on average what was asked
 * for, however few they are. The mean of 2,000 has a standard error of 0.13/sqrt(2,000); the bound
 * is five of them. */
static void test_fresh_quantile(void **state)
{
    double v[5] = {50, 10, 40, 20, 30}, sum = 0.0;
    (void)state;
    assert_close(ebmt_fresh_quantile(v, 5, 0.5), 30, 0);
    assert_close(ebmt_fresh_quantile(v, 5, 0.25), 15, 1e-12);
    assert_close(ebmt_fresh_quantile(v, 5, 0.01), 10, 0); /* too few for less */
    assert_close(ebmt_fresh_quantile(v, 5, 0.99), 50, 0);
    for (uint32_t k = 0; k < 2000; k++) {
        const ebm_stream stream = {.seed = 12, .purpose = EBM_PURPOSE_TEST, .chain = k};
        double u[9];
        for (uint32_t i = 0; i < 9; i++)
            u[i] = (ebm_rng_word(&stream, i) + 0.5) / 4294967296.0;
        sum += ebmt_fresh_quantile(u, 9, 0.25) / 2000.0;
    }
    assert_close(sum, 0.25, 5.0 * 0.13 / sqrt(2000.0));
}

/* --- what is refused ----------------------------------------------------------------------- */

static void test_refusals(void **state)
{
    const double a[12] = {0}, wrong[8] = {0, 1, NAN, 3, 4, 5, 6, 7};
    const ebmt_points few = points(a, 3, 2), enough = points(a, 6, 2), other = points(a, 4, 3),
                      nan = points(wrong, 4, 2);
    ebmt_number v, u;
    (void)state;
    assert_int_equal(ebmt_frechet(&few, &enough, &v, &u, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_frechet(&enough, &other, &v, &u, NULL), EBM_ERR_SHAPE);
    assert_int_equal(ebmt_frechet(&nan, &enough, &v, &u, NULL), EBM_ERR_DIVERGED);
    assert_int_equal(ebmt_kernel_distance(&few, &enough, &v, NULL), EBM_ERR_RANGE);
    assert_int_equal(ebmt_kernel_distance(&other, &enough, &v, NULL), EBM_ERR_SHAPE);
}

static void test_no_memory(void **state)
{
    double *a = normals(9, 40, 3, 0, 1);
    const ebmt_points x = points(a, 20, 3), y = points(a + 60, 20, 3);
    ebmt_pool *pool = pool_of(2);
    ebmt_number v, u;
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_frechet(&x, &y, &v, &u, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_precision_recall(&x, &y, 3, pool, &v, &u, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_kernel_distance(&x, &y, &v, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_auroc(a, 20, a + 20, 20, &v, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_auroc_pairs(a, a + 20, 20, &v, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    ebmt_pool_free(pool);
    ebm_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrices),
        cmocka_unit_test(test_frechet_line),
        cmocka_unit_test(test_frechet_gaussians),
        cmocka_unit_test(test_frechet_bias),
        cmocka_unit_test(test_frechet_scipy),
        cmocka_unit_test(test_kernel_by_hand),
        cmocka_unit_test(test_kernel_gaussians),
        cmocka_unit_test(test_kernel_panels),
        cmocka_unit_test(test_precision_recall),
        cmocka_unit_test(test_nearest_bytes),
        cmocka_unit_test(test_nearest_other),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_class_entropy),
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_auroc),
        cmocka_unit_test(test_auroc_gaussians),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_fresh_quantile),
        cmocka_unit_test(test_auroc_pairs),
        cmocka_unit_test(test_auroc_of_correlated),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
