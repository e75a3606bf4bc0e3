/* Which images of the data a command takes: the first ones, or some from all over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "assert_numbers.h"
#include "cli/op_images.h"
#include "ebm/io.h"
#include "picture_maker.h"
#include "temp_dir.h"

enum { COUNT = 25, SIDE = 8, DIM = SIDE * SIDE };

static char dir[TEMP_PATH_MAX], path[TEMP_PATH_MAX];

static bool write_idx(const char *name, int level)
{
    unsigned char bytes[16 + 2 * DIM] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
    memset(bytes + 16, level, 2 * DIM);
    return temp_dir_write(dir, name, bytes, sizeof bytes);
}

/* parts/ with black training images and white test images, folder/ and with-test/, the latter with
 * a part, both without images. */
static bool make_folders(void)
{
    static const char *const names[] = {"parts", "folder", "with-test", "with-test/test"};
    char made[TEMP_PATH_MAX];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!temp_dir_join(dir, names[i], made) || mkdir(made, 0700) != 0)
            return false;
    return write_idx("parts/train-images-idx3-ubyte", 0) &&
           write_idx("parts/t10k-images-idx3-ubyte", 255);
}

/* one/ with a white picture, one.npy with a white image. */
static bool make_singles(void)
{
    static uint8_t white[DIM * 3];
    const ebm_image picture = {.width = SIDE, .height = SIDE, .channels = 3, .pixels = white};
    char made[TEMP_PATH_MAX];
    memset(white, 255, sizeof white);
    made_file png = picture_png(&picture);
    made_file npy = npy_make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 8, 8, 1), }",
                             white, DIM);
    bool ok = temp_dir_join(dir, "one", made) && mkdir(made, 0700) == 0 &&
              temp_dir_write(dir, "one/a.png", png.bytes, png.size) &&
              temp_dir_write(dir, "one.npy", npy.bytes, npy.size);
    free(png.bytes);
    free(npy.bytes);
    return ok;
}

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
        !temp_dir_join(dir, "a.npy", path) || !make_folders() || !make_singles())
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

/* @param part the flag's choice, -1: not given */
static ebm_status open_part(const char *name, int part, ebmt__op_images *out, ebm_error *err)
{
    char where[TEMP_PATH_MAX];
    ebmt__op_args args = {.part = part > 0, .part_given = part >= 0};
    const ebmt__op_run run = {.args = &args, .shape = {1, SIDE, SIDE}, .dim = DIM};
    assert_true(temp_dir_join(dir, name, where));
    return ebmt__op_images_open(&run, "--x", where, (ebmt__op_pick){0, 0}, out, err);
}

/* Black ones are those of training, white ones those of the test; without the flag the former. */
static void parts(void **state)
{
    static const float level[] = {-1, -1, 1};
    static const char *const name[] = {"train", "train", "test"};
    ebmt__op_images images;
    float x[DIM];
    (void)state;
    for (int part = -1; part <= 1; part++) {
        assert_int_equal(open_part("parts", part, &images, NULL), EBM_OK);
        assert_int_equal(ebmt__op_images_get(&images, 1, x, NULL), EBM_OK);
        assert_close((double)x[7], (double)level[part + 1], 0);
        assert_string_equal(images.part, name[part + 1]);
        ebmt__op_images_clear(&images);
    }
    assert_int_equal(open_part("a.npy", -1, &images, NULL), EBM_OK);
    assert_null(images.part);
    ebmt__op_images_clear(&images);
}

/* One image is as good as many, whatever it lies in. */
static void one_image(void **state)
{
    static const char *const name[] = {"one", "one.npy"};
    (void)state;
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        char where[TEMP_PATH_MAX];
        ebmt__op_images images;
        float x[DIM];
        ebmt__op_args args = {.params = {.fit = EBM_FIT_RESIZE}};
        const ebmt__op_run run = {.args = &args, .shape = {1, SIDE, SIDE}, .dim = DIM};
        assert_true(temp_dir_join(dir, name[i], where));
        assert_int_equal(
            ebmt__op_images_open(&run, "--x", where, (ebmt__op_pick){0, 0}, &images, NULL), EBM_OK);
        assert_int_equal(images.count, 1);
        assert_int_equal(ebmt__op_images_get(&images, 0, x, NULL), EBM_OK);
        assert_close((double)x[DIM - 1], 1.0, 0);
        ebmt__op_images_clear(&images);
    }
}

/* A part of what has none is a mistake; a folder has parts when it has a folder of one's name. */
static void no_parts(void **state)
{
    static const struct {
        const char *name;
        ebm_status status;
    } rows[] = {{"a.npy", EBM_ERR_ARG},
                {"one.png", EBM_ERR_ARG},
                {"folder", EBM_ERR_ARG},
                {"with-test", EBM_ERR_FORMAT}, /* no images in it */
                {"nothing", EBM_ERR_NOT_FOUND}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int part = 0; part <= 1; part++) {
            ebmt__op_images images;
            ebm_error err = {0};
            assert_int_equal(open_part(rows[i].name, part, &images, &err), rows[i].status);
            assert_string_equal(err.where, rows[i].status == EBM_ERR_ARG ? "--part" : "--x");
            ebmt__op_images_clear(&images);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(picks), cmocka_unit_test(parts),
                                       cmocka_unit_test(one_image), cmocka_unit_test(no_parts)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
