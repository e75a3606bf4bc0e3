/* LMDB databases of pictures: values by number, also where not every key is remembered; copies
 * cut short; threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/source.h"
#include "ebm/memory.h"
#include "ebmt/data.h"
#include "fail_alloc.h"
#include "picture_maker.h"
#include "temp_dir.h"

#define KINDS 7 /* prime, so that a wrong step shows */

/* Flat pictures with values 0, 30, 60 ...; odd ones WebP, as LSUN has, even ones JPEG or PNG. */
static void make_values(made_file values[KINDS])
{
    for (int i = 0; i < KINDS; i++) {
        ebm_image image = picture_make(8, 8, 3, 0);
        memset(image.pixels, 30 * i, 192);
        values[i] = i % 2        ? picture_webp(&image)
                    : i % 3 == 0 ? picture_jpeg(&image, 100, false)
                                 : picture_png(&image);
        free(image.pixels);
    }
}

static void make_database(const char *dir, int n)
{
    made_file values[KINDS];
    make_values(values);
    assert_true(lmdb_make(dir, n, values, KINDS));
    for (int i = 0; i < KINDS; i++)
        free(values[i].bytes);
}

static ebm_status open_database(const char *dir, size_t cache, ebmt_dataset *out, ebm_error *err)
{
    const ebmt_data_options options = {
        .path = dir, .image_size = 4, .strict = true, .cache_bytes = cache};
    return ebmt_dataset_open(&options, out, err);
}

static void expect_sample(const ebmt_dataset *data, int64_t i)
{
    float x[48];
    assert_int_equal(ebmt_dataset_get(data, i, 0, x, NULL), EBM_OK);
    /* JPEG may be off by one */
    assert_true(x[0] > ((float)(30 * (i % KINDS)) - 1.5f) / 127.5f - 1.0f);
    assert_true(x[0] < ((float)(30 * (i % KINDS)) + 1.5f) / 127.5f - 1.0f);
}

static void test_values(void **state)
{
    make_database(*state, 50);
    for (size_t cache = 0; cache <= 1 << 20; cache += 1 << 20) {
        ebmt_dataset data;
        assert_int_equal(open_database(*state, cache, &data, NULL), EBM_OK);
        assert_int_equal(data.count, 50);
        assert_true((data.pixels == NULL) == (cache == 0));
        for (int i = 49; i >= 0; i--)
            expect_sample(&data, i);
        ebmt_dataset_clear(&data);
    }
}

/* 16,384 keys are remembered at most; 40,000 leave every fourth. */
static void test_sparse_keys(void **state)
{
    const int64_t asked[] = {0, 1, 3, 4, 5, 16383, 16384, 16385, 32767, 32768, 39998, 39999};
    ebmt_dataset data;
    make_database(*state, 40000);
    assert_int_equal(open_database(*state, 0, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 40000);
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        expect_sample(&data, asked[i]);
    for (int64_t i = 7; i < 40000; i += 997)
        expect_sample(&data, i);
    ebmt_dataset_clear(&data);
}

static void *read_all(void *arg)
{
    const ebmt_dataset *data = arg;
    for (int k = 0; k < 3000; k++)
        expect_sample(data,
                      (k * 37LL * 4 + 3) % data->count); /* the longest walk from a kept key */
    return NULL;
}

static void test_threads(void **state)
{
    ebmt_dataset data;
    pthread_t thread[4];
    make_database(*state, 40000);
    assert_int_equal(open_database(*state, 0, &data, NULL), EBM_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_all, &data), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    ebmt_dataset_clear(&data);
}

static void test_refused(void **state)
{
    char path[TEMP_PATH_MAX];
    ebmt_dataset data;
    ebm_error err = {0};
    assert_true(temp_dir_join(*state, "data.mdb", path));
    assert_true(temp_dir_write(*state, "data.mdb", "x", 1));
    assert_int_equal(open_database(*state, 0, &data, &err), EBM_ERR_FORMAT);
    assert_int_equal(unlink(path), 0);
    make_database(*state, 1);
    assert_int_equal(open_database(*state, 0, &data, NULL), EBM_ERR_FORMAT); /* one sample */
    const ebmt_data_options test_part = {.path = *state, .split = EBMT_TEST, .image_size = 4};
    assert_int_equal(ebmt_dataset_open(&test_part, &data, NULL), EBM_ERR_NOT_FOUND);
    const ebmt_data_options nowhere = {
        .path = "/nonexistent", .format = EBMT_FORMAT_LMDB, .image_size = 4};
    assert_int_equal(ebmt_dataset_open(&nowhere, &data, NULL), EBM_ERR_NOT_FOUND);
}

/* LMDB would map pages that are not there. */
static void test_cut_short(void **state)
{
    char path[TEMP_PATH_MAX];
    ebmt_dataset data;
    make_database(*state, 200);
    assert_true(temp_dir_join(*state, "data.mdb", path));
    for (long size = 12 * 4096; size > 0; size -= 4096) {
        ebm_error err = {0};
        assert_int_equal(truncate(path, size), 0);
        ebm_status st = open_database(*state, 0, &data, &err);
        assert_true(st == EBM_ERR_FORMAT || st == EBM_ERR_IO);
        assert_true(err.where[0] != '\0');
    }
}

static void test_no_memory(void **state)
{
    make_database(*state, 3);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset data;
        ebm_status st = open_database(*state, 1 << 20, &data, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_values),  TEMP_DIR_TEST(test_sparse_keys), TEMP_DIR_TEST(test_threads),
        TEMP_DIR_TEST(test_refused), TEMP_DIR_TEST(test_cut_short),   TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
