/* Fonts with colour bitmaps: every index and image format, and damage at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/cbdt.h"
#include "ebm/memory.h"
#include "ebmt/data.h"
#include "fail_alloc.h"
#include "picture_maker.h"
#include "temp_dir.h"

#define GLYPHS 4

typedef struct rig {
    ebm_image image[GLYPHS];
    made_file png[GLYPHS], font;
} rig;

static rig make_rig(int index_format, int image_format)
{
    rig r;
    for (int i = 0; i < GLYPHS; i++) {
        r.image[i] = picture_make(6, 6, 3, i);
        r.png[i] = picture_png(&r.image[i]);
    }
    const font_spec spec = {index_format, image_format, r.png, GLYPHS};
    r.font = font_make(&spec);
    assert_non_null(r.font.bytes);
    return r;
}

static void free_rig(rig *r)
{
    for (int i = 0; i < GLYPHS; i++) {
        free(r->image[i].pixels);
        free(r->png[i].bytes);
    }
    free(r->font.bytes);
}

static ebm_status open_font(const char *dir, const made_file *font, bool strict, ebmt_dataset *out)
{
    char path[TEMP_PATH_MAX];
    ebm_error err = {0};
    assert_true(temp_dir_write(dir, "a.ttf", font->bytes, font->size));
    assert_true(temp_dir_join(dir, "a.ttf", path));
    const ebmt_data_options options = {.path = path,
                                       .format = EBMT_FORMAT_CBDT,
                                       .image_size = 6,
                                       .strict = strict,
                                       .cache_bytes = 1 << 20};
    ebm_status st = ebmt_dataset_open(&options, out, &err);
    assert_int_equal(st, err.status);
    return st;
}

static void test_formats(void **state)
{
    for (int index = 1; index <= 3; index += 2) {
        for (int format = 17; format <= 19; format++) {
            rig r = make_rig(index, format);
            ebmt_dataset data;
            assert_int_equal(open_font(*state, &r.font, true, &data), EBM_OK);
            assert_int_equal(data.count, GLYPHS);
            for (int i = 0; i < GLYPHS; i++) {
                for (int k = 0; k < 3 * 36; k++)
                    assert_int_equal(data.pixels[108 * i + k],
                                     r.image[i].pixels[3 * (k % 36) + k / 36]);
            }
            ebmt_dataset_clear(&data);
            free_rig(&r);
        }
    }
}

/* Bytes of the font as font_make() lays it out: header 0, tables 12 and 28, CBLC 64, strike 72,
 * range 120, its head 128, offsets 136. */
static const struct {
    const char *what;
    size_t at;
    unsigned char value;
    ebm_status expected;
} changes[] = {
    {"not TrueType", 0, 'O', EBM_ERR_FORMAT},
    {"65 tables", 5, 65, EBM_ERR_LIMIT},
    {"64 tables in a short file", 5, 64, EBM_ERR_FORMAT},
    {"no CBDT", 12, 'X', EBM_ERR_NOT_FOUND},
    {"no CBLC", 28, 'X', EBM_ERR_NOT_FOUND},
    {"CBDT outside", 20, 1, EBM_ERR_FORMAT},
    {"CBDT too long", 24, 1, EBM_ERR_FORMAT},
    {"CBLC outside", 36, 0x80, EBM_ERR_FORMAT},
    {"version 2", 65, 2, EBM_ERR_FORMAT},
    {"no strikes", 71, 0, EBM_ERR_FORMAT},
    {"255 strikes", 71, 255, EBM_ERR_FORMAT},
    {"2^24 strikes", 68, 1, EBM_ERR_FORMAT},
    {"ranges outside", 72, 1, EBM_ERR_FORMAT},
    {"2^24 ranges", 80, 1, EBM_ERR_FORMAT},
    {"8 bits a pixel", 118, 8, EBM_ERR_UNSUPPORTED},
    {"last glyph before the first", 123, 3, EBM_ERR_FORMAT},
    {"more glyphs than offsets", 122, 1, EBM_ERR_FORMAT},
    {"range outside", 124, 1, EBM_ERR_FORMAT},
    {"index format 2", 129, 2, EBM_ERR_UNSUPPORTED},
    {"image format 1", 131, 1, EBM_ERR_UNSUPPORTED},
    {"bitmaps outside", 132, 1, EBM_ERR_FORMAT},
    {"offsets fall", 137, 1, EBM_ERR_FORMAT},
};

static void test_changes(void **state)
{
    rig r = make_rig(1, 17);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        ebmt_dataset data;
        const unsigned char kept = r.font.bytes[changes[i].at];
        r.font.bytes[changes[i].at] = changes[i].value;
        ebm_status st = open_font(*state, &r.font, true, &data);
        if (st != changes[i].expected)
            fail_msg("%s: %s", changes[i].what, ebm_status_name(st));
        r.font.bytes[changes[i].at] = kept;
    }
    free_rig(&r);
}

static void test_every_truncation(void **state)
{
    rig r = make_rig(3, 18);
    const size_t size = r.font.size;
    for (r.font.size = 0; r.font.size < size; r.font.size++) {
        ebmt_dataset data;
        assert_int_not_equal(open_font(*state, &r.font, false, &data), EBM_OK);
    }
    free_rig(&r);
}

/* One damaged bitmap: replaced by the next one, or fatal. */
static void test_damaged_glyph(void **state)
{
    rig r = make_rig(1, 19);
    ebmt_dataset data;
    unsigned char *last = r.font.bytes + r.font.size - r.png[3].size;
    last[19] ^= 1; /* width, under its checksum */
    assert_int_equal(open_font(*state, &r.font, true, &data), EBM_ERR_FORMAT);
    assert_int_equal(open_font(*state, &r.font, false, &data), EBM_OK);
    assert_int_equal(data.count, GLYPHS);
    assert_int_equal(data.damaged, 1);
    assert_memory_equal(data.pixels + 3 * 108, data.pixels, 108);
    ebmt_dataset_clear(&data);
    free_rig(&r);
}

static void test_empty_glyphs_are_left_out(void **state)
{
    rig r = make_rig(1, 17);
    ebmt_dataset data;
    unsigned char *offset = r.font.bytes + 136;
    memcpy(offset + 4, offset + 8, 4); /* glyph 1 now ends where it begins, glyph 0 where 2 does */
    memcpy(offset, offset + 4, 4);
    assert_int_equal(open_font(*state, &r.font, true, &data), EBM_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.pixels[0], r.image[2].pixels[0]);
    ebmt_dataset_clear(&data);
    free_rig(&r);
}

static void test_no_memory(void **state)
{
    rig r = make_rig(1, 17);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset data;
        ebm_status st = open_font(*state, &r.font, true, &data);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
    free_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_formats),
        TEMP_DIR_TEST(test_changes),
        TEMP_DIR_TEST(test_every_truncation),
        TEMP_DIR_TEST(test_damaged_glyph),
        TEMP_DIR_TEST(test_empty_glyphs_are_left_out),
        TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
