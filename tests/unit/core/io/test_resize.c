/* The triangle filter: weights worked out by hand, constants, ramps, symmetries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "picture_maker.h"

/* One row in, one row out. Weights by the formula of resize.h, e.g. 4 to 2: the triangle around
 * 1.0 of half width 2 gives 3/4, 3/4, 1/4 to the centres 0.5, 1.5, 2.5: 3/7, 3/7, 1/7. */
static const struct {
    const char *what;
    int in, out;
    uint8_t from[8], to[8];
} rows[] = {
    {"same size", 3, 3, {1, 128, 255}, {1, 128, 255}},
    {"2 to 1 is the mean", 2, 1, {10, 20}, {15}},
    {"half rounds up", 2, 1, {10, 11}, {11}},
    {"4 to 2: 3/7 3/7 1/7", 4, 2, {70, 140, 210, 0}, {120, 110}},
    {"4 to 2: one pixel", 4, 2, {0, 0, 0, 210}, {0, 90}},
    {"3 to 1: 1/3 each side weighs 1/2 of the middle", 3, 1, {0, 250, 0}, {107}},
    {"1 to 4 repeats", 1, 4, {77}, {77, 77, 77, 77}},
    {"2 to 4: 1, 3/4 1/4, 1/4 3/4, 1", 2, 4, {0, 100}, {0, 25, 75, 100}},
    {"3 to 2: 5/6 1/2 over 4/3 ...", 3, 2, {0, 96, 192}, {36, 156}},
};

static void test_known_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t from[8];
        memcpy(from, rows[i].from, sizeof from);
        const ebm_image across = {rows[i].in, 1, 1, from}, down = {1, rows[i].in, 1, from};
        ebm_image out;
        assert_int_equal(ebm_image_resize(&across, rows[i].out, 1, &out, NULL), EBM_OK);
        if (memcmp(out.pixels, rows[i].to, (size_t)rows[i].out) != 0)
            fail_msg("%s: %d %d", rows[i].what, out.pixels[0], out.pixels[1]);
        ebm_free(out.pixels);
        assert_int_equal(ebm_image_resize(&down, 1, rows[i].out, &out, NULL), EBM_OK);
        assert_memory_equal(out.pixels, rows[i].to, (size_t)rows[i].out);
        ebm_free(out.pixels);
    }
}

/* Weights sum to 1: a constant stays what it is, at every size and value. */
static void test_constant(void **state)
{
    static const int sizes[][2] = {{178, 64}, {178, 32}, {37, 128}, {256, 64}, {1024, 1}, {1, 33}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int value = 0; value <= 255; value += 51) {
            ebm_image in = picture_make(sizes[i][0], 3, 3, 0), out;
            memset(in.pixels, value, (size_t)(sizes[i][0] * 9));
            assert_int_equal(ebm_image_resize(&in, sizes[i][1], 5, &out, NULL), EBM_OK);
            for (int k = 0; k < sizes[i][1] * 15; k++)
                assert_int_equal(out.pixels[k], value);
            ebm_free(out.pixels);
            free(in.pixels);
        }
    }
}

/* A symmetric filter gives a linear ramp back wherever its whole triangle fits. */
static void test_ramp(void **state)
{
    ebm_image in = picture_make(240, 1, 1, 0), out;
    (void)state;
    for (int x = 0; x < 240; x++)
        in.pixels[x] = (uint8_t)x;
    assert_int_equal(ebm_image_resize(&in, 80, 1, &out, NULL), EBM_OK);
    for (int i = 1; i < 79; i++)
        assert_int_equal(out.pixels[i], 3 * i + 1); /* the centre 3(i + 1/2) - 1/2 */
    ebm_free(out.pixels);
    free(in.pixels);
}

/* Black and white columns at the finest grain: without antialiasing they would stay extremes. */
static void test_no_aliasing(void **state)
{
    ebm_image in = picture_make(256, 1, 1, 0), out;
    (void)state;
    for (int x = 0; x < 256; x++)
        in.pixels[x] = x % 2 ? 255 : 0;
    assert_int_equal(ebm_image_resize(&in, 32, 1, &out, NULL), EBM_OK);
    for (int i = 1; i < 31; i++)
        assert_in_range(out.pixels[i], 127, 128);
    ebm_free(out.pixels);
    free(in.pixels);
}

/* Mirroring before or after is the same. */
static void test_mirror(void **state)
{
    ebm_image in = picture_make(50, 21, 3, 1), mirrored = picture_make(50, 21, 3, 1), a, b;
    (void)state;
    for (int y = 0; y < 21; y++) {
        for (int x = 0; x < 50; x++)
            memcpy(mirrored.pixels + 3 * (50 * y + x), in.pixels + 3 * (50 * y + 49 - x), 3);
    }
    assert_int_equal(ebm_image_resize(&in, 17, 9, &a, NULL), EBM_OK);
    assert_int_equal(ebm_image_resize(&mirrored, 17, 9, &b, NULL), EBM_OK);
    for (int y = 0; y < 9; y++) {
        for (int x = 0; x < 17; x++) {
            for (int k = 0; k < 3; k++) /* sums in another order: a half may round otherwise */
                assert_in_range(
                    a.pixels[3 * (17 * y + x) + k] + 1 - b.pixels[3 * (17 * y + 16 - x) + k], 0, 2);
        }
    }
    ebm_free(a.pixels);
    ebm_free(b.pixels);
    free(in.pixels);
    free(mirrored.pixels);
}

static void test_no_memory(void **state)
{
    ebm_image in = picture_make(5, 4, 3, 0);
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_image out;
        ebm_status st = ebm_image_resize(&in, 3, 2, &out, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(out.pixels);
    }
    free(in.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_rows), cmocka_unit_test(test_constant),
        cmocka_unit_test(test_ramp),       cmocka_unit_test(test_no_aliasing),
        cmocka_unit_test(test_mirror),     cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
