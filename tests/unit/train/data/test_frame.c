/* Crops, white ground, gray and colour, planes: each with pixels whose answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/frame.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "picture_maker.h"

static const struct {
    const char *what;
    int32_t channels_in, channels_out;
    uint8_t in[4], out[3];
} pixels[] = {
    {"gray stays", 1, 1, {9}, {9}},
    {"gray to colour", 1, 3, {9}, {9, 9, 9}},
    {"colour stays", 3, 3, {1, 2, 3}, {1, 2, 3}},
    {"red to gray", 3, 1, {255, 0, 0}, {76}},
    {"green to gray", 3, 1, {0, 255, 0}, {150}},
    {"blue to gray", 3, 1, {0, 0, 255}, {29}},
    {"white to gray", 3, 1, {255, 255, 255}, {255}},
    {"opaque", 4, 3, {1, 2, 3, 255}, {1, 2, 3}},
    {"transparent is white", 4, 3, {1, 2, 3, 0}, {255, 255, 255}},
    {"half black", 4, 3, {0, 0, 0, 128}, {127, 127, 127}},
    {"gray and alpha", 2, 1, {0, 51}, {204}},
    {"gray and alpha to colour", 2, 3, {0, 51}, {204, 204, 204}},
};

static void test_pixels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pixels / sizeof pixels[0]; i++) {
        uint8_t in[4], out[3] = {0};
        memcpy(in, pixels[i].in, sizeof in);
        const ebm_image image = {1, 1, pixels[i].channels_in, in};
        const ebmt__frame frame = {EBMT_CROP_CENTER, pixels[i].channels_out, 1, 1};
        assert_int_equal(ebmt__frame_apply(&frame, &image, out, NULL), EBM_OK);
        if (memcmp(out, pixels[i].out, (size_t)pixels[i].channels_out) != 0)
            fail_msg("%s: %d %d %d", pixels[i].what, out[0], out[1], out[2]);
    }
}

/* A picture whose pixel is its place: x in the first channel, y in the second. */
static ebm_image places(int32_t width, int32_t height)
{
    ebm_image image = picture_make(width, height, 3, 0);
    for (int32_t i = 0; i < width * height; i++) {
        image.pixels[3 * i] = (uint8_t)(i % width);
        image.pixels[3 * i + 1] = (uint8_t)(i / width);
    }
    return image;
}

/* A crop of the size wanted is not resized, so that its corners show where it was taken. */
static const struct {
    int32_t width, height, side;
    ebmt_crop crop;
    int32_t x, y; /* of its first pixel */
} crops[] = {
    {136, 128, 128, EBMT_CROP_CENTER, 4, 0},  {128, 136, 128, EBMT_CROP_CENTER, 0, 4},
    {31, 20, 20, EBMT_CROP_CENTER, 5, 0},     {178, 218, 178, EBMT_CROP_CELEBA, 0, 20},
    {178, 218, 178, EBMT_CROP_CENTER, 0, 20}, {64, 64, 64, EBMT_CROP_NONE, 0, 0},
};

static void test_crops(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof crops / sizeof crops[0]; i++) {
        const int32_t side = crops[i].side, area = side * side;
        ebm_image in = places(crops[i].width, crops[i].height);
        const ebmt__frame frame = {crops[i].crop, 3, side, side};
        uint8_t *out = malloc(ebmt__frame_bytes(&frame));
        assert_non_null(out);
        assert_int_equal(ebmt__frame_apply(&frame, &in, out, NULL), EBM_OK);
        assert_int_equal(out[0], crops[i].x);
        assert_int_equal(out[area], crops[i].y);
        assert_int_equal(out[area - 1], crops[i].x + side - 1);
        assert_int_equal(out[2 * area - 1], crops[i].y + side - 1);
        free(out);
        free(in.pixels);
    }
}

/* Whole and stretched against the middle of a picture with dark sides. */
static void test_none_keeps_all(void **state)
{
    uint8_t in[6] = {0, 90, 90, 0, 90, 90}, out[1];
    (void)state;
    const ebm_image image = {6, 1, 1, in};
    const ebmt__frame none = {EBMT_CROP_NONE, 1, 1, 1}, center = {EBMT_CROP_CENTER, 1, 1, 1};
    assert_int_equal(ebmt__frame_apply(&none, &image, out, NULL), EBM_OK);
    assert_in_range(out[0], 1, 89);
    assert_int_equal(ebmt__frame_apply(&center, &image, out, NULL), EBM_OK);
    assert_int_equal(out[0], 90);
}

static void test_celeba_wants_its_size(void **state)
{
    ebm_image in = places(178, 217);
    uint8_t out[3 * 32 * 32];
    const ebmt__frame frame = {EBMT_CROP_CELEBA, 3, 32, 32};
    ebm_error err = {0};
    (void)state;
    assert_int_equal(ebmt__frame_apply(&frame, &in, out, &err), EBM_ERR_SHAPE);
    assert_non_null(strstr(err.text, "178x217"));
    free(in.pixels);
}

static void test_no_memory(void **state)
{
    ebm_image in = places(20, 30);
    uint8_t out[3 * 8 * 8];
    const ebmt__frame frame = {EBMT_CROP_CENTER, 3, 8, 8};
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt__frame_apply(&frame, &in, out, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
    }
    free(in.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixels),         cmocka_unit_test(test_crops),
        cmocka_unit_test(test_none_keeps_all), cmocka_unit_test(test_celeba_wants_its_size),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
