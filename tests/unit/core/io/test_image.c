/* Tensor to pixels and back: rounding at the half, clipping, order of channels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "ebm/io.h"

static void known_pixels(void **state)
{
    (void)state;
    static const struct {
        float x;
        uint8_t pixel;
    } cases[] = {
        {-1.0f, 0},    {1.0f, 255}, {0.0f, 128}, /* 127.5 rounds up */
        {-1.5f, 0},    {1.5f, 255}, {INFINITY, 255}, {-INFINITY, 0},          {NAN, 0},
        {3e38f, 255},  {-3e38f, 0}, {-0.5f, 64},     /* 63.75 */ {0.5f, 191}, /* 191.25 */
        {-1e-9f, 127}, /* just below the half: x + 1 in float would be 1 */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t pixel = 77;
        ebm_image_from_tensor(&cases[i].x, 1, 1, 1, &pixel);
        assert_int_equal(pixel, cases[i].pixel);
    }
}

static void every_pixel_survives_the_round_trip(void **state)
{
    (void)state;
    uint8_t pixels[256], again[256];
    float x[256];
    for (int i = 0; i < 256; i++) {
        pixels[i] = (uint8_t)i;
    }
    ebm_image_to_tensor(pixels, 1, 16, 16, x);
    assert_close(x[0], -1.0, 0);
    assert_close(x[255], 1.0, 0);
    assert_close(x[128], 128 / 127.5 - 1.0, 1e-8); /* half a float ulp near 0.004 is 2e-10 */
    ebm_image_from_tensor(x, 1, 16, 16, again);
    assert_memory_equal(pixels, again, sizeof(pixels));
}

static void channels_are_interleaved(void **state)
{
    (void)state;
    const uint8_t pixels[] = {1, 2, 3, 11, 12, 13, 21, 22, 23, 31, 32, 33, 41, 42, 43, 51, 52, 53};
    uint8_t again[18];
    float x[18];
    ebm_image_to_tensor(pixels, 3, 2, 3, x);
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < 6; i++) {
            assert_close(x[c * 6 + i], (10.0 * (double)i + (double)c + 1) / 127.5 - 1, 1e-7);
        }
    }
    ebm_image_from_tensor(x, 3, 2, 3, again);
    assert_memory_equal(pixels, again, sizeof(pixels));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_pixels),
        cmocka_unit_test(every_pixel_survives_the_round_trip),
        cmocka_unit_test(channels_are_interleaved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
