/* The PNG encoder: what it writes comes back bit for bit, is always the same, and holds no time. */
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

static void fill(uint8_t *pixels, size_t n)
{
    uint32_t h = 1;
    for (size_t i = 0; i < n; i++) {
        h = h * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(h >> 24);
    }
}

static void round_trip(void **state)
{
    (void)state;
    static const int32_t sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {28, 28}, {3, 5}, {300, 200}};
    static uint8_t pixels[300 * 200 * 4];
    fill(pixels, sizeof(pixels));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int32_t c = 1; c <= 4; c++) {
            const ebm_image image = {sizes[i][0], sizes[i][1], c, pixels};
            unsigned char *png;
            size_t size;
            ebm_image back;
            assert_int_equal(ebm_png_encode(&image, NULL, 0, &png, &size, NULL), EBM_OK);
            assert_int_equal(ebm_png_decode(png, size, &back, NULL), EBM_OK);
            assert_int_equal(back.width, image.width);
            assert_int_equal(back.height, image.height);
            assert_int_equal(back.channels, c);
            assert_memory_equal(back.pixels, pixels, (size_t)(image.width * image.height * c));
            ebm_free(png);
            ebm_free(back.pixels);
        }
    }
}

static const ebm_png_text texts[] = {{"Software", "ebm"}, {"parameters", "{\"seed\": 7}\nsecond"}};

static size_t find(const unsigned char *bytes, size_t size, const char *what, size_t n)
{
    for (size_t i = 0; i + n <= size; i++) {
        if (memcmp(bytes + i, what, n) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void same_bytes_every_time(void **state)
{
    (void)state;
    uint8_t pixels[28 * 28];
    const ebm_image image = {28, 28, 1, pixels};
    unsigned char *a, *b;
    size_t n_a, n_b;
    fill(pixels, sizeof(pixels));
    assert_int_equal(ebm_png_encode(&image, texts, 2, &a, &n_a, NULL), EBM_OK);
    assert_int_equal(ebm_png_encode(&image, texts, 2, &b, &n_b, NULL), EBM_OK);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);
    assert_true(find(a, n_a, "tIME", 4) == SIZE_MAX);
    ebm_free(a);
    ebm_free(b);
}

static void texts_stand_before_the_pixels(void **state)
{
    (void)state;
    uint8_t pixel = 7;
    const ebm_image image = {1, 1, 1, &pixel};
    unsigned char *png;
    size_t size;
    ebm_image back;
    assert_int_equal(ebm_png_encode(&image, texts, 2, &png, &size, NULL), EBM_OK);
    const size_t first = find(png, size, "tEXtSoftware\0ebm", 16);
    const size_t second = find(png, size, "tEXtparameters\0{\"seed\": 7}\nsecond", 33);
    assert_true(first < second);
    assert_true(second < find(png, size, "IDAT", 4));
    assert_int_equal(ebm_png_decode(png, size, &back, NULL), EBM_OK);
    assert_int_equal(back.pixels[0], 7);
    ebm_free(back.pixels);
    ebm_free(png);
}

static void expect_refusal(const ebm_image *image, const ebm_png_text *text, size_t n)
{
    unsigned char *png = NULL;
    size_t size = 1;
    ebm_error err = {EBM_OK, 0, "", ""};
    assert_int_equal(ebm_png_encode(image, text, n, &png, &size, &err), EBM_ERR_ARG);
    assert_null(png);
    assert_int_equal(size, 0);
    assert_int_equal(err.status, EBM_ERR_ARG);
}

static void refuses_images(void **state)
{
    (void)state;
    uint8_t p[16] = {0};
    const ebm_image bad[] = {{0, 1, 1, p},     {1, 0, 1, p},        {1, 1, 0, p},  {1, 1, 5, p},
                             {-1, 1, 1, p},    {1, -1, 1, p},       {1, 1, -1, p}, {1, 1, 1, NULL},
                             {16385, 1, 1, p}, {1, INT32_MAX, 1, p}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_refusal(&bad[i], NULL, 0);
    }
}

static void refuses_texts(void **state)
{
    (void)state;
    uint8_t pixel = 0;
    const ebm_image image = {1, 1, 1, &pixel};
    static char long_text[70000], long_key[81];
    memset(long_text, 'x', 65537);
    memset(long_key, 'k', 80);
    const ebm_png_text bad[] = {
        {NULL, "x"},      {"k", NULL},      {"", "x"},      {" k", "x"},    {"k ", "x"},
        {"k  k", "x"},    {"k\nk", "x"},    {"k\x01", "x"}, {"k\xe4", "x"}, {"k", "\xc3\xa4"},
        {"k", "\x1b[0m"}, {"k", long_text}, {long_key, "x"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect_refusal(&image, &bad[i], 1);
    }
}

static void no_memory(void **state)
{
    (void)state;
    static uint8_t pixels[100 * 100]; /* noise: the output has to grow more than once */
    const ebm_image image = {100, 100, 1, pixels};
    fill(pixels, sizeof(pixels));
    FOR_EACH_ALLOC_FAILURE
    {
        unsigned char *png;
        size_t size;
        const ebm_status st = ebm_png_encode(&image, texts, 2, &png, &size, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(png);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(same_bytes_every_time),
        cmocka_unit_test(texts_stand_before_the_pixels),
        cmocka_unit_test(refuses_images),
        cmocka_unit_test(refuses_texts),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
