/* The real images of a command: which ones are trained on and which are test images, for every kind
 * of data; the same pictures in other files are the same images and give the same numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cli/real_images.h"
#include "ebm/io.h"
#include "ebm/memory.h"
#include "ebmt/eval.h"
#include "fail_alloc.h"
#include "picture_maker.h"
#include "temp_dir.h"

enum { SIDE = 8, TRAIN = 24, TEST = 12 };

/* --- the same pictures in many kinds of files ---------------------------------------------- */

/* Picture k of a set; test pictures are others than training pictures. @own free(pixels) */
static ebm_image picture(int k, int32_t side, int32_t channels)
{
    return picture_make(side, side, channels, 1 + 7 * k);
}

static void make_folder(const char *dir, const char *name)
{
    char path[TEMP_PATH_MAX];
    assert_true(temp_dir_join(dir, name, path));
    assert_int_equal(mkdir(path, 0700), 0);
}

static void write_pngs(const char *dir, const char *part, int first, int n, int32_t channels)
{
    make_folder(dir, part);
    for (int k = 0; k < n; k++) {
        char name[64];
        ebm_image image = picture(first + k, SIDE, channels);
        made_file f = picture_png(&image);
        (void)snprintf(name, sizeof name, "%s/%03d.png", part, k);
        assert_true(temp_dir_write(dir, name, f.bytes, f.size));
        free(f.bytes);
        free(image.pixels);
    }
}

static void write_idx(const char *dir, const char *name, int first, int n)
{
    unsigned char *bytes = calloc(1, (size_t)(16 + n * SIDE * SIDE));
    assert_non_null(bytes);
    memcpy(bytes, (const unsigned char[]){0, 0, 8, 3, 0, 0, 0, (unsigned char)n}, 8);
    bytes[11] = bytes[15] = SIDE;
    for (int k = 0; k < n; k++) {
        ebm_image image = picture(first + k, SIDE, 1);
        memcpy(bytes + 16 + k * SIDE * SIDE, image.pixels, SIDE * SIDE);
        free(image.pixels);
    }
    assert_true(temp_dir_write(dir, name, bytes, (size_t)(16 + n * SIDE * SIDE)));
    free(bytes);
}

/* @param size of the file in bytes, 0: n whole records */
static void write_cifar(const char *dir, const char *name, int first, int n, size_t size)
{
    unsigned char *bytes = calloc((size_t)n, 3073);
    assert_non_null(bytes);
    for (int k = 0; k < n; k++) {
        ebm_image image = picture(first + k, 32, 3);
        bytes[k * 3073] = (unsigned char)(k % 10);
        for (int i = 0; i < 3072; i++)
            bytes[k * 3073 + 1 + i % 3 * 1024 + i / 3] = image.pixels[i];
        free(image.pixels);
    }
    assert_true(temp_dir_write(dir, name, bytes, size ? size : (size_t)n * 3073));
    free(bytes);
}

static void write_npy(const char *dir, const char *name, int first, int n)
{
    char text[96];
    uint8_t *pixels = calloc((size_t)n, SIDE * SIDE);
    assert_non_null(pixels);
    for (int k = 0; k < n; k++) {
        ebm_image image = picture(first + k, SIDE, 1);
        memcpy(pixels + k * SIDE * SIDE, image.pixels, SIDE * SIDE);
        free(image.pixels);
    }
    (void)snprintf(text, sizeof text,
                   "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d, %d), }", n, SIDE,
                   SIDE);
    made_file f = npy_make(1, text, pixels, (size_t)n * SIDE * SIDE);
    assert_true(temp_dir_write(dir, name, f.bytes, f.size));
    free(f.bytes);
    free(pixels);
}

/* All of it under one directory: idx/ (both parts), idx-train/ (one), png/ (both parts), flat/
 * (gray pictures, first those of training, then those of the test), colour/, cifar/ (both parts),
 * cifar-train/, all.npy (as flat/), test.npy. */
static int set_up(void **state)
{
    if (temp_dir_set_up(state) != 0)
        return -1;
    const char *dir = *state;
    const char *const folders[] = {"idx", "idx-train", "png", "cifar", "cifar-train", "damaged"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        make_folder(dir, folders[i]);
    write_idx(dir, "idx/train-images-idx3-ubyte", 0, TRAIN);
    write_idx(dir, "idx/t10k-images-idx3-ubyte", TRAIN, TEST);
    write_idx(dir, "idx-train/train-images-idx3-ubyte", 0, TRAIN);
    write_pngs(dir, "png/train", 0, TRAIN, 1);
    write_pngs(dir, "png/test", TRAIN, TEST, 1);
    write_pngs(dir, "flat", 0, TRAIN + TEST, 1);
    write_pngs(dir, "colour", 0, TEST, 3);
    write_cifar(dir, "cifar/data_batch_1.bin", 0, TRAIN, 0);
    write_cifar(dir, "cifar/test_batch.bin", TRAIN, TEST, 0);
    write_cifar(dir, "cifar-train/data_batch_1.bin", 0, TRAIN, 0);
    write_cifar(dir, "damaged/data_batch_1.bin", 0, TRAIN, 0);
    write_cifar(dir, "damaged/test_batch.bin", 0, TEST, 3073 + 1);
    write_npy(dir, "all.npy", 0, TRAIN + TEST);
    write_npy(dir, "test.npy", TRAIN, TEST);
    return 0;
}

/* --- opening ------------------------------------------------------------------------------- */

/* Flags as a command line has them; paths are below the test's directory. */
typedef struct flags {
    const char *data, *test_data;
    int32_t image_size, channels; /* CHOICE: auto, gray, rgb */
    int64_t held_out;
} flags;

typedef struct opened {
    char data[TEMP_PATH_MAX], test_data[TEMP_PATH_MAX];
    ebmt__real_args args;
    ebmt_dataset train, test;
} opened;

static void use_flags(const char *dir, const flags *f, opened *o)
{
    memset(o, 0, sizeof *o);
    o->args.data = ebmt__data_args_default();
    assert_true(temp_dir_join(dir, f->data, o->data));
    o->args.data.options.path = o->data;
    o->args.data.options.image_size = f->image_size;
    o->args.data.options.held_out = f->held_out;
    o->args.data.channels = f->channels;
    if (f->test_data) {
        assert_true(temp_dir_join(dir, f->test_data, o->test_data));
        o->args.test_data = o->test_data;
    }
}

static ebm_status open_both(const char *dir, const flags *f, opened *o, ebm_error *err)
{
    use_flags(dir, f, o);
    ebm_status st = ebmt__real_train(&o->args, &o->train, err);
    return st == EBM_OK ? ebmt__real_test(&o->args, &o->test, err) : st;
}

static void clear(opened *o)
{
    ebmt_dataset_clear(&o->train);
    ebmt_dataset_clear(&o->test);
}

static void expect_pictures(const ebmt_dataset *set, int first, int n)
{
    const int c = set->channels, pixels = set->height * set->width;
    assert_int_equal(set->count, n);
    for (int k = 0; k < n; k++) {
        ebm_image image = picture(first + k, set->width, c);
        for (int i = 0; i < pixels * c; i++)
            assert_int_equal(set->pixels[(k * c + i % c) * pixels + i / c], image.pixels[i]);
        free(image.pixels);
    }
}

/* Every way to the same 24 training and 12 test images. */
static void test_parts(void **state)
{
    static const flags row[] = {
        {.data = "idx"},
        {.data = "png", .image_size = SIDE, .channels = 1},
        {.data = "cifar"},
        {.data = "idx-train", .test_data = "idx"},
        {.data = "idx-train", .test_data = "test.npy"},
        {.data = "idx-train", .test_data = "png/test", .image_size = SIDE, .channels = 1},
        {.data = "cifar-train", .test_data = "cifar"},
        {.data = "all.npy", .held_out = TEST},
        {.data = "all.npy", .held_out = TEST, .test_data = "test.npy"},
        {.data = "flat", .held_out = TEST, .image_size = SIDE, .channels = 1},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        opened o;
        ebm_error err = {0};
        if (open_both(*state, &row[i], &o, &err) != EBM_OK)
            fail_msg("row %zu: %s: %s", i, err.where, err.text);
        expect_pictures(&o.train, 0, TRAIN);
        expect_pictures(&o.test, TRAIN, TEST);
        clear(&o);
    }
}

/* Held out wins over the part that the data have, and --test-data over what is held out. */
static void test_precedence(void **state)
{
    const flags own = {.data = "idx", .held_out = 4};
    const flags other = {.data = "idx", .held_out = 4, .test_data = "test.npy"};
    opened o;
    char text[64];
    assert_int_equal(open_both(*state, &own, &o, NULL), EBM_OK);
    expect_pictures(&o.train, 0, TRAIN - 4);
    expect_pictures(&o.test, TRAIN - 4, 4);
    ebmt__real_test_from(&o.args, text, sizeof text);
    assert_string_equal(text, "the last 4 of the training images, held out");
    clear(&o);
    assert_int_equal(open_both(*state, &other, &o, NULL), EBM_OK);
    expect_pictures(&o.train, 0, TRAIN - 4);
    expect_pictures(&o.test, TRAIN, TEST);
    clear(&o);
}

static void test_refusals(void **state)
{
    static const struct {
        flags given;
        ebm_status status;
        const char *where, *text;
    } row[] = {
        {{.data = "nothing"}, EBM_ERR_NOT_FOUND, "nothing", "no such file"},
        {{.data = "idx-train"}, EBM_ERR_NOT_FOUND, "t10k-images", "--held-out N"},
        {{.data = "cifar-train"}, EBM_ERR_NOT_FOUND, "test_batch.bin", "--test-data"},
        {{.data = "all.npy"}, EBM_ERR_NOT_FOUND, "all.npy", "npy have no test part; give --test"},
        {{.data = "flat", .image_size = 8}, EBM_ERR_NOT_FOUND, "flat/test", "--held-out N"},
        {{.data = "flat"}, EBM_ERR_ARG, "image_size", "no common size"},
        {{.data = "damaged"}, EBM_ERR_FORMAT, "test_batch.bin", "no whole number"},
        {{.data = "idx-train", .test_data = "damaged"}, EBM_ERR_FORMAT, "test_batch.bin", "whole"},
        {{.data = "idx", .test_data = "nothing"}, EBM_ERR_NOT_FOUND, "nothing", "no such file"},
        {{.data = "idx", .test_data = "flat"}, EBM_ERR_ARG, "image_size", "no common size"},
        {{.data = "idx", .held_out = 1}, EBM_ERR_RANGE, "held_out", "1 of 24 images"},
        {{.data = "idx", .held_out = TRAIN - 1}, EBM_ERR_RANGE, "held_out", "23 of 24 images"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        opened o;
        ebm_error err = {0};
        if (open_both(*state, &row[i].given, &o, &err) != row[i].status)
            fail_msg("row %zu: %s: %s", i, err.where, err.text);
        if (!strstr(err.where, row[i].where) || !strstr(err.text, row[i].text))
            fail_msg("row %zu says %s: %s", i, err.where, err.text);
        assert_null(o.test.pixels);
        clear(&o);
    }
}

/* What would not fit is told, with what it would take. */
static void test_memory(void **state)
{
    const flags f = {.data = "cifar"};
    opened o;
    ebm_error err = {0};
    use_flags(*state, &f, &o);
    o.args.data.cache_mib = 0;
    assert_int_equal(ebmt__real_test(&o.args, &o.test, &err), EBM_ERR_LIMIT);
    assert_non_null(strstr(err.text, "12 images of 32x32x3 are over the 0 MiB"));
}

/* Foreign images: as they are where they have a size, else brought to that of the others, never cut
 * by the rule of one data set's borders. */
static void test_foreign(void **state)
{
    const flags f = {.data = "idx"};
    char path[TEMP_PATH_MAX];
    opened o;
    ebmt_dataset foreign;
    ebm_error err = {0};
    assert_int_equal(open_both(*state, &f, &o, NULL), EBM_OK);
    o.args.data.crop = EBMT_CROP_CELEBA;
    assert_true(temp_dir_join(*state, "flat", path));
    assert_int_equal(ebmt__real_foreign(&o.args, path, &o.test, &foreign, NULL), EBM_OK);
    expect_pictures(&foreign, 0, TRAIN + TEST);
    ebmt_dataset_clear(&foreign);
    assert_true(temp_dir_join(*state, "cifar", path));
    assert_int_equal(ebmt__real_foreign(&o.args, path, &o.test, &foreign, NULL), EBM_OK);
    expect_pictures(&foreign, TRAIN, TEST);
    ebmt_dataset_clear(&foreign);
    assert_true(temp_dir_join(*state, "nothing", path));
    assert_int_equal(ebmt__real_foreign(&o.args, path, &o.test, &foreign, &err), EBM_ERR_NOT_FOUND);
    o.test.width = 4;
    assert_true(temp_dir_join(*state, "colour", path));
    assert_int_equal(ebmt__real_foreign(&o.args, path, &o.test, &foreign, &err), EBM_ERR_ARG);
    clear(&o);
}

/* --- the same pictures, the same numbers --------------------------------------------------- */

/* @own ebm_free() */
static char *report_of(const char *dir, const flags *f)
{
    static ebmt_eval_report report;
    opened o;
    char *text = NULL, digest[65];
    ebmt_dataset samples;
    ebmt_pool *pool = NULL;
    assert_int_equal(open_both(dir, f, &o, NULL), EBM_OK);
    assert_int_equal(ebmt_pool_create(2, &pool, NULL), EBM_OK);
    assert_int_equal(ebmt_choose_images(&o.train, 10, 3, &samples, NULL), EBM_OK);
    samples.pixels[5] ^= 9;
    const ebmt_eval_options opt = {
        .samples = &samples, .train = &o.train, .test = &o.test, .pool = pool, .seed = 1};
    assert_int_equal(ebmt_evaluate(&opt, &report, NULL), EBM_OK);
    assert_true(report.pixels.copies.value == 10);
    ebm_sha256_hex(o.test.pixels, (size_t)o.test.count * SIDE * SIDE, digest);
    const ebmt_eval_facts facts = {.n_test = o.test.count, .test_sha256 = digest};
    assert_int_equal(ebmt_eval_json(&report, &facts, &text, NULL), EBM_OK);
    ebmt_dataset_clear(&samples);
    ebmt_pool_free(pool);
    clear(&o);
    return text;
}

static void test_same_numbers(void **state)
{
    static const flags row[] = {
        {.data = "idx"},
        {.data = "png", .image_size = SIDE, .channels = 1},
        {.data = "idx", .test_data = "idx"},
        {.data = "idx", .test_data = "png", .image_size = SIDE, .channels = 1},
        {.data = "all.npy", .held_out = TEST},
    };
    char *first = report_of(*state, &row[0]);
    for (size_t i = 1; i < sizeof row / sizeof row[0]; i++) {
        char *text = report_of(*state, &row[i]);
        assert_string_equal(text, first);
        ebm_free(text);
    }
    ebm_free(first);
}

static void test_no_memory(void **state)
{
    const flags f = {.data = "idx", .test_data = "test.npy"};
    FOR_EACH_ALLOC_FAILURE
    {
        opened o;
        ebm_status st = open_both(*state, &f, &o, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        clear(&o);
    }
}

int main(void)
{
#define WITH_SETS(f) cmocka_unit_test_setup_teardown(f, set_up, temp_dir_tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SETS(test_parts),     WITH_SETS(test_precedence), WITH_SETS(test_refusals),
        WITH_SETS(test_memory),    WITH_SETS(test_foreign),    WITH_SETS(test_same_numbers),
        WITH_SETS(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
