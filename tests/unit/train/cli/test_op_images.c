/* Which images of the data a command takes: the first ones, or some from all over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "cli/op_images.h"
#include "ebm/io.h"
#include "picture_maker.h"
#include "temp_dir.h"

enum { COUNT = 25, SIDE = 8, DIM = SIDE * SIDE };

static char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];

/* Stands in for the reader of a single picture: what is tested has many. */
ebm_status ebmt__op_picture(const ebmt__op_run *run, const char *flag, const char *file, float *x,
                            ebm_error *err)
{
    (void)file;
    (void)x;
    (void)run;
    return ebm_error_set(err, EBM_ERR_INTERNAL, flag, "not here");
}

/* Image k is all of gray k. */
static int setup(void **state)
{
    static uint8_t pixels[COUNT][DIM];
    made_file f;
    (void)state;
    for (int k = 0; k < COUNT; k++)
        memset(pixels[k], k, DIM);
    f = npy_make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (25, 8, 8, 1), }", pixels,
                 sizeof pixels);
    if (!temp_dir_make(dir) || !temp_dir_write(dir, "a.npy", f.bytes, f.size) ||
        !temp_dir_join(dir, "a.npy", path))
        return -1;
    free(f.bytes);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static void picks(void **state)
{
    static const struct {
        ebmt__op_pick pick;
        int count, number[10];
    } rows[] = {
        {{0, 0}, 25, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {{5, 0}, 5, {0, 1, 2, 3, 4}},
        {{0, 10}, 10, {0, 2, 5, 7, 10, 12, 15, 17, 20, 22}},
        {{5, 10}, 5, {0, 1, 2, 3, 4}},
        {{0, 24}, 24, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {{0, 25}, 25, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {{100, 0}, 25, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
        {{0, 100}, 25, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
    };
    ebmt__op_args args = {0};
    const ebmt__op_run run = {.args = &args, .shape = {1, SIDE, SIDE}, .dim = DIM};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ebmt__op_images images;
        float x[DIM];
        assert_int_equal(ebmt__op_images_open(&run, "--x", path, rows[i].pick, &images, NULL),
                         EBM_OK);
        assert_int_equal(images.count, rows[i].count);
        for (int k = 0; k < rows[i].count && k < 10; k++) {
            assert_int_equal(ebmt__op_images_get(&images, k, x, NULL), EBM_OK);
            assert_close((double)x[DIM - 1], rows[i].number[k] / 127.5 - 1.0, 1e-6);
        }
        assert_int_equal(ebmt__op_images_get(&images, images.count - 1, x, NULL), EBM_OK);
        ebmt__op_images_clear(&images);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(picks)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
