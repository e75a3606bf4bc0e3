/* Features against closed forms; statistics, percentiles and the file that keeps them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analytic.h"
#include "assert_numbers.h"
#include "ebm/calibration.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "energy/calibration_internal.h"
#include "fail_alloc.h"
#include "temp_dir.h"

enum { DIM = 8, COUNT = 400, LEVELS = 6, NUMBERS = EBM_FEATURES * LEVELS };
/* of all tables behind each other */
enum { TABLES = 4 * NUMBERS + 1 + (LEVELS + 1) * EBM_QUANTILES };

static const char digest[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/* For data N(0, v) a noised image has logp -|y|^2/(2 A^2 (abar^2 v + sbar^2)), whose mean over the
 * noise is -(abar^2 |x|^2 + D sbar^2)/(2 (abar^2 v + sbar^2)). The guess of the noise is
 * g = sbar (abar x + sbar e)/var, so g and e - g are of the form u e + w x, whose square has mean
 * u^2 D + w^2 |x|^2 and variance 2 u^4 D + 4 u^2 w^2 |x|^2. 1,000 draws, 5 standard errors. */
static void check_square(double got, double u, double w, double x2)
{
    double se = sqrt((2 * DIM * u * u * u * u + 4 * u * u * w * w * x2) / 1000);
    assert_close(got, u * u * DIM + w * w * x2, 5 * se + 1e-4);
}

static void test_mean_over_noise(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = DIM, .cov = {{0.25}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 1000};
    float image[DIM], work[3 * DIM], grad[DIM];
    double features[NUMBERS], *logp = features, x2 = 0;
    (void)state;
    for (int i = 0; i < DIM; i++) {
        image[i] = 0.2f * (float)(i - 3);
        x2 += (double)image[i] * (double)image[i];
    }
    ebm_score_image(&how, image, 5, work, features);
    assert_true(ebm_score_is_finite(features, LEVELS));
    for (int t = 0; t < LEVELS; t++) {
        double a2 = l.abar[t] * l.abar[t], s2 = l.sbar[t] * l.sbar[t], var = a2 * 0.25 + s2;
        double se = sqrt((4 * a2 * x2 * s2 + 2 * DIM * s2 * s2) / 1000) / (2 * var);
        assert_close(logp[t], -(a2 * x2 + DIM * s2) / (2 * var), 5 * se + 1e-4);
        const double cross = l.abar[t] * l.sbar[t] / var;
        check_square(exp(features[EBM_FEATURE_MISS * LEVELS + t]), 1 - s2 / var, -cross, x2);
        check_square(features[EBM_FEATURE_PULL * LEVELS + t], s2 / var, cross, x2);
    }
    for (int i = 0; i < NUMBERS; i++) {
        const double kept = features[i];
        features[i] = i % 2 ? (double)NAN : (double)-INFINITY;
        assert_false(ebm_score_is_finite(features, LEVELS));
        features[i] = kept;
    }
    /* the noise has mean 0, so the gradient is -abar^2 x / var, within its own error */
    double a2 = l.abar[0] * l.abar[0], var = a2 * 0.25 + l.sbar[0] * l.sbar[0];
    ebm_score_gradient(&how, image, 5, work, grad);
    for (int i = 0; i < DIM; i++)
        assert_close(grad[i], -a2 * (double)image[i] / var,
                     5 * l.abar[0] * l.sbar[0] / var / sqrt(1000) + 1e-5);
    ebm_levels_clear(&l);
}

/* The gradient of a finite number of draws is exact: central differences of the score. */
static void test_gradient_by_differences(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 2, .copies = DIM / 2, .cov = {{0.3, 0.1}, {0.1, 0.2}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 4};
    float image[DIM] = {0.1f, -0.4f, 0.3f}, work[3 * DIM], grad[DIM];
    double up[NUMBERS], down[NUMBERS];
    (void)state;
    ebm_score_gradient(&how, image, 1, work, grad);
    for (int i = 0; i < DIM; i++) {
        const float kept = image[i];
        image[i] = kept + 0.125f;
        ebm_score_image(&how, image, 1, work, up);
        image[i] = kept - 0.125f;
        ebm_score_image(&how, image, 1, work, down);
        image[i] = kept;
        assert_close((up[0] - down[0]) / 0.25, (double)grad[i], 2e-3);
    }
    ebm_levels_clear(&l);
}

/* However a score's work is divided, the numbers are the same. */
static void test_scores_in_parts(void **state)
{
    ebm_levels l = analytic_levels();
    analytic_gauss g = {.levels = &l, .n = 1, .copies = DIM, .cov = {{0.25}}};
    ebm_density d = analytic_gauss_density(&g);
    const ebm_scoring how = {&d, &l, 3, 5};
    float image[DIM] = {0.1f, -0.4f, 0.3f}, work[3 * DIM], grad[DIM], part_grad[DIM];
    double features[NUMBERS], part[NUMBERS];
    (void)state;
    ebm_score_image(&how, image, 2, work, features);
    ebm_score_gradient(&how, image, 2, work, grad);
    assert_int_equal(ebm_score_evals(&how, true), 5 * (LEVELS + 1));
    for (int64_t size = 1; size < 40; size += 3) {
        ebm_score score = {.features = part, .grad = part_grad};
        while (score.done < ebm_score_evals(&how, true))
            ebm_score_advance(&how, image, 2, size, work, &score);
        assert_memory_equal(part, features, sizeof features);
        assert_memory_equal(part_grad, grad, sizeof grad);
    }
    ebm_levels_clear(&l);
}

/* --- statistics ---------------------------------------------------------------------------- */

/* Images score 0..COUNT-1 at each level, times t+1 and moved, each feature in an order of its own;
 * copies are less likely by 80, 90, ... such units, kind by kind. */
static void make(ebm_calibration *c)
{
    static const int order[EBM_FEATURES] = {7, 11, 13};
    static double own[COUNT][EBM_FEATURES][LEVELS];
    static double spoiled[EBM_SCORED_COPIES * COUNT][EBM_FEATURES][LEVELS];
    const ebm_scored set = {LEVELS, COUNT, &own[0][0][0], &spoiled[0][0][0]};
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < NUMBERS; j++) {
            const int f = j / LEVELS, t = j % LEVELS;
            own[i][f][t] = (t + 1) * (double)(i * order[f] % COUNT) - 50.0 * t;
        }
    for (int k = 0; k < EBM_SCORED_COPIES * COUNT; k++) {
        memcpy(spoiled[k], own[k / EBM_SCORED_COPIES], sizeof own[0]);
        for (int t = 0; t < LEVELS; t++)
            spoiled[k][EBM_FEATURE_LOGP][t] -= (t + 1) * (80.0 + 10 * (int)ebm_scored_kind(k));
    }
    assert_int_equal(ebm_calibration_of(&set, c, NULL), EBM_OK);
    c->draws = 4;
    c->seed = 11;
}

static void test_percentiles(void **state)
{
    ebm_calibration c;
    double sd = sqrt(COUNT * (COUNT + 1) / 12.0);
    (void)state;
    make(&c);
    assert_int_equal(c.bands, LEVELS);
    for (int i = 0; i < NUMBERS; i++) {
        const int t = i % LEVELS;
        assert_close(c.mean[i], (t + 1) * (COUNT - 1) / 2.0 - 50.0 * t, 1e-9);
        assert_close(c.sd[i], (t + 1) * sd, 1e-9);
    }
    for (int t = 0; t < LEVELS; t++) {
        assert_close(ebm_calibration_percentile(&c, t, c.mean[t]), 50.0, 1e-9);
        assert_close(ebm_calibration_percentile(&c, t, -50.0 * t + (t + 1) * 99.75), 25.0, 1e-9);
        assert_true(ebm_calibration_percentile(&c, t, -50.0 * t) == 0.0);
        assert_true(ebm_calibration_percentile(&c, t, 1e9) == 100.0);
        assert_true(ebm_calibration_percentile(&c, t, (double)NAN) == 0.0);
        assert_close(ebm_calibration_band(&c, t).low, -50.0 * t + (t + 1) * 3.99, 1e-9);
        assert_close(ebm_calibration_band(&c, t).high, -50.0 * t + (t + 1) * 395.01, 1e-9);
    }
    ebm_calibration_clear(&c);
}

/* The score by hand: neighbours share a band, 70 levels in 32; z is clipped at 6 on either side,
 * and both z and its square have weights. */
static void test_score_by_hand(void **state)
{
    enum { MANY = 70, B = EBM_BANDS_MAX };
    double features[EBM_FEATURES * MANY] = {0};
    ebm_calibration c;
    (void)state;
    assert_int_equal(ebm__calibration_init(MANY, &c, NULL), EBM_OK);
    assert_int_equal(c.bands, B);
    for (int i = 0; i < EBM_FEATURES * B; i++) {
        c.mean[i] = 1.0;
        c.sd[i] = 2.0;
    }
    c.weight[2 * EBM_FEATURES * B] = 0.25;
    c.weight[0] = 10; /* levels 0 and 1 are the first band: 4 and 8 have mean 6, z = 2.5 */
    features[0] = 4;
    features[1] = 8;
    assert_close(ebm_calibration_score(&c, features), 0.25 + 25, 1e-12);
    c.weight[EBM_FEATURES * B] = -3;
    assert_close(ebm_calibration_score(&c, features), 0.25 + 25 - 3 * 6.25, 1e-12);
    /* levels 67, 68 and 69 are the last band of the last feature: 9 alone has mean 3, z = 1 */
    double *last = &features[EBM_FEATURES * MANY - 3];
    const double rest = 0.25 + 25 - 3 * 6.25;
    c.weight[EBM_FEATURES * B - 1] = 2;
    *last = 9;
    assert_close(ebm_calibration_score(&c, features), rest + 2, 1e-12);
    *last = 1e300;
    assert_close(ebm_calibration_score(&c, features), rest + 12, 1e-12);
    *last = -900;
    assert_close(ebm_calibration_score(&c, features), rest - 12, 1e-12);
    ebm_calibration_clear(&c);
}

/* Draws of N(0,1) for images and of N(shift,1) for copies, in all features but with the shift in
 * the first alone. @shape floats [(1 + copies) count, EBM_FEATURES levels] */
static void draw_set(ebm_scored *set, double shift, uint64_t seed, double *numbers)
{
    static float noise[1 << 17];
    const ebm_stream stream = {.seed = seed, .purpose = EBM_PURPOSE_TEST};
    const size_t row = EBM_FEATURES * (size_t)set->levels, n = (size_t)set->count;
    const size_t all = (1 + EBM_SCORED_COPIES) * n * row;
    assert_true(all <= sizeof noise / sizeof noise[0]);
    ebm_rng_normal(&stream, 0, all, noise);
    for (size_t i = 0; i < all; i++)
        numbers[i] = (double)noise[i] + (i >= n * row && i % row == 0 ? shift : 0);
    set->own = numbers;
    set->spoiled = numbers + n * row;
}

static double share_below(const double *a, size_t n, double value)
{
    double below = 0;
    for (size_t i = 0; i < n; i++)
        below += a[i] < value;
    return below / (double)n;
}

/* Two Gaussians 1.5 apart have log odds that are linear, 1.5 (z + 0.75), and AUROC
 * Phi(1.5/sqrt 2) = 0.8556. 4,000 images: 5 standard errors are 0.3 of a weight (information 0.12
 * per pair at most), 0.04 of the area (500 or 1,000 copies of a kind). */
static void test_known_odds(void **state)
{
    enum { N = 4000 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * EBM_FEATURES];
    static double own[N], spoiled[EBM_SCORED_COPIES * N];
    ebm_scored set = {.levels = 1, .count = N};
    ebm_calibration c;
    double features[] = {-0.75, 0, 0}, area = 0, n = 0;
    (void)state;
    draw_set(&set, -1.5, 4, numbers);
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
    assert_close(c.weight[0], 1.5, 0.3);
    for (int i = 1; i < 6; i++)
        assert_close(c.weight[i], 0, 0.3);
    assert_close(c.weight[6], 1.5 * 0.75, 0.3);
    assert_close(ebm_calibration_score(&c, features), 0, 0.3);
    ebm_calibration_clear(&c);
    assert_int_equal(ebm_calibration_trial(&set, EBM_SPOIL_BLUR, own, spoiled, NULL), EBM_OK);
    for (int64_t k = 0; k < EBM_SCORED_COPIES * N; k++)
        if (ebm_scored_kind(k) == EBM_SPOIL_BLUR) {
            area += 1 - share_below(own, N, spoiled[k]);
            n++;
        }
    assert_close(area / n, 0.8556, 0.04);
}

/* Mean percentile of new draws of the law that a set of N was made of. */
static double percentile_of_new(const ebm_calibration *c, uint32_t number)
{
    enum { NEW = 400 };
    static float noise[NEW * NUMBERS];
    const ebm_stream stream = {.seed = 77, .purpose = EBM_PURPOSE_TEST, .chain = number};
    double sum = 0;
    ebm_rng_normal(&stream, 0, NEW * NUMBERS, noise);
    for (int k = 0; k < NEW; k++) {
        double features[NUMBERS];
        for (int i = 0; i < NUMBERS; i++)
            features[i] = (double)noise[k * NUMBERS + i];
        sum += ebm_calibration_percentile(c, LEVELS, ebm_calibration_score(c, features));
    }
    return sum / NEW;
}

/* Percentiles are those of images that are new: where there is nothing to learn, 100 images and 36
 * columns of chance still tell those images apart, but a new one lies anywhere. The mean
 * percentile over 5 sets is 50, within 5 standard errors of 29 sqrt((1/100 + 1/400)/5). */
static void test_new_images(void **state)
{
    enum { N = 100, SETS = 5 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    ebm_scored set = {.levels = LEVELS, .count = N};
    ebm_calibration c;
    double sum = 0;
    (void)state;
    for (uint32_t k = 0; k < SETS; k++) {
        draw_set(&set, 0, 5 + k, numbers);
        assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
        sum += percentile_of_new(&c, k);
        ebm_calibration_clear(&c);
    }
    assert_close(sum / SETS, 50, 7.3);
}

/* What is held out decides nothing: other copies of a kind, other scores of the fold. */
static void test_unseen_kind(void **state)
{
    enum { N = 120 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    static double own[2][N], spoiled[EBM_SCORED_COPIES * N];
    ebm_scored set = {.levels = LEVELS, .count = N};
    (void)state;
    draw_set(&set, -1, 6, numbers);
    assert_int_equal(ebm_calibration_trial(&set, EBM_SPOIL_MOVE, own[0], spoiled, NULL), EBM_OK);
    for (size_t i = N * NUMBERS; i < sizeof numbers / sizeof numbers[0]; i++)
        if (ebm_scored_kind((int64_t)(i / NUMBERS - N)) == EBM_SPOIL_MOVE)
            numbers[i] = -numbers[i];
    assert_int_equal(ebm_calibration_trial(&set, EBM_SPOIL_MOVE, own[1], spoiled, NULL), EBM_OK);
    assert_memory_equal(own[0], own[1], sizeof own[0]);
    assert_int_equal(ebm_calibration_trial(&set, EBM_SPOIL_BLUR, own[1], spoiled, NULL), EBM_OK);
    assert_memory_not_equal(own[0], own[1], sizeof own[0]);
}

static void test_refused_scores(void **state)
{
    enum { N = 120 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * EBM_FEATURES];
    static double own[N], spoiled[EBM_SCORED_COPIES * N];
    ebm_scored set = {.levels = 1, .count = N};
    ebm_calibration c;
    (void)state;
    draw_set(&set, -1, 8, numbers);
    set.count = EBM_CALIBRATION_MIN - 1;
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_ERR_RANGE);
    set.count = N;
    for (size_t bad = 0; bad < sizeof numbers / sizeof numbers[0]; bad += 101) {
        const double kept = numbers[bad];
        numbers[bad] = (double)INFINITY;
        assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_ERR_RANGE);
        assert_null(c.mean);
        numbers[bad] = kept;
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_calibration_of(&set, &c, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_calibration_clear(&c);
    }
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_calibration_trial(&set, EBM_SPOIL_MEAN, own, spoiled, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    for (size_t i = 0; i < N * EBM_FEATURES; i += EBM_FEATURES) /* all but two are alike */
        numbers[i] = i == 0 ? -1 : i == EBM_FEATURES ? 1 : 0;
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_ERR_RANGE);
    for (size_t i = 0; i < N * EBM_FEATURES; i += EBM_FEATURES)
        numbers[i] = 3;
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_ERR_RANGE); /* no spread */
}

/* --- the file ------------------------------------------------------------------------------ */

static void test_file_round_trip(void **state)
{
    const char *dir = *state;
    ebm_calibration c, back;
    (void)state;
    make(&c);
    assert_int_equal(ebm_calibration_read(dir, digest, LEVELS, &back, NULL), EBM_ERR_NOT_FOUND);
    assert_int_equal(ebm_calibration_write(&c, digest, dir, NULL), EBM_OK);
    assert_int_equal(ebm_calibration_read(dir, digest, LEVELS, &back, NULL), EBM_OK);
    assert_int_equal(back.count, COUNT);
    assert_int_equal(back.draws, 4);
    assert_int_equal(back.seed, 11);
    assert_memory_equal(back.mean, c.mean, TABLES * sizeof(double));
    ebm_calibration_clear(&back);
    assert_int_equal(ebm_calibration_read(dir, digest, LEVELS + 1, &back, NULL), EBM_ERR_SHAPE);
    ebm_calibration_clear(&c);
}

/* A changed text is refused, by digest or before, unless it is another spelling of the numbers. */
static void check_changed(const char *text, size_t size, const ebm_calibration *original)
{
    ebm_calibration c;
    if (ebm_calibration_parse(text, size, digest, LEVELS, &c, NULL) == EBM_OK)
        assert_memory_equal(c.mean, original->mean, TABLES * sizeof(double));
    else
        assert_null(c.mean);
    ebm_calibration_clear(&c);
}

/* A copy holds all tables, and needs nothing of the original. */
static void test_copy(void **state)
{
    ebm_calibration c, copy;
    ebm_arena *arena = ebm_arena_create(1 << 20), *narrow = ebm_arena_create(64);
    double features[NUMBERS] = {1, 2, 3}, score;
    (void)state;
    make(&c);
    score = ebm_calibration_score(&c, features);
    assert_false(ebm_calibration_copy(&c, narrow, &copy));
    assert_null(copy.mean);
    assert_true(ebm_calibration_copy(&c, arena, &copy));
    assert_memory_equal(copy.mean, c.mean, TABLES * sizeof(double));
    ebm_calibration_clear(&c);
    assert_true(ebm_calibration_score(&copy, features) == score);
    assert_true(ebm_calibration_percentile(&copy, LEVELS, 1e9) == 100.0);
    assert_int_equal(copy.draws, 4);
    ebm_arena_free(arena);
    ebm_arena_free(narrow);
}

static void test_damaged_file(void **state)
{
    const char *dir = *state;
    unsigned char *text;
    size_t size;
    ebm_calibration original, c;
    make(&original);
    assert_int_equal(ebm_calibration_write(&original, digest, dir, NULL), EBM_OK);
    assert_int_equal(ebm_file_read(dir, EBM_CALIBRATION_FILE, 1 << 20, &text, &size, NULL), EBM_OK);
    for (size_t i = 0; i < size; i += 61) {
        const unsigned char kept = text[i];
        text[i] = kept == '1' ? '2' : '1';
        check_changed((char *)text, size, &original);
        text[i] = kept;
        assert_int_not_equal(ebm_calibration_parse((char *)text, i, digest, LEVELS, &c, NULL),
                             EBM_OK);
    }
    assert_int_equal(ebm_calibration_parse((char *)text, size, digest + 1, LEVELS, &c, NULL),
                     EBM_ERR_NOT_FOUND);
    ebm_calibration_clear(&original);
    ebm_free(text);
}

/* Sound files but for one thing: digest and all. */
static void test_refused_files(void **state)
{
    const char *dir = *state;
    ebm_calibration c, back;
    ebm_error err = {0};
    make(&c);
    const struct {
        double *at, value;
        ebm_status status;
        const char *where;
    } rows[] = {
        {&c.sd[NUMBERS - 1], 0.0, EBM_ERR_RANGE, "sd"},
        {&c.weight[2], -1e7, EBM_ERR_RANGE, "weights"},
        {&c.weight[2 * NUMBERS], 1e7, EBM_ERR_RANGE, "weights"},
        {&c.quantile[1], 1e9, EBM_ERR_RANGE, "quantiles"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double kept = *rows[i].at;
        *rows[i].at = rows[i].value;
        err = (ebm_error){0};
        assert_int_equal(ebm_calibration_write(&c, digest, dir, NULL), EBM_OK);
        assert_int_equal(ebm_calibration_read(dir, digest, LEVELS, &back, &err), rows[i].status);
        assert_string_equal(err.where, rows[i].where);
        *rows[i].at = kept;
    }
    ebm_calibration_clear(&c);
}

/* What to do stands in the message. */
static void test_earlier_format(void **state)
{
    static const char text[] = "{\"format\":1,\"count\":400}";
    ebm_calibration c;
    ebm_error err = {0};
    (void)state;
    assert_int_equal(ebm_calibration_parse(text, strlen(text), digest, LEVELS, &c, &err),
                     EBM_ERR_FORMAT);
    assert_string_equal(err.where, "format");
    assert_non_null(strstr(err.text, "calibrate the model again"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mean_over_noise),
        cmocka_unit_test(test_gradient_by_differences),
        cmocka_unit_test(test_scores_in_parts),
        cmocka_unit_test(test_percentiles),
        cmocka_unit_test(test_score_by_hand),
        cmocka_unit_test(test_known_odds),
        cmocka_unit_test(test_new_images),
        cmocka_unit_test(test_unseen_kind),
        cmocka_unit_test(test_refused_scores),
        cmocka_unit_test(test_earlier_format),
        cmocka_unit_test(test_copy),
        cmocka_unit_test_setup_teardown(test_file_round_trip, temp_dir_set_up, temp_dir_tear_down),
        cmocka_unit_test_setup_teardown(test_damaged_file, temp_dir_set_up, temp_dir_tear_down),
        cmocka_unit_test_setup_teardown(test_refused_files, temp_dir_set_up, temp_dir_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
