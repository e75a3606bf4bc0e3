/* JPEG and WebP: pixels come back, and every kind of damage is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/picture.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "picture_maker.h"

static ebm_status decode(const made_file *f, size_t size, ebm_image *out)
{
    ebm_error err = {0};
    ebm_status st = ebmt__picture_decode(f->bytes, size, out, &err);
    assert_int_equal(st, err.status);
    assert_true((st == EBM_OK) == (out->pixels != NULL));
    return st;
}

static void test_lossless(void **state)
{
    (void)state;
    for (int channels = 3; channels <= 4; channels++) {
        ebm_image in = picture_make(21, 13, channels, 2), out;
        for (int i = 3; channels == 4 && i < 21 * 13 * 4; i += 4)
            in.pixels[i] = (uint8_t)(i % 250 + 1); /* WebP may forget what nobody sees */
        made_file files[2] = {picture_png(&in), picture_webp(&in)};
        for (int k = 0; k < 2; k++) {
            assert_int_equal(decode(&files[k], files[k].size, &out), EBM_OK);
            assert_int_equal(out.channels, channels);
            assert_memory_equal(out.pixels, in.pixels, (size_t)(21 * 13 * channels));
            ebm_free(out.pixels);
            free(files[k].bytes);
        }
        free(in.pixels);
    }
}

/* At quality 100 a flat picture comes back within the rounding of colour conversion. */
static void test_jpeg(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        const int channels = k < 2 ? 1 : 3;
        ebm_image in = picture_make(33, 17, channels, 0), out;
        for (int i = 0; i < 33 * 17 * channels; i++)
            in.pixels[i] = (uint8_t)(40 + 60 * (i % channels));
        made_file f = picture_jpeg(&in, 100, k % 2 == 1);
        assert_int_equal(decode(&f, f.size, &out), EBM_OK);
        assert_int_equal(out.width, 33);
        assert_int_equal(out.height, 17);
        assert_int_equal(out.channels, channels);
        for (int i = 0; i < 33 * 17 * channels; i++)
            assert_in_range(out.pixels[i], in.pixels[i] - 2, in.pixels[i] + 2);
        ebm_free(out.pixels);
        free(f.bytes);
        free(in.pixels);
    }
}

/* A picture cut at any byte is refused: no made-up gray below the cut. */
static void test_every_truncation(void **state)
{
    ebm_image in = picture_make(24, 20, 3, 5), out;
    made_file files[] = {picture_jpeg(&in, 80, false), picture_jpeg(&in, 80, true),
                         picture_webp(&in), picture_png(&in)};
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        for (size_t cut = 0; cut < files[k].size; cut++) {
            if (decode(&files[k], cut, &out) == EBM_OK)
                fail_msg("file %zu is taken when cut to %zu of %zu", k, cut, files[k].size);
        }
        assert_int_equal(decode(&files[k], files[k].size, &out), EBM_OK);
        ebm_free(out.pixels);
        free(files[k].bytes);
    }
    free(in.pixels);
}

/* Whatever a flipped bit does, it is decoded or refused, within the bounds. */
static void test_every_flipped_bit(void **state)
{
    ebm_image in = picture_make(9, 7, 3, 5), out;
    made_file files[] = {picture_jpeg(&in, 60, false), picture_jpeg(&in, 60, true),
                         picture_webp(&in)};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        for (size_t bit = 0; bit < 8 * files[k].size; bit++) {
            files[k].bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            (void)decode(&files[k], files[k].size, &out);
            ebm_free(out.pixels);
            files[k].bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        free(files[k].bytes);
    }
    free(in.pixels);
}

static void test_refused_kinds(void **state)
{
    ebm_image cmyk = picture_make(8, 8, 4, 1), wide = picture_make(8193, 1, 3, 1), out;
    made_file a = picture_jpeg(&cmyk, 90, false), b = picture_webp(&wide);
    made_file c = picture_jpeg(&wide, 50, false);
    made_file text = {(unsigned char[]){"<html>not a picture"}, 19}, none = {NULL, 0};
    (void)state;
    assert_int_equal(decode(&a, a.size, &out), EBM_ERR_FORMAT);
    assert_int_equal(decode(&b, b.size, &out), EBM_ERR_LIMIT);
    assert_int_equal(decode(&c, c.size, &out), EBM_ERR_LIMIT);
    assert_int_equal(decode(&text, text.size, &out), EBM_ERR_FORMAT);
    assert_int_equal(decode(&none, 0, &out), EBM_ERR_FORMAT);
    assert_int_equal(decode(&text, EBMT_PICTURE_MAX_BYTES + 1, &out), EBM_ERR_LIMIT);
    free(a.bytes);
    free(b.bytes);
    free(c.bytes);
    free(cmyk.pixels);
    free(wide.pixels);
}

static void test_bounds(void **state)
{
    ebm_image out;
    (void)state;
    assert_int_equal(ebmt__picture_allocate(0, 1, 3, &out, NULL), EBM_ERR_FORMAT);
    assert_int_equal(ebmt__picture_allocate(1, 0, 3, &out, NULL), EBM_ERR_FORMAT);
    assert_int_equal(ebmt__picture_allocate(4096, 4097, 1, &out, NULL), EBM_ERR_LIMIT);
    assert_int_equal(ebmt__picture_allocate(1, 8193, 1, &out, NULL), EBM_ERR_LIMIT);
    assert_int_equal(ebmt__picture_allocate(1, 8192, 1, &out, NULL), EBM_OK);
    ebm_free(out.pixels);
}

static void test_no_memory(void **state)
{
    ebm_image in = picture_make(8, 8, 3, 1);
    made_file files[] = {picture_jpeg(&in, 80, false), picture_webp(&in)};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        FOR_EACH_ALLOC_FAILURE
        {
            ebm_image out;
            ebm_status st = ebmt__picture_decode(files[k].bytes, files[k].size, &out, NULL);
            assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
            ebm_free(out.pixels);
        }
        free(files[k].bytes);
    }
    free(in.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lossless),         cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_every_flipped_bit),
        cmocka_unit_test(test_refused_kinds),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
