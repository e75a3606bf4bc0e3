/* Pictures and masks of strangers: what is taken, what is refused, what becomes of it. Ensembles
 * and sprite sheets. */
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
#include "ebm/ops.h"
#include "fail_alloc.h"

static const ebm_shape gray = {1, 2, 2}, colour = {3, 2, 2}, pair = {2, 2, 2}, four = {4, 2, 2};

static float value(int pixel)
{
    return (float)(pixel / 127.5 - 1.0);
}

/* Bytes of a 2x2 picture of each kind, what becomes of the first pixel, or which refusal. */
static const struct {
    const char *what;
    int32_t channels;
    uint8_t first[4];
    ebm_fit fit;
    int32_t shape; /* channels: 1 gray, 3 colour */
    ebm_status want;
    int out[4];
} kinds[] = {
    {"gray as it is", 1, {77}, EBM_FIT_EXACT, 1, EBM_OK, {77}},
    {"gray to colour", 1, {77}, EBM_FIT_EXACT, 3, EBM_OK, {77, 77, 77}},
    {"colour as it is", 3, {1, 2, 3}, EBM_FIT_EXACT, 3, EBM_OK, {1, 2, 3}},
    {"equal channels are gray", 3, {9, 9, 9}, EBM_FIT_EXACT, 1, EBM_OK, {9}},
    {"colour is not gray", 3, {9, 9, 8}, EBM_FIT_EXACT, 1, EBM_ERR_SHAPE, {0}},
    {"unless asked: Rec. 601", 3, {100, 200, 50}, EBM_FIT_RESIZE, 1, EBM_OK, {153}},
    {"unless asked, with crop", 3, {100, 200, 50}, EBM_FIT_CROP, 1, EBM_OK, {153}},
    {"transparent is white, not what lies under it", 2, {7, 0}, EBM_FIT_EXACT, 1, EBM_OK, {255}},
    {"half transparent", 4, {0, 0, 0, 128}, EBM_FIT_EXACT, 3, EBM_OK, {127, 127, 127}},
    {"two numbers", 2, {7, 0}, EBM_FIT_EXACT, 2, EBM_OK, {7, 0}},
    {"two numbers, resized", 2, {7, 128}, EBM_FIT_RESIZE, 2, EBM_OK, {7, 128}},
    {"four numbers", 4, {9, 8, 7, 6}, EBM_FIT_CROP, 4, EBM_OK, {9, 8, 7, 6}},
    {"gray is not two numbers", 1, {7}, EBM_FIT_EXACT, 2, EBM_ERR_SHAPE, {0}},
    {"nor is colour, whatever is asked", 3, {7, 7, 7}, EBM_FIT_RESIZE, 2, EBM_ERR_SHAPE, {0}},
    {"colours are not four numbers", 3, {7, 7, 7}, EBM_FIT_CROP, 4, EBM_ERR_SHAPE, {0}},
    {"nor are two", 2, {7, 7}, EBM_FIT_EXACT, 4, EBM_ERR_SHAPE, {0}},
};

static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        static const ebm_shape *const shapes[] = {&gray, &pair, &colour, &four};
        uint8_t pixels[16];
        float x[16];
        const int32_t c = kinds[i].channels;
        for (int p = 0; p < 4; p++)
            memcpy(pixels + p * c, kinds[i].first, (size_t)c);
        const ebm_image picture = {2, 2, c, pixels};
        ebm_status st = ebm_fit_image(&picture, shapes[kinds[i].shape - 1], kinds[i].fit, x, NULL);
        if (st != kinds[i].want)
            fail_msg("%s: status %d", kinds[i].what, (int)st);
        for (int k = 0; st == EBM_OK && k < kinds[i].shape; k++)
            if (x[4 * k] != value(kinds[i].out[k]))
                fail_msg("%s: channel %d is %g", kinds[i].what, k, (double)x[4 * k]);
    }
}

/* 4x2: left half 0, right half 200; the middle 2x2 is 0, 200. */
static void test_sizes(void **state)
{
    uint8_t pixels[8] = {0, 0, 200, 200, 0, 0, 200, 200};
    const ebm_image wide = {4, 2, 1, pixels};
    float x[4];
    ebm_error err = {0};
    (void)state;
    assert_int_equal(ebm_fit_image(&wide, &gray, EBM_FIT_EXACT, x, &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "4x2"));
    assert_non_null(strstr(err.text, "2x2"));
    assert_int_equal(ebm_fit_image(&wide, &gray, EBM_FIT_CROP, x, NULL), EBM_OK);
    assert_true(x[0] == value(0) && x[1] == value(200) && x[3] == value(200));
    /* 4 to 2 by the triangle: 3/7, 3/7, 1/7 */
    assert_int_equal(ebm_fit_image(&wide, &gray, EBM_FIT_RESIZE, x, NULL), EBM_OK);
    assert_true(x[0] == value(29) && x[1] == value(171));
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebm_fit_image(&wide, &gray, EBM_FIT_RESIZE, x, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
}

static const struct {
    const char *what;
    int32_t channels;
    uint8_t pixels[8];
    ebm_mask_rule rule;
    ebm_status want;
    float known[4];
    double coverage;
} masks[] = {
    {"white is repainted",
     1,
     {0, 255, 0, 0},
     {EBM_MASK_WHITE, false, EBM_FIT_EXACT},
     EBM_OK,
     {1, 0, 1, 1},
     0.25},
    {"black is repainted",
     1,
     {0, 255, 255, 255},
     {EBM_MASK_BLACK, false, EBM_FIT_EXACT},
     EBM_OK,
     {0, 1, 1, 1},
     0.25},
    {"127 is black, 128 white",
     1,
     {127, 128, 0, 255},
     {EBM_MASK_WHITE, false, EBM_FIT_EXACT},
     EBM_OK,
     {1, 0, 1, 0},
     0.5},
    {"transparent is repainted",
     2,
     {255, 0, 0, 255, 9, 127, 9, 128},
     {EBM_MASK_ALPHA, false, EBM_FIT_EXACT},
     EBM_OK,
     {0, 1, 0, 1},
     0.5},
    {"soft",
     1,
     {51, 0, 255, 0},
     {EBM_MASK_WHITE, true, EBM_FIT_EXACT},
     EBM_OK,
     {0.8f, 1, 0, 1},
     0.3},
    {"no transparency",
     1,
     {0, 255, 0, 0},
     {EBM_MASK_ALPHA, false, EBM_FIT_EXACT},
     EBM_ERR_ARG,
     {0},
     0},
    {"nothing to repaint", 1, {0}, {EBM_MASK_WHITE, false, EBM_FIT_EXACT}, EBM_ERR_RANGE, {0}, 0},
    {"all to repaint", 1, {0}, {EBM_MASK_BLACK, false, EBM_FIT_EXACT}, EBM_ERR_RANGE, {0}, 0},
};

static void test_masks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        uint8_t pixels[8];
        float known[12];
        double coverage;
        memcpy(pixels, masks[i].pixels, sizeof pixels);
        const ebm_image mask = {2, 2, masks[i].channels, pixels};
        ebm_status st = ebm_fit_mask(&mask, &colour, &masks[i].rule, known, &coverage, NULL);
        if (st != masks[i].want)
            fail_msg("%s: status %d", masks[i].what, (int)st);
        if (st != EBM_OK)
            continue;
        for (int c = 0; c < 3; c++)
            assert_memory_equal(known + 4 * c, masks[i].known, sizeof masks[i].known);
        assert_close(coverage, masks[i].coverage, 1e-12);
    }
    uint8_t wide[6] = {0};
    const ebm_image other = {3, 2, 1, wide};
    float known[4];
    double coverage;
    assert_int_equal(ebm_fit_mask(&other, &gray, &masks[0].rule, known, &coverage, NULL),
                     EBM_ERR_SHAPE);
}

/* 1..21 at one byte, a constant at the other: mean 11, sd sqrt(38.5), quantiles 2, 11, 20. */
static void test_ensemble(void **state)
{
    uint8_t images[21][2], mean[2], sd[2], q[3][2];
    const ebm_ensemble out = {mean, sd, {q[0], q[1], q[2]}};
    (void)state;
    for (int i = 0; i < 21; i++) {
        images[i][0] = (uint8_t)(i * 8 % 21 + 1);
        images[i][1] = 99;
    }
    assert_int_equal(ebm_ensemble_of(images[0], 21, 2, &out, NULL), EBM_OK);
    assert_int_equal(mean[0], 11);
    assert_int_equal(sd[0], 6);
    assert_int_equal(q[0][0], 2);
    assert_int_equal(q[1][0], 11);
    assert_int_equal(q[2][0], 20);
    assert_true(mean[1] == 99 && sd[1] == 0 && q[0][1] == 99 && q[2][1] == 99);
    assert_int_equal(ebm_ensemble_of(images[0], 1, 2, &out, NULL), EBM_ERR_RANGE);
}

static void test_sprites(void **state)
{
    const uint8_t images[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const uint8_t want[12] = {1, 2, 5, 6, 9, 10, 3, 4, 7, 8, 11, 12};
    ebm_image sheet;
    (void)state;
    assert_int_equal(ebm_sprite_sheet(images, 3, &gray, &sheet, NULL), EBM_OK);
    assert_int_equal(sheet.width, 6);
    assert_int_equal(sheet.height, 2);
    assert_memory_equal(sheet.pixels, want, sizeof want);
    ebm_free(sheet.pixels);
    assert_int_equal(ebm_sprite_sheet(images, 8193, &gray, &sheet, NULL), EBM_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),   cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_masks),   cmocka_unit_test(test_ensemble),
        cmocka_unit_test(test_sprites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
