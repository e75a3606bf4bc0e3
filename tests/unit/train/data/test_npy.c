/* NumPy headers: what NumPy writes in all three versions, and every departure from it as a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/npy.h"
#include "ebmt/data.h"
#include "fail_alloc.h"
#include "picture_maker.h"
#include "temp_dir.h"

static const uint8_t pixels[2 * 3 * 4 * 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};

#define SHAPE3 "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), }"
#define WITH(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"

static const struct {
    const char *text;
    size_t data; /* bytes behind the header */
    ebm_status expected;
} files[] = {
    {SHAPE3, 24, EBM_OK},
    {WITH("'|u1'", "False", "(2, 3, 4)"), 24, EBM_OK},
    {WITH("'|u1'", "False", "(2,3,4,)"), 24, EBM_OK},
    {"{'shape': (2, 3, 4), 'descr': '|u1', 'fortran_order': False}", 24, EBM_OK},
    {WITH("'|u1'", "False", "(2, 3, 4, 3)"), 72, EBM_OK},
    {WITH("'|u1'", "False", "(2, 3, 4, 4)"), 96, EBM_OK},
    {SHAPE3, 23, EBM_ERR_FORMAT},
    {SHAPE3, 25, EBM_ERR_FORMAT},
    {WITH("'<f4'", "False", "(2, 3, 4)"), 96, EBM_ERR_FORMAT},
    {WITH("'|i1'", "False", "(2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|O'", "False", "(2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("[('a', '|u1')]", "False", "(2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "True", "(2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "0", "(2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(24,)"), 24, EBM_ERR_SHAPE},
    {WITH("'|u1'", "False", "()"), 1, EBM_ERR_SHAPE},
    {WITH("'|u1'", "False", "(24)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(2, 3, 4"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(2 3 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(2,, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "[2, 3, 4]"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(-2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(+2, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(02, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(2L, 3L, 4L)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(2.0, 3, 4)"), 24, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(0, 3, 4)"), 0, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(2, 0, 4)"), 0, EBM_ERR_FORMAT},
    {WITH("'|u1'", "False", "(1, 3, 4)"), 12, EBM_ERR_FORMAT}, /* one sample */
    {WITH("'|u1'", "False", "(2, 3, 4, 5)"), 96, EBM_ERR_SHAPE},
    {WITH("'|u1'", "False", "(2, 3, 2, 1, 2)"), 24, EBM_ERR_LIMIT},
    {WITH("'|u1'", "False", "(2, 1025, 4)"), 24, EBM_ERR_LIMIT},
    {WITH("'|u1'", "False", "(2147483648, 3, 4)"), 24, EBM_ERR_LIMIT},
    {WITH("'|u1'", "False", "(99999999999999999999, 3, 4)"), 24, EBM_ERR_LIMIT},
    {WITH("'|u1'", "False", "(2147483647, 1024, 1024, 4)"), 24, EBM_ERR_FORMAT},
    {"{'descr': '|u1', 'shape': (2, 3, 4)}", 24, EBM_ERR_FORMAT},
    {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4)}", 24,
     EBM_ERR_FORMAT},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4), 'x': 1}", 24, EBM_ERR_FORMAT},
    {"{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (2, 3, 4)}", 24, EBM_ERR_FORMAT},
    {"{'descr': '|u1' 'fortran_order': False, 'shape': (2, 3, 4)}", 24, EBM_ERR_FORMAT},
    {SHAPE3 "}", 24, EBM_ERR_FORMAT},
    {SHAPE3 " # comment", 24, EBM_ERR_FORMAT},
    {"", 24, EBM_ERR_FORMAT},
    {"{}", 24, EBM_ERR_FORMAT},
};

static ebm_status read_bytes(const char *dir, const unsigned char *bytes, size_t size,
                             ebmt_dataset *out)
{
    char path[TEMP_PATH_MAX];
    ebm_error err = {0};
    assert_true(temp_dir_write(dir, "a.npy", bytes, size));
    assert_true(temp_dir_join(dir, "a.npy", path));
    const ebmt_data_options options = {
        .path = path, .format = EBMT_FORMAT_NPY, .cache_bytes = (size_t)1 << 20};
    ebm_status st = ebmt_dataset_open(&options, out, &err);
    assert_int_equal(st, err.status);
    return st;
}

static void test_headers(void **state)
{
    char *dir = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        for (int version = 1; version <= 3; version++) {
            ebmt_dataset data;
            made_file f = npy_make(version, files[i].text, pixels, files[i].data);
            ebm_status st = read_bytes(dir, f.bytes, f.size, &data);
            if (st != files[i].expected)
                fail_msg("%s, %zu bytes: %s", files[i].text, files[i].data, ebm_status_name(st));
            ebmt_dataset_clear(&data);
            free(f.bytes);
        }
    }
}

static void test_pixels(void **state)
{
    ebmt_dataset data;
    made_file f = npy_make(1, WITH("'|u1'", "False", "(2, 1, 2, 3)"), pixels, 12);
    const uint8_t planes[6] = {1, 4, 2, 5, 3, 6};
    assert_int_equal(read_bytes(*state, f.bytes, f.size, &data), EBM_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.channels, 3);
    assert_int_equal(data.height, 1);
    assert_int_equal(data.width, 2);
    assert_memory_equal(data.pixels, planes, 6);
    assert_null(data.labels);
    ebmt_dataset_clear(&data);
    free(f.bytes);
}

static void test_every_truncation(void **state)
{
    made_file f = npy_make(1, SHAPE3, pixels, 24);
    for (size_t cut = 0; cut < f.size; cut++) {
        ebmt_dataset data;
        assert_int_equal(read_bytes(*state, f.bytes, cut, &data), EBM_ERR_FORMAT);
    }
    free(f.bytes);
}

/* Bytes before the dictionary. */
static const struct {
    size_t at;
    unsigned char value;
    ebm_status expected;
} heads[] = {
    {0, 0x92, EBM_ERR_FORMAT}, {1, 'n', EBM_ERR_FORMAT}, {6, 0, EBM_ERR_FORMAT},
    {6, 4, EBM_ERR_FORMAT},    {7, 1, EBM_ERR_FORMAT},   {8, 0, EBM_ERR_FORMAT},
    {9, 0xff, EBM_ERR_FORMAT}, {10, 1, EBM_ERR_LIMIT},   {11, 0xff, EBM_ERR_LIMIT},
};

static void test_prefix(void **state)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        ebmt_dataset data;
        made_file f = npy_make(2, SHAPE3, pixels, 24);
        f.bytes[heads[i].at] = heads[i].value;
        ebm_status st = read_bytes(*state, f.bytes, f.size, &data);
        if (st != heads[i].expected)
            fail_msg("byte %zu: %s", heads[i].at, ebm_status_name(st));
        free(f.bytes);
    }
}

static void test_no_memory(void **state)
{
    made_file f = npy_make(1, SHAPE3, pixels, 24);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset data;
        ebm_status st = read_bytes(*state, f.bytes, f.size, &data);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
    free(f.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_headers),          TEMP_DIR_TEST(test_pixels),
        TEMP_DIR_TEST(test_every_truncation), TEMP_DIR_TEST(test_prefix),
        TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
