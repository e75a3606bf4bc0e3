/* CIFAR-10 batches: order over files, planes, labels, and every way in which a copy is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/cifar.h"
#include "ebmt/data.h"
#include "fail_alloc.h"
#include "temp_dir.h"

#define PER_FILE 3

/* A batch whose records know their number: it is their label and their first byte of each colour.
 */
static void write_batch(const char *dir, const char *name, int first, size_t size)
{
    unsigned char *bytes = calloc(PER_FILE + 1, EBMT_CIFAR_RECORD);
    assert_non_null(bytes);
    for (int i = 0; i < PER_FILE; i++) {
        unsigned char *r = bytes + i * EBMT_CIFAR_RECORD;
        r[0] = (unsigned char)((first + i) % 10);
        for (int c = 0; c < 3; c++)
            r[1 + 1024 * c] = (unsigned char)(first + i + 50 * c);
    }
    assert_true(temp_dir_write(dir, name, bytes, size));
    free(bytes);
}

static void write_batches(const char *dir, int n)
{
    for (int k = 1; k <= n; k++) {
        char name[] = "data_batch_0.bin";
        name[11] = (char)('0' + k);
        write_batch(dir, name, PER_FILE * (k - 1), PER_FILE * EBMT_CIFAR_RECORD);
    }
}

/* Any format, images as they are, in memory. */
static ebm_status open_set(const char *path, ebmt_split split, ebmt_dataset *out, ebm_error *err)
{
    const ebmt_data_options options = {
        .path = path, .split = split, .cache_bytes = EBMT_DATA_CACHE_DEFAULT};
    return ebmt_dataset_open(&options, out, err);
}

static void test_all_batches(void **state)
{
    ebmt_dataset data;
    write_batches(*state, 5);
    write_batch(*state, "test_batch.bin", 100, PER_FILE * EBMT_CIFAR_RECORD);
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 15);
    assert_int_equal(data.channels, 3);
    assert_int_equal(data.height, 32);
    assert_int_equal(data.width, 32);
    for (int i = 0; i < 15; i++) {
        assert_int_equal(data.labels[i], i % 10);
        for (int c = 0; c < 3; c++)
            assert_int_equal(data.pixels[3072 * i + 1024 * c], i + 50 * c);
    }
    ebmt_dataset_clear(&data);
    assert_int_equal(open_set(*state, EBMT_TEST, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 3);
    assert_int_equal(data.pixels[0], 100);
    ebmt_dataset_clear(&data);
}

static void test_missing_parts(void **state)
{
    ebmt_dataset data;
    ebm_error err = {0};
    char path[TEMP_PATH_MAX];
    write_batches(*state, 4);
    assert_int_equal(open_set(*state, EBMT_TEST, &data, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.where, "test_batch.bin"));
    assert_true(temp_dir_join(*state, "data_batch_3.bin", path));
    assert_int_equal(remove(path), 0);
    err = (ebm_error){0};
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "data_batch_4.bin"));
}

static void test_sizes(void **state)
{
    static const size_t bad[] = {0, 1, 3072, 3074, 3 * 3073 - 1, 3 * 3073 + 1};
    ebmt_dataset data;
    int64_t count;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ebm_error err = {0};
        write_batch(*state, "data_batch_1.bin", 0, bad[i]);
        assert_int_equal(open_set(*state, EBMT_TRAIN, &data, &err), EBM_ERR_FORMAT);
        assert_non_null(strstr(err.where, "data_batch_1.bin"));
    }
    assert_int_equal(ebmt__cifar_count((size_t)EBMT_CIFAR_RECORD << 24, &count, NULL), EBM_OK);
    assert_int_equal(count, 1 << 24);
    assert_int_equal(
        ebmt__cifar_count(((size_t)EBMT_CIFAR_RECORD << 24) + EBMT_CIFAR_RECORD, &count, NULL),
        EBM_ERR_LIMIT);
}

static void test_label_out_of_range(void **state)
{
    unsigned char *bytes = calloc(600, EBMT_CIFAR_RECORD);
    ebmt_dataset data;
    ebm_error err = {0};
    assert_non_null(bytes);
    bytes[500 * EBMT_CIFAR_RECORD] = 10;
    assert_true(temp_dir_write(*state, "data_batch_1.bin", bytes, 600 * EBMT_CIFAR_RECORD));
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, &err), EBM_ERR_FORMAT);
    assert_int_equal(err.index, 500);
    free(bytes);
}

/* Of 15 records the last 4 are the test images, whatever test_batch.bin holds; labels go with their
 * images, in memory as on demand. */
static void test_held_out(void **state)
{
    static const size_t cache[] = {1 << 20, 0};
    write_batches(*state, 5);
    write_batch(*state, "test_batch.bin", 100, PER_FILE * EBMT_CIFAR_RECORD);
    for (int k = 0; k < 4; k++) {
        const int first = k & 1 ? 11 : 0, count = k & 1 ? 4 : 11;
        const ebmt_data_options o = {.path = *state,
                                     .split = k & 1 ? EBMT_TEST : EBMT_TRAIN,
                                     .held_out = 4,
                                     .cache_bytes = cache[k / 2]};
        ebmt_dataset data;
        assert_int_equal(ebmt_dataset_open(&o, &data, NULL), EBM_OK);
        assert_int_equal(data.count, count);
        for (int i = 0; i < count; i++) {
            float x[3072];
            assert_int_equal(data.labels[i], (first + i) % 10);
            assert_int_equal(ebmt_dataset_get(&data, i, 0, x, NULL), EBM_OK);
            assert_true(x[1024] == (float)(first + i + 50) / 127.5f - 1.0f);
        }
        ebmt_dataset_clear(&data);
    }
}

static void test_held_out_bounds(void **state)
{
    static const int64_t bad[] = {-1, 1, 14, 15, 16, INT64_MAX};
    ebmt_dataset data;
    ebm_error err = {0};
    ebmt_data_options o = {.path = *state, .cache_bytes = 1 << 20};
    write_batches(*state, 5);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (ebm_error){0};
        o.held_out = bad[i];
        assert_int_equal(ebmt_dataset_open(&o, &data, &err), EBM_ERR_RANGE);
        assert_string_equal(err.where, "held_out");
    }
    o.held_out = 13;
    assert_int_equal(ebmt_dataset_open(&o, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 2);
    ebmt_dataset_clear(&data);
}

/* Whole in memory, or refused with what it would take. */
static void test_open_whole(void **state)
{
    ebmt_dataset data;
    ebm_error err = {0};
    ebmt_data_options o = {.path = *state, .cache_bytes = 15 * 3072};
    write_batches(*state, 5);
    assert_int_equal(ebmt_dataset_open_whole(&o, &data, NULL), EBM_OK);
    ebmt_dataset_clear(&data);
    o.cache_bytes--;
    assert_int_equal(ebmt_dataset_open_whole(&o, &data, &err), EBM_ERR_LIMIT);
    assert_string_equal(err.where, *state);
    assert_non_null(strstr(err.text, "15 images of 32x32x3"));
    assert_null(data.labels);
}

static void test_no_memory(void **state)
{
    write_batches(*state, 2);
    FOR_EACH_ALLOC_FAILURE
    {
        ebmt_dataset data;
        ebm_status st = open_set(*state, EBMT_TRAIN, &data, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_all_batches), TEMP_DIR_TEST(test_missing_parts),
        TEMP_DIR_TEST(test_sizes),       TEMP_DIR_TEST(test_label_out_of_range),
        TEMP_DIR_TEST(test_held_out),    TEMP_DIR_TEST(test_held_out_bounds),
        TEMP_DIR_TEST(test_open_whole),  TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
