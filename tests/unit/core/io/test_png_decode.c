/* The PNG decoder: every legal kind of file gives the documented pixels, everything else an
 * error, and no file makes it spend memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "ebm/io.h"
#include "ebm/memory.h"
#include "fail_alloc.h"
#include "png_maker.h"

static const png_spec gray28 = {.width = 28, .height = 28, .depth = 8, .type = 0};

/* Decodes a copy of exactly `size` bytes, so that a sanitizer sees a read beyond them. */
static ebm_status decode(const unsigned char *bytes, size_t size, ebm_image *image)
{
    ebm_error err = {EBM_OK, 0, "", ""};
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    const ebm_status st = ebm_png_decode(copy, size, image, &err);
    assert_int_equal(err.status, st);
    assert_int_equal(st == EBM_OK, image->pixels != NULL);
    assert_true(st == EBM_OK || strcmp(err.where, "png") == 0);
    free(copy);
    return st;
}

/* Decodes, forgets the pixels, clears the file. */
static ebm_status outcome(png_file *f)
{
    ebm_image image;
    const ebm_status st = decode(f->bytes, f->size, &image);
    ebm_free(image.pixels);
    png_clear(f);
    return st;
}

static void assert_pixels(const png_spec *spec, const ebm_image *image)
{
    uint8_t want[4];
    assert_int_equal(image->width, spec->width);
    assert_int_equal(image->height, spec->height);
    assert_int_equal(image->channels, png_expected(spec, 0, 0, want));
    const uint8_t *got = image->pixels;
    for (uint32_t y = 0; y < spec->height; y++) {
        for (uint32_t x = 0; x < spec->width; x++, got += image->channels) {
            (void)png_expected(spec, x, y, want);
            assert_memory_equal(got, want, (size_t)image->channels);
        }
    }
}

/* --- conversions -------------------------------------------------------------------------- */

static const struct {
    int type, depth;
} legal[] = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {2, 8}, {2, 16}, {3, 1},
             {3, 2}, {3, 4}, {3, 8}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};

static void check_conversion(const png_spec *spec)
{
    png_file f;
    ebm_image image;
    png_whole(&f, spec);
    assert_int_equal(decode(f.bytes, f.size, &image), EBM_OK);
    assert_pixels(spec, &image);
    ebm_free(image.pixels);
    png_clear(&f);
}

static void every_legal_kind(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{1, 1}, {5, 3}, {3, 9}, {28, 28}};
    for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        for (int variant = 0; variant < 16; variant++) {
            png_spec s = {.depth = legal[i].depth, .type = legal[i].type};
            s.width = sizes[variant / 4][0];
            s.height = sizes[variant / 4][1];
            s.interlaced = variant & 1;
            s.transparent = (variant & 2) != 0 && legal[i].type < 4; /* tRNS needs no alpha */
            s.palette = s.type == 3 ? (s.depth == 8 ? 50 : 1 << s.depth) : 0;
            check_conversion(&s);
        }
    }
}

static void illegal_kinds(void **state)
{
    (void)state;
    for (int type = 0; type < 9; type++) {
        for (int depth = 0; depth < 34; depth++) {
            bool known = false;
            for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
                known |= legal[i].type == type && legal[i].depth == depth;
            }
            png_file f;
            const png_spec s = {
                .width = 2, .height = 2, .depth = depth, .type = type, .palette = 2};
            unsigned char rows[64];
            uLongf n = sizeof(rows);
            const unsigned char zeros[34] = {0};
            png_begin(&f);
            png_header(&f, &s);
            assert_int_equal(compress(rows, &n, zeros, sizeof(zeros)), Z_OK);
            png_chunk(&f, "IDAT", rows, n);
            png_chunk(&f, "IEND", NULL, 0);
            const ebm_status st = outcome(&f);
            assert_true(known || st == EBM_ERR_FORMAT);
        }
    }
}

/* --- what is no acceptable file ----------------------------------------------------------- */

static void other_formats(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\x89PNG\r\n\x1a",
                                      "\xff\xd8\xff\xe0 JFIF    ",
                                      "GIF89a      ",
                                      "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
                                      "PK\x03\x04      ",
                                      "\x89PNG\n\x1a\n         ",
                                      "\x89PNG\r\n\x1a\n",
                                      "\x8aMNG\r\n\x1a\n         "};
    ebm_image image;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(decode((const unsigned char *)bad[i], strlen(bad[i]), &image),
                         EBM_ERR_FORMAT);
    }
}

static void sizes_are_checked_first(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        ebm_status status;
    } cases[] = {
        {0, 0, EBM_ERR_FORMAT},
        {0, 1, EBM_ERR_FORMAT},
        {1, 0, EBM_ERR_FORMAT},
        {1025, 1, EBM_ERR_LIMIT},
        {1, 1025, EBM_ERR_LIMIT},
        {20000, 20000, EBM_ERR_LIMIT},
        {0x7FFFFFFF, 0x7FFFFFFF, EBM_ERR_LIMIT},
        {0xFFFFFFFF, 1, EBM_ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const png_spec s = {.width = cases[i].width, .height = cases[i].height, .depth = 8};
        png_file f;
        ebm_image image;
        png_begin(&f);
        png_header(&f, &s);
        fail_alloc_reset();
        assert_int_equal(ebm_png_decode(f.bytes, f.size, &image, NULL), cases[i].status);
        assert_int_equal(fail_alloc_count(), 0);
        png_clear(&f);
    }
}

static void the_largest_image_is_accepted(void **state)
{
    (void)state;
    const png_spec s = {.width = 1024, .height = 1024, .depth = 1, .type = 0};
    check_conversion(&s);
}

static void large_files_are_refused_unread(void **state)
{
    (void)state;
    png_file f;
    static unsigned char filler[EBM_PNG_MAX_BYTES];
    png_whole(&f, &gray28);
    png_chunk(&f, "teXt", filler, EBM_PNG_MAX_BYTES - f.size - 12 + 1);
    assert_int_equal(f.size, EBM_PNG_MAX_BYTES + 1);
    assert_int_equal(outcome(&f), EBM_ERR_LIMIT);
}

static void truncated_everywhere(void **state)
{
    (void)state;
    png_file f;
    ebm_image image;
    png_whole(&f, &gray28);
    for (size_t n = 0; n < f.size; n++) {
        assert_int_equal(decode(f.bytes, n, &image), EBM_ERR_FORMAT);
    }
    png_clear(&f);
}

/* Signature, types, lengths and data are all under a CRC, so no flip may go unnoticed. */
static void every_bit_flipped(void **state)
{
    (void)state;
    png_file f;
    ebm_image image;
    png_whole(&f, &gray28);
    for (size_t bit = 0; bit < 8 * f.size; bit++) {
        f.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        const ebm_status st = decode(f.bytes, f.size, &image);
        if (st != EBM_ERR_FORMAT && st != EBM_ERR_LIMIT) {
            fail_msg("bit %zu: %s", bit, ebm_status_name(st));
        }
        f.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    png_clear(&f);
}

/* --- image data --------------------------------------------------------------------------- */

/* A file whose IDAT holds `n` bytes, its row data ending `cut` early or with `extra` more, and
 * the last `damage` bytes of the zlib stream changed. */
static ebm_status damaged_data(size_t cut, size_t extra, size_t drop, size_t damage, bool filter)
{
    png_file f;
    size_t size;
    unsigned char *rows = png_rows(&gray28, &size), packed[2000] = {0};
    uLongf n = sizeof(packed);
    rows[0] = filter ? 5 : 0; /* there are five filters, 0..4 */
    assert_int_equal(compress(packed, &n, rows, size - cut + extra), Z_OK);
    for (size_t i = 1; i <= damage; i++) {
        packed[n - i] ^= 0x55;
    }
    png_begin(&f);
    png_header(&f, &gray28);
    png_chunk(&f, "IDAT", packed, n - drop);
    png_chunk(&f, "IEND", NULL, 0);
    free(rows);
    return outcome(&f);
}

static void zlib_data(void **state)
{
    (void)state;
    assert_int_equal(damaged_data(0, 0, 0, 0, false), EBM_OK);
    assert_int_equal(damaged_data(1, 0, 0, 0, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(29, 0, 0, 0, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(0, 1, 0, 0, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(0, 60, 0, 0, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(0, 0, 0, 1, false), EBM_ERR_FORMAT); /* Adler-32 */
    assert_int_equal(damaged_data(0, 0, 0, 4, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(0, 0, 1, 0, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(0, 0, 4, 0, false), EBM_ERR_FORMAT);
    assert_int_equal(damaged_data(0, 0, 0, 0, true), EBM_ERR_FORMAT);
}

static void data_in_many_chunks(void **state)
{
    (void)state;
    png_file whole, split;
    ebm_image image;
    png_whole(&whole, &gray28);
    png_begin(&split);
    png_header(&split, &gray28);
    const size_t start = split.size + 8, end = whole.size - 12 - 4;
    for (size_t i = start; i < end; i++) {
        png_chunk(&split, "IDAT", whole.bytes + i, 1);
        png_chunk(&split, "IDAT", NULL, 0);
    }
    png_chunk(&split, "IEND", NULL, 0);
    assert_int_equal(decode(split.bytes, split.size, &image), EBM_OK);
    assert_pixels(&gray28, &image);
    ebm_free(image.pixels);
    png_clear(&whole);
    png_clear(&split);
}

/* --- chunks around the image -------------------------------------------------------------- */

/* Puts a chunk between header and image, or between image and IEND. */
static ebm_status with_chunk(const char *type, const void *data, size_t size, bool before)
{
    png_file f;
    png_begin(&f);
    png_header(&f, &gray28);
    if (before) {
        png_chunk(&f, type, data, size);
    }
    png_image_data(&f, &gray28);
    if (!before) {
        png_chunk(&f, type, data, size);
    }
    png_chunk(&f, "IEND", NULL, 0);
    return outcome(&f);
}

static void ancillary_chunks_are_ignored(void **state)
{
    (void)state;
    static const char *const types[] = {"gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "bKGD", "hIST",
                                        "pHYs", "sPLT", "tIME", "tEXt", "zTXt", "iTXt", "eXIf",
                                        "oFFs", "pCAL", "sCAL", "acTL", "fcTL", "fdAT", "prVT"};
    static unsigned char junk[300000];
    memset(junk, 0xFF, sizeof(junk));
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(with_chunk(types[i], junk, 0, true), EBM_OK);
        assert_int_equal(with_chunk(types[i], junk, 40, true), EBM_OK);
        assert_int_equal(with_chunk(types[i], junk, 40, false), EBM_OK);
    }
    assert_int_equal(with_chunk("iCCP", junk, 60000, true), EBM_OK);
}

static void critical_chunks_must_be_known(void **state)
{
    (void)state;
    const unsigned char zeros[13] = {0};
    assert_int_equal(with_chunk("ABCD", zeros, 4, true), EBM_ERR_FORMAT);
    assert_int_equal(with_chunk("ABCD", zeros, 4, false), EBM_ERR_FORMAT);
    assert_int_equal(with_chunk("IHDR", zeros, 13, true), EBM_ERR_FORMAT);
    assert_int_equal(with_chunk("IEND", zeros, 0, true), EBM_ERR_FORMAT);
    assert_int_equal(with_chunk("a1cd", zeros, 4, true), EBM_ERR_FORMAT);
}

static void checksums(void **state)
{
    (void)state;
    png_file f;
    png_begin(&f);
    png_header(&f, &gray28);
    png_chunk(&f, "gAMA", "\0\0\0\1", 4);
    f.bytes[f.size - 1] ^= 1;
    png_image_data(&f, &gray28);
    png_chunk(&f, "tEXt", "a\0b", 3);
    f.bytes[f.size - 1] ^= 1;
    png_chunk(&f, "IEND", NULL, 0);
    assert_int_equal(outcome(&f), EBM_OK); /* ancillary: discarded */

    png_begin(&f);
    png_header(&f, &gray28);
    png_image_data(&f, &gray28);
    f.bytes[f.size - 1] ^= 1;
    png_chunk(&f, "IEND", NULL, 0);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT);
}

static void the_end_is_the_end(void **state)
{
    (void)state;
    png_file f, second;
    png_whole(&f, &gray28);
    png_bytes(&f, "", 1);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT);
    png_whole(&f, &gray28);
    png_whole(&second, &gray28);
    png_bytes(&f, second.bytes, second.size);
    png_clear(&second);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT);
    png_begin(&f); /* no IEND */
    png_header(&f, &gray28);
    png_image_data(&f, &gray28);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT);
    png_begin(&f); /* no IDAT */
    png_header(&f, &gray28);
    png_chunk(&f, "IEND", NULL, 0);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT);
    png_begin(&f); /* IEND that holds something */
    png_header(&f, &gray28);
    png_image_data(&f, &gray28);
    png_chunk(&f, "IEND", "x", 1);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT);
}

static void palettes(void **state)
{
    (void)state;
    png_file f;
    const png_spec none = {.width = 4, .height = 4, .depth = 8, .type = 3, .palette = 0};
    const png_spec drawn = {.width = 4, .height = 4, .depth = 8, .type = 3, .palette = 200};
    const png_spec declared = {.width = 4, .height = 4, .depth = 8, .type = 3, .palette = 2};
    png_begin(&f);
    png_header(&f, &none);
    png_image_data(&f, &drawn);
    png_chunk(&f, "IEND", NULL, 0);
    assert_int_equal(outcome(&f), EBM_ERR_FORMAT); /* no PLTE */

    ebm_image image;
    png_begin(&f); /* indices beyond the palette: refused, or decoded without reading past it */
    png_header(&f, &declared);
    png_image_data(&f, &drawn);
    png_chunk(&f, "IEND", NULL, 0);
    const ebm_status st = decode(f.bytes, f.size, &image);
    assert_true(st == EBM_OK || st == EBM_ERR_FORMAT);
    ebm_free(image.pixels);
    png_clear(&f);
}

/* --- cost --------------------------------------------------------------------------------- */

/* 200 texts that would inflate to 7.9 MB each: with libpng's own limits this costs 1.5 GB. */
static void compressed_text_is_never_inflated(void **state)
{
    (void)state;
    const size_t inflated = 7900000;
    unsigned char *zeros = calloc(inflated, 1), *packed = malloc(20000);
    uLongf n = 20000 - 3;
    png_file f;
    ebm_image image;
    assert_non_null(zeros);
    assert_non_null(packed);
    memcpy(packed, "k\0\0", 3);
    assert_int_equal(compress2(packed + 3, &n, zeros, inflated, 9), Z_OK);
    png_begin(&f);
    png_header(&f, &gray28);
    for (int i = 0; i < 200; i++) {
        png_chunk(&f, "zTXt", packed, n + 3);
    }
    png_image_data(&f, &gray28);
    png_chunk(&f, "IEND", NULL, 0);
    assert_true(f.size > 1500000);
    fail_alloc_reset();
    assert_int_equal(ebm_png_decode(f.bytes, f.size, &image, NULL), EBM_OK);
    assert_true(fail_alloc_bytes() < 256 * 1024);
    assert_pixels(&gray28, &image);
    ebm_free(image.pixels);
    png_clear(&f);
    free(zeros);
    free(packed);
}

static void many_chunks_cost_no_memory(void **state)
{
    (void)state;
    png_file f;
    ebm_image image;
    png_begin(&f);
    png_header(&f, &gray28);
    for (int i = 0; i < 100000; i++) {
        png_chunk(&f, "tEXt", "a\0b", 3);
    }
    png_image_data(&f, &gray28);
    png_chunk(&f, "IEND", NULL, 0);
    fail_alloc_reset();
    assert_int_equal(ebm_png_decode(f.bytes, f.size, &image, NULL), EBM_OK);
    assert_true(fail_alloc_count() < 100);
    ebm_free(image.pixels);
    png_clear(&f);
}

static void no_memory(void **state)
{
    (void)state;
    png_file f;
    const png_spec s = {.width = 9,
                        .height = 9,
                        .depth = 4,
                        .type = 3,
                        .palette = 16,
                        .transparent = true,
                        .interlaced = true};
    png_whole(&f, &s);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_image image;
        const ebm_status st = ebm_png_decode(f.bytes, f.size, &image, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebm_free(image.pixels);
    }
    png_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_legal_kind),
        cmocka_unit_test(illegal_kinds),
        cmocka_unit_test(other_formats),
        cmocka_unit_test(sizes_are_checked_first),
        cmocka_unit_test(the_largest_image_is_accepted),
        cmocka_unit_test(large_files_are_refused_unread),
        cmocka_unit_test(truncated_everywhere),
        cmocka_unit_test(every_bit_flipped),
        cmocka_unit_test(zlib_data),
        cmocka_unit_test(data_in_many_chunks),
        cmocka_unit_test(ancillary_chunks_are_ignored),
        cmocka_unit_test(critical_chunks_must_be_known),
        cmocka_unit_test(checksums),
        cmocka_unit_test(the_end_is_the_end),
        cmocka_unit_test(palettes),
        cmocka_unit_test(compressed_text_is_never_inflated),
        cmocka_unit_test(many_chunks_cost_no_memory),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
