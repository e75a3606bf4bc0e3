/* Data sets from directories: plain and gzipped files, every kind of damaged gzip, samples as
 * tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "assert_numbers.h"
#include "data/gunzip.h"
#include "ebm/memory.h"
#include "ebmt/data.h"
#include "fail_alloc.h"
#include "picture_maker.h"
#include "temp_dir.h"

#define IMAGES "train-images-idx3-ubyte"
#define LABELS "train-labels-idx1-ubyte"

static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,   0,   0,   2,   0,   0,
                                       0, 3, 0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 3};

/* @shape out [size+64] at least */
static size_t compress_to(const void *data, size_t size, unsigned char *out, size_t room)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    unsigned char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, data, size);
    z.next_in = copy;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = (size_t)z.total_out;
    deflateEnd(&z);
    free(copy);
    return n;
}

/* Any format, images as they are, in memory. */
static ebm_status open_set(const char *path, ebmt_split split, ebmt_dataset *out, ebm_error *err)
{
    const ebmt_data_options options = {
        .path = path, .split = split, .cache_bytes = EBMT_DATA_CACHE_DEFAULT};
    return ebmt_dataset_open(&options, out, err);
}

static void test_plain(void **state)
{
    ebmt_dataset data;
    assert_true(temp_dir_write(*state, IMAGES, images, sizeof images));
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 2);
    assert_memory_equal(data.pixels, images + 16, 12);
    assert_null(data.labels);
    ebmt_dataset_clear(&data);
    ebm_error err = {0};
    assert_int_equal(open_set(*state, EBMT_TEST, &data, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.where, "t10k-images-idx3-ubyte"));
}

static void test_gzipped(void **state)
{
    unsigned char packed[256];
    ebmt_dataset data;
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    assert_true(temp_dir_write(*state, IMAGES ".gz", packed, n));
    assert_true(temp_dir_write(*state, LABELS, labels, sizeof labels));
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, NULL), EBM_OK);
    assert_memory_equal(data.pixels, images + 16, 12);
    assert_memory_equal(data.labels, labels + 8, 2);
    ebmt_dataset_clear(&data);
}

static void test_damaged_labels(void **state)
{
    ebmt_dataset data;
    ebm_error err = {0};
    assert_true(temp_dir_write(*state, IMAGES, images, sizeof images));
    assert_true(temp_dir_write(*state, LABELS, labels, sizeof labels - 1));
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, &err), EBM_ERR_FORMAT);
    assert_non_null(strstr(err.where, LABELS));
    assert_null(data.pixels);
}

static void test_one_sample(void **state)
{
    unsigned char one[22];
    ebmt_dataset data;
    memcpy(one, images, sizeof one);
    one[7] = 1;
    assert_true(temp_dir_write(*state, IMAGES, one, sizeof one));
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, NULL), EBM_ERR_FORMAT);
}

static ebm_status read_packed(const char *dir, const unsigned char *packed, size_t n)
{
    ebmt_dataset data;
    assert_true(temp_dir_write(dir, IMAGES ".gz", packed, n));
    ebm_status st = open_set(dir, EBMT_TRAIN, &data, NULL);
    ebmt_dataset_clear(&data);
    return st;
}

static void test_every_truncation(void **state)
{
    unsigned char packed[256];
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(read_packed(*state, packed, cut), EBM_ERR_FORMAT);
    assert_int_equal(read_packed(*state, packed, n), EBM_OK);
}

static void test_bytes_after_the_end(void **state)
{
    unsigned char packed[256];
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    packed[n] = 0;
    assert_int_equal(read_packed(*state, packed, n + 1), EBM_ERR_FORMAT);
    memcpy(packed + n, packed, n); /* a second member */
    assert_int_equal(read_packed(*state, packed, 2 * n), EBM_ERR_FORMAT);
}

static void test_bad_checksum(void **state)
{
    unsigned char packed[256];
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    packed[n - 5] ^= 1; /* CRC-32 */
    assert_int_equal(read_packed(*state, packed, n), EBM_ERR_FORMAT);
    packed[n - 5] ^= 1;
    packed[n - 1] ^= 1; /* length */
    assert_int_equal(read_packed(*state, packed, n), EBM_ERR_FORMAT);
}

/* 64 MiB of zeros behind a header that promises 28 bytes: refused one byte after those. */
static void test_bomb(void **state)
{
    const size_t size = (size_t)64 << 20, room = (size_t)1 << 20;
    unsigned char *plain = calloc(size, 1), *packed = malloc(room);
    assert_non_null(plain);
    assert_non_null(packed);
    memcpy(plain, images, sizeof images);
    size_t n = compress_to(plain, size, packed, room);
    assert_int_equal(read_packed(*state, packed, n), EBM_ERR_FORMAT);
    free(plain);
    free(packed);
}

static void test_not_gzip(void **state)
{
    assert_int_equal(read_packed(*state, images, sizeof images), EBM_ERR_FORMAT);
}

/* Exactly so many bytes, at every split between header and rest. */
static void test_gunzip_prefixes(void **state)
{
    unsigned char packed[256], out[sizeof images + 1];
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    (void)state;
    for (size_t want = 1; want <= sizeof images; want++) {
        memset(out, 0xa5, sizeof out);
        assert_int_equal(ebmt__gunzip(packed, n, out, want, false, NULL), EBM_OK);
        assert_memory_equal(out, images, want);
        assert_int_equal(out[want], 0xa5);
        assert_int_equal(ebmt__gunzip(packed, n, out, want, true, NULL),
                         want == sizeof images ? EBM_OK : EBM_ERR_FORMAT);
    }
}

static ebm_status open_with_cache(const char *dir, size_t cache, ebmt_dataset *out)
{
    const ebmt_data_options options = {.path = dir, .cache_bytes = cache};
    return ebmt_dataset_open(&options, out, NULL);
}

/* The bound is exact, and plain and gzipped files stream the same samples. */
static void test_cache_bound(void **state)
{
    unsigned char packed[256];
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    assert_true(temp_dir_write(*state, LABELS, labels, sizeof labels));
    for (int k = 0; k < 2; k++) {
        ebmt_dataset data;
        float x[6];
        if (k == 0)
            assert_true(temp_dir_write(*state, IMAGES ".gz", packed, n));
        else
            assert_true(temp_dir_write(*state, IMAGES, images, sizeof images));
        assert_int_equal(open_with_cache(*state, 12, &data), EBM_OK);
        assert_non_null(data.pixels);
        ebmt_dataset_clear(&data);
        assert_int_equal(open_with_cache(*state, 11, &data), EBM_OK);
        assert_null(data.pixels);
        assert_memory_equal(data.labels, labels + 8, 2);
        assert_int_equal(ebmt_dataset_get(&data, 1, 1, x, NULL), EBM_OK);
        assert_true(x[0] == 252.0f / 127.5f - 1.0f);
        ebmt_dataset_clear(&data);
    }
}

/* Sum of all that opening an array of so many 32x32 colour images asks for. */
static size_t bytes_to_open(const char *dir, int count, size_t *per_sample)
{
    char text[96], path[TEMP_PATH_MAX];
    float x[3072];
    ebmt_dataset data;
    uint8_t *pixels = calloc((size_t)count, 3072);
    assert_non_null(pixels);
    (void)snprintf(text, sizeof text,
                   "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, 32, 32, 3), }", count);
    made_file f = npy_make(1, text, pixels, (size_t)count * 3072);
    assert_true(temp_dir_write(dir, "a.npy", f.bytes, f.size));
    assert_true(temp_dir_join(dir, "a.npy", path));
    free(f.bytes);
    free(pixels);
    fail_alloc_reset();
    assert_int_equal(open_with_cache(path, 0, &data), EBM_OK);
    const size_t opening = fail_alloc_bytes();
    fail_alloc_reset();
    for (int i = 0; i < count; i++)
        assert_int_equal(ebmt_dataset_get(&data, i, 0, x, NULL), EBM_OK);
    *per_sample = fail_alloc_bytes() / (size_t)count;
    ebmt_dataset_clear(&data);
    return opening;
}

/* Streaming: nineteen times the images take a byte more for each, not 3072; a sample takes the
 * same whichever set it is of, and the sanitizers see that it is given back. */
static void test_memory_does_not_grow(void **state)
{
    size_t small_sample, large_sample;
    const size_t small = bytes_to_open(*state, 100, &small_sample);
    const size_t large = bytes_to_open(*state, 2000, &large_sample);
    assert_true(large - small <= 1900 + EBM_ALIGN);
    assert_int_equal(small_sample, large_sample);
    assert_true(large < (size_t)32 << 10);
}

/* Two and four channels are converted to gray and colour, or taken byte for byte by who asks for
 * as many as there are; nothing is converted to them. */
static void test_even_channels(void **state)
{
    static const uint8_t points[4] = {10, 0, 20, 255}; /* two images of a pixel: gray, opacity */
    static const struct {
        int32_t asked, got;
        float first[2]; /* of the second image */
        ebm_status expected;
    } rows[] = {{0, 1, {20 / 127.5f - 1}, EBM_OK},
                {2, 2, {20 / 127.5f - 1, 1}, EBM_OK},
                {3, 3, {20 / 127.5f - 1, 20 / 127.5f - 1}, EBM_OK},
                {4, 0, {0}, EBM_ERR_SHAPE},
                {5, 0, {0}, EBM_ERR_RANGE},
                {-1, 0, {0}, EBM_ERR_RANGE}};
    char path[TEMP_PATH_MAX];
    made_file f = npy_make(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 1, 2), }",
                           points, sizeof points);
    assert_true(temp_dir_write(*state, "points.npy", f.bytes, f.size));
    assert_true(temp_dir_join(*state, "points.npy", path));
    free(f.bytes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ebmt_data_options o = {.path = path, .channels = rows[i].asked};
        float x[4] = {0};
        ebmt_dataset data = {0};
        assert_int_equal(ebmt_dataset_open(&o, &data, NULL), rows[i].expected);
        if (rows[i].expected != EBM_OK)
            continue;
        assert_int_equal(data.channels, rows[i].got);
        assert_int_equal(ebmt_dataset_get(&data, 1, 0, x, NULL), EBM_OK);
        assert_true(x[0] == rows[i].first[0] && x[1] == rows[i].first[1]);
        ebmt_dataset_clear(&data);
    }
}

static void test_format_names(void **state)
{
    (void)state;
    assert_string_equal(ebmt_format_name(EBMT_FORMAT_AUTO), "auto");
    assert_string_equal(ebmt_format_name(EBMT_FORMAT_CBDT), "cbdt");
    assert_null(ebmt_format_name((ebmt_format)(EBMT_FORMAT_CBDT + 1)));
}

/* What a path holds, and whether it may have labels; a format that was named is not looked for. */
static void test_kinds(void **state)
{
    ebmt_data_options o = {.path = *state};
    ebmt_format format;
    assert_int_equal(ebmt_data_format(&o, &format, NULL), EBM_OK);
    assert_int_equal(format, EBMT_FORMAT_IMAGES);
    assert_false(ebmt_format_labelled(format));
    assert_true(temp_dir_write(*state, IMAGES, images, sizeof images));
    assert_int_equal(ebmt_data_format(&o, &format, NULL), EBM_OK);
    assert_int_equal(format, EBMT_FORMAT_IDX);
    assert_true(ebmt_format_labelled(format));
    o.format = EBMT_FORMAT_LMDB;
    assert_int_equal(ebmt_data_format(&o, &format, NULL), EBM_OK);
    assert_int_equal(format, EBMT_FORMAT_LMDB);
    o.format = (ebmt_format)(EBMT_FORMAT_CBDT + 1);
    assert_int_equal(ebmt_data_format(&o, &format, NULL), EBM_ERR_RANGE);
}

/* What no format's file looks like. */
static void test_detection(void **state)
{
    char path[TEMP_PATH_MAX];
    ebmt_dataset data;
    assert_int_equal(open_set("/nonexistent", EBMT_TRAIN, &data, NULL), EBM_ERR_NOT_FOUND);
    assert_int_equal(open_set(*state, EBMT_TRAIN, &data, NULL), EBM_ERR_FORMAT);
    assert_true(temp_dir_write(*state, "x", "PK\3\4......", 10));
    assert_true(temp_dir_join(*state, "x", path));
    assert_int_equal(open_set(path, EBMT_TRAIN, &data, NULL), EBM_ERR_FORMAT);
    assert_true(temp_dir_write(*state, "x", "", 0));
    assert_int_equal(open_set(path, EBMT_TRAIN, &data, NULL), EBM_ERR_FORMAT);
}

static void test_samples(void **state)
{
    ebmt_dataset data;
    float x[6];
    const float second[6] = {250, 251, 252, 253, 254, 255};
    (void)state;
    assert_int_equal(ebmt_idx_images(images, sizeof images, &data, NULL), EBM_OK);
    assert_int_equal(ebmt_dataset_get(&data, 1, 0, x, NULL), EBM_OK);
    for (size_t i = 0; i < 6; i++)
        assert_close((double)x[i], (double)second[i] / 127.5 - 1.0, 1e-6);
    assert_true(x[5] == 1.0f);
    assert_int_equal(ebmt_dataset_get(&data, 1, 1, x, NULL), EBM_OK);
    for (size_t i = 0; i < 6; i++)
        assert_close((double)x[i], (double)second[i / 3 * 3 + 2 - i % 3] / 127.5 - 1.0, 1e-6);
    assert_int_equal(ebmt_dataset_get(&data, 0, 0, x, NULL), EBM_OK);
    assert_true(x[0] == -1.0f);
    ebmt_dataset_clear(&data);
}

static void test_no_memory(void **state)
{
    unsigned char packed[256];
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    assert_true(temp_dir_write(*state, IMAGES ".gz", packed, n));
    assert_true(temp_dir_write(*state, LABELS, labels, sizeof labels));
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
        TEMP_DIR_TEST(test_plain),
        TEMP_DIR_TEST(test_gzipped),
        TEMP_DIR_TEST(test_damaged_labels),
        TEMP_DIR_TEST(test_one_sample),
        TEMP_DIR_TEST(test_every_truncation),
        TEMP_DIR_TEST(test_bytes_after_the_end),
        TEMP_DIR_TEST(test_bad_checksum),
        TEMP_DIR_TEST(test_bomb),
        TEMP_DIR_TEST(test_not_gzip),
        cmocka_unit_test(test_gunzip_prefixes),
        TEMP_DIR_TEST(test_cache_bound),
        TEMP_DIR_TEST(test_memory_does_not_grow),
        TEMP_DIR_TEST(test_detection),
        TEMP_DIR_TEST(test_kinds),
        TEMP_DIR_TEST(test_even_channels),
        cmocka_unit_test(test_format_names),
        cmocka_unit_test(test_samples),
        TEMP_DIR_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
