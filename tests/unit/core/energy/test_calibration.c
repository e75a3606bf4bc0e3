/* Statistics of scores, the score of all, and percentiles. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/calibration.h"
#include "ebm/memory.h"
#include "ebm/rng.h"
#include "energy/calibration_internal.h"
#include "energy/cholesky.h"
#include "fail_alloc.h"

enum { COUNT = 400, LEVELS = 6, NUMBERS = EBM_FEATURES * LEVELS };
/* of all tables behind each other, and where the weight of the distance stands */
enum { FACTOR = NUMBERS * (NUMBERS + 1) / 2, DISTANCE = 2 * NUMBERS };
enum { TABLES = 4 * NUMBERS + FACTOR + 2 + (LEVELS + 1) * EBM_QUANTILES + 2 * LEVELS };

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
    }
    ebm_calibration_clear(&c);
}

/* Means of 4 draws tell nothing of where single ones lie, and those of 1 do. Draw k of image i has
 * (4 i + k) (t + 1), in some order: 1 % of 1,600 of them lies at 15.99. */
static void test_band(void **state)
{
    static double single[COUNT][LEVELS][4], constant[COUNT][LEVELS][4];
    ebm_calibration c;
    (void)state;
    make(&c);
    assert_false(c.has_single);
    assert_true(ebm_calibration_band(&c, 2).low == 0 && ebm_calibration_band(&c, 2).high == 0);
    c.draws = 1;
    assert_close(ebm_calibration_band(&c, 2).low, -100 + 3 * 3.99, 1e-9);
    assert_close(ebm_calibration_band(&c, 2).high, -100 + 3 * 395.01, 1e-9);
    c.draws = 4;
    for (int i = 0; i < 4 * COUNT; i++)
        for (int t = 0; t < LEVELS; t++)
            single[i * 7 % COUNT][t][i / COUNT] = i * (t + 1.0);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_calibration_take_band(&c, &single[0][0][0], NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        assert_true(c.has_single == (st == EBM_OK));
    }
    for (int t = 0; t < LEVELS; t++) {
        assert_close(ebm_calibration_band(&c, t).low, 15.99 * (t + 1), 1e-9);
        assert_close(ebm_calibration_band(&c, t).high, 1583.01 * (t + 1), 1e-9);
    }
    assert_int_equal(ebm_calibration_take_band(&c, &constant[0][0][0], NULL), EBM_ERR_RANGE);
    assert_false(c.has_single);
    ebm_calibration_clear(&c);
}

/* Of so many levels: mean 1, standard deviation 2, nothing depends on anything, no weights. */
static void make_plain(int32_t levels, ebm_calibration *c)
{
    assert_int_equal(ebm__calibration_init(levels, c, NULL), EBM_OK);
    for (int32_t i = 0; i < EBM_FEATURES * c->bands; i++) {
        c->mean[i] = 1.0;
        c->sd[i] = 2.0;
        c->factor[ebm__triangle((size_t)i) + (size_t)i] = 1.0;
    }
}

/* The score by hand: neighbours share a band, 70 levels in 32; z is clipped at 6 on either side,
 * and both z and its square have weights. */
static void test_score_by_hand(void **state)
{
    enum { MANY = 70, B = EBM_BANDS_MAX };
    double features[EBM_FEATURES * MANY] = {0};
    ebm_calibration c;
    (void)state;
    make_plain(MANY, &c);
    assert_int_equal(c.bands, B);
    c.weight[2 * EBM_FEATURES * B + 1] = 0.25;
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

/* The distance by hand, of three features: u = (2, 1, 0). It is clipped at 1e6 alone, and finite
 * for whatever is finite. */
static void test_distance_by_hand(void **state)
{
    double features[EBM_FEATURES] = {5, 3, 1};
    ebm_calibration c;
    (void)state;
    make_plain(1, &c);
    c.weight[2 * EBM_FEATURES] = -3;
    c.weight[2 * EBM_FEATURES + 1] = 0.5;
    assert_close(ebm_calibration_score(&c, features), 0.5 - (4 + 1), 1e-12);
    /* (1, 1/2; 1/2, 1) has the inverse (4, -2; -2, 4)/3, so that (2, 1) has (16 - 8 + 4)/3 */
    c.factor[1] = 0.5;
    c.factor[2] = sqrt(0.75);
    assert_close(ebm_calibration_score(&c, features), 0.5 - 4, 1e-12);
    features[1] = 17; /* u = (2, 8): (16 - 64 + 256)/3 */
    assert_close(ebm_calibration_score(&c, features), 0.5 - 208.0 / 3, 1e-12);
    features[2] = -1e300;
    assert_close(ebm_calibration_score(&c, features) / 1e12, -1, 1e-9);
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

/* Has two features of images go together, but not of copies: the distance sees that, as nothing
 * else does. */
static void tie(const ebm_scored *set, double *numbers)
{
    for (int64_t k = 0; k < set->count * NUMBERS; k += NUMBERS)
        numbers[k + 1] = numbers[k + 2] + 0.1 * numbers[k + 1];
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
    for (int i = 1; i < 7; i++)
        assert_close(c.weight[i], 0, 0.3);
    assert_true(c.weight[6] <= 0);
    assert_close(c.weight[7], 1.5 * 0.75, 0.3);
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

/* The factor put together again is the covariance of the images, written out here once more, with
 * its ridge. */
static void test_covariance(void **state)
{
    enum { N = 150 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    ebm_scored set = {.levels = LEVELS, .count = N};
    ebm_calibration c;
    (void)state;
    draw_set(&set, -1, 9, numbers);
    for (size_t k = 0; k < N * NUMBERS; k += NUMBERS) /* features that depend on each other */
        numbers[k + 3] += 2 * numbers[k + 1];
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
    for (size_t i = 0; i < NUMBERS; i++)
        for (size_t j = 0; j <= i; j++) {
            double want = i == j ? 0.01 : 0, got = 0;
            for (size_t k = 0; k < N; k++)
                want += (numbers[k * NUMBERS + i] - c.mean[i]) / c.sd[i] *
                        (numbers[k * NUMBERS + j] - c.mean[j]) / c.sd[j] / N;
            for (size_t k = 0; k <= j; k++)
                got += c.factor[ebm__triangle(i) + k] * c.factor[ebm__triangle(j) + k];
            assert_close(got, want, 1e-12);
        }
    ebm_calibration_clear(&c);
}

/* Copies on one side teach the regression that the other side is usual, the more so the farther. An
 * image farther out on that side than everything is unusual all the same, for another thing tells
 * copies from images: two features go together in images alone, and that the distance sees. Without
 * it the image would be the most usual of all. */
static void test_far_image(void **state)
{
    enum { N = 400 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    double lowest = INFINITY, highest = -INFINITY;
    ebm_scored set = {.levels = LEVELS, .count = N};
    ebm_calibration c;
    (void)state;
    draw_set(&set, -2, 10, numbers);
    tie(&set, numbers);
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
    const double weight = c.weight[DISTANCE];
    assert_true(weight < 0);
    for (size_t i = 0; i < N; i++) {
        const double score = ebm_calibration_score(&c, set.own + i * NUMBERS);
        lowest = score < lowest ? score : lowest;
        highest = score > highest ? score : highest;
    }
    for (double far = 100; far < 1e12; far *= 100) {
        double features[NUMBERS] = {far}, before = ebm_calibration_score(&c, features);
        assert_true(before < lowest);
        assert_true(ebm_calibration_percentile(&c, LEVELS, before) == 0.0);
        c.weight[DISTANCE] = 0;
        assert_true(ebm_calibration_score(&c, features) > highest);
        c.weight[DISTANCE] = weight;
    }
    ebm_calibration_clear(&c);
}

/* Images N(0, C) with a correlation of 0.8, copies N(0, I): the log odds -u'(C^-1 - I)u/2 have -p/2
 * for the distance, and 1/2 for the squares; the ridge adds to C and so 1 to 5 % to that. The score
 * takes one and a half times of it. 4,000 images: 5 standard errors are 0.25. */
static void test_weight_of_distance(void **state)
{
    enum { N = 4000, P = EBM_FEATURES };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * P];
    ebm_scored set = {.levels = 1, .count = N};
    ebm_calibration c;
    (void)state;
    draw_set(&set, 0, 12, numbers);
    for (size_t i = 0; i < (size_t)N * P; i += P)
        numbers[i + 1] = 0.8 * numbers[i + 2] + 0.6 * numbers[i + 1];
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
    assert_close(c.weight[2 * P], -1.5 * P / 2 * 1.03, 0.25);
    for (int i = 1; i < P; i++)
        assert_close(c.weight[P + i], 0.5, 0.25);
    ebm_calibration_clear(&c);
}

/* Copies that are nearer to the middle than the images: the distance has no say. The squares have,
 * within what they see. */
static void test_near_copies(void **state)
{
    enum { N = 400 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    const double far[NUMBERS] = {100, -100}, farther[NUMBERS] = {1000, -1000};
    ebm_scored set = {.levels = LEVELS, .count = N};
    ebm_calibration c;
    (void)state;
    draw_set(&set, 0, 11, numbers);
    for (size_t i = N * NUMBERS; i < sizeof numbers / sizeof numbers[0]; i++)
        numbers[i] *= 0.5;
    assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
    assert_true(c.weight[DISTANCE] == 0);
    assert_true(ebm_calibration_score(&c, far) == ebm_calibration_score(&c, farther));
    ebm_calibration_clear(&c);
}

/* Copies as far off as numbers go still leave a regression with a minimum. */
static void test_far_copies(void **state)
{
    enum { N = 120 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    ebm_scored set = {.levels = LEVELS, .count = N};
    ebm_calibration c;
    (void)state;
    for (double far = 1e2; far < 1e9; far *= 10) {
        draw_set(&set, -1, 12, numbers);
        for (size_t k = 0; k < EBM_SCORED_COPIES * N; k += 11)
            numbers[(N + k) * NUMBERS + k % NUMBERS] += k % 2 ? far : -far;
        assert_int_equal(ebm_calibration_of(&set, &c, NULL), EBM_OK);
        assert_true(c.weight[DISTANCE] <= 0);
        ebm_calibration_clear(&c);
    }
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

/* What is held out decides nothing: other copies of a kind. */
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

/* Nor do other images of the fold, as long as mean and spread of all images stay: a feature is
 * exchanged between images 0 and 1, which changes what it has to do with the others. Images 2 and
 * 3, of the same fold, keep their scores, to rounding; those of other folds don't. */
static void test_unseen_fold(void **state)
{
    enum { N = 120 };
    static double numbers[(1 + EBM_SCORED_COPIES) * N * NUMBERS];
    static double own[2][N], spoiled[EBM_SCORED_COPIES * N];
    ebm_scored set = {.levels = LEVELS, .count = N};
    (void)state;
    draw_set(&set, -1, 7, numbers);
    tie(&set, numbers);
    assert_int_equal(ebm_calibration_trial(&set, EBM_SPOIL_MOVE, own[0], spoiled, NULL), EBM_OK);
    const double kept = numbers[1];
    numbers[1] = numbers[NUMBERS + 1];
    numbers[NUMBERS + 1] = kept;
    assert_int_equal(ebm_calibration_trial(&set, EBM_SPOIL_MOVE, own[1], spoiled, NULL), EBM_OK);
    assert_close(own[1][2], own[0][2], 1e-9);
    assert_close(own[1][3], own[0][3], 1e-9);
    for (int i = 4; i < 16; i++)
        assert_true(fabs(own[1][i] - own[0][i]) > 1e-6);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles), cmocka_unit_test(test_score_by_hand),
        cmocka_unit_test(test_band),        cmocka_unit_test(test_distance_by_hand),
        cmocka_unit_test(test_known_odds),  cmocka_unit_test(test_covariance),
        cmocka_unit_test(test_far_image),   cmocka_unit_test(test_weight_of_distance),
        cmocka_unit_test(test_near_copies), cmocka_unit_test(test_far_copies),
        cmocka_unit_test(test_new_images),  cmocka_unit_test(test_unseen_kind),
        cmocka_unit_test(test_unseen_fold), cmocka_unit_test(test_refused_scores),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
