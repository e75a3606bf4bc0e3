/* IDX files: every header rule once, as a row of a table; labels; the edges of the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "data/idx.h"
#include "ebm/memory.h"
#include "ebmt/data.h"
#include "fail_alloc.h"

/* Two images of 2 rows and 3 columns. */
static const unsigned char two[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,  0,  0,  2,  0,  0,
                                    0, 3, 1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60};

static void test_valid(void **state)
{
    ebmt_dataset data;
    (void)state;
    assert_int_equal(ebmt_idx_images(two, sizeof two, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 2);
    assert_int_equal(data.channels, 1);
    assert_int_equal(data.height, 2);
    assert_int_equal(data.width, 3);
    assert_memory_equal(data.pixels, two + 16, 12);
    assert_null(data.labels);
    ebmt_dataset_clear(&data);
    assert_null(data.pixels);
    ebmt_dataset_clear(&data);
}

/* One byte of the valid file changed, or another size. */
static const struct {
    const char *what;
    size_t at;
    unsigned char value;
    int size_change;
    ebm_status expected;
} bad_images[] = {
    {"magic: first byte", 0, 1, 0, EBM_ERR_FORMAT},
    {"magic: signed bytes", 2, 9, 0, EBM_ERR_FORMAT},
    {"magic: labels", 3, 1, 0, EBM_ERR_FORMAT},
    {"magic: four dimensions", 3, 4, 0, EBM_ERR_FORMAT},
    {"no images", 7, 0, 0, EBM_ERR_FORMAT},
    {"one image too few", 7, 1, 0, EBM_ERR_FORMAT},
    {"one image too many", 7, 3, 0, EBM_ERR_FORMAT},
    {"negative count", 4, 0xff, 0, EBM_ERR_FORMAT},
    {"count over the limit", 4, 0x7f, 0, EBM_ERR_LIMIT},
    {"no rows", 11, 0, 0, EBM_ERR_FORMAT},
    {"negative rows", 8, 0x80, 0, EBM_ERR_FORMAT},
    {"rows over the limit", 10, 5, 0, EBM_ERR_LIMIT},
    {"no columns", 15, 0, 0, EBM_ERR_FORMAT},
    {"negative columns", 12, 0x80, 0, EBM_ERR_FORMAT},
    {"columns over the limit", 13, 1, 0, EBM_ERR_LIMIT},
    {"last byte missing", 16, 1, -1, EBM_ERR_FORMAT},
    {"a byte after the end", 16, 1, 1, EBM_ERR_FORMAT},
    {"header alone", 16, 1, -12, EBM_ERR_FORMAT},
    {"header cut", 16, 1, -13, EBM_ERR_FORMAT},
    {"empty", 16, 1, -28, EBM_ERR_FORMAT},
};

static void test_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_images / sizeof bad_images[0]; i++) {
        unsigned char file[sizeof two + 1] = {0};
        ebmt_dataset data;
        ebm_error err = {0};
        memcpy(file, two, sizeof two);
        file[bad_images[i].at] = bad_images[i].value;
        size_t size = (size_t)((int)sizeof two + bad_images[i].size_change);
        ebm_status st = ebmt_idx_images(file, size, &data, &err);
        if (st != bad_images[i].expected)
            fail_msg("%s: %s", bad_images[i].what, ebm_status_name(st));
        assert_null(data.pixels);
        assert_true(err.text[0] != '\0');
    }
}

/* The header alone must bound the memory: 2^24 images of 1024 x 1024 are legal one by one. */
static void test_promised_size(void **state)
{
    unsigned char head[16] = {0, 0, 8, 3, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 0};
    size_t total = 0;
    (void)state;
    assert_int_equal(ebmt__idx_images_size(head, &total, NULL), EBM_ERR_LIMIT);
    head[4] = 0; /* 1023 images: the last count whose bytes and header fit */
    head[6] = 3;
    head[7] = 0xff;
    assert_int_equal(ebmt__idx_images_size(head, &total, NULL), EBM_OK);
    assert_int_equal(total, (size_t)1023 * 1024 * 1024 + 16);
    head[6] = 4; /* 1024: 16 bytes over */
    head[7] = 0;
    assert_int_equal(ebmt__idx_images_size(head, &total, NULL), EBM_ERR_LIMIT);
}

static const struct {
    const char *what;
    unsigned char file[12];
    size_t size;
    ebm_status expected;
} label_files[] = {
    {"good", {0, 0, 8, 1, 0, 0, 0, 2, 9, 61}, 10, EBM_OK},
    {"magic of images", {0, 0, 8, 3, 0, 0, 0, 2, 9, 0}, 10, EBM_ERR_FORMAT},
    {"one label for two images", {0, 0, 8, 1, 0, 0, 0, 1, 9}, 9, EBM_ERR_FORMAT},
    {"no labels", {0, 0, 8, 1, 0, 0, 0, 0}, 8, EBM_ERR_FORMAT},
    {"negative count", {0, 0, 8, 1, 0x80, 0, 0, 2, 9, 0}, 10, EBM_ERR_FORMAT},
    {"last one missing", {0, 0, 8, 1, 0, 0, 0, 2, 9}, 9, EBM_ERR_FORMAT},
    {"one after the end", {0, 0, 8, 1, 0, 0, 0, 2, 9, 0, 0}, 11, EBM_ERR_FORMAT},
    {"label out of range", {0, 0, 8, 1, 0, 0, 0, 2, 9, 62}, 10, EBM_ERR_FORMAT},
    {"header cut", {0, 0, 8, 1, 0, 0, 0}, 7, EBM_ERR_FORMAT},
};

static void test_labels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof label_files / sizeof label_files[0]; i++) {
        uint8_t *labels = NULL;
        ebm_status st =
            ebmt__idx_labels(label_files[i].file, label_files[i].size, 2, &labels, NULL);
        if (st != label_files[i].expected)
            fail_msg("%s: %s", label_files[i].what, ebm_status_name(st));
        assert_true((labels != NULL) == (st == EBM_OK));
        ebm_free(labels);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset data;
        ebm_status st = ebmt_idx_images(two, sizeof two, &data, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),         cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_promised_size), cmocka_unit_test(test_labels),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
