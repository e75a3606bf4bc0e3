/* Sets of images in files: what was written comes back, NumPy's layout byte by byte, and everything
 * else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bars.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/eval.h"
#include "fail_alloc.h"
#include "temp_dir.h"

static void test_npy_there_and_back(void **state)
{
    uint8_t pixels[2 * 3 * 2 * 4];
    ebmt_dataset set = {.count = 2, .channels = 3, .height = 2, .width = 4, .pixels = pixels}, back;
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    unsigned char *file = NULL;
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(5 * i);
    assert_true(temp_dir_make(dir) && temp_dir_join(dir, "x.npy", path));
    assert_int_equal(ebmt_images_write_npy(path, &set, NULL), EBM_OK);
    assert_int_equal(ebmt_images_read(path, &back, NULL), EBM_OK);
    assert_true(back.count == 2 && back.channels == 3 && back.height == 2 && back.width == 4);
    assert_memory_equal(back.pixels, pixels, sizeof pixels);
    assert_int_equal(ebm_file_read(dir, "x.npy", 1000, &file, &size, NULL), EBM_OK);
    /* NumPy 2.4.6 writes the same header: 128 bytes, then rows of interleaved channels */
    assert_int_equal(size, 128 + sizeof pixels);
    assert_memory_equal(file,
                        "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, "
                        "'shape': (2, 2, 4, 3), }  ",
                        10 + 67);
    assert_int_equal(file[127], '\n');
    assert_int_equal(file[128 + 1], pixels[8]); /* the second channel of the first pixel */
    ebm_free(file);
    ebmt_dataset_clear(&back);
    temp_dir_remove(dir);
}

static void expect(const char *path, ebm_status want)
{
    ebmt_dataset out;
    ebm_error err = {0};
    assert_int_equal(ebmt_images_read(path, &out, &err), want);
    assert_null(out.pixels);
    assert_true(err.where[0] != '\0');
}

/* A .npy file with this text as header and so many bytes of data. */
static void write_npy(const char *dir, const char *dict, size_t data)
{
    unsigned char file[2000] = "\x93NUMPY\x01";
    size_t n = strlen(dict);
    file[8] = (unsigned char)(n & 255);
    file[9] = (unsigned char)(n >> 8);
    memcpy(file + 10, dict, n);
    assert_true(temp_dir_write(dir, "x.npy", file, 10 + n + data));
}

static void test_hostile_npy(void **state)
{
    static const struct {
        const char *dict;
        size_t data;
        ebm_status want;
    } rows[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }\n", 6, EBM_OK},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }\n", 5, EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }\n", 7, EBM_ERR_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }\n", 6, EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2, 3), }\n", 6, EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }\n", 6, EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 2, 3), }\n", 0, EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 2, 3), }\n", 6, EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3, 1, 1), }\n", 6,
         EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 5000), }\n", 6, EBM_ERR_LIMIT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 1, 9), }\n", 9, EBM_ERR_LIMIT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 1, 1), }\n", 6,
         EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2147483647, 1024, 1024), }\n", 6,
         EBM_ERR_FORMAT},
        {"{'descr': '|u1', 'fortran_order': False, }\n", 6, EBM_ERR_FORMAT},
        {"", 0, EBM_ERR_FORMAT},
    };
    char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];
    ebmt_dataset out;
    (void)state;
    assert_true(temp_dir_make(dir) && temp_dir_join(dir, "x.npy", path));
    write_npy(dir, rows[0].dict, rows[0].data);
    assert_int_equal(ebmt_images_read(path, &out, NULL), EBM_OK);
    ebmt_dataset_clear(&out);
    for (size_t i = 1; i < sizeof rows / sizeof rows[0]; i++) {
        write_npy(dir, rows[i].dict, rows[i].data);
        expect(path, rows[i].want);
    }
    assert_true(temp_dir_write(dir, "x.npy", "\x93NUMPY\x02\x00\x01\x00", 10));
    expect(path, EBM_ERR_FORMAT);
    assert_true(temp_dir_write(dir, "x.npy", "\x93NUMPY\x01\x00\xff\xff", 10));
    expect(path, EBM_ERR_FORMAT);
    temp_dir_remove(dir);
    expect(path, EBM_ERR_NOT_FOUND);
}

static void put_png(const char *dir, const char *name, int32_t width, uint8_t level)
{
    uint8_t pixels[64];
    const ebm_image image = {width, 2, 1, pixels};
    unsigned char *png = NULL;
    size_t size;
    memset(pixels, level, sizeof pixels);
    assert_int_equal(ebm_png_encode(&image, NULL, 0, &png, &size, NULL), EBM_OK);
    assert_true(temp_dir_write(dir, name, png, size));
    ebm_free(png);
}

static void test_directory_of_png(void **state)
{
    char dir[TEMP_PATH_MAX];
    ebmt_dataset out;
    (void)state;
    assert_true(temp_dir_make(dir));
    expect(dir, EBM_ERR_NOT_FOUND);
    put_png(dir, "000001.png", 3, 20);
    put_png(dir, "000000.png", 3, 10);
    assert_true(temp_dir_write(dir, "notes.txt", "x", 1));
    assert_int_equal(ebmt_images_read(dir, &out, NULL), EBM_OK);
    assert_true(out.count == 2 && out.width == 3 && out.height == 2 && out.channels == 1);
    assert_int_equal(out.pixels[0], 10);
    assert_int_equal(out.pixels[6], 20);
    ebmt_dataset_clear(&out);
    FOR_EACH_ALLOC_FAILURE
    {
        ebm_status st = ebmt_images_read(dir, &out, NULL);
        assert_true(st == EBM_OK || fail_alloc_hit());
        ebmt_dataset_clear(&out);
    }
    put_png(dir, "000002.png", 4, 30);
    expect(dir, EBM_ERR_SHAPE);
    assert_true(temp_dir_write(dir, "000002.png", "not a picture", 13));
    expect(dir, EBM_ERR_FORMAT);
    temp_dir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_there_and_back),
        cmocka_unit_test(test_hostile_npy),
        cmocka_unit_test(test_directory_of_png),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
