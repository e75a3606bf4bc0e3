/* Data sets from directories: plain and gzipped files, every kind of damaged gzip, samples as
 * tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "assert_numbers.h"
#include "data/gunzip.h"
#include "ebm/memory.h"
#include "ebmt/data.h"
#include "fail_alloc.h"
#include "temp_dir.h"

#define IMAGES "train-images-idx3-ubyte"
#define LABELS "train-labels-idx1-ubyte"

static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0,   0,   0,   2,   0,   0,
                                       0, 3, 0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 3};

static int set_up(void **state)
{
    char *dir = malloc(TEMP_PATH_MAX);
    *state = dir;
    return dir && temp_dir_make(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    temp_dir_remove(*state);
    free(*state);
    return 0;
}

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

static void test_plain(void **state)
{
    ebmt_dataset data;
    assert_true(temp_dir_write(*state, IMAGES, images, sizeof images));
    assert_int_equal(ebmt_dataset_read(*state, EBMT_TRAIN, &data, NULL), EBM_OK);
    assert_int_equal(data.count, 2);
    assert_memory_equal(data.pixels, images + 16, 12);
    assert_null(data.labels);
    ebmt_dataset_clear(&data);
    ebm_error err = {0};
    assert_int_equal(ebmt_dataset_read(*state, EBMT_TEST, &data, &err), EBM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.where, "t10k-images-idx3-ubyte"));
}

static void test_gzipped(void **state)
{
    unsigned char packed[256];
    ebmt_dataset data;
    size_t n = compress_to(images, sizeof images, packed, sizeof packed);
    assert_true(temp_dir_write(*state, IMAGES ".gz", packed, n));
    assert_true(temp_dir_write(*state, LABELS, labels, sizeof labels));
    assert_int_equal(ebmt_dataset_read(*state, EBMT_TRAIN, &data, NULL), EBM_OK);
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
    assert_int_equal(ebmt_dataset_read(*state, EBMT_TRAIN, &data, &err), EBM_ERR_FORMAT);
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
    assert_int_equal(ebmt_dataset_read(*state, EBMT_TRAIN, &data, NULL), EBM_ERR_FORMAT);
}

static ebm_status read_packed(const char *dir, const unsigned char *packed, size_t n)
{
    ebmt_dataset data;
    assert_true(temp_dir_write(dir, IMAGES ".gz", packed, n));
    ebm_status st = ebmt_dataset_read(dir, EBMT_TRAIN, &data, NULL);
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

static void test_samples(void **state)
{
    ebmt_dataset data;
    float x[6];
    const float second[6] = {250, 251, 252, 253, 254, 255};
    (void)state;
    assert_int_equal(ebmt_idx_images(images, sizeof images, &data, NULL), EBM_OK);
    ebmt_dataset_get(&data, 1, 0, x);
    for (size_t i = 0; i < 6; i++)
        assert_close((double)x[i], (double)second[i] / 127.5 - 1.0, 1e-6);
    assert_true(x[5] == 1.0f);
    ebmt_dataset_get(&data, 1, 1, x);
    for (size_t i = 0; i < 6; i++)
        assert_close((double)x[i], (double)second[i / 3 * 3 + 2 - i % 3] / 127.5 - 1.0, 1e-6);
    ebmt_dataset_get(&data, 0, 0, x);
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
        ebm_status st = ebmt_dataset_read(*state, EBMT_TRAIN, &data, NULL);
        assert_int_equal(st, fail_alloc_hit() ? EBM_ERR_NOMEM : EBM_OK);
        ebmt_dataset_clear(&data);
    }
}

int main(void)
{
#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_DIR(test_plain),
        WITH_DIR(test_gzipped),
        WITH_DIR(test_damaged_labels),
        WITH_DIR(test_one_sample),
        WITH_DIR(test_every_truncation),
        WITH_DIR(test_bytes_after_the_end),
        WITH_DIR(test_bad_checksum),
        WITH_DIR(test_bomb),
        WITH_DIR(test_not_gzip),
        cmocka_unit_test(test_gunzip_prefixes),
        cmocka_unit_test(test_samples),
        WITH_DIR(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
